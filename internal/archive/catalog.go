package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"rekindle/internal/store"
)

func (a *Archive) now() time.Time { return a.clock.Now().UTC() }

// absent fails with ErrExists when the snapshot has a manifest.
func (a *Archive) absent(ctx context.Context, ref Ref) error {
	_, err := a.store.Stat(ctx, ref.key(manifestName))
	switch {
	case err == nil:
		return ErrExists
	case errors.Is(err, store.ErrNotExist):
		return nil
	}
	return err
}

// Commit makes a snapshot of parts that were written and read back: it checks the manifest, and that every part is there with its length, creates
// manifest.json, and reads it back. The format version is set to the current one. Committing the same manifest again is fine. A snapshot that another
// attempt has committed stays as it is, and the error is ErrExists. Other errors: ErrInvalid, ErrMissing or ErrDamaged (a part, or the manifest,
// which is then removed), and the store's.
//
// It returns the hash by which the manifest is known.
func (a *Archive) Commit(ctx context.Context, m Manifest) (hash string, err error) {
	if hash, err = a.commit(ctx, m); err != nil {
		return "", fmt.Errorf("commit %s: %w", m.Ref(), err)
	}
	return hash, nil
}

func (a *Archive) commit(ctx context.Context, m Manifest) (string, error) {
	data, err := m.Encode()
	if err != nil {
		return "", err
	}
	checked, err := ParseManifest(data) // Check, and that it can be read again
	if err != nil {
		return "", err
	}
	for _, p := range m.Parts {
		object, err := a.store.Stat(ctx, m.Ref().key(p.Object))
		if err != nil {
			return "", missing(err)
		}
		if object.Size != p.StoredBytes {
			return "", fmt.Errorf("%s is %w: %d bytes are stored, %d were written", object.Key, ErrDamaged, object.Size, p.StoredBytes)
		}
	}
	err = a.publish(ctx, m.Ref().key(manifestName), data)
	if errors.Is(err, store.ErrFull) && a.store.Delete(ctx, m.Ref().key(m.At().Contents())) == nil {
		err = a.publish(ctx, m.Ref().key(manifestName), data) // what says what is in the snapshot can be made anew: it gives way
	}
	return checked.Hash, err
}

// publish creates a manifest, unless there is one already.
func (a *Archive) publish(ctx context.Context, key string, data []byte) error {
	_, err := a.store.Create(ctx, key, bytes.NewReader(data))
	existed := errors.Is(err, store.ErrExist)
	if err != nil && !existed {
		return err
	}
	if !existed && !a.store.Exclusive(ctx) {
		// Somebody else may have looked, found none and be writing now: whoever writes last has won, and the other one finds out.
		if err := a.pause(ctx, settleTime); err != nil {
			return err
		}
	}
	back, err := a.read(ctx, key)
	switch {
	case err != nil:
	case bytes.Equal(back, data):
		return nil
	case existed:
		return ErrExists
	default:
		if _, err := ParseManifest(back); err == nil {
			return ErrExists
		}
		err = fmt.Errorf("%s is %w: it does not read back as it was written", key, ErrDamaged)
	}
	if existed {
		return err
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	return errors.Join(err, a.store.Delete(clean, key))
}

// settleTime is how far apart two attempts can be between looking for a manifest and finishing one, in a store that cannot create exclusively.
const settleTime = 2 * time.Second

func (a *Archive) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-a.clock.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cleanUpTime is how long removing a bad manifest may take, even if the caller's context has ended.
const cleanUpTime = 30 * time.Second

// read returns a small object, or ErrMissing.
func (a *Archive) read(ctx context.Context, key string) ([]byte, error) {
	r, err := a.store.Open(ctx, key)
	if err != nil {
		return nil, missing(err)
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxManifest+1))
}

// Manifest reads a snapshot's manifest and checks it. Errors: ErrMissing (there is no such snapshot), ErrNewer,
// ErrInvalid, the store's.
func (a *Archive) Manifest(ctx context.Context, ref Ref) (Manifest, error) {
	m, err := a.manifest(ctx, ref)
	if err != nil {
		return Manifest{}, fmt.Errorf("read the manifest of %s: %w", ref, err)
	}
	return m, nil
}

func (a *Archive) manifest(ctx context.Context, ref Ref) (Manifest, error) {
	if err := ref.Check(); err != nil {
		return Manifest{}, err
	}
	data, err := a.read(ctx, ref.key(manifestName))
	if err != nil {
		return Manifest{}, err
	}
	m, err := ParseManifest(data)
	if err != nil {
		return Manifest{}, err
	}
	if m.Ref() != ref {
		return Manifest{}, fmt.Errorf("%w: the manifest is of %s; was its folder renamed?", ErrInvalid, m.Ref())
	}
	return m, nil
}

// Remove removes what an attempt has stored. With manifest set, its manifest goes first, and from then on there is no snapshot. Without it, a
// manifest that is there belongs to another attempt and stays. Then the attempt's parts go, and what says what is in them. What other attempts have stored in the same place stays.
// It is fine if there is nothing, and a Remove that failed half way can be repeated.
func (a *Archive) Remove(ctx context.Context, at Attempt, manifest bool) error {
	if err := a.remove(ctx, at, manifest); err != nil {
		return fmt.Errorf("remove %s: %w", at, err)
	}
	return nil
}

func (a *Archive) remove(ctx context.Context, at Attempt, manifest bool) error {
	if err := at.Check(); err != nil {
		return err
	}
	if manifest {
		if err := a.store.Delete(ctx, at.key(manifestName)); err != nil {
			return err
		}
	}
	// List first, then delete: not every store likes to be changed while it is listed.
	var keys []string
	for object, err := range a.store.List(ctx, at.key("")) {
		if err != nil {
			return err
		}
		if id, known := attemptOf(strings.TrimPrefix(object.Key, at.key(""))); known && id == at.ID {
			keys = append(keys, object.Key)
		}
	}
	for _, key := range keys {
		if err := a.store.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// Entry is a snapshot found in the store. Committed is false if it has no manifest: then it is remains, or a snapshot under way.
type Entry struct {
	Ref
	Committed bool
}

// List yields every snapshot in the store, and whatever is left of others, by name. It reads names only, no manifests. Objects that do not look like
// a snapshot's belong to somebody else and are left out.
func (a *Archive) List(ctx context.Context) iter.Seq2[Entry, error] {
	return a.ListWith(ctx, func(string) {})
}

// ListWith is List, and also reports the clusters that have a record.
func (a *Archive) ListWith(ctx context.Context, recorded func(cluster string)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var current Entry
		for object, err := range a.outsideOfJournals(ctx) {
			if err != nil {
				yield(Entry{}, fmt.Errorf("list snapshots: %w", err))
				return
			}
			elements := strings.SplitN(object.Key, "/", 3)
			if len(elements) == 2 && elements[1] == clusterRecord {
				recorded(elements[0])
			}
			if len(elements) < 3 || strings.Contains(elements[2], "/") { // deeper than snapshots, such as a cluster's journal
				continue
			}
			ref := Ref{Cluster: elements[0], Snapshot: elements[1]}
			if ref.Check() != nil {
				continue
			}
			if ref != current.Ref {
				if current.Ref != (Ref{}) && !yield(current, nil) {
					return
				}
				current = Entry{Ref: ref}
			}
			current.Committed = current.Committed || elements[2] == manifestName
		}
		if current.Ref != (Ref{}) {
			yield(current, nil)
		}
	}
}

// outsideOfJournals yields every object that is no segment of a journal. A month of a journal has hundreds of thousands for each shard; the list begins
// again behind them.
func (a *Archive) outsideOfJournals(ctx context.Context) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for after, more := "", true; more; {
			more = false
			for object, err := range store.ListAfter(ctx, a.store, "", after) {
				if behind, is := behindJournal(object.Key); is && err == nil {
					after, more = behind, true
					break
				}
				if !yield(object, err) {
					return
				}
			}
		}
	}
}

// behindJournal is a key that all segments of the journal lie before that a key is of; false if it is of none. They lie in folders of days,
// <cluster>/journal/2026-11-29/, and nothing of a snapshot that is called journal begins with a digit.
func behindJournal(key string) (string, bool) {
	elements := strings.SplitN(key, "/", 4)
	if len(elements) < 4 || elements[1] != "journal" || elements[2] == "" || elements[2][0] < '0' || elements[2][0] > '9' {
		return "", false
	}
	return elements[0] + "/journal/:", true // ':' comes right behind the digits
}
