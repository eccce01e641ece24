package server

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

const heapMetric = "/memory/classes/heap/objects:bytes"

// memory tells when the heap nears its limit. What waits in it are bytes of authenticated
// clients that nobody reads yet; the library's windows bound them a channel, not in all.
type memory struct {
	limit     uint64
	mu        sync.Mutex
	sample    []metrics.Sample
	collected time.Time
}

// collectEvery is how often garbage is looked for at most, to tell it from what is in use.
const collectEvery = 200 * time.Millisecond

func newMemory(limit int64) *memory {
	return &memory{limit: uint64(max(limit, 1<<20)), sample: []metrics.Sample{{Name: heapMetric}}}
}

func (m *memory) read() uint64 {
	metrics.Read(m.sample)
	return m.sample[0].Value.Uint64()
}

// isAbove is whether more than so many bytes are in use.
func (m *memory) isAbove(bytes uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.read() <= bytes {
		return false
	}
	if time.Since(m.collected) > collectEvery {
		runtime.GC()
		m.collected = time.Now()
	}
	return m.read() > bytes
}

// short is that nothing more should be begun.
func (m *memory) short() bool { return m.isAbove(m.limit / 4 * 3) }

// exhausted is that something has to go.
func (m *memory) exhausted() bool { return m.isAbove(m.limit) }
