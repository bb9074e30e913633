package vault

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/models/catalog"
)

// cutShort is a store whose list ends with an error after this many objects.
type cutShort struct {
	store.Store
	after int // 0: it does not
}

func (s *cutShort) List(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		left := s.after
		for object, err := range s.Store.List(ctx, prefix) {
			if left--; left == -1 && s.after > 0 {
				yield(store.Object{}, errors.New("cut short"))
				return
			}
			if !yield(object, err) {
				return
			}
		}
	}
}

// keys are all there are.
func (s *cutShort) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for object, err := range s.Store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, object.Key)
	}
	return keys
}

// Among hundreds of snapshots the sweep finds the useless ones, wherever they are in the list, and does not ask for each of the others.
func TestTheSweepFindsWhatIsUselessAmongMany(t *testing.T) {
	t.Parallel()
	folder, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	st := &cutShort{Store: folder}
	path := filepath.Join(t.TempDir(), "rekindle.db")
	db, err := catalog.Open(t.Context(), catalog.File(path), clockwork.NewFakeClockAt(time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Sample(t.Context(), 2, sweepBatch*3/4); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	put := func(key string) {
		t.Helper()
		if _, err := folder.Put(t.Context(), key, strings.NewReader("part")); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := db.Snapshots.Usable(t.Context(), 0, 2*sweepBatch)
	if err != nil || len(rows) != sweepBatch*3/2 {
		t.Fatalf("there are %d snapshots: %v", len(rows), err)
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Name
		put(row.ClusterName + "/" + row.Name + "/part-0001-0123456789abcdef.rdb.zst")
	}
	slices.Sort(names)
	fail := func(damage string, names ...string) {
		t.Helper()
		for _, name := range names {
			if _, err := raw.ExecContext(t.Context(), "UPDATE snapshots SET status = 'failed', completed_at = NULL, damage = ? WHERE name = ?", damage, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := len(names) - 1
	elsewhere := "shop-00099/" + names[1] + "/part-0001-0123456789abcdef.rdb.zst" // somebody else's of that name, in another cluster
	put(elsewhere)
	if err := Adopt(t.Context(), db, folder); err != nil {
		t.Fatal(err)
	}
	put("shop-00000/unknown/part-0001-0123456789abcdef.rdb.zst")
	fail("", names[0], names[1], names[sweepBatch-1], names[sweepBatch], names[last-1], names[last])
	fail("It is damaged.", names[2], names[last-2])

	s := New(Config{DB: db, Store: st, Lease: alone{}, Clock: clockwork.NewFakeClock(), Logger: slog.New(slog.DiscardHandler), Life: t.Context()}).Sweeper
	before := st.keys(t)
	removed := func() (names []string) {
		t.Helper()
		left := st.keys(t)
		for _, key := range before {
			if !slices.Contains(left, key) {
				names = append(names, strings.Split(key, "/")[1])
			}
		}
		slices.Sort(names)
		return names
	}
	st.after = 3 // what was listed before the list failed is swept
	s.SweepStore(t.Context())
	if got, want := removed(), names[:2]; !slices.Equal(got, want) {
		t.Errorf("of a list that was cut short it removed %q, not %q", got, want)
	}
	st.after = 0
	var queries atomic.Int32
	db.Watch(func(string, int64) { queries.Add(1) })
	s.SweepStore(t.Context())
	if got, want := removed(), []string{names[0], names[1], names[sweepBatch-1], names[sweepBatch], names[last-1], names[last]}; !slices.Equal(got, want) {
		t.Errorf("it removed %q, not %q", got, want)
	}
	if !slices.Contains(st.keys(t), elsewhere) {
		t.Error("it removed what lies in another cluster")
	}
	if n := queries.Load(); n > 30 {
		t.Errorf("it asked the catalog %d times about %d snapshots", n, len(names))
	}
}

// alone is the lease of the only console.
type alone struct{}

func (alone) Owner() string                       { return "alone" }
func (alone) Hold(context.Context) error          { return nil }
func (alone) Alone(context.Context) (bool, error) { return true, nil }
