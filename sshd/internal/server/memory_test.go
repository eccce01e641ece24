package server

import (
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

const testMemory = 64 << 20

func withMemory(c *Config) { c.Limits.Memory = testMemory }

func heap() uint64 {
	sample := []metrics.Sample{{Name: heapMetric}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// highest watches the heap until the function that it returns is called, which tells its most.
func highest() (stop func() uint64) {
	over, seen := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			most = max(most, heap())
			select {
			case <-over:
				seen <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(over); return <-seen }
}

type zeros struct{}

func (zeros) Read(data []byte) (int, error) { return len(data), nil }

// deaf is the address of a port that accepts and reads nothing.
func deaf(t *testing.T) string {
	t.Helper()
	listener := listenTest(t, "tcp", "127.0.0.1:0")
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// flood opens channels to where nobody reads, and sends, until it may open no more; it returns how
// many they were.
func flood(client *ssh.Client, address string) int {
	const many = 200
	for opened := range many {
		conn, err := client.Dial("tcp", address)
		if err != nil {
			return opened
		}
		go func() { _, _ = io.CopyN(conn, zeros{}, 8<<20) }()
	}
	return many
}

// lives is that the client's connection goes on, once there is memory again.
func (r *running) lives(t *testing.T, client *ssh.Client) {
	t.Helper()
	eventually(t, "the memory is free again", func() bool { return !r.server.memory.isAboveNow(r.server.memory.short()) })
	if got := command(t, client, "echo lives", ""); got.stdout != "lives\n" {
		t.Fatalf("%+v", got)
	}
}

// endings are the lines of the log on connections that were ended for memory.
func (r *running) endings() int { return strings.Count(r.log.String(), "memory is used up") }

// What a command does not read waits in the server's memory.
func TestMemoryIsBounded(t *testing.T) {
	r := run(t, withMemory)
	small, greedy := r.dial(t), r.dial(t)
	stop := highest()
	opened := flood(greedy, deaf(t))
	eventually(t, "who wants more, and has nothing, gets it", func() bool {
		session, err := small.NewSession()
		if err == nil {
			_ = session.Close()
		}
		return err == nil
	})
	_ = greedy.Close()
	r.lives(t, small)
	most := stop()
	t.Logf("%d channels, %d MiB at most", opened, most>>20)
	if most > 3*testMemory {
		t.Errorf("%d MiB", most>>20)
	}
}

// Those who wait for nothing are not to blame, however many channels they have.
func TestWhoseBytesWaitIsEnded(t *testing.T) {
	r := run(t, withMemory)
	idle, greedy := r.dial(t), r.dial(t)
	echo := listenTest(t, "tcp", "127.0.0.1:0")
	upperCase(t, echo)
	var conns []net.Conn
	for range 40 {
		conn, err := idle.Dial("tcp", echo.Addr().String())
		must(t, err)
		conns = append(conns, conn)
	}
	flood(greedy, deaf(t))
	ballast := make([]byte, testMemory/8*5) // with the greedy one's bytes too much, and without them not
	within(t, patience, "the greedy one ends", func() { _ = greedy.Wait() })
	runtime.KeepAlive(ballast)
	for _, conn := range conns {
		if got := ask(t, conn, "text"); got != "TEXT" {
			t.Fatalf("%q", got)
		}
	}
	r.lives(t, idle)
}

// The heap is past its limit all the time, by garbage.
func TestNobodyIsEndedForGarbage(t *testing.T) {
	r := run(t, withMemory)
	client := r.dial(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for begin := time.Now(); time.Since(begin) < 2*time.Second; {
		if heap() < 2*testMemory {
			garbage = make([]byte, 1<<20)
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	r.lives(t, client)
	if r.endings() != 0 {
		t.Errorf("%s", r.log)
	}
}

var garbage []byte // a global, so that it is on the heap

// What was in use a moment ago may be given back by now.
func TestNobodyIsEndedForWhatWasInUse(t *testing.T) {
	r := run(t, withMemory)
	client := r.dial(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for heap() < 2*testMemory {
		garbage = make([]byte, 1<<20)
	}
	memory := r.server.memory
	memory.mu.Lock()
	memory.collected, memory.inUse = time.Now(), heap()
	memory.mu.Unlock()
	if !r.server.makeRoom(testMemory, nil) || r.endings() != 0 {
		t.Errorf("%s", r.log)
	}
	r.lives(t, client)
}

// What an ended connection holds is not free before it has gone.
func TestOneIsEndedAtATime(t *testing.T) {
	r := run(t, withMemory)
	small, greedy := r.dial(t), r.dial(t)
	_, err := greedy.Dial("tcp", deaf(t)) // the heavier one
	must(t, err)
	eventually(t, "both are known", func() bool { return len(r.server.connections()) == 2 })
	heavy := heaviestOf(r.server.connections())
	heavy.serving.Add(1) // something of it takes its time
	held := make([]byte, 2*testMemory)
	within(t, patience, "the heavier one ends", func() { _ = greedy.Wait() })
	rounds := 0
	for begin := time.Now(); time.Since(begin) < time.Second/2; rounds++ {
		if !r.server.makeRoom(testMemory, nil) {
			t.Fatal("no room, and none to come")
		}
	}
	runtime.KeepAlive(held)
	heavy.serving.Done()
	eventually(t, "it is gone", func() bool { return len(r.server.connections()) == 1 })
	r.lives(t, small)
	if rounds == 0 || r.endings() != 1 {
		t.Errorf("%d rounds; %s", rounds, r.log)
	}
}

// Memory that somebody else has left behind is not the fault of one without channels.
func TestConnectionWithoutChannelsStays(t *testing.T) {
	r := run(t, withMemory)
	idle := r.dial(t)
	eventually(t, "it is known", func() bool { return len(r.server.connections()) == 1 })
	held := make([]byte, 2*testMemory)
	if r.server.makeRoom(testMemory, nil) || r.endings() != 0 {
		t.Errorf("%s", r.log)
	}
	runtime.KeepAlive(held)
	r.lives(t, idle)
}

func TestWhoIsToBlame(t *testing.T) {
	connectionOf := func(channels, reading int32, endedFor time.Duration) *connection {
		c := &connection{wire: newWire(nil, "", 0)}
		c.channels.Store(channels)
		c.reading.Store(reading)
		if endedFor > 0 {
			c.wire.ended.Store(sinceStart() - int64(endedFor))
		}
		return c
	}
	idle, busy, sending := connectionOf(100, 100, 0), connectionOf(100, 98, 0), connectionOf(20, 0, 0)
	going, stuck := connectionOf(512, 0, time.Millisecond), connectionOf(512, 0, 2*goesWithin)
	if heaviest := heaviestOf([]*connection{idle, sending, busy, going, stuck}); heaviest != sending {
		t.Errorf("%+v", heaviest)
	}
	if heaviest := heaviestOf([]*connection{idle, busy}); heaviest != busy {
		t.Errorf("%+v", heaviest)
	}
	if heaviest := heaviestOf([]*connection{going, stuck}); heaviest != nil {
		t.Errorf("%+v", heaviest)
	}
	if !oneIsGoing([]*connection{idle, going}) || oneIsGoing([]*connection{idle, stuck}) {
		t.Error("one that hangs is waited for")
	}
}
