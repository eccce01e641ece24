package server

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const socketPathLimit = 107 // bytes of sun_path, without its zero

// socketFile is the path of a socket's file. Go and the kernel take some names for sockets without a
// file, which know no owner; a client means a file.
func socketFile(path string) (file string, ok bool) {
	if path == "" || len(path) > socketPathLimit || strings.ContainsRune(path, 0) {
		return "", false
	}
	if path[0] == '@' {
		return "./" + path, true
	}
	return path, true
}

// private is told of a socket before it gets its name. Linux gives the file the socket's own mode
// then, so that others cannot connect in the moment before chmod either; other kernels that
// containers run on may not do so.
func private(_, _ string, socket syscall.RawConn) error {
	return socket.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), 0o600) })
}

// A socketListener removes its file when it is closed, unless another has taken the name meanwhile: a
// connection that is lost ends minutes later, when its user is back with a new one.
type socketListener struct {
	net.Listener
	path string
	file os.FileInfo
}

func (l *socketListener) Close() error {
	info, err := os.Lstat(l.path)
	if err == nil && os.SameFile(info, l.file) && info.ModTime().Equal(l.file.ModTime()) {
		_ = os.Remove(l.path)
	}
	return l.Listener.Close()
}

// listenPrivately opens a unix socket that the user alone may connect to.
func listenPrivately(path string) (net.Listener, error) {
	config := net.ListenConfig{Control: private}
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	if socket, ok := listener.(*net.UnixListener); ok {
		socket.SetUnlinkOnClose(false)
	}
	return &socketListener{listener, path, info}, nil
}

func removeStale(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return
	}
	peer, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = peer.Close()
		return
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
}
