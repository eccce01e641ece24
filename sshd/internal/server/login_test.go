package server

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestWhoMayLogIn(t *testing.T) {
	r := run(t, nil)
	stranger := newSigner(t)
	for _, c := range []struct {
		name, user string
		auth       ssh.AuthMethod
		fits       bool
	}{
		{"the user's name", r.user.Name, ssh.PublicKeys(r.key), true},
		{"the user's id", strconv.Itoa(r.user.UID), ssh.PublicKeys(r.key), true},
		{"the key after others", r.user.Name, ssh.PublicKeys(stranger, newSigner(t), r.key), true},
		{"another user", "somebody", ssh.PublicKeys(r.key), false},
		{"no user", "", ssh.PublicKeys(r.key), false},
		{"another key", r.user.Name, ssh.PublicKeys(stranger), false},
		{"a password", r.user.Name, ssh.Password(""), false},
		{"questions", r.user.Name, ssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) {
			return nil, nil
		}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := r.config(r.key)
			config.User, config.Auth = c.user, []ssh.AuthMethod{c.auth}
			client, err := ssh.Dial("tcp", r.address, config)
			if fits := err == nil; fits != c.fits {
				t.Fatalf("login: %v", err)
			}
			if client != nil {
				_ = client.Close()
			}
		})
	}
}

func TestAnIntruderWhoSkipsTheSignatureStaysOut(t *testing.T) {
	r := run(t, nil)
	forged := forgedSigner{newSigner(t), r.key.PublicKey()} // names the right key, signs with another
	if client, err := ssh.Dial("tcp", r.address, r.config(forged)); err == nil {
		_ = client.Close()
		t.Fatal("let in")
	}
}

type forgedSigner struct {
	ssh.Signer
	claimed ssh.PublicKey
}

func (f forgedSigner) PublicKey() ssh.PublicKey { return f.claimed }

func TestARemovedKeyEndsItsConnections(t *testing.T) {
	r := run(t, nil)
	other := newSigner(t)
	r.keys.put(other.PublicKey(), true)
	mine := r.dial(t)
	theirs, err := ssh.Dial("tcp", r.address, r.config(other))
	must(t, err)
	defer func() { _ = theirs.Close() }()
	r.keys.put(r.key.PublicKey(), false)
	within(t, patience, "the connection ends", func() { _ = mine.Wait() })
	if got := command(t, theirs, "echo still here", ""); got.stdout != "still here\n" {
		t.Fatalf("the other key's connection: %+v", got)
	}
	if _, err := ssh.Dial("tcp", r.address, r.config(r.key)); err == nil {
		t.Fatal("the removed key logs in")
	}
}

func TestAlgorithms(t *testing.T) {
	r := run(t, nil)
	for _, c := range []struct {
		name   string
		config ssh.Config
		want   string // the cipher; empty where there must be no connection
	}{
		{"OpenSSH 7.6 to 9.9", ssh.Config{Ciphers: []string{"chacha20-poly1305@openssh.com", "aes128-ctr", "aes128-gcm@openssh.com"},
			KeyExchanges: []string{"curve25519-sha256"}}, fastest("chacha20-poly1305@openssh.com")},
		{"only chacha20", ssh.Config{Ciphers: []string{"chacha20-poly1305@openssh.com"}}, "chacha20-poly1305@openssh.com"},
		{"only CTR", ssh.Config{Ciphers: []string{"aes256-ctr"}, MACs: []string{"hmac-sha2-256"}}, "aes256-ctr"},
		{"ecdh", ssh.Config{KeyExchanges: []string{"ecdh-sha2-nistp256"}}, "aes128-gcm@openssh.com"},
		{"CBC", ssh.Config{Ciphers: []string{"aes128-cbc"}}, ""},
		{"SHA-1 MAC", ssh.Config{Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-sha1"}}, ""},
		{"old key exchange", ssh.Config{KeyExchanges: []string{"diffie-hellman-group14-sha1"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := r.config(r.key)
			config.Config = c.config
			client, err := ssh.Dial("tcp", r.address, config)
			if c.want == "" {
				if err == nil {
					_ = client.Close()
					t.Fatal("agreed")
				}
				return
			}
			must(t, err)
			defer func() { _ = client.Close() }()
			algorithms, ok := client.Conn.(ssh.AlgorithmsConnMetadata)
			if !ok || algorithms.Algorithms().Read.Cipher != c.want {
				t.Fatalf("cipher %+v", algorithms.Algorithms())
			}
			if got := command(t, client, "cat", "x"); got.stdout != "x" {
				t.Fatalf("%+v", got)
			}
		})
	}
}

func fastest(without string) string {
	if hasAES {
		return "aes128-gcm@openssh.com"
	}
	return without
}

// A client may send nothing until it has seen the server's list.
func TestAClientThatWaitsForTheServersList(t *testing.T) {
	r := run(t, nil)
	socket, err := net.Dial("tcp", r.address)
	must(t, err)
	defer func() { _ = socket.Close() }()
	reader := bufio.NewReader(socket)
	line, err := reader.ReadString('\n')
	must(t, err)
	if line != "SSH-2.0-nodeport_test\r\n" {
		t.Fatalf("banner %q", line)
	}
	_, err = io.WriteString(socket, "SSH-2.0-waiting\r\n")
	must(t, err)
	_ = socket.SetReadDeadline(time.Now().Add(patience))
	first := make([]byte, 6)
	if _, err := io.ReadFull(reader, first); err != nil || first[5] != kexInitMessage {
		t.Fatalf("%v, %v", first, err)
	}
}

func TestWhatIsNotSSHIsClosed(t *testing.T) {
	r := run(t, nil)
	for _, words := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SSH-1.5-old\r\n", strings.Repeat("x", 300),
		"SSH-2.0-x\r\n\xff\xff\xff\xff\x04", "SSH-2.0-x\r\n\x00\x00\x00\x00\x00",
		"SSH-2.0-x\r\n\x00\x00\x88\xb9\x04", // one byte more than a first packet may have
	} {
		socket, err := net.Dial("tcp", r.address)
		must(t, err)
		_, err = io.WriteString(socket, words)
		must(t, err)
		_ = socket.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, socket); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%q: stays open", words)
		}
		_ = socket.Close()
	}
}

func TestLoginGrace(t *testing.T) {
	t.Parallel()
	const grace = 4 * time.Second // within which one has to log in
	r := run(t, func(c *Config) { c.Limits.LoginGrace = grace })
	client := r.dial(t)
	held := map[string]net.Conn{"": nil, "SSH-2.0-x\r\n": nil}
	for words := range held {
		socket, err := net.Dial("tcp", r.address)
		must(t, err)
		defer func() { _ = socket.Close() }()
		_, err = io.WriteString(socket, words)
		must(t, err)
		held[words] = socket
	}
	for words, socket := range held {
		_ = socket.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, socket); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%q: stays open", words)
		}
	}
	time.Sleep(grace / 8) // now the client's time would be over too
	if got := command(t, client, "echo on", ""); got.stdout != "on\n" {
		t.Fatalf("who has logged in has no deadline: %+v", got)
	}
}

func TestThoseWhoHoldConnectionsOpenLockNobodyOut(t *testing.T) {
	r := run(t, func(c *Config) { c.Limits.Waiting = 8 })
	var held []net.Conn
	for range 100 {
		socket, err := net.Dial("tcp", r.address)
		must(t, err)
		held = append(held, socket)
		defer func() { _ = socket.Close() }()
	}
	eventually(t, "no more than 8 wait", func() bool {
		r.server.waiting.mu.Lock()
		defer r.server.waiting.mu.Unlock()
		return r.server.waiting.all.Len() <= 8
	})
	if got := command(t, r.dial(t), "echo in", ""); got.stdout != "in\n" {
		t.Fatalf("%+v", got)
	}
	_ = held[0].SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, held[0]); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the oldest is still open")
	}
}

func TestGuessingIsSlowedDownAndForgiven(t *testing.T) {
	g := newGuessing()
	for range freeGuesses {
		g.failed("a")
	}
	if d := g.delay("a"); d != 0 {
		t.Fatalf("after %d failures %s", freeGuesses, d)
	}
	for range 100 {
		g.failed("a")
	}
	if d := g.delay("a"); d != holdLongest {
		t.Fatalf("after many failures %s", d)
	}
	if d := g.delay("b"); d != 0 {
		t.Fatalf("another source waits %s", d)
	}
	g.succeeded("a")
	if d := g.delay("a"); d >= holdLongest {
		t.Fatalf("after a success %s", d)
	}
	for range 100 * forgiveRounds {
		g.forgive()
	}
	if d := g.delay("a"); d != 0 || len(g.failures) != 0 {
		t.Fatalf("after a while %s, %d sources", d, len(g.failures))
	}
	for i := range 2 * sourcesLimit {
		g.failed(strconv.Itoa(i))
	}
	if len(g.failures) > sourcesLimit {
		t.Fatalf("%d sources are remembered", len(g.failures))
	}
}

func TestLoginTries(t *testing.T) {
	r := run(t, nil)
	config := r.config(r.key)
	signers := make([]ssh.Signer, 30)
	for i := range signers {
		signers[i] = newSigner(t)
	}
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(append(signers, r.key)...)}
	if client, err := ssh.Dial("tcp", r.address, config); err == nil {
		_ = client.Close()
		t.Fatal("31 keys may be tried")
	}
}

func TestBytesBeforeALoginAreFew(t *testing.T) {
	r := run(t, func(c *Config) { c.Limits.LoginBytes = 20 << 10 })
	config := r.config(r.key)
	config.User = strings.Repeat("u", 100<<10)
	if client, err := ssh.Dial("tcp", r.address, config); err == nil {
		_ = client.Close()
		t.Fatal("100 KB may be sent")
	}
	r.dial(t) // the limit is above what a login needs
}
