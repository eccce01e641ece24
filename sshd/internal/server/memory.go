package server

import (
	"runtime/metrics"
	"sync"
)

const heapMetric = "/memory/classes/heap/objects:bytes"

// memory tells when the heap nears its limit. What waits in it are bytes of authenticated
// clients that nobody reads yet; the library's windows bound them a channel, not in all.
type memory struct {
	limit  uint64
	mu     sync.Mutex
	sample []metrics.Sample
}

func newMemory(limit int64) *memory {
	return &memory{limit: uint64(max(limit, 1<<20)), sample: []metrics.Sample{{Name: heapMetric}}}
}

func (m *memory) used() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	metrics.Read(m.sample)
	return m.sample[0].Value.Uint64()
}

// short is that nothing more should be begun.
func (m *memory) short() bool { return m.used() > m.limit/4*3 }

// exhausted is that something has to go.
func (m *memory) exhausted() bool { return m.used() > m.limit }
