package server

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// helloPatience is how long a client's first packet is waited for. OpenSSH sends it at once.
const helloPatience = time.Second

// sealedAfter is longer than a session that was asked for may be on its way to who serves it.
const sealedAfter = time.Second

// A connection is a client that has logged in, and what it has open.
type connection struct {
	server   *Server
	wire     *wire
	ssh      *ssh.ServerConn
	incoming <-chan ssh.NewChannel
	requests <-chan *ssh.Request
	key      ssh.PublicKey
	tried    atomic.Int32 // attempts to log in
	closed   chan struct{}
	channels atomic.Int32
	reading  atomic.Int32 // channels that are being read, so that nothing waits in them
	sessions atomic.Int32
	sealed   atomic.Pointer[time.Time] // since when there may be no more sessions; nil not yet
	forwards *forwards
	serving  sync.WaitGroup
	reason   atomic.Pointer[string]
}

// login is the handshake. The connection that it returns is never nil; it tells whether the
// client tried to log in where there is an error.
func (s *Server) login(socket net.Conn, waiter *waiter) (*connection, error) {
	c := &connection{server: s, closed: make(chan struct{})}
	c.wire = newWire(socket, s.Banner, s.Limits.LoginBytes)
	deadline := time.Now().Add(s.Limits.LoginGrace)
	_ = socket.SetDeadline(deadline)
	hello, err := c.wire.greet(min(helloPatience, s.Limits.LoginGrace))
	if err != nil {
		return c, err
	}
	_ = socket.SetDeadline(deadline)
	waiter.reach(introduced)
	config := c.serverConfig(hello)
	config.PreAuthConnCallback = func(ssh.ServerPreAuthConn) { waiter.reach(encrypted) }
	c.ssh, c.incoming, c.requests, err = ssh.NewServerConn(c.wire, config)
	if err != nil {
		return c, err
	}
	_ = socket.SetDeadline(time.Time{})
	c.wire.loggedIn()
	key, ok := c.ssh.Permissions.ExtraData[keyOfLogin].(ssh.PublicKey)
	if !ok {
		return c, errors.New("a login without a key")
	}
	c.key = key
	c.forwards = newForwards(c)
	return c, nil
}

type loginFact int

// keyOfLogin is under which the library carries the key from the question to the answer.
const keyOfLogin loginFact = iota

func (c *connection) serverConfig(hello hello) *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		Config:                  ssh.Config{KeyExchanges: keyExchanges, Ciphers: hello.suited(), MACs: macs},
		PublicKeyAuthAlgorithms: ssh.SupportedAlgorithms().PublicKeyAuths,
		MaxAuthTries:            c.server.Limits.LoginTries,
		ServerVersion:           c.server.Banner,
		PublicKeyCallback: func(metadata ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			c.tried.Add(1)
			// Both are looked at, so that the time taken does not tell which one was wrong.
			known, mine := c.server.Keys.Allows(key), c.server.Account.Accepts(metadata.User())
			if !known || !mine {
				return nil, fmt.Errorf("%s is not known as %s", ssh.FingerprintSHA256(key), metadata.User())
			}
			return &ssh.Permissions{ExtraData: map[any]any{keyOfLogin: key}}, nil
		},
	}
	config.AddHostKey(c.server.HostKey)
	return config
}

// guessed is whether the client offered a key. A port scan, or a look at the host key, is none.
func (c *connection) guessed() bool { return c.tried.Load() > 0 }

func (c *connection) fingerprint() string { return ssh.FingerprintSHA256(c.key) }

// end closes the connection for a reason, which the log will name.
func (c *connection) end(reason string) {
	c.reason.CompareAndSwap(nil, &reason)
	_ = c.wire.Close() // the library's Close waits for its goroutines, which wait for this
}

func (c *connection) why() string {
	if reason := c.reason.Load(); reason != nil {
		return ": " + *reason
	}
	return ""
}

// serve runs until the connection has ended and all that belonged to it.
func (c *connection) serve() {
	go c.askAlive()
	c.serving.Go(c.answer)
	for channel := range c.incoming {
		c.serveChannel(channel)
	}
	close(c.closed)
	_ = c.wire.Close()
	c.forwards.closeAll()
	c.serving.Wait()
}

// discard ends a connection that is not served: its requests are taken so that the library's
// goroutines can end.
func (c *connection) discard() {
	_ = c.wire.Close()
	go ssh.DiscardRequests(c.requests)
	for channel := range c.incoming {
		_ = channel.Reject(ssh.ResourceShortage, "too many connections")
	}
}

// askAlive asks a client that says nothing for a while, which also keeps what lies between from
// forgetting the connection, and ends it when it stays silent.
func (c *connection) askAlive() {
	interval := c.server.AskAlive
	if interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	asking := make(chan struct{}, 1)
	for {
		select {
		case <-c.closed:
			return
		case <-ticker.C:
		}
		silence := c.wire.silentFor()
		if silence > interval*time.Duration(c.server.Limits.SilentRounds) {
			c.end("the client is silent")
			return
		}
		select {
		case asking <- struct{}{}: // one question at a time: it may never be answered
		default:
			continue
		}
		go func() {
			_, _, _ = c.ssh.SendRequest("keepalive@openssh.com", true, nil)
			<-asking
		}()
	}
}

// serveChannel gives the channel to who serves its kind, in a goroutine of its own.
func (c *connection) serveChannel(channel ssh.NewChannel) {
	serve := map[string]func(ssh.NewChannel){
		"session":                        c.serveSession,
		"direct-tcpip":                   c.serveDirectTCP,
		"direct-streamlocal@openssh.com": c.serveDirectSocket,
	}[channel.ChannelType()]
	switch {
	case serve == nil:
		_ = channel.Reject(ssh.UnknownChannelType, "unknown channel type")
	case !c.takeChannel():
		_ = channel.Reject(ssh.ResourceShortage, "too many channels are open")
	default:
		c.serving.Go(func() {
			defer c.channels.Add(-1)
			serve(channel)
		})
	}
}

// isSealed is whether the client has wished for no more sessions. The library hands requests and
// channels over apart, so that a session which was asked for before the wish may come after it.
func (c *connection) isSealed() bool {
	since := c.sealed.Load()
	return since != nil && time.Since(*since) > sealedAfter
}

// takeChannel counts one more channel, where there may be one. Where memory is short, the
// connection that holds the most gets no more, and has to go if another one needs some.
func (c *connection) takeChannel() bool {
	if c.channels.Add(1) > int32(c.server.Limits.Channels) {
		c.channels.Add(-1)
		return false
	}
	if !c.server.makeRoom(c.server.memory.short(), c) {
		c.channels.Add(-1)
		return false
	}
	return true
}

// answer serves requests that concern the connection as a whole, in their order: replies have no
// number.
func (c *connection) answer() {
	for request := range c.requests {
		ok, payload := false, []byte(nil)
		switch request.Type {
		case "tcpip-forward":
			ok, payload = c.forwards.listenTCP(request.Payload)
		case "cancel-tcpip-forward":
			ok = c.forwards.cancelTCP(request.Payload)
		case "streamlocal-forward@openssh.com":
			ok = c.forwards.listenSocket(request.Payload)
		case "cancel-streamlocal-forward@openssh.com":
			ok = c.forwards.cancelSocket(request.Payload)
		case "no-more-sessions@openssh.com":
			now := time.Now()
			c.sealed.CompareAndSwap(nil, &now)
			ok = true
		}
		// keepalive@openssh.com wants any reply; OpenSSH's own is a refusal too.
		_ = request.Reply(ok, payload)
	}
}
