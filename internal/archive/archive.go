// Package archive is a snapshot at rest: what is in the store, how it gets there, and how it is checked and read.
//
// A snapshot is a folder of the store with one part per shard and a manifest:
//
//	<cluster>/<snapshot>/part-0001-<attempt>.rdb.zst    a plain RDB in zstd
//	<cluster>/<snapshot>/keys-0001-<attempt>.fuse       a filter of the names of that part's keys
//	<cluster>/<snapshot>/contents-<attempt>.json        what is in it, for people to look at
//	<cluster>/<snapshot>/manifest.json                  what it is, and every part's length and hashes
//
// The manifest is the commit, and the first one written stays. To take a snapshot: NewAttempt, WritePart for each shard, ReadBack for each of them,
// then Commit. Until then there is no snapshot, only an attempt's remains, which Remove removes; List tells the two apart. Remove removes the
// manifest first. To restore: Manifest, then OpenPart for each part.
//
// Two attempts at one snapshot, by two consoles on one store, do each other no harm: their parts have different names, and the manifest names the
// parts of the attempt that committed.
//
// The format is described in docs/snapshot-format.md, for those who have to recover their data without Rekindle.
package archive

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
)

// Errors that the methods wrap. Errors of the store (store.ErrFull...), of a source and of a context come through too.
var (
	// ErrInvalid: a name, a part or a manifest that breaks the format's rules.
	ErrInvalid = errors.New("not a valid snapshot")
	// ErrNewer: the manifest was written by a newer Rekindle.
	ErrNewer = errors.New("the snapshot was written by a newer Rekindle than this one: upgrade to read it")
	// ErrMissing: the part or the manifest is not in the store.
	ErrMissing = errors.New("missing in the snapshot store")
	// ErrDamaged: what is in the store is not what was written.
	ErrDamaged = errors.New("damaged in the snapshot store")
	// ErrExists: the snapshot is there and whole; it is never overwritten.
	ErrExists = errors.New("a snapshot of that name is already in the store: choose another name or delete that one first")
)

const manifestName = "manifest.json"

// Archive keeps snapshots in a store. It may be used by many goroutines at once.
type Archive struct {
	store store.Store
	clock clockwork.Clock
}

// Option changes what New makes.
type Option func(*Archive)

// WithClock sets where the times of parts come from; by default the real clock.
func WithClock(clock clockwork.Clock) Option { return func(a *Archive) { a.clock = clock } }

// New returns the archive in a store.
func New(st store.Store, options ...Option) *Archive {
	a := &Archive{store: st, clock: clockwork.NewRealClock()}
	for _, option := range options {
		option(a)
	}
	return a
}

// Store returns the store that the archive is in.
func (a *Archive) Store() store.Store { return a.store }

// Ref names a snapshot: which one, of which cluster.
type Ref struct{ Cluster, Snapshot string }

// String returns "cluster/snapshot".
func (r Ref) String() string { return r.Cluster + "/" + r.Snapshot }

// Names follow ElastiCache's rules, and automatic snapshots have its prefix. The length of a snapshot's name leaves room for
// "automatic.<cluster>-YYYY-MM-DD-HH-MM". Nothing in a name can lead to another folder.
var (
	clusterPattern  = regexp.MustCompile(`^[a-z]([a-z0-9]|-[a-z0-9])*$`)
	snapshotPattern = regexp.MustCompile(`^(automatic\.)?[a-z]([a-z0-9]|-[a-z0-9])*$`)
)

const (
	maxCluster  = 40
	maxSnapshot = 255
)

// Check says whether both names follow the rules; the error wraps ErrInvalid.
func (r Ref) Check() error {
	if len(r.Cluster) > maxCluster || !clusterPattern.MatchString(r.Cluster) {
		return fmt.Errorf("%w: %.50q is not a valid cluster name", ErrInvalid, r.Cluster)
	}
	if len(r.Snapshot) > maxSnapshot || !snapshotPattern.MatchString(r.Snapshot) {
		return fmt.Errorf("%w: %.120q is not a valid snapshot name", ErrInvalid, r.Snapshot)
	}
	return nil
}

// key is the store's key of one of the snapshot's objects.
func (r Ref) key(object string) string { return r.Cluster + "/" + r.Snapshot + "/" + object }

// Attempt is one try at storing a snapshot. Except for the manifest, what it writes has names that no other attempt uses. An ID of "" stands for what
// was stored before there were attempts, in format version 1.
type Attempt struct {
	Ref
	ID string // 16 random hexadecimal digits
}

// NewAttempt returns a new attempt at storing a snapshot.
func NewAttempt(ref Ref) Attempt {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	return Attempt{Ref: ref, ID: hex.EncodeToString(id)}
}

// Check says whether names and ID follow the rules; the error wraps ErrInvalid.
func (a Attempt) Check() error {
	if err := a.Ref.Check(); err != nil {
		return err
	}
	if a.ID != "" && !isHex(a.ID, 16) {
		return fmt.Errorf("%w: %.40q is not an attempt", ErrInvalid, a.ID)
	}
	return nil
}

// Part is the name of a part within the snapshot, by its number (from 1): "part-0001-6c1f0de2b49a8857.rdb.zst".
func (a Attempt) Part(number int) string {
	if a.ID == "" {
		return fmt.Sprintf("part-%04d.rdb.zst", number)
	}
	return fmt.Sprintf("part-%04d-%s.rdb.zst", number, a.ID)
}

// Keys are the store's keys of everything that the attempt may write for a snapshot with this many parts.
func (a Attempt) Keys(parts int) []string {
	keys := []string{a.key(manifestName)}
	for number := 1; number <= parts; number++ {
		keys = append(keys, a.key(a.Part(number)), a.key(a.Filter(number)))
	}
	return append(keys, a.key(a.Contents()))
}

var (
	partPattern     = regexp.MustCompile(`^part-[0-9]{4}(?:-([0-9a-f]{16}))?\.rdb\.zst$`)
	filterPattern   = regexp.MustCompile(`^keys-[0-9]{4}(?:-([0-9a-f]{16}))?\.fuse$`)
	contentsPattern = regexp.MustCompile(`^contents(?:-([0-9a-f]{16}))?\.json$`)
)

// attemptOf tells from an object's name which attempt it belongs to; false when it is neither a part, nor its filter, nor what says what is in them.
func attemptOf(object string) (id string, known bool) {
	for _, pattern := range []*regexp.Regexp{partPattern, filterPattern, contentsPattern} {
		if found := pattern.FindStringSubmatch(object); found != nil {
			return found[1], true
		}
	}
	return "", false
}

// partKey is the store's key of a part, whose object name may come from a manifest or a database.
func partKey(ref Ref, p Part) (string, error) {
	if err := ref.Check(); err != nil {
		return "", err
	}
	id, _ := attemptOf(p.Object)
	if p.Number < 1 || p.Number > maxParts || p.Object != (Attempt{ref, id}).Part(p.Number) {
		return "", fmt.Errorf("%w: part %d is called %.40q", ErrInvalid, p.Number, p.Object)
	}
	return ref.key(p.Object), nil
}

// Progress tells how far a WritePart, a ReadBack or a VerifyPart has got. The zero value is ready to use, and all methods may be called meanwhile.
type Progress struct{ bytes, stored, keys atomic.Int64 }

func (p *Progress) reset() {
	p.bytes.Store(0)
	p.stored.Store(0)
	p.keys.Store(0)
}

// Bytes returns how many bytes of the plain RDB have gone by.
func (p *Progress) Bytes() int64 { return p.bytes.Load() }

// Stored returns how many compressed bytes have gone to the store, or come from it.
func (p *Progress) Stored() int64 { return p.stored.Load() }

// Keys returns how many keys have gone by.
func (p *Progress) Keys() int64 { return p.keys.Load() }
