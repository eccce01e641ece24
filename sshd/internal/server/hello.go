package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"
)

// A hello is what a client says before anything is agreed on: not secret, not yet trusted.
type hello struct {
	version string   // its version line
	ciphers []string // that it offers towards the server; none where it waits for our list first
}

const (
	versionLimit     = 255   // RFC 4253, section 4.2
	plainPacketLimit = 35000 // RFC 4253, section 6.1
	kexInitMessage   = 20
)

// missing is what has not come yet of a client's first words.
type missing int

const (
	nothing missing = iota
	versionLine
	firstPacket
)

// parseHello reads what a client has sent so far: its version line and its first packet, which
// is not encrypted. It is an error where no ssh client would speak so.
func parseHello(seen []byte) (hello, missing, error) {
	line, rest, complete := bytes.Cut(seen, []byte{'\n'})
	if len(line) > versionLimit {
		return hello{}, versionLine, errors.New("the version line is too long")
	}
	if !complete {
		return hello{}, versionLine, nil
	}
	said := hello{version: strings.TrimSuffix(string(line), "\r")}
	if !strings.HasPrefix(said.version, "SSH-2.0-") && !strings.HasPrefix(said.version, "SSH-1.99-") {
		return hello{}, versionLine, errors.New("not an ssh client")
	}
	const head = 5 // a length of four bytes, and that of the padding
	if len(rest) < head {
		return said, firstPacket, nil
	}
	length, padding := binary.BigEndian.Uint32(rest), uint32(rest[4])
	if length > plainPacketLimit || length < padding+2 {
		return hello{}, firstPacket, errors.New("the first packet has no valid length")
	}
	if uint32(len(rest)) < 4+length {
		return said, firstPacket, nil
	}
	said.ciphers = offeredCiphers(rest[head : 4+length-padding])
	return said, nothing, nil
}

// offeredCiphers are those of a KEXINIT (RFC 4253, section 7.1): the third of its lists. They
// only choose among good ones here, so what cannot be read is none.
func offeredCiphers(packet []byte) []string {
	const cookie = 16
	if len(packet) < 1+cookie || packet[0] != kexInitMessage {
		return nil
	}
	rest := packet[1+cookie:]
	for list := 0; ; list++ {
		if len(rest) < 4 {
			return nil
		}
		length := binary.BigEndian.Uint32(rest)
		if uint64(length) > uint64(len(rest)-4) {
			return nil
		}
		if list == 2 {
			return strings.Split(string(rest[4:4+length]), ",")
		}
		rest = rest[4+length:]
	}
}

var (
	gcm = []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM}
	// ciphers are all that we offer. CTR is for clients without the others, as paramiko was for
	// long.
	ciphers = append(gcm[:2:2], ssh.CipherChaCha20Poly1305,
		ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR)
	macs         = []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512}
	keyExchanges = []string{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519,
		ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384, ssh.KeyExchangeECDHP521}
	// hasAES is whether the processor has instructions for AES-GCM.
	hasAES = cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL
)

// suited are the ciphers to offer to this client. The client's order decides in ssh, and
// OpenSSH's has put chacha20 first for most of its life, which costs Go three times as much as
// AES-GCM where the processor does AES. So a client that has AES-GCM is offered nothing else there.
func (h hello) suited() []string {
	if !hasAES {
		return ciphers
	}
	for _, cipher := range h.ciphers {
		if cipher == gcm[0] || cipher == gcm[1] {
			return gcm
		}
	}
	return ciphers
}
