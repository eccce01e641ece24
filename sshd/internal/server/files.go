package server

import (
	"encoding/binary"
	"io"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// serveFiles is the sftp subsystem, in this process: with its rights, from where it stands.
func (s *session) serveFiles() {
	files, err := sftp.NewServer(&fileStream{Channel: s.channel})
	if err != nil {
		s.connection.server.Log.Printf("%s: sftp: %v", s.connection.ssh.RemoteAddr(), err)
		s.exit(cannotRun)
		return
	}
	status := 0
	if err := files.Serve(); err != nil {
		status = 1
	}
	s.exit(status)
}

// A fileStream writes each of sftp's packets at once. The library writes their heads and bodies
// apart, which would be two packets of ssh, and two system calls, for each.
type fileStream struct {
	ssh.Channel
	held []byte
}

const (
	lengthBytes    = 4
	fileStreamMost = 1 << 20 // held at most; more is passed on as it comes
)

func (f *fileStream) Write(data []byte) (int, error) {
	f.held = append(f.held, data...)
	for len(f.held) >= lengthBytes {
		length := lengthBytes + int(binary.BigEndian.Uint32(f.held))
		if len(f.held) < length && len(f.held) < fileStreamMost {
			break
		}
		whole := min(length, len(f.held))
		if _, err := f.Channel.Write(f.held[:whole]); err != nil {
			return 0, err
		}
		f.held = append(f.held[:0], f.held[whole:]...)
	}
	return len(data), nil
}

var _ io.ReadWriteCloser = (*fileStream)(nil)
