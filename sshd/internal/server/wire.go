package server

import (
	"bytes"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

const greetingChunk = 4096 // bytes; a version line and a KEXINIT are below 2000

var errTooMuch = errors.New("more than a login needs")

var started = time.Now()

// sinceStart is in nanoseconds. A change of the clock, as after a laptop's sleep, does not move it.
func sinceStart() int64 { return int64(time.Since(started)) }

// A wire is the client's socket under the ssh library. It greets by itself, so that what the
// client says of itself is known before the library is told what to offer; it bounds what a
// client may send before its login; and it knows when the client was last heard.
type wire struct {
	net.Conn
	banner  []byte        // of ours, which the library writes once more
	greeted bool          // the library has
	read    *bytes.Reader // of the client, ahead of the library
	allowed atomic.Int64  // bytes that may still come before the login
	free    atomic.Bool   // the client has logged in
	heard   atomic.Int64  // as sinceStart tells
	ended   atomic.Int64  // likewise, since when nothing more can come; 0 not yet
}

func newWire(socket net.Conn, banner string, allowed int64) *wire {
	w := &wire{Conn: socket, banner: []byte(banner + "\r\n"), read: bytes.NewReader(nil)}
	w.allowed.Store(allowed)
	w.heard.Store(sinceStart())
	return w
}

// greet sends our version line and reads the client's and, where it comes in time, its first
// packet: the list of what it can. All of it is kept for the library.
func (w *wire) greet(patience time.Duration) (hello, error) {
	if _, err := w.Conn.Write(w.banner); err != nil {
		return hello{}, err
	}
	var seen []byte
	for {
		said, missing, err := parseHello(seen)
		if err != nil {
			return hello{}, err
		}
		if missing == nothing {
			w.read = bytes.NewReader(seen)
			return said, nil
		}
		if missing == firstPacket && patience > 0 {
			// A client may wait for our list before it sends its own: then it is taken as it comes.
			_ = w.SetReadDeadline(time.Now().Add(patience))
			patience = 0
		}
		chunk := make([]byte, greetingChunk)
		n, err := w.Conn.Read(chunk)
		seen = append(seen, chunk[:n]...)
		var timeout net.Error
		if missing == firstPacket && errors.As(err, &timeout) && timeout.Timeout() {
			w.read = bytes.NewReader(seen)
			return said, nil
		}
		if err != nil && n == 0 {
			return hello{}, err
		}
	}
}

// loggedIn lifts the limit.
func (w *wire) loggedIn() { w.free.Store(true) }

func (w *wire) Read(data []byte) (int, error) {
	if w.read.Len() > 0 {
		return w.read.Read(data)
	}
	n, err := w.Conn.Read(data)
	if err != nil {
		w.end()
	}
	if n > 0 {
		w.heard.Store(sinceStart())
		if !w.free.Load() && w.allowed.Add(-int64(n)) < 0 {
			return 0, errTooMuch
		}
	}
	return n, err
}

// Write passes on all but the version line, which was sent already.
func (w *wire) Write(data []byte) (int, error) {
	if !w.greeted {
		w.greeted = true
		if !bytes.Equal(data, w.banner) {
			return 0, errors.New("the library's first words are not our version line")
		}
		return len(data), nil
	}
	return w.Conn.Write(data)
}

func (w *wire) Close() error {
	w.end()
	return w.Conn.Close()
}

func (w *wire) end() { w.ended.CompareAndSwap(0, sinceStart()) }

func (w *wire) hasEnded() bool { return w.ended.Load() != 0 }

func (w *wire) endedFor() time.Duration {
	return time.Duration(sinceStart() - w.ended.Load())
}

func (w *wire) silentFor() time.Duration {
	return time.Duration(sinceStart() - w.heard.Load())
}
