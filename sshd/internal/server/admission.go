package server

import (
	"container/list"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// sourceOf is the address without its port.
func sourceOf(address net.Addr) string {
	host, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	return host
}

// waiting are the connections that have not logged in. Where there are too many, one of them is
// closed rather than the newest refused: of those that have come the least far, of the source
// that has the most, the oldest. Behind a NodePort all clients may come from one address, the
// node's, and a login takes a fraction of a second, so who holds connections open by the hundred
// loses his own and locks nobody out.
type waiting struct {
	limit   int
	mu      sync.Mutex
	all     *list.List // of *waiter
	sources map[string]int
}

// A stage is how far a connection has come.
type stage int32

const (
	connected  stage = iota
	introduced       // its version and first packet are there
	encrypted        // keys are exchanged: that took work on its side too
	stages
)

type waiter struct {
	source  string
	socket  io.Closer
	reached atomic.Int32 // a stage
}

func (w *waiter) reach(s stage) { w.reached.Store(int32(s)) }

func newWaiting(limit int) *waiting {
	return &waiting{limit: limit, all: list.New(), sources: map[string]int{}}
}

// crowded is how long who accepts waits for room before one is closed: in a stream of
// connections that were closed by the other side already, that is enough to find out.
const crowded = 2 * time.Millisecond

func (w *waiting) isFull() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Len() >= w.limit
}

// enter notes a connection. The function that it returns forgets it, and may be called again.
func (w *waiting) enter(source string, socket io.Closer) (one *waiter, leave func()) {
	if w.isFull() {
		time.Sleep(crowded)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.all.Len() >= w.limit {
		w.evict()
	}
	one = &waiter{source: source, socket: socket}
	element := w.all.PushBack(one)
	w.sources[source]++
	return one, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.remove(element)
	}
}

func (w *waiting) evict() {
	var chosen *list.Element
	least, most := stages, 0
	for element := w.all.Front(); element != nil; element = element.Next() {
		one, ok := element.Value.(*waiter)
		if !ok {
			continue
		}
		reached, count := stage(one.reached.Load()), w.sources[one.source]
		if reached < least || reached == least && count > most {
			chosen, least, most = element, reached, count
		}
	}
	if one, ok := chosen.Value.(*waiter); ok {
		_ = one.socket.Close()
		w.remove(chosen)
	}
}

func (w *waiting) remove(element *list.Element) {
	one, ok := element.Value.(*waiter)
	if !ok {
		return // removed before
	}
	element.Value = nil
	w.all.Remove(element)
	if w.sources[one.source]--; w.sources[one.source] <= 0 {
		delete(w.sources, one.source)
	}
}

func (w *waiting) closeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.all.Len() > 0 {
		w.evict()
	}
}

const (
	freeGuesses   = 10 // connections of a source that may fail before it has to wait
	holdStep      = 100 * time.Millisecond
	holdLongest   = 2 * time.Second
	sourcesLimit  = 4096
	forgiveRounds = 10 // calls of forgive that take one failure off
)

// guessing slows down sources whose logins fail. They are never shut out: the same address may
// be that of people whose keys are right.
type guessing struct {
	mu       sync.Mutex
	failures map[string]int
	round    int
}

func newGuessing() *guessing { return &guessing{failures: map[string]int{}} }

// delay is how long a source's next connection has to wait.
func (g *guessing) delay(source string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return min(holdStep*time.Duration(max(0, g.failures[source]-freeGuesses)), holdLongest)
}

// hold waits for the source's delay; false where ctx ended meanwhile.
func (g *guessing) hold(ctx context.Context, source string) bool {
	delay := g.delay(source)
	if delay == 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(delay):
		return true
	}
}

func (g *guessing) failed(source string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.failures[source]; !known && len(g.failures) >= sourcesLimit {
		return
	}
	g.failures[source] = min(g.failures[source]+1, freeGuesses+int(holdLongest/holdStep))
}

// succeeded halves what is held against the source: somebody there has a key.
func (g *guessing) succeeded(source string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failures[source] /= 2; g.failures[source] == 0 {
		delete(g.failures, source)
	}
}

// forgive takes something off everyone, if called once a second a failure in ten seconds.
func (g *guessing) forgive() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.round++; g.round%forgiveRounds != 0 {
		return
	}
	for source := range g.failures {
		if g.failures[source]--; g.failures[source] <= 0 {
			delete(g.failures, source)
		}
	}
}
