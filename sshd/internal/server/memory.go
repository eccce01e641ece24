package server

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	heapMetric = "/memory/classes/heap/objects:bytes" // with garbage that was not found yet
	liveMetric = "/gc/heap/live:bytes"                // what the last collection found in use
)

// memory tells when the heap nears its limit. What waits in it are bytes of authenticated
// clients that nobody reads yet; the library's windows bound them a channel, not in all.
type memory struct {
	limit     uint64
	mu        sync.Mutex
	sample    []metrics.Sample
	collected time.Time
	inUse     uint64 // bytes, when it was collected
}

const (
	// collectEvery is how old the number of bytes in use may be.
	collectEvery = 200 * time.Millisecond
	// collectAfter is what part of the limit may be added to it, be it in use or garbage.
	collectAfter = 8
)

func newMemory(limit int64) *memory {
	return &memory{
		limit: uint64(max(limit, 1<<20)), sample: []metrics.Sample{{Name: heapMetric}, {Name: liveMetric}},
	}
}

// isAbove is whether more than so many bytes were in use a moment ago. Garbage does not count.
func (m *memory) isAbove(bytes uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	metrics.Read(m.sample)
	heap := m.sample[0].Value.Uint64()
	if heap <= bytes {
		return false
	}
	if time.Since(m.collected) > collectEvery || heap > m.inUse+m.limit/collectAfter {
		m.collect()
	}
	return m.inUse > bytes
}

// isAboveNow is whether more than so many bytes are in use. It costs a collection.
func (m *memory) isAboveNow(bytes uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.collect()
	return m.inUse > bytes
}

func (m *memory) collect() {
	runtime.GC()
	m.collected = time.Now()
	metrics.Read(m.sample)
	m.inUse = m.sample[1].Value.Uint64()
}

// short is above which nothing more should be begun.
func (m *memory) short() uint64 { return m.limit / 4 * 3 }

// relieve makes room where the heap is past its limit.
func (s *Server) relieve() { s.makeRoom(s.memory.limit, nil) }

// makeRoom ends the connection that holds the most where more than so many bytes are in use, and is
// whether there is room then, or will be in a moment. Refusing others instead would let one client
// lock out all; but who asks while he holds the most himself is refused (asking may be nil).
//
// Nobody is ended for what is not his: neither for garbage, nor for what a connection holds that is
// about to go.
func (s *Server) makeRoom(bytes uint64, asking *connection) bool {
	s.relieving.Lock()
	defer s.relieving.Unlock()
	open := s.connections() // before memory is looked at: who is not in it any more holds nothing
	if !s.memory.isAbove(bytes) {
		return true
	}
	heaviest := heaviestOf(open)
	if heaviest != nil && heaviest == asking {
		return false
	}
	if !s.memory.isAboveNow(bytes) || oneIsGoing(open) {
		return true
	}
	if heaviest == nil {
		return false
	}
	heaviest.end("the server's memory is used up")
	return true
}

// heaviestOf is nil where all have ended, or have no channel to hold anything for.
func heaviestOf(open []*connection) *connection {
	var heaviest *connection
	var most int32
	for _, conn := range open {
		if weight := conn.weight(); !conn.wire.hasEnded() && weight > most {
			heaviest, most = conn, weight
		}
	}
	return heaviest
}

// goesWithin is how long an ended connection is believed to be about to go.
const goesWithin = 5 * time.Second

func oneIsGoing(open []*connection) bool {
	for _, conn := range open {
		if conn.wire.hasEnded() && conn.wire.endedFor() < goesWithin {
			return true
		}
	}
	return false
}

// weight is how much the connection may hold: for a channel the two blocks of its copying, and
// where what the client sends is not being read, the library's window of 2 MB, so many blocks.
// How much of a window is used the library does not tell.
func (c *connection) weight() int32 {
	const windowBlocks = 2 << 20 / forwardBlockSize
	channels := c.channels.Load()
	return 2*channels + windowBlocks*max(0, channels-c.reading.Load())
}

// A watched channel tells its connection when it is being read.
type watched struct {
	ssh.Channel
	connection *connection
}

func (w watched) Read(data []byte) (int, error) {
	w.connection.reading.Add(1)
	defer w.connection.reading.Add(-1)
	return w.Channel.Read(data)
}
