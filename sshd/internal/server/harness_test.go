package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"nodeport-sshd/internal/account"
)

// patience is for what happens at once on a machine that is not busy.
const patience = time.Minute

// keySet is the Keys of a test: what is in it may log in.
type keySet struct {
	mu    sync.Mutex
	blobs map[string]bool
}

func (k *keySet) Allows(key ssh.PublicKey) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.blobs[string(key.Marshal())]
}

func (k *keySet) Empty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.blobs) == 0
}

func (k *keySet) put(key ssh.PublicKey, allowed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if allowed {
		k.blobs[string(key.Marshal())] = true
	} else {
		delete(k.blobs, string(key.Marshal()))
	}
}

type testLog struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *testLog) Printf(format string, arguments ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.WriteString(strings.TrimSpace(fmt.Sprintf(format, arguments...)) + "\n")
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	must(t, err)
	return signer
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A running server, and one key that may log in.
type running struct {
	address string
	key     ssh.Signer
	keys    *keySet
	log     *testLog
	server  *Server
	ended   chan error
	stop    context.CancelFunc
	user    account.Account
}

// run starts a server on a loopback port; change may alter what it is made of.
func run(t testing.TB, change func(*Config)) *running {
	t.Helper()
	r := &running{key: newSigner(t), keys: &keySet{blobs: map[string]bool{}}, log: &testLog{}, ended: make(chan error, 1)}
	r.keys.put(r.key.PublicKey(), true)
	environment := account.Container()
	config := Config{
		HostKey: newSigner(t), Keys: r.keys, Account: account.Current(environment),
		Environment: environment.Without("PYENV_ROOT"), Banner: "SSH-2.0-nodeport_test", Log: r.log,
		Sockets: func(pattern string) (string, error) { return os.MkdirTemp("", pattern) },
		Limits:  DefaultLimits(),
	}
	config.Account.Home = t.TempDir() // no startup files
	if change != nil {
		change(&config)
	}
	r.user = config.Account
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r.address = listener.Addr().String()
	r.server = New(config)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- r.server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-r.ended:
		case <-time.After(patience):
			t.Errorf("the server does not end; its log:\n%s", r.log)
		}
	})
	return r
}

func (r *running) config(key ssh.Signer) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User: r.user.Name, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.FixedHostKey(r.server.HostKey.PublicKey()), Timeout: patience,
	}
}

func (r *running) dial(t testing.TB) *ssh.Client {
	t.Helper()
	client, err := ssh.Dial("tcp", r.address, r.config(r.key))
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// outcome is what a command printed and how it ended.
type outcome struct {
	stdout, stderr string
	status         int
	signal         string
}

func result(err error) (status int, signal string) {
	if err == nil {
		return 0, ""
	}
	if exit, ok := err.(*ssh.ExitError); ok {
		return exit.ExitStatus(), exit.Signal()
	}
	return -1, err.Error()
}

func command(t testing.TB, client *ssh.Client, line string, input string) outcome {
	t.Helper()
	session, err := client.NewSession()
	must(t, err)
	defer func() { _ = session.Close() }()
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader(input), &stdout, &stderr
	status, signal := result(session.Run(line))
	return outcome{stdout.String(), stderr.String(), status, signal}
}

// eventually waits for what has no event to wait for.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

// within fails where the function takes too long.
func within(t testing.TB, limit time.Duration, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { do(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("not within %s: %s", limit, what)
	}
}

func alive(pid int) bool { return birthOf(pid) != "" && !isZombie(pid) }

func isZombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := cutLast(string(text), ") ")
	return strings.HasPrefix(rest, "Z")
}

func readAll(t testing.TB, from io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(from)
	must(t, err)
	return string(text)
}
