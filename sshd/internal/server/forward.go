package server

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	dialTimeout      = 30 * time.Second
	forwardBlockSize = 64 << 10
)

// directTCP is RFC 4254, section 7.2.
type directTCP struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// serveDirectTCP is -L and -D: the client asks for a connection from here.
func (c *connection) serveDirectTCP(channel ssh.NewChannel) {
	var wanted directTCP
	if err := ssh.Unmarshal(channel.ExtraData(), &wanted); err != nil || wanted.Port > 65535 {
		_ = channel.Reject(ssh.ConnectionFailed, "malformed request")
		return
	}
	c.dial(channel, "tcp", net.JoinHostPort(wanted.Host, strconv.Itoa(int(wanted.Port))))
}

// directSocket is OpenSSH's PROTOCOL, section 2.4.
type directSocket struct {
	Path       string
	Reserved   string
	ReservedTo uint32
}

// serveDirectSocket is -L to a unix socket.
func (c *connection) serveDirectSocket(channel ssh.NewChannel) {
	var wanted directSocket
	err := ssh.Unmarshal(channel.ExtraData(), &wanted)
	path, ok := socketFile(wanted.Path)
	if err != nil || !ok {
		_ = channel.Reject(ssh.ConnectionFailed, "malformed request")
		return
	}
	c.dial(channel, "unix", path)
}

func (c *connection) dial(channel ssh.NewChannel, network, address string) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	go func() {
		select {
		case <-c.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	target, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		_ = channel.Reject(ssh.ConnectionFailed, reasonOf(err))
		return
	}
	stream, requests, err := channel.Accept()
	if err != nil {
		_ = target.Close()
		return
	}
	c.join(watched{stream, c}, requests, target)
}

// reasonOf is the cause alone: the client knows the address that it asked for.
func reasonOf(err error) string {
	var system *os.SyscallError
	if errors.As(err, &system) {
		return system.Err.Error()
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		return name.Err
	}
	return err.Error()
}

// join carries bytes both ways until both have ended, or one has failed, or the client closes
// the channel. An end of one direction is passed on as that: the other may go on for long.
// The connection is not done before nothing holds what has waited for one of them.
func (c *connection) join(stream ssh.Channel, requests <-chan *ssh.Request, target net.Conn) {
	defer func() { _ = stream.Close() }()
	defer func() { _ = target.Close() }()
	closed := make(chan struct{})
	go func() {
		ssh.DiscardRequests(requests) // ends with the channel
		close(closed)
	}()
	inward, outward := make(chan error, 1), make(chan error, 1)
	c.serving.Go(func() {
		_, err := copyBlocks(target, stream)
		if half, ok := target.(interface{ CloseWrite() error }); ok && err == nil {
			err = half.CloseWrite()
		}
		inward <- err
		close(inward)
	})
	c.serving.Go(func() {
		_, err := copyBlocks(stream, target)
		if err == nil {
			err = stream.CloseWrite()
		}
		outward <- err
	})
	in := inward
	for range 2 {
		select {
		case err := <-in:
			if err != nil {
				return
			}
			in = nil // its end does not count twice
		case err := <-outward:
			if err != nil {
				return
			}
		case <-closed: // what the client sent before is still passed on
			select {
			case <-inward:
			case <-c.closed:
			}
			return
		}
	}
}

// copyBlocks is io.Copy in blocks that fill two of ssh's packets.
func copyBlocks(to io.Writer, from io.Reader) (int64, error) {
	type writer struct{ io.Writer }
	type reader struct{ io.Reader }
	return io.CopyBuffer(writer{to}, reader{from}, make([]byte, forwardBlockSize))
}

// forwards are the listeners that -R has opened for a connection.
type forwards struct {
	connection *connection
	mu         sync.Mutex
	open       map[string][]net.Listener // by what the client will name when it cancels
	closed     bool
}

func newForwards(c *connection) *forwards {
	return &forwards{connection: c, open: map[string][]net.Listener{}}
}

// tcpForward is RFC 4254, section 7.1.
type tcpForward struct {
	Host string
	Port uint32
}

func (f tcpForward) key() string { return "tcp " + net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))) }

// listenTCP opens a port for the client, on the loopback addresses only, as OpenSSH does unless
// GatewayPorts is set: others in the cluster were not given a way to the client's machine.
func (f *forwards) listenTCP(payload []byte) (ok bool, reply []byte) {
	var wanted tcpForward
	if err := ssh.Unmarshal(payload, &wanted); err != nil || wanted.Port > 65535 {
		return false, nil
	}
	listeners, port, err := listenLoopback(wanted.Host, int(wanted.Port))
	if err != nil {
		f.connection.server.Log.Printf("%s: -R %d: %v", f.connection.ssh.RemoteAddr(), wanted.Port, err)
		return false, nil
	}
	given := tcpForward{wanted.Host, uint32(port)}
	if !f.keep(given.key(), listeners) {
		return false, nil
	}
	for _, listener := range listeners {
		f.connection.serving.Go(func() {
			f.connection.offerAll(listener, "forwarded-tcpip", func(peer net.Conn) []byte {
				from := tcpForward{Host: "127.0.0.1"}
				if address, ok := peer.RemoteAddr().(*net.TCPAddr); ok {
					from = tcpForward{address.IP.String(), uint32(address.Port)}
				}
				return ssh.Marshal(directTCP{given.Host, given.Port, from.Host, from.Port})
			})
		})
	}
	if wanted.Port == 0 {
		reply = ssh.Marshal(struct{ Port uint32 }{uint32(port)})
	}
	return true, reply
}

// listenLoopback listens on both loopback addresses, or on the one that is named; a container
// may have no IPv6.
func listenLoopback(host string, port int) ([]net.Listener, int, error) {
	addresses := []string{"127.0.0.1", "::1"}
	if host == "127.0.0.1" || host == "::1" {
		addresses = []string{host}
	}
	var listeners []net.Listener
	var failure error
	for _, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			failure = err
			continue
		}
		listeners = append(listeners, listener)
		if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
			port = tcp.Port
		}
	}
	// Half of it is enough where the other family is missing, not where its port is taken: a
	// client of localhost would reach somebody else.
	if len(listeners) == 0 || (failure != nil && errors.Is(failure, syscall.EADDRINUSE)) {
		closeListeners(listeners)
		return nil, 0, failure
	}
	return listeners, port, nil
}

func (f *forwards) cancelTCP(payload []byte) bool {
	var named tcpForward
	return ssh.Unmarshal(payload, &named) == nil && f.cancel(named.key())
}

type socketForward struct{ Path string }

func (f socketForward) key() string { return "unix " + f.Path }

// listenSocket opens a unix socket for the client, which only the user can connect to. A file
// that is there stays, as with OpenSSH, but a socket on which nobody listens any more.
func (f *forwards) listenSocket(payload []byte) bool {
	var wanted socketForward
	err := ssh.Unmarshal(payload, &wanted)
	path, ok := socketFile(wanted.Path)
	if err != nil || !ok {
		return false
	}
	removeStale(path)
	listener, err := listenPrivately(path)
	if err != nil {
		f.connection.server.Log.Printf("%s: -R %s: %v", f.connection.ssh.RemoteAddr(), path, err)
		return false
	}
	if !f.keep(wanted.key(), []net.Listener{listener}) {
		return false
	}
	f.connection.serving.Go(func() {
		f.connection.offerAll(listener, "forwarded-streamlocal@openssh.com", func(net.Conn) []byte {
			return ssh.Marshal(struct{ Path, Reserved string }{wanted.Path, ""})
		})
	})
	return true
}

func (f *forwards) cancelSocket(payload []byte) bool {
	var named socketForward
	return ssh.Unmarshal(payload, &named) == nil && f.cancel(named.key())
}

// keep notes the listeners under their key; it closes them where there may be no more.
func (f *forwards) keep(key string, listeners []net.Listener) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.open) >= f.connection.server.Limits.Listeners || f.open[key] != nil {
		closeListeners(listeners)
		return false
	}
	f.open[key] = listeners
	return true
}

func (f *forwards) cancel(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	listeners, found := f.open[key]
	delete(f.open, key)
	closeListeners(listeners)
	return found
}

func (f *forwards) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, listeners := range f.open {
		closeListeners(listeners)
	}
}

func closeListeners(listeners []net.Listener) {
	for _, listener := range listeners {
		_ = listener.Close()
	}
}

// offerAll passes every connection to the client, until the listener is closed.
func (c *connection) offerAll(listener net.Listener, kind string, describe func(net.Conn) []byte) {
	for {
		peer, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors left, or the like: it passes
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if !c.takeChannel() {
			_ = peer.Close()
			continue
		}
		c.serving.Go(func() {
			defer c.channels.Add(-1)
			c.offer(peer, kind, describe(peer))
		})
	}
}

// offer opens a channel to the client for a peer that has connected here.
func (c *connection) offer(peer net.Conn, kind string, description []byte) {
	stream, requests, err := c.ssh.OpenChannel(kind, description)
	if err != nil {
		_ = peer.Close()
		return
	}
	c.join(watched{stream, c}, requests, peer)
}
