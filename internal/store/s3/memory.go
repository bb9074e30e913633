package s3

import (
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// memory holds the parts of one upload, in chunks that are reused. The garbage collector does not manage it: parts are most of what the console
// needs, they come and go in large pieces, and once they have grown they would make it collect endlessly under the console's memory limit. Nothing
// may look at a chunk that was given back; see body.
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

// close gives everything back to the system; what is still in use follows as soon as it is returned.
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
