package vault

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/store/dir"
	"rekindle/models"
	"rekindle/models/catalog"
)

// ownStore is a catalog and a folder that it may find to be its store.
type ownStore struct {
	t    *testing.T
	db   *catalog.DB
	path string
	*marked
}

func newOwnStore(t *testing.T) *ownStore {
	t.Helper()
	clock := clockwork.NewFakeClockAt(time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC))
	db, err := catalog.Open(t.Context(), catalog.File(filepath.Join(t.TempDir(), "rekindle.db")), clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	o := &ownStore{t: t, db: db, path: filepath.Join(t.TempDir(), "snapshots")}
	o.reopen()
	return o
}

// reopen is a restart of the console.
func (o *ownStore) reopen() {
	o.t.Helper()
	st, err := dir.Open(o.path)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = st.Close() })
	o.marked = &marked{db: o.db, logger: slog.New(slog.DiscardHandler), opened: st}
}

// lists has the catalog list a snapshot, which is not stored.
func (o *ownStore) lists(name string) {
	o.t.Helper()
	done := o.db.Now()
	row := models.Snapshot{Name: name, ClusterName: "orders", Source: models.SourceManual, Status: models.SnapshotAvailable, CreatedAt: done, CompletedAt: &done,
		Configuration: models.Configuration{Engine: "redis", EngineVersion: "7.0.15"}, Parts: []models.Part{{Number: 1}}}
	if _, _, err := o.db.Rebuild.Adopt(o.t.Context(), []models.Snapshot{row}, done); err != nil {
		o.t.Fatal(err)
	}
}

// has writes a file into the store, as if it had been there before.
func (o *ownStore) has(name, text string) {
	o.t.Helper()
	path := filepath.Join(o.path, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		o.t.Fatal(err)
	}
}

func (o *ownStore) remembers(mark string) {
	o.t.Helper()
	if err := o.db.Settings.RememberStoreMark(o.t.Context(), mark); err != nil {
		o.t.Fatal(err)
	}
}

func TestStoreIsRecognised(t *testing.T) {
	t.Parallel()
	const mark, damaged, stored = `{"format_version": 1, "id": "here"}`, `{`, "orders/s1/manifest.json"
	for name, test := range map[string]struct {
		given func(o *ownStore)
		want  string // the mark that the store and the catalog have then; "": it is refused; "*": any
		says  string
	}{
		"the first start":                      {func(*ownStore) {}, "*", ""},
		"a store from before there were marks": {func(o *ownStore) { o.lists("s1"); o.has(stored, "{}") }, "*", ""},
		"a new catalog on a store":             {func(o *ownStore) { o.has("store.json", mark) }, "here", ""},
		"the right mark":                       {func(o *ownStore) { o.remembers("here"); o.has("store.json", mark); o.lists("s1") }, "here", ""},
		"the mark was removed by hand":         {func(o *ownStore) { o.remembers("here"); o.lists("s1"); o.has(stored, "{}") }, "here", ""},
		"the mark is damaged": {func(o *ownStore) {
			o.remembers("here")
			o.lists("s1")
			o.has(stored, "{}")
			o.has("store.json", damaged)
		}, "", ""},
		"another mark, with nothing to lose":       {func(o *ownStore) { o.remembers("there"); o.has("store.json", mark) }, "here", ""},
		"another mark, beside a snapshot of ours":  {func(o *ownStore) { o.remembers("there"); o.has("store.json", mark); o.lists("s1"); o.has(stored, "{}") }, "here", ""},
		"an older store whose disk is not mounted": {func(o *ownStore) { o.lists("s1") }, "", "does not have the mark of this console's store"},
		"no mark, and no snapshots any more":       {func(o *ownStore) { o.remembers("here") }, "", "is its disk mounted?"},
		"another console's store":                  {func(o *ownStore) { o.remembers("there"); o.has("store.json", mark); o.lists("s1") }, "", "has the mark of another store"},
		"a store of a newer console":               {func(o *ownStore) { o.has("store.json", `{"format_version": 9, "id": "x"}`) }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOwnStore(t)
			test.given(o)
			_, err := o.hold(t.Context())
			if test.want == "" {
				if test.says != "" && (err == nil || !errors.Is(err, errUnmarked) || !strings.Contains(err.Error(), test.says)) {
					t.Errorf("it says %v", err)
				}
				return
			}
			found, unread := archive.New(o.at()).Mark(t.Context())
			remembered, forgotten := o.db.Settings.StoreMark(t.Context())
			if err != nil || unread != nil || forgotten != nil || found.ID != remembered || found.ID == "" || test.want != "*" && found.ID != test.want {
				t.Errorf("%v: the store has %+v (%v), the catalog %q (%v)", err, found, unread, remembered, forgotten)
			}
		})
	}
}

func TestNothingIsDoneInAStoreThatIsNotTheConsolesOwn(t *testing.T) {
	t.Parallel()
	for name, operation := range map[string]func(ctx context.Context, st *marked) error{
		"put": func(ctx context.Context, st *marked) error {
			_, err := st.Put(ctx, "a", strings.NewReader("x"))
			return err
		},
		"create": func(ctx context.Context, st *marked) error {
			_, err := st.Create(ctx, "a", strings.NewReader("x"))
			return err
		},
		"open":   func(ctx context.Context, st *marked) error { _, err := st.Open(ctx, "foreign"); return err },
		"stat":   func(ctx context.Context, st *marked) error { _, err := st.Stat(ctx, "foreign"); return err },
		"delete": func(ctx context.Context, st *marked) error { return st.Delete(ctx, "foreign") },
		"sweep": func(ctx context.Context, st *marked) error {
			_, err := st.Sweep(ctx, time.Now().Add(time.Hour))
			return err
		},
		"check": func(ctx context.Context, st *marked) error { return st.Check(ctx) },
		"list": func(ctx context.Context, st *marked) error {
			for _, err := range st.List(ctx, "") {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOwnStore(t)
			o.lists("s1")
			o.has("foreign", "x")
			if err := operation(t.Context(), o.marked); !errors.Is(err, errUnmarked) {
				t.Errorf("it says %v", err)
			}
			files, err := filepath.Glob(filepath.Join(o.path, "*"))
			if err != nil || len(files) != 1 || filepath.Base(files[0]) != "foreign" {
				t.Errorf("there are %v (%v)", files, err)
			}
		})
	}
}
