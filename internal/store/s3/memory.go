package s3

import (
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// memory is where the parts of one upload are, in chunks that are used again. It is not the garbage collector's: parts
// are most of what the console needs, come and go in large pieces, and would make it collect without end under the
// console's memory limit once they have grown. Nothing may look at a chunk that was given back; see body.
type memory struct {
	mu   sync.Mutex
	free []*[chunkSize]byte
	gone bool
}

// mapped is how many chunks all uploads have at the moment.
var mapped atomic.Int64

func (m *memory) get() (*[chunkSize]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := len(m.free) - 1; last >= 0 {
		chunk := m.free[last]
		m.free = m.free[:last]
		return chunk, nil
	}
	data, err := unix.Mmap(-1, 0, chunkSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for a part: %w", err)
	}
	mapped.Add(1)
	return (*[chunkSize]byte)(data), nil
}

func (m *memory) put(chunks []*[chunkSize]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.free = append(m.free, chunks...); m.gone {
		m.unmap()
	}
}

// close gives all back to the system, and what is still out as soon as it comes in.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = true
	m.unmap()
}

func (m *memory) unmap() {
	for _, chunk := range m.free {
		if unix.Munmap(chunk[:]) == nil {
			mapped.Add(-1)
		}
	}
	m.free = nil
}
