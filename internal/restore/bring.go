package restore

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
)

// Fate is what becomes of a key that is to be brought back.
type Fate string

// The fates.
const (
	Added    Fate = "new"      // the cluster has no such key
	Replaced Fate = "replaced" // it has one, which gets the value and the deadline from the RDB
	Skipped  Fate = "skipped"  // it has one, which stays as it is
	Expired  Fate = "expired"  // its time has passed: nothing is written
)

// KeysNamed is how many keys of a [Brought] have their names in it.
const KeysNamed = 100

// BroughtKey is one key that was brought back.
type BroughtKey struct {
	Database int    `json:"database,omitempty"`
	Name     []byte `json:"name"`   // that it has in the cluster, at most nameKept bytes
	Length   int    `json:"length"` // of the whole name
	Type     string `json:"type"`   // as TYPE names it
	Fate     Fate   `json:"fate"`
	Alike    bool   `json:"alike,omitempty"` // rehearsed: the cluster's value is stored in the same bytes
}

// Brought says what became of the chosen keys so far.
type Brought struct {
	Added    int64        `json:"added"`
	Replaced int64        `json:"replaced"`
	Skipped  int64        `json:"skipped"`
	Expired  int64        `json:"expired"`
	Alike    int64        `json:"alike"`  // rehearsed: how many that the cluster has are stored in the same bytes
	Unsure   int64        `json:"unsure"` // were sent to a node that was lost before it answered: they may have been written
	Keys     []BroughtKey `json:"keys"`   // the first KeysNamed
	Memory   []int64      `json:"-"`      // rehearsed: what writing takes at each node, about, without what replaced keys free
}

// Done is how many keys have been seen to for certain.
func (b Brought) Done() int64 { return b.Added + b.Replaced + b.Skipped + b.Expired }

// Written is how many keys the cluster has got.
func (b Brought) Written() int64 { return b.Added + b.Replaced }

func (b *Brought) count(fate Fate) {
	switch fate {
	case Added:
		b.Added++
	case Replaced:
		b.Replaced++
	case Skipped:
		b.Skipped++
	case Expired:
		b.Expired++
	}
}

// BringOptions say how chosen keys are brought back.
type BringOptions struct {
	Choice
	Replace  bool                           // keys that are there; else they are skipped
	Rehearse bool                           // nothing is written
	Reach    func(addr string) resp.Options // how a node is connected to that others send us to; nil: as the first one
}

// Bringer brings chosen keys of RDBs back into the running nodes of a cluster: each is written wholly or not at all, and nothing else is touched. Some are
// under way at once; where slots are moving they go where the nodes send them.
type Bringer struct {
	picker
	options BringOptions
	nodes   []resp.Options
	moved   map[int]string // where nodes have sent us, by slot
	window  window
	ctx     context.Context // of the whole, as it is with [Open]

	mu    sync.Mutex
	tally Brought
	lanes map[string]*bringing
	stop  func() bool
}

// OpenBringer prepares to bring keys back into nodes, which are the primaries of a cluster. It connects when it has a key for one.
func OpenBringer(ctx context.Context, nodes []resp.Options, options BringOptions) *Bringer {
	b := &Bringer{picker: newPicker(options.Choice), options: options, nodes: nodes, lanes: make(map[string]*bringing), moved: make(map[int]string), ctx: ctx}
	b.window = window{text: make([]byte, 0, windowBytes), dumps: firstDumps}
	// What has been sent is answered at once, unless a node is stuck: so it is known how far it came.
	b.stop = context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, b.hangUp) })
	return b
}

// Write brings the chosen keys of one RDB back, or rehearses that. It may be called again for another RDB. Errors are those of [Writer.Write] except
// ErrExists, and those of [Selection.Read]. What was written before an error stays written.
func (b *Bringer) Write(r io.Reader) (rdb.Summary, error) {
	sum, err := rdb.Visit(r, visiting{b})
	if err != nil {
		b.window.clear()
		return sum, err
	}
	return sum, b.settle()
}

// Keep brings the keys back that a selection has kept. Errors are those of Write.
func (b *Bringer) Keep(s *Selection) error {
	for _, one := range s.kept {
		if err := b.add(one); err != nil {
			return err
		}
	}
	return b.settle()
}

// Brought may be called at any time, even while Write runs.
func (b *Bringer) Brought() Brought {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tally
}

// Chosen is what the RDBs had of the choice so far.
func (b *Bringer) Chosen() Chosen { return b.chosen }

// Close closes the connections.
func (b *Bringer) Close() error {
	b.stop()
	for _, l := range b.lanes {
		l.close()
	}
	return b.spool.close()
}

func (b *Bringer) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		_ = l.fail(context.Cause(b.ctx))
	}
}

// visiting is told about an RDB.
type visiting struct{ *Bringer }

// Library implements [rdb.Visitor]: functions are no keys.
func (visiting) Library([]byte) error { return nil }

// Key brings a key back if it is chosen.
func (b visiting) Key(key rdb.Key, value rdb.Value) error {
	one, is, err := b.pick(key, value, true)
	if err != nil || !is {
		return err
	}
	return b.add(one)
}

// count counts the keys of the window. broken tells that it did not come to its end.
func (b *Bringer) count(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.window.keys {
		a := &b.window.keys[i]
		if !a.settled {
			if broken && a.sent && !a.answered && !b.options.Rehearse {
				b.tally.Unsure++
			}
			continue
		}
		b.tally.count(a.fate)
		if a.alike {
			b.tally.Alike++
		}
		b.needs(a)
		if len(b.tally.Keys) < KeysNamed {
			b.tally.Keys = append(b.tally.Keys, BroughtKey{a.database, bytes.Clone(a.as[:min(len(a.as), nameKept)]), len(a.as), a.kind, a.fate, a.alike})
		}
	}
}

// needs adds up what the keys take that would be written. One that is replaced frees about as much more or less than it takes as its dump is longer or shorter.
func (b *Bringer) needs(a *attempt) {
	var memory int64
	switch a.fate {
	case Added:
		memory = a.memory
	case Replaced:
		memory = max(0, int64(float64(a.memory)*(1-float64(a.bytes)/float64(a.size+rdb.DumpFooterSize))))
	}
	if node := b.node(a.as); memory > 0 && node >= 0 {
		for len(b.tally.Memory) <= node {
			b.tally.Memory = append(b.tally.Memory, 0)
		}
		b.tally.Memory[node] += memory
	}
}
