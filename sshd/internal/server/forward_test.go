package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// upperCase serves one answer, after all was read, to every connection.
func upperCase(t *testing.T, listener net.Listener) {
	t.Helper()
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			peer, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = peer.Close() }()
				text, _ := io.ReadAll(peer)
				_, _ = peer.Write(bytes.ToUpper(text))
			}()
		}
	}()
}

// ask sends text and its end, and returns all that comes back.
func ask(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	defer func() { _ = conn.Close() }()
	_, err := io.WriteString(conn, text)
	must(t, err)
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatalf("%T cannot close one way", conn)
	}
	must(t, half.CloseWrite())
	var answer string
	within(t, patience, "the answer", func() { answer = readAll(t, conn) })
	return answer
}

func listenTest(t *testing.T, network, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen(network, address)
	must(t, err)
	return listener
}

func TestDirectTCP(t *testing.T) {
	client := run(t, nil).dial(t)
	listener := listenTest(t, "tcp", "127.0.0.1:0")
	upperCase(t, listener)
	text := strings.Repeat("half closed ", 1<<18)
	conn, err := client.Dial("tcp", listener.Addr().String())
	must(t, err)
	if got := ask(t, conn, text); got != strings.ToUpper(text) {
		t.Fatalf("%d bytes of %d", len(got), len(text))
	}
	_ = listener.Close()
	_, err = client.Dial("tcp", listener.Addr().String())
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.ConnectionFailed || !strings.Contains(refused.Message, "connection refused") {
		t.Fatalf("%v", err)
	}
}

func TestDirectSocket(t *testing.T) {
	client := run(t, nil).dial(t)
	path := filepath.Join(t.TempDir(), "s")
	upperCase(t, listenTest(t, "unix", path))
	conn, err := client.Dial("unix", path)
	must(t, err)
	if got := ask(t, conn, "text"); got != "TEXT" {
		t.Fatalf("%q", got)
	}
	if _, err := client.Dial("unix", path+".missing"); err == nil {
		t.Fatal("connected to nothing")
	}
}

func TestAnAbandonedForwardIsClosed(t *testing.T) {
	client := run(t, nil).dial(t)
	listener := listenTest(t, "tcp", "127.0.0.1:0")
	defer func() { _ = listener.Close() }()
	conn, err := client.Dial("tcp", listener.Addr().String())
	must(t, err)
	peer, err := listener.Accept()
	must(t, err)
	must(t, conn.Close())
	within(t, patience, "the end of the other side", func() { _, _ = io.Copy(io.Discard, peer) })
}

func TestRemoteTCP(t *testing.T) {
	r := run(t, nil)
	client := r.dial(t)
	listener, err := client.Listen("tcp", "localhost:0")
	must(t, err)
	upperCase(t, listener)
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok || address.Port == 0 {
		t.Fatalf("%v", listener.Addr())
	}
	here := fmt.Sprintf("127.0.0.1:%d", address.Port)
	conn, err := net.Dial("tcp", here)
	must(t, err)
	if got := ask(t, conn, "remote"); got != "REMOTE" {
		t.Fatalf("%q", got)
	}
	must(t, listener.Close())
	eventually(t, "the port is closed after its cancel", func() bool { return !answers("tcp", here) })
}

func TestRemoteTCPIsForThisMachineAlone(t *testing.T) {
	client := run(t, nil).dial(t)
	for _, host := range []string{"0.0.0.0", "", "*"} {
		request := ssh.Marshal(tcpForward{host, 0})
		ok, reply, err := client.SendRequest("tcpip-forward", true, request)
		must(t, err)
		var port struct{ Port uint32 }
		if !ok || ssh.Unmarshal(reply, &port) != nil {
			t.Fatalf("%q: %v %v", host, ok, reply)
		}
		if !answers("tcp", fmt.Sprintf("127.0.0.1:%d", port.Port)) {
			t.Errorf("%q: not on loopback", host)
		}
		if other := otherAddress(); other != "" && answers("tcp", net.JoinHostPort(other, fmt.Sprint(port.Port))) {
			t.Errorf("%q: on %s", host, other)
		}
	}
}

func otherAddress() string {
	addresses, _ := net.InterfaceAddrs()
	for _, address := range addresses {
		if ip, ok := address.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	return ""
}

func answers(network, address string) bool {
	conn, err := net.DialTimeout(network, address, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func TestATakenPortIsRefused(t *testing.T) {
	client := run(t, nil).dial(t)
	taken := listenTest(t, "tcp", "127.0.0.1:0")
	defer func() { _ = taken.Close() }()
	if listener, err := client.Listen("tcp", taken.Addr().String()); err == nil {
		_ = listener.Close()
		t.Fatal("listens")
	}
	if ok, _, err := client.SendRequest("cancel-tcpip-forward", true, ssh.Marshal(tcpForward{"localhost", 1})); err != nil || ok {
		t.Fatalf("what is not open is cancelled: %v %v", ok, err)
	}
}

func TestRemoteSocket(t *testing.T) {
	client := run(t, nil).dial(t)
	path := filepath.Join(t.TempDir(), "s")
	stale := listenTest(t, "unix", path)
	if unix, ok := stale.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	_ = stale.Close() // its file stays
	listener, err := client.ListenUnix(path)
	must(t, err)
	upperCase(t, listener)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	conn, err := net.Dial("unix", path)
	must(t, err)
	if got := ask(t, conn, "socket"); got != "SOCKET" {
		t.Fatalf("%q", got)
	}
	if second, err := client.ListenUnix(path); err == nil {
		_ = second.Close()
		t.Error("a socket in use is taken")
	}
	must(t, listener.Close())
	eventually(t, "the socket is gone after its cancel", func() bool {
		_, err := os.Stat(path)
		return os.IsNotExist(err)
	})
	must(t, os.WriteFile(path, []byte("a file"), 0o600))
	if second, err := client.ListenUnix(path); err == nil {
		_ = second.Close()
		t.Error("a file is replaced")
	}
}

func TestListenersEndWithTheirConnection(t *testing.T) {
	r := run(t, nil)
	client, err := ssh.Dial("tcp", r.address, r.config(r.key))
	must(t, err)
	listener, err := client.Listen("tcp", "localhost:0")
	must(t, err)
	path := filepath.Join(t.TempDir(), "s")
	_, err = client.ListenUnix(path)
	must(t, err)
	_ = client.Close()
	eventually(t, "they are gone", func() bool {
		_, err := os.Stat(path)
		return os.IsNotExist(err) && !answers("tcp", listener.Addr().String())
	})
}

func TestAgent(t *testing.T) {
	r := run(t, nil)
	client := r.dial(t)
	keyring := agent.NewKeyring()
	must(t, agent.ForwardToAgent(client, keyring))
	session, err := client.NewSession()
	must(t, err)
	must(t, agent.RequestAgentForwarding(session))
	output, err := session.StdoutPipe()
	must(t, err)
	must(t, session.Start("echo $SSH_AUTH_SOCK; stat -c %a $SSH_AUTH_SOCK $(dirname $SSH_AUTH_SOCK); exec sleep 100"))
	var path, mode, folderMode string
	_, err = fmt.Fscan(output, &path, &mode, &folderMode)
	must(t, err)
	if mode != "600" || folderMode != "700" {
		t.Errorf("modes %s %s", mode, folderMode)
	}
	conn, err := net.Dial("unix", path)
	must(t, err)
	if _, err := agent.NewClient(conn).List(); err != nil {
		t.Fatal(err)
	}
	must(t, session.Close())
	eventually(t, "the socket's folder is gone", func() bool {
		_, err := os.Stat(filepath.Dir(path))
		return os.IsNotExist(err)
	})
}
