package server

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func awaitEnd(t *testing.T, r *running) error {
	t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err // for the clean-up
		return err
	case <-time.After(patience):
		t.Fatal("the server does not end")
		return nil
	}
}

func TestIdleExit(t *testing.T) {
	r := run(t, func(c *Config) { c.IdleExit = 1500 * time.Millisecond })
	client := r.dial(t)
	time.Sleep(3 * time.Second)
	if got := command(t, client, "echo used", ""); got.stdout != "used\n" {
		t.Fatalf("it ends while somebody is there: %+v", got)
	}
	_ = client.Close()
	if err := awaitEnd(t, r); !errors.Is(err, ErrIdle) {
		t.Fatalf("%v", err)
	}
}

func TestKeylessExit(t *testing.T) {
	r := run(t, func(c *Config) { c.KeylessExit = true })
	client := r.dial(t)
	r.keys.put(r.key.PublicKey(), false)
	if err := awaitEnd(t, r); !errors.Is(err, ErrKeyless) {
		t.Fatalf("%v", err)
	}
	within(t, patience, "the connection ends", func() { _ = client.Wait() })
}

func TestAnEndOfTheServerEndsAllConnections(t *testing.T) {
	r := run(t, nil)
	client := r.dial(t)
	pids := pidsOf(t, client, false, "sleep 100 & echo $$ $!; wait")
	r.stop()
	if err := awaitEnd(t, r); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d runs on", pid)
		}
	}
}

func TestRequestsOfTheConnection(t *testing.T) {
	client := run(t, nil).dial(t)
	for _, kind := range []string{"keepalive@openssh.com", "hostkeys-prove-00@openssh.com", "no-such"} {
		if _, _, err := client.SendRequest(kind, true, nil); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, _, err := client.OpenChannel("x11", nil); err == nil {
		t.Error("a channel of an unknown kind opens")
	}
	if ok, _, err := client.SendRequest("no-more-sessions@openssh.com", true, nil); err != nil || !ok {
		t.Errorf("no-more-sessions: %v %v", ok, err)
	}
	time.Sleep(sealedAfter + 100*time.Millisecond)
	if session, err := client.NewSession(); err == nil {
		_ = session.Close()
		t.Error("a session after no-more-sessions")
	}
}

func TestASilentClientIsEnded(t *testing.T) {
	r := run(t, func(c *Config) { c.AskAlive, c.Limits.SilentRounds = 50*time.Millisecond, 4 })
	living := r.dial(t) // the library answers
	socket, err := net.Dial("tcp", r.address)
	must(t, err)
	conn, _, requests, err := ssh.NewClientConn(socket, r.address, r.config(r.key))
	must(t, err)
	within(t, patience, "who does not answer is ended", func() { _ = conn.Wait() })
	runtime.KeepAlive(requests) // never read
	if got := command(t, living, "echo lives", ""); got.stdout != "lives\n" {
		t.Fatalf("%+v", got)
	}
}

func TestChannelsAreLimited(t *testing.T) {
	r := run(t, func(c *Config) { c.Limits.Channels, c.Limits.Sessions = 4, 2 })
	client := r.dial(t)
	for range 2 {
		_, err := client.NewSession()
		must(t, err)
	}
	if _, err := client.NewSession(); err == nil {
		t.Error("a third session")
	}
	listener := listenTest(t, "tcp", "127.0.0.1:0")
	defer func() { _ = listener.Close() }()
	for range 2 {
		_, err := client.Dial("tcp", listener.Addr().String())
		must(t, err)
	}
	var refused *ssh.OpenChannelError
	if _, err := client.Dial("tcp", listener.Addr().String()); !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("a fifth channel: %v", err)
	}
	if got := command(t, r.dial(t), "echo other", ""); got.stdout != "other\n" {
		t.Errorf("another connection: %+v", got)
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	r := run(t, func(c *Config) { c.Limits.Connections = 2 })
	first := r.dial(t)
	r.dial(t)
	eventually(t, "both are known", func() bool { return len(r.server.connections()) == 2 })
	third, err := ssh.Dial("tcp", r.address, r.config(r.key))
	if err == nil {
		within(t, patience, "the third ends", func() { _ = third.Wait() })
	}
	_ = first.Close()
	eventually(t, "there is room again", func() bool { return len(r.server.connections()) < 2 })
	if got := command(t, r.dial(t), "echo in", ""); got.stdout != "in\n" {
		t.Errorf("%+v", got)
	}
}

// What a command does not read waits in the server's memory.
func TestMemoryIsBounded(t *testing.T) {
	const limit = 64 << 20
	r := run(t, func(c *Config) { c.Limits.Memory = limit })
	small := r.dial(t)
	greedy, err := ssh.Dial("tcp", r.address, r.config(r.key))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	seen := make(chan uint64)
	go func() {
		var most uint64
		for ctx.Err() == nil {
			r.server.memory.mu.Lock()
			most = max(most, r.server.memory.read())
			r.server.memory.mu.Unlock()
			time.Sleep(20 * time.Millisecond)
		}
		seen <- most
	}()
	listener := listenTest(t, "tcp", "127.0.0.1:0") // accepts and reads nothing
	defer func() { _ = listener.Close() }()
	var opened int
	for range 200 {
		conn, err := greedy.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		opened++
		go func() { _, _ = io.CopyN(conn, zeros{}, 8<<20) }()
	}
	time.Sleep(2 * time.Second)
	_ = greedy.Close()
	cancel()
	most := <-seen
	t.Logf("%d channels, %d MiB at most", opened, most>>20)
	if most > 3*limit {
		t.Errorf("%d MiB", most>>20)
	}
	eventually(t, "the memory is free again", func() bool { runtime.GC(); return !r.server.memory.short() })
	if got := command(t, small, "echo lives", ""); got.stdout != "lives\n" {
		t.Errorf("the other connection: %+v", got)
	}
}

// Memory that another connection has left behind is not the fault of one without channels.
func TestConnectionWithoutChannelsIsNotEndedForMemory(t *testing.T) {
	r := run(t, func(c *Config) { c.Limits.Memory = 1 << 20 })
	held := make([]byte, 4<<20)
	idle := r.dial(t)
	eventually(t, "the memory is used up", r.server.memory.exhausted)
	ended := make(chan struct{})
	go func() { _ = idle.Wait(); close(ended) }()
	select {
	case <-ended:
		t.Error("it was ended")
	case <-time.After(500 * time.Millisecond): // the server looks each 100 ms
	}
	runtime.KeepAlive(held)
}

type zeros struct{}

func (zeros) Read(data []byte) (int, error) { return len(data), nil }
