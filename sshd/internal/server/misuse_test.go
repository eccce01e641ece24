package server

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// paramiko says that there is no more and closes in one go.
func TestAForwardThatIsEndedAndThenClosedIsClosed(t *testing.T) {
	r := run(t, nil)
	client := r.dial(t)
	listener := listenTest(t, "tcp", "127.0.0.1:0")
	defer func() { _ = listener.Close() }()
	conn, err := client.Dial("tcp", listener.Addr().String())
	must(t, err)
	peer, err := listener.Accept()
	must(t, err)
	defer func() { _ = peer.Close() }()
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("no CloseWrite")
	}
	must(t, half.CloseWrite())
	if text := readAll(t, peer); text != "" {
		t.Fatalf("%q", text)
	}
	// By now the end is passed on. The other side says nothing and closes nothing.
	must(t, conn.Close())
	eventually(t, "its place is free", func() bool {
		for _, c := range r.server.connections() {
			if c.channels.Load() != 0 {
				return false
			}
		}
		return true
	})
	eventually(t, "the other side is told", func() bool {
		_, err := peer.Write([]byte("x"))
		return err != nil
	})
}

func TestWhoHasMostConnectionsMakesPlaceForOthers(t *testing.T) {
	r := run(t, func(c *Config) { c.Limits.Connections = 3 })
	other := newSigner(t)
	r.keys.put(other.PublicKey(), true)
	ended := make(chan error, 3)
	for range 3 {
		client := r.dial(t)
		go func() { ended <- client.Wait() }()
	}
	eventually(t, "all are known", func() bool { return len(r.server.connections()) == 3 })
	client, err := ssh.Dial("tcp", r.address, r.config(other))
	must(t, err)
	defer func() { _ = client.Close() }()
	if got := command(t, client, "echo in", ""); got.stdout != "in\n" {
		t.Fatalf("%+v", got)
	}
	within(t, patience, "one of the many ends", func() { <-ended })
	if open := len(r.server.connections()); open != 3 {
		t.Errorf("%d connections are open", open)
	}
	refused, err := ssh.Dial("tcp", r.address, r.config(r.key)) // two of three are that key's already
	if err == nil {
		within(t, patience, "one more of theirs ends", func() { _ = refused.Wait() })
	}
	if got := command(t, client, "echo still in", ""); got.stdout != "still in\n" {
		t.Fatalf("%+v", got)
	}
}

func TestSocketsAreFilesOfTheUserAlone(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	client := run(t, nil).dial(t)
	listener, err := client.ListenUnix("@socket") // which Go would take for one without a file
	must(t, err)
	upperCase(t, listener)
	if info, err := os.Stat(filepath.Join(folder, "@socket")); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("%v %v", info, err)
	}
	conn, err := client.Dial("unix", "@socket")
	must(t, err)
	if got := ask(t, conn, "a file"); got != "A FILE" {
		t.Errorf("%q", got)
	}
	for _, path := range []string{"", "\x00abstract", "cut\x00off"} {
		if _, err := client.ListenUnix(path); err == nil {
			t.Errorf("%q is listened on", path)
		}
		if _, err := client.Dial("unix", path); err == nil {
			t.Errorf("%q is connected to", path)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "cut")); err == nil {
		t.Error("a socket has another name than was asked for")
	}
}

func TestALostConnectionLeavesTheSocketOfItsSuccessor(t *testing.T) {
	r := run(t, nil)
	path := filepath.Join(t.TempDir(), "s")
	lost, next := r.dial(t), r.dial(t)
	_, err := lost.ListenUnix(path)
	must(t, err)
	must(t, os.Remove(path)) // by its user, who is back
	listener, err := next.ListenUnix(path)
	must(t, err)
	upperCase(t, listener)
	must(t, lost.Close())
	eventually(t, "the lost one has ended", func() bool { return len(r.server.connections()) == 1 })
	conn, err := net.Dial("unix", path)
	must(t, err)
	if got := ask(t, conn, "still there"); got != "STILL THERE" {
		t.Errorf("%q", got)
	}
	must(t, listener.Close())
	eventually(t, "its own end removes it", func() bool {
		_, err := os.Lstat(path)
		return os.IsNotExist(err)
	})
}

// There is no moment in which others could connect.
func TestASocketsFileIsPrivateFromTheFirst(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	path := filepath.Join(t.TempDir(), "s")
	config := net.ListenConfig{Control: private}
	listener, err := config.Listen(t.Context(), "unix", path)
	must(t, err)
	defer func() { _ = listener.Close() }()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestSilenceIsMeasuredByNoClockThatCanBeSet(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _ = here.Close() }()
	w := newWire(here, "SSH-2.0-x", 1<<10)
	go func() { _, _ = there.Write([]byte("x")) }()
	_, err := io.ReadFull(w, make([]byte, 1))
	must(t, err)
	if at := time.Duration(w.heard.Load()); at > time.Since(started) {
		t.Errorf("heard %s after the start", at)
	}
	if silence := w.silentFor(); silence < 0 || silence > time.Since(started) {
		t.Errorf("silent for %s", silence)
	}
}
