package restore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

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
	Alike    int64        `json:"alike"` // rehearsed: how many that the cluster has are stored in the same bytes
	Keys     []BroughtKey `json:"keys"`  // the first KeysNamed
}

// Done is how many keys have been seen to.
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
	Spool    string                         // see [Options]
	Route    func(slot int) int             // see [Options]
	Reach    func(addr string) resp.Options // how a node is connected to that others send us to; nil: as the first one
}

// Bringer brings chosen keys of RDBs back into the running nodes of a cluster, one by one: each is written wholly or not at all, and nothing else is
// touched. Where slots are moving it goes where the nodes send it.
type Bringer struct {
	times
	options BringOptions
	nodes   []resp.Options
	places  map[string]*place
	moved   map[int]string // where nodes have sent us, by slot
	spool   *spool
	ctx     context.Context // of the whole, as it is with [Open]

	mu    sync.Mutex
	tally Brought
	open  []*resp.Conn
	stop  func() bool
}

// OpenBringer prepares to bring keys back into nodes, which are the primaries of a cluster. It connects when it has a key for one.
func OpenBringer(ctx context.Context, nodes []resp.Options, options BringOptions) *Bringer {
	b := &Bringer{times: options.times(), options: options, nodes: nodes, places: make(map[string]*place), moved: make(map[int]string), spool: &spool{folder: options.Spool}, ctx: ctx}
	b.stop = context.AfterFunc(ctx, b.hangUp)
	return b
}

// Write brings the chosen keys of one RDB back, or rehearses that. It may be called again for another RDB. Errors are those of [Writer.Write] except
// ErrExists. What was written before an error stays written.
func (b *Bringer) Write(r io.Reader) (rdb.Summary, error) { return rdb.Visit(r, bringing{b}) }

// Brought may be called at any time, even while Write runs.
func (b *Bringer) Brought() Brought {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tally
}

// Close closes the connections.
func (b *Bringer) Close() error {
	b.stop()
	b.hangUp()
	return b.spool.close()
}

func (b *Bringer) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range b.open {
		conn.Close()
	}
}

// bringing is told about an RDB.
type bringing struct{ *Bringer }

// Library implements [rdb.Visitor]: functions are no keys.
func (bringing) Library([]byte) error { return nil }

// Key brings a key back if it is chosen.
func (b bringing) Key(key rdb.Key, value rdb.Value) error {
	if !b.options.takes(key) {
		return nil
	}
	if err := b.ctx.Err(); err != nil {
		return context.Cause(b.ctx)
	}
	as, err := b.options.as(key.Name)
	if err != nil {
		return err
	}
	fate, alike := Expired, false
	if !b.over(b.expires(key)) { // RESTORE with a deadline that has passed would delete the key that is there
		value = value.WithFields(b.fields(key)).For(b.options.Into)
		b.spool.begin(value.Type())
		if _, err := value.WriteTo(b.spool); err != nil {
			return err
		}
		if fate, alike, err = b.settle(key, as); err != nil {
			return fmt.Errorf("bring back a %s in database %d: %w", key.TypeName(), key.Database, err)
		}
	}
	b.note(key, as, fate, alike)
	return nil
}

func (b *Bringer) note(key rdb.Key, as []byte, fate Fate, alike bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally.count(fate)
	if alike {
		b.tally.Alike++
	}
	if len(b.tally.Keys) < KeysNamed {
		b.tally.Keys = append(b.tally.Keys, BroughtKey{key.Database, bytes.Clone(as[:min(len(as), nameKept)]), len(as), key.TypeName(), fate, alike})
	}
}

// settle does with a key what is to be done, or finds out what would be.
func (b *Bringer) settle(key rdb.Key, as []byte) (fate Fate, alike bool, err error) {
	there := false
	if b.options.Rehearse {
		err = b.at(key.Database, as, func(p *place) (answer string, err error) {
			there, alike, answer, err = p.dump(b.ctx, as, b.spool)
			return answer, err
		})
	} else if there, err = b.put(key, as, false); there && b.options.Replace && err == nil {
		_, err = b.put(key, as, true)
	}
	switch {
	case err != nil:
		return "", false, err
	case !there:
		return Added, false, nil
	case b.options.Replace:
		return Replaced, alike, nil
	}
	return Skipped, alike, nil
}

// put writes the key that is in the spool. there tells that it exists, and was not replaced.
func (b *Bringer) put(key rdb.Key, as []byte, replace bool) (there bool, err error) {
	expires := b.expires(key)
	err = b.at(key.Database, as, func(p *place) (string, error) {
		answer, err := p.restore(b.ctx, as, expires, b.spool, modifiers(key, expires, replace))
		if there = err == nil && isThere(answer); there {
			return "", nil
		}
		return answer, err
	})
	return there, err
}
