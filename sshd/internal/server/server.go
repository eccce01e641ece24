// Package server is the ssh server: one user, public keys only, what OpenSSH's clients expect.
//
// A connection has its wire (the socket, watched), the library's ssh.ServerConn over it, and its
// channels, each served by its own goroutine until the channel or the connection ends. Nothing
// of a connection outlives it but processes that have let go of its pipes and terminal.
package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"nodeport-sshd/internal/account"
)

// Reasons for which Serve ends by itself.
var (
	ErrIdle    = errors.New("nobody was connected for as long as was allowed")
	ErrKeyless = errors.New("no key may log in any more")
)

// Keys answers who may log in; the answer may change at any time.
type Keys interface {
	Allows(key ssh.PublicKey) bool
	Empty() bool
}

// Log takes lines for whoever looks into what happened.
type Log interface {
	Printf(format string, arguments ...any)
}

// Config is what a server is made of. All fields but the durations are required.
type Config struct {
	HostKey     ssh.Signer
	Keys        Keys
	Account     account.Account
	Environment account.Environment
	Banner      string // the version line, without its end: SSH-2.0-…
	Log         Log
	// Sockets makes a folder that only the user can enter; the server removes it.
	Sockets func(pattern string) (string, error)
	Limits  Limits
	// AskAlive is how often a silent client is asked whether it lives; 0 never.
	AskAlive time.Duration
	// IdleExit is after how long without a connection Serve ends with ErrIdle; 0 never.
	IdleExit time.Duration
	// KeylessExit makes Serve end with ErrKeyless when no key is left.
	KeylessExit bool
}

// Limits bound what strangers, and those who may log in, can make the server hold.
type Limits struct {
	Waiting      int           // connections that have not logged in
	LoginGrace   time.Duration // within which they have to
	LoginBytes   int64         // that they may send until then
	LoginTries   int           // failed attempts a connection
	Connections  int           // logged in
	Channels     int           // a connection: sessions, forwarded connections, agents
	Sessions     int           // a connection
	Listeners    int           // a connection: ports and sockets opened by -R
	SilentRounds int           // of AskAlive, after which a client counts as dead
	Memory       int64         // bytes of heap; past it the largest connections are ended
}

// DefaultLimits are what a container of a few hundred megabytes bears.
func DefaultLimits() Limits {
	return Limits{
		Waiting: 128, LoginGrace: 30 * time.Second, LoginBytes: 256 << 10, LoginTries: 6,
		Connections: 256, Channels: 512, Sessions: 128, Listeners: 128, SilentRounds: 10,
		Memory: 256 << 20,
	}
}

// A Server serves connections until it is shut down.
type Server struct {
	Config
	waiting  *waiting
	guessing *guessing
	memory   *memory
	mu       sync.Mutex
	open     map[*connection]bool
	lastUse  time.Time
	serving  sync.WaitGroup // connections
	burying  sync.WaitGroup // processes of sessions that were hung up
}

// New is a server that does not listen yet.
func New(config Config) *Server {
	return &Server{
		Config:   config,
		waiting:  newWaiting(config.Limits.Waiting),
		guessing: newGuessing(),
		memory:   newMemory(config.Limits.Memory),
		open:     map[*connection]bool{},
		lastUse:  time.Now(),
	}
}

// Serve accepts connections until ctx ends (nil), nobody came for IdleExit (ErrIdle), or no key
// is left (ErrKeyless). It closes the listener, ends all connections, and waits for them.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go s.watch(ctx, stop)
	s.serving.Go(func() { s.accept(ctx, stop, listener) })
	<-ctx.Done()
	_ = listener.Close()
	s.waiting.closeAll()
	for _, conn := range s.connections() {
		conn.end("the server ends")
	}
	s.serving.Wait()
	s.burying.Wait()
	if cause := context.Cause(ctx); cause != context.Canceled {
		return cause
	}
	return nil
}

func (s *Server) accept(ctx context.Context, stop context.CancelCauseFunc, listener net.Listener) {
	for {
		socket, err := listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = socket.Close()
			}
			return
		}
		if errors.Is(err, net.ErrClosed) {
			stop(err)
			return
		}
		if err != nil { // no descriptors left, or the like: it passes
			s.Log.Printf("accept: %v", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		source := sourceOf(socket.RemoteAddr())
		waiter, leave := s.waiting.enter(source, socket) // in the order in which they came
		s.serving.Go(func() {
			defer leave()
			s.handle(ctx, socket, waiter, leave)
		})
	}
}

// handle is the whole life of one connection.
func (s *Server) handle(ctx context.Context, socket net.Conn, waiter *waiter, loggedIn func()) {
	defer func() { _ = socket.Close() }()
	source := waiter.source
	if !s.guessing.hold(ctx, source) {
		return
	}
	conn, err := s.login(socket, waiter)
	loggedIn()
	if err != nil {
		if conn.guessed() {
			s.guessing.failed(source)
			s.Log.Printf("%s: no login: %v", socket.RemoteAddr(), err)
		}
		return
	}
	s.guessing.succeeded(source)
	if !s.keep(ctx, conn) {
		conn.discard()
		return
	}
	defer s.forget(conn)
	s.Log.Printf("%s: login of %s with %s", socket.RemoteAddr(), conn.ssh.User(), conn.fingerprint())
	conn.serve()
	s.Log.Printf("%s: closed%s", socket.RemoteAddr(), conn.why())
}

// keep notes a connection that has logged in; false where there are too many.
func (s *Server) keep(ctx context.Context, conn *connection) bool {
	if s.memory.short() {
		s.endHeaviest()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	if len(s.open) >= s.Limits.Connections {
		s.Log.Printf("%s: refused, %d connections are open", conn.ssh.RemoteAddr(), len(s.open))
		return false
	}
	s.open[conn] = true
	return true
}

func (s *Server) forget(conn *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
	s.lastUse = time.Now()
}

func (s *Server) connections() []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make([]*connection, 0, len(s.open))
	for conn := range s.open {
		open = append(open, conn)
	}
	return open
}

// watch looks every second at what may end connections or the server: keys, time, memory.
func (s *Server) watch(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	memory := time.NewTicker(100 * time.Millisecond)
	defer memory.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-memory.C:
			s.relieve()
		case <-ticker.C:
			if s.KeylessExit && s.Keys.Empty() {
				stop(ErrKeyless)
				return
			}
			open := s.connections()
			for _, conn := range open {
				if !s.Keys.Allows(conn.key) {
					conn.end("its key was removed")
				}
			}
			if s.IdleExit > 0 && len(open) == 0 && s.idleFor() > s.IdleExit {
				stop(ErrIdle)
				return
			}
			s.guessing.forgive()
		}
	}
}

func (s *Server) idleFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.lastUse)
}

// relieve makes room where the heap is past its limit.
func (s *Server) relieve() {
	if s.memory.exhausted() {
		s.endHeaviest()
	}
}

// endHeaviest ends the connection with the most channels: what a channel's other end does not
// read waits in memory, up to the 2 MB of its window. Refusing others instead would let one
// client lock out all.
func (s *Server) endHeaviest() {
	if heaviest := s.heaviest(); heaviest != nil {
		heaviest.end("the server's memory is used up")
	}
}

// heaviest has at least one channel: without any nothing waits, and what one that has just ended
// held may still be there.
func (s *Server) heaviest() *connection {
	var heaviest *connection
	var most int32
	for _, conn := range s.connections() {
		if channels := conn.channels.Load(); channels > most {
			heaviest, most = conn, channels
		}
	}
	return heaviest
}
