package nodes

import (
	"sync"
	"time"
)

// memory is what the supervisor remembers about nodes, by name: how long they have been silent, what was reported already, and the like. It holds
// nothing else, so that a restarted console continues where the last one was.
type memory struct {
	mu      sync.Mutex
	silent  map[string]silence
	waited  map[string]int       // how often a replica of a stopped primary was waited for in vain
	trouble map[string]string    // the trouble with a node that was reported last
	next    map[string]time.Time // when something may be tried again
	owned   map[string]string    // the history of a primary when it was last seen as one
}

// silence is a series of probes without an answer.
type silence struct {
	probes      int
	since, last time.Time
}

func (s silence) length() time.Duration { return s.last.Sub(s.since) }

func newMemory() *memory {
	return &memory{silent: make(map[string]silence), waited: make(map[string]int), trouble: make(map[string]string),
		next: make(map[string]time.Time), owned: make(map[string]string)}
}

// longestPause is the longest pause between two probes that counts as silence: in a longer one the console itself was not listening.
const longestPause = 30 * time.Second

// note counts a probe, and returns the series of unanswered probes that it belongs to.
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

// recall returns what is remembered about a node: its present series of unanswered probes, how often it was waited for, and its history as a
// primary, "" if this console has not seen it as one.
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

// complain tells whether this trouble is new and has to be reported. "" says that the trouble is over.
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

// may tells whether the last attempt at something is long enough ago, and if so counts this one.
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
