package server

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

func kexInit(lists ...string) []byte {
	packet := append([]byte{kexInitMessage}, make([]byte, 16)...)
	for _, list := range lists {
		packet = append(packet, ssh.Marshal(struct{ List string }{list})...)
	}
	return packet
}

func framed(payload []byte) []byte {
	length := len(payload) + 1 + 4
	return append(append([]byte{0, 0, byte(length >> 8), byte(length), 4}, payload...), 0, 0, 0, 0)
}

func TestParseHello(t *testing.T) {
	whole := "SSH-2.0-OpenSSH_9.2\r\n" + string(framed(kexInit("kex", "key", "aes128-ctr,aes128-gcm@openssh.com", "")))
	for cut := range len(whole) {
		said, missing, err := parseHello([]byte(whole[:cut]))
		if err != nil || missing == nothing {
			t.Fatalf("the first %d bytes: %+v %v %v", cut, said, missing, err)
		}
	}
	said, missing, err := parseHello([]byte(whole + "more"))
	if err != nil || missing != nothing || said.version != "SSH-2.0-OpenSSH_9.2" || len(said.ciphers) != 2 {
		t.Fatalf("%+v %v %v", said, missing, err)
	}
}

func FuzzParseHello(f *testing.F) {
	f.Add([]byte("SSH-2.0-x\r\n"))
	f.Add([]byte("SSH-2.0-x\r\n" + string(framed(kexInit("a", "b", "c")))))
	f.Add([]byte("SSH-1.99-x\n\x00\x00\x00\x0c\x0a\x14"))
	f.Fuzz(func(t *testing.T, seen []byte) {
		said, _, err := parseHello(seen)
		if err != nil {
			return
		}
		if len(said.version) > versionLimit || strings.Contains(said.version, "\n") {
			t.Fatalf("version %q", said.version)
		}
		for _, cipher := range said.suited() {
			if !strings.HasPrefix(cipher, "aes") && !strings.HasPrefix(cipher, "chacha20") {
				t.Fatalf("offers %s", cipher)
			}
		}
	})
}

func FuzzTerminalModes(f *testing.F) {
	f.Add("\x35\x00\x00\x00\x00\x00")
	f.Add("\x03\x00\x00\x00\xff\x80\x00\x00\x96\x00\x00")
	f.Fuzz(func(t *testing.T, modes string) {
		var settings unix.Termios
		applyModes(&settings, modes)
		if settings.Cflag&^(unix.PARENB|unix.PARODD|unix.CSIZE) != 0 {
			t.Fatalf("control flags %x", settings.Cflag)
		}
	})
}

func FuzzTerminalRequest(f *testing.F) {
	f.Add(ssh.Marshal(ptyRequest{"xterm", 80, 24, 0, 0, "\x00"}))
	f.Add(ssh.Marshal(ptyRequest{"x", 1 << 31, 1 << 31, 1, 1, "\x35"}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if terminal, _, err := openTerminal(payload); err == nil {
			terminal.close()
		}
	})
}

func FuzzStartTime(f *testing.F) {
	f.Add("1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2")
	f.Fuzz(func(t *testing.T, stat string) {
		if strings.ContainsAny(startTime(stat), " \n") {
			t.Fatal("more than a field")
		}
	})
}

func TestStartTime(t *testing.T) {
	if got := startTime("1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2"); got != "4242" {
		t.Fatalf("%q", got)
	}
}
