package server

import (
	"errors"
	"fmt"
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
	t.Parallel()
	const idle = 3 * time.Second // within which one has to log in
	r := run(t, func(c *Config) { c.IdleExit = idle })
	client := r.dial(t)
	time.Sleep(idle + time.Second)
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
		eventually(t, fmt.Sprintf("process %d of %v ends", pid, pids), func() bool { return !alive(pid) })
	}
}

func TestRequestsOfTheConnection(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	// One that lives has to answer within all rounds.
	r := run(t, func(c *Config) { c.AskAlive, c.Limits.SilentRounds = 100*time.Millisecond, 50 })
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
