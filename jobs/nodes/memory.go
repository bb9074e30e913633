package nodes

import (
	"sync"
	"time"
)

// memory is what the supervisor remembers of nodes, by their names: how often one has kept silent and what was said already. Nothing else, so
// that a restarted console goes on where the last one was.
type memory struct {
	mu      sync.Mutex
	silent  map[string]silence
	waited  map[string]int       // how often a stopped primary's replica was waited for in vain
	trouble map[string]string    // why it could not be started, as was said
	next    map[string]time.Time // when something may be tried again
	owned   map[string]string    // the history of a primary when it was last seen as one
}

// silence is a row of probes without an answer.
type silence struct {
	probes      int
	since, last time.Time
}

func (s silence) length() time.Duration { return s.last.Sub(s.since) }

func newMemory() *memory {
	return &memory{silent: make(map[string]silence), waited: make(map[string]int), trouble: make(map[string]string),
		next: make(map[string]time.Time), owned: make(map[string]string)}
}

// longestPause between two probes counts as silence: in a longer one the console itself was not there to listen.
const longestPause = 30 * time.Second

// note counts a probe, and returns the row without an answer that it belongs to.
func (m *memory) note(node string, answered bool, now time.Time) silence {
	m.mu.Lock()
	defer m.mu.Unlock()
	if answered {
		delete(m.silent, node)
		return silence{}
	}
	s := m.silent[node]
	if pause := now.Sub(s.last); s.probes == 0 || pause > longestPause || pause < 0 {
		s.since = now
	}
	s.probes, s.last = s.probes+1, now
	m.silent[node] = s
	return s
}

// recall tells what is remembered of a node: the row of probes without an answer that it is in, how often it was waited for, and the history
// that it had as a primary, "" when this console has not seen it as one.
func (m *memory) recall(node string) (silent silence, waited int, owned string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.silent[node], m.waited[node], m.owned[node]
}

func (m *memory) owns(node, history string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owned[node] = history
}

// wait counts that a replica was waited for.
func (m *memory) wait(node string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waited[node]++
}

// waitedEnough ends the waiting for a replica.
func (m *memory) waitedEnough(node string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.waited, node)
}

// complain tells whether this trouble has not been spoken of yet. None, "", ends it.
func (m *memory) complain(node, trouble string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if trouble == "" {
		delete(m.trouble, node)
		return false
	}
	fresh := m.trouble[node] != trouble
	m.trouble[node] = trouble
	return fresh
}

// may tells whether the last attempt at something is long enough ago, and counts this one.
func (m *memory) may(what string, pause time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for other, next := range m.next {
		if now.After(next) {
			delete(m.next, other)
		}
	}
	if _, soon := m.next[what]; soon {
		return false
	}
	m.next[what] = now.Add(pause)
	return true
}
