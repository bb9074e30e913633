package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/store"
)

// try is what a console does for a snapshot, up to its commit.
func try(t *testing.T, a *archive.Archive, data []byte) (archive.Attempt, error) {
	t.Helper()
	at := archive.NewAttempt(ref)
	into := a.NewGathering(true)
	part, err := a.WritePart(t.Context(), at, 1, "", bytes.NewReader(data), nil, archive.Into(into))
	if err == nil {
		err = a.ReadBack(t.Context(), ref, part, nil)
	}
	m := manifestOf(part)
	m.Attempt = at.ID
	if err == nil {
		err = a.WriteContents(t.Context(), m, into)
	}
	if err == nil {
		_, err = a.Commit(t.Context(), m)
	}
	return at, err
}

// Two consoles on one store take a snapshot of one name at the same time: one of them gets it, the other is told, and neither spoils what the other
// has stored. The loser removes what it has written.
func TestOfAttemptsAtOneSnapshotOneHasItWhole(t *testing.T) {
	t.Parallel()
	data, _ := sampleRDB(t)
	for round := range 8 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			a, st, _ := setUp(t)
			const consoles = 4
			attempts, failures := make([]archive.Attempt, consoles), make([]error, consoles)
			var all sync.WaitGroup
			for i := range consoles {
				all.Go(func() {
					if attempts[i], failures[i] = try(t, a, data); failures[i] != nil {
						failures[i] = errors.Join(failures[i], a.Remove(t.Context(), attempts[i], false))
					}
				})
			}
			all.Wait()
			winner := slices.Index(failures, nil)
			for i, err := range failures {
				if i != winner && !errors.Is(err, archive.ErrExists) {
					t.Errorf("attempt %d: %v, want one to succeed and ErrExists of the others", i, err)
				}
			}
			if winner < 0 {
				t.Fatal("none has committed")
			}
			m, err := a.Manifest(t.Context(), ref)
			if err != nil || m.Attempt != attempts[winner].ID {
				t.Fatalf("the manifest is %+v, %v; want attempt %s", m, err, attempts[winner].ID)
			}
			if err := a.VerifyPart(t.Context(), ref, m.Parts[0], nil); err != nil {
				t.Error(err)
			}
			var left []string
			for object := range st.List(t.Context(), "") {
				left = append(left, object.Key)
			}
			if want := slices.Sorted(slices.Values(attempts[winner].Keys(1))); !slices.Equal(left, want) {
				t.Errorf("in the store: %q, want %q", left, want)
			}
		})
	}
}

// inclusive is a store that cannot create exclusively, like some S3 servers: Create finds nothing there and writes.
type inclusive struct {
	store.Store
	meanwhile func() // somebody else's write between the look and the end of writing
}

func (inclusive) Exclusive(context.Context) bool { return false }

func (s inclusive) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	object, err := s.Put(ctx, key, r)
	if s.meanwhile != nil {
		s.meanwhile()
	}
	return object, err
}

// In a store without exclusive creation the last writer has the snapshot, and the other one finds out.
func TestAttemptThatIsWrittenOverFindsOut(t *testing.T) {
	t.Parallel()
	_, st, _, part := written(t)
	theirs := manifestOf(part)
	theirs.Configuration.Description = "another console's"
	data, err := theirs.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		write bool
		want  error
	}{"alone": {false, nil}, "not alone": {true, archive.ErrExists}} {
		t.Run(name, func(t *testing.T) {
			clock := clockwork.NewFakeClockAt(start)
			s := inclusive{Store: st, meanwhile: func() {}}
			if test.write {
				s.meanwhile = func() {
					if _, err := st.Put(t.Context(), attempt.Keys(0)[0], bytes.NewReader(data)); err != nil {
						t.Error(err)
					}
				}
			}
			done := make(chan error, 1)
			go func() {
				_, err := archive.New(s, archive.WithClock(clock)).Commit(t.Context(), manifestOf(part))
				done <- err
			}()
			if err := clock.BlockUntilContext(t.Context(), 1); err != nil { // it waits, for somebody who may be writing
				t.Fatal(err)
			}
			clock.Advance(time.Minute)
			if err := <-done; !errors.Is(err, test.want) {
				t.Errorf("Commit = %v, want %v", err, test.want)
			}
			if back, err := archive.New(st).Manifest(t.Context(), ref); err != nil || (back.Configuration.Description == theirs.Configuration.Description) != test.write {
				t.Errorf("the manifest is %+v, %v", back, err)
			}
			if err := st.Delete(t.Context(), attempt.Keys(0)[0]); err != nil {
				t.Fatal(err)
			}
		})
	}
}
