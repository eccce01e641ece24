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
	"syscall"
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
	Memory       int64         // bytes of heap; past it the connection that holds the most is ended
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

	relieving sync.Mutex // one at a time looks at memory and ends a connection for it
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

// Serve accepts connections until asked ends (nil), nobody came for IdleExit (ErrIdle), or no key
// is left (ErrKeyless). It closes the listener, ends all connections, and waits for them.
func (s *Server) Serve(asked context.Context, listener net.Listener) error {
	ctx, stop := context.WithCancelCause(asked)
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
	if asked.Err() != nil { // for whatever cause: that of a signal names it
		return nil
	}
	return context.Cause(ctx)
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
			if errors.Is(err, syscall.EMFILE) {
				s.endLargest()
			}
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
	s.makeRoom(s.memory.short(), nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	if len(s.open) >= s.Limits.Connections && !s.endOneFor(conn) {
		s.Log.Printf("%s: refused, %d connections are open", conn.ssh.RemoteAddr(), len(s.open))
		return false
	}
	s.open[conn] = true
	return true
}

// endLargest ends the connection with the most channels, which has the most descriptors.
func (s *Server) endLargest() {
	var largest *connection
	for _, conn := range s.connections() {
		if largest == nil || conn.channels.Load() > largest.channels.Load() {
			largest = conn
		}
	}
	if largest != nil {
		largest.end("no descriptors are left")
	}
}

// endOneFor makes place for a connection, where another key has more of them than its own: that one
// loses the one with the least in it. The caller holds the lock.
func (s *Server) endOneFor(newcomer *connection) bool {
	counts := map[string]int{}
	for conn := range s.open {
		counts[string(conn.key.Marshal())]++
	}
	least, most := (*connection)(nil), counts[string(newcomer.key.Marshal())]
	for conn := range s.open {
		count := counts[string(conn.key.Marshal())]
		if count > most || count == most && least != nil && conn.channels.Load() < least.channels.Load() {
			least, most = conn, count
		}
	}
	if least == nil {
		return false
	}
	least.end("others need its place")
	delete(s.open, least)
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
