package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"rekindle/internal/contents"
	"rekindle/internal/digest"
	"rekindle/internal/rdb"
)

// Beside the manifest there is contents-<attempt>.json, which says what is in the snapshot, for people to look at. It is written before the manifest, or
// by a later verification. A snapshot is whole without it: it can be lost, damaged and made anew. It is described in docs/snapshot-format.md.

// contentsVersion is the version of its format that is written. Readers refuse a higher one, and read every lower one.
const contentsVersion = 1

// contentsHash is the field with the hash of the lines before it.
const contentsHash = "contents_sha256"

// contentsRecord is what is stored.
type contentsRecord struct {
	FormatVersion int               `json:"format_version"`
	Snapshot      string            `json:"snapshot"`
	Cluster       string            `json:"cluster"`
	Attempt       string            `json:"attempt,omitempty"`
	Parts         []digest.Digest   `json:"parts"` // hashes of the plain RDBs that it is about, in their order
	GatheredAt    time.Time         `json:"gathered_at"`
	Contents      contents.Contents `json:"contents"`
}

// Contents is the name of the object that says what is in the snapshot: "contents-6c1f0de2b49a8857.json".
func (a Attempt) Contents() string {
	if a.ID == "" {
		return "contents.json"
	}
	return "contents-" + a.ID + ".json"
}

// Gathering gathers what the parts of a snapshot hold while they are written, imported or verified. It may be used by many goroutines at once.
type Gathering struct {
	names      bool
	filters    *Archive // where the filters of the parts are written; nil: nowhere
	mu         sync.Mutex
	whole      *contents.Collector
	parts      map[int]digest.Digest
	twice      bool  // a part was gathered twice, so the numbers are worth nothing
	unfiltered error // why a part has no filter
}

// NewGathering returns an empty gathering, which writes down the names of keys or not.
func NewGathering(names bool) *Gathering {
	return &Gathering{names: names, whole: contents.New(names), parts: map[int]digest.Digest{}}
}

// NewGathering returns an empty gathering, which also has a filter of the names of its keys written beside each part.
func (a *Archive) NewGathering(names bool) *Gathering {
	g := NewGathering(names)
	g.filters = a
	return g
}

// PartOption changes what is done with a part.
type PartOption func(*partOptions)

type partOptions struct{ into *Gathering }

// Into has what a part holds added to a gathering, if the part turns out to be whole.
func Into(g *Gathering) PartOption { return func(o *partOptions) { o.into = g } }

func optionsOf(all []PartOption) (o partOptions) {
	for _, option := range all {
		option(&o)
	}
	return o
}

// partGathering gathers what one part holds. A nil one gathers nothing.
type partGathering struct {
	*contents.Collector
	*Gathering
	number int
	filter *filtering // nil: none is made
}

// part begins with a part, and returns the options by which a scan tells what it holds. To be ended by add, or else by abandon.
func (g *Gathering) part(ctx context.Context, at Attempt, number int) (*partGathering, []rdb.Option) {
	if g == nil {
		return nil, nil
	}
	one := &partGathering{Collector: contents.New(g.names), Gathering: g, number: number}
	if g.filters != nil {
		one.filter = newFiltering(ctx, g.filters.store, at, number)
	}
	options := []rdb.Option{rdb.Observe(one)}
	if !g.names {
		options = append(options, rdb.Nameless)
	}
	return one, options
}

// Key implements [rdb.Observer].
func (one *partGathering) Key(key *rdb.Observed) {
	one.Collector.Key(key)
	if one.filter != nil {
		one.filter.see(key)
	}
}

// add adds what a whole part holds.
func (one *partGathering) add(hash digest.Digest, sum rdb.Summary) {
	if one == nil {
		return
	}
	one.End(sum)
	var unfiltered error
	if one.filter != nil {
		unfiltered = one.filter.whole(hash, sum)
		one.filter = nil
	}
	g := one.Gathering
	g.mu.Lock()
	defer g.mu.Unlock()
	_, known := g.parts[one.number]
	g.twice = g.twice || known
	g.parts[one.number] = hash
	g.unfiltered = errors.Join(g.unfiltered, unfiltered)
	g.whole.Merge(one.Collector)
}

// abandon leaves nothing of a part that was not added.
func (one *partGathering) abandon() {
	if one != nil && one.filter != nil {
		one.filter.abandon()
	}
}

// of is what was gathered, if that is of just these parts.
func (g *Gathering) of(parts []Part) (contents.Contents, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	want := map[int]digest.Digest{}
	for _, p := range parts {
		want[p.Number] = p.Digest()
	}
	if g.twice || !maps.Equal(want, g.parts) {
		return contents.Contents{}, fmt.Errorf("%w: what was gathered is not of these parts", ErrInvalid)
	}
	return g.whole.Contents(), nil
}

// WriteContents writes what was gathered of all parts of a snapshot whose manifest is still to be written. The error says also which part has no filter.
func (a *Archive) WriteContents(ctx context.Context, m Manifest, g *Gathering) error {
	c, err := g.of(m.Parts)
	if err == nil {
		err = errors.Join(a.PutContents(ctx, m, c), g.unfiltered)
	}
	if err != nil {
		return fmt.Errorf("write the contents of %s: %w", m.Ref(), err)
	}
	return nil
}

// AddContents is WriteContents for a snapshot that has its manifest. If that is removed meanwhile, nothing is left behind.
func (a *Archive) AddContents(ctx context.Context, m Manifest, g *Gathering) error {
	c, err := g.of(m.Parts)
	if err == nil {
		err = errors.Join(a.ReplaceContents(ctx, m, c), g.unfiltered)
	}
	if err != nil {
		return fmt.Errorf("add the contents of %s: %w", m.Ref(), err)
	}
	return nil
}

// ReplaceContents is PutContents for a snapshot that has its manifest. If that is removed meanwhile, nothing is left behind.
func (a *Archive) ReplaceContents(ctx context.Context, m Manifest, c contents.Contents) error {
	if err := a.PutContents(ctx, m, c); err != nil {
		return err
	}
	now, err := a.manifest(ctx, m.Ref())
	if err == nil && now.Attempt == m.Attempt || err != nil && !errors.Is(err, ErrMissing) {
		return nil
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	err = nil
	for _, p := range m.Parts {
		err = errors.Join(err, a.store.Delete(clean, m.Ref().key(m.At().Filter(p.Number))))
	}
	return errors.Join(err, a.store.Delete(clean, m.Ref().key(m.At().Contents())))
}

// PutContents writes what is in a snapshot, replacing what was written before.
func (a *Archive) PutContents(ctx context.Context, m Manifest, c contents.Contents) error {
	at := m.At()
	if err := errors.Join(at.Check(), c.Check()); err != nil {
		return err
	}
	data, err := sealed(contentsRecord{contentsVersion, at.Snapshot, at.Cluster, at.ID, digests(m.Parts), a.now(), c}, contentsHash)
	if err == nil {
		_, err = a.store.Put(ctx, at.key(at.Contents()), bytes.NewReader(data))
	}
	return err
}

func digests(parts []Part) []digest.Digest {
	all := make([]digest.Digest, len(parts))
	for i, p := range parts {
		all[i] = p.Digest()
	}
	return all
}

// Contents reads what is in the snapshot that was stored at an attempt with these parts. Errors: ErrMissing (nothing was gathered yet), ErrNewer,
// ErrInvalid (damaged, or of other data), the store's.
func (a *Archive) Contents(ctx context.Context, at Attempt, parts []Part) (contents.Contents, error) {
	record, err := a.contentsRecord(ctx, at)
	switch {
	case err != nil:
	case record.Snapshot != at.Snapshot || record.Cluster != at.Cluster || record.Attempt != at.ID || !slices.Equal(record.Parts, digests(parts)):
		err = fmt.Errorf("%w: it is of another snapshot", ErrInvalid)
	default:
		return record.Contents, nil
	}
	return contents.Contents{}, fmt.Errorf("read the contents of %s: %w", at, err)
}

func (a *Archive) contentsRecord(ctx context.Context, at Attempt) (record contentsRecord, err error) {
	if err := at.Check(); err != nil {
		return record, err
	}
	r, err := a.store.Open(ctx, at.key(at.Contents()))
	if err != nil {
		return record, missing(err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return record, err
	}
	return parseContents(data)
}

func parseContents(data []byte) (record contentsRecord, err error) {
	if len(data) > maxManifest {
		return record, fmt.Errorf("%w: %d bytes, %d are allowed", ErrInvalid, len(data), maxManifest)
	}
	var version struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return record, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch {
	case version.FormatVersion > contentsVersion:
		return record, fmt.Errorf("%w: the contents have format version %d, this one knows %d", ErrNewer, version.FormatVersion, contentsVersion)
	case version.FormatVersion < 1:
		return record, fmt.Errorf("%w: format version %d", ErrInvalid, version.FormatVersion)
	}
	if _, err := sealedHash(data, contentsHash); err != nil {
		return record, err
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return record, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := record.Contents.Check(); err != nil {
		return record, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return record, nil
}
