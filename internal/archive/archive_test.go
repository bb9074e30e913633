package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/contents"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

var (
	ref     = archive.Ref{Cluster: "orders", Snapshot: "nightly"}
	attempt = archive.Attempt{Ref: ref, ID: "6c1f0de2b49a8857"}
	start   = time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
)

var sample struct {
	once sync.Once
	rdb  []byte
	keys int64
}

// sampleRDB is what a real server with keys of every type saves, about 1 MB, and how many keys are in it.
func sampleRDB(t *testing.T) ([]byte, int64) {
	t.Helper()
	sample.once.Do(func() {
		server := testkit.Redis(t)
		sample.keys = int64(testkit.Fill(t, server.Client(), 1000))
		if err := server.Client().Save(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(server.Dir, "dump.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		sample.rdb = data
	})
	if sample.rdb == nil {
		t.Fatal("no sample")
	}
	return sample.rdb, sample.keys
}

// setUp returns an archive in an empty folder, its store and the folder.
func setUp(t *testing.T) (*archive.Archive, *dir.Store, string) {
	t.Helper()
	folder := t.TempDir()
	st, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return archive.New(st, archive.WithClock(clockwork.NewFakeClockAt(start))), st, folder
}

// written is an archive with part 1 of ref in it.
func written(t *testing.T) (*archive.Archive, *dir.Store, string, archive.Part) {
	t.Helper()
	data, _ := sampleRDB(t)
	a, st, folder := setUp(t)
	part, err := a.WritePart(t.Context(), attempt, 1, "", bytes.NewReader(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	return a, st, folder, part
}

// manifestOf is a manifest of ref with these parts.
func manifestOf(parts ...archive.Part) archive.Manifest {
	return archive.Manifest{
		Snapshot: ref.Snapshot, Cluster: ref.Cluster, Attempt: attempt.ID, Source: archive.Manual, Engine: "redis", EngineVersion: "7.0.15",
		RDBVersion: parts[0].RDBVersion, CreatedAt: start, CompletedAt: start.Add(time.Minute),
		Configuration: archive.Configuration{Description: "the orders", NodeType: "cache.t4g.micro", Shards: len(parts)}, Parts: parts,
	}
}

// wantEmpty fails if the store holds anything, even remains.
func wantEmpty(t *testing.T, st store.Store) {
	t.Helper()
	for object, err := range st.List(t.Context(), "") {
		t.Errorf("in the store: %+v, %v", object, err)
	}
	if n, err := st.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("%d remains in the store, %v", n, err)
	}
}

func entries(t *testing.T, a *archive.Archive) []archive.Entry {
	t.Helper()
	var found []archive.Entry
	for entry, err := range a.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, entry)
	}
	return found
}

func TestCommitMakesASnapshotAndRemoveTakesItAway(t *testing.T) {
	t.Parallel()
	a, st, _, part := written(t)
	if got := entries(t, a); !slices.Equal(got, []archive.Entry{{Ref: ref}}) {
		t.Errorf("before the commit: %+v", got)
	}
	if _, err := a.Manifest(t.Context(), ref); !errors.Is(err, archive.ErrMissing) {
		t.Errorf("Manifest before the commit = %v, want ErrMissing", err)
	}
	m := manifestOf(part)
	var hashes [2]string
	for i := range hashes { // the second time for a console that was killed right after the first
		var err error
		if hashes[i], err = a.Commit(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := a.Manifest(t.Context(), ref)
	if err != nil || got.FormatVersion != archive.FormatVersion || got.Hash != hashes[0] || got.Hash != hashes[1] || got.Parts[0] != m.Parts[0] || !reflect.DeepEqual(got.Configuration, m.Configuration) || got.Ref() != ref || !got.CreatedAt.Equal(m.CreatedAt) {
		t.Errorf("Manifest = %+v, %v", got, err)
	}
	if got := entries(t, a); !slices.Equal(got, []archive.Entry{{Ref: ref, Committed: true}}) {
		t.Errorf("after the commit: %+v", got)
	}
	for range 2 {
		if err := a.Remove(t.Context(), attempt, true); err != nil {
			t.Fatal(err)
		}
	}
	wantEmpty(t, st)
}

func TestWholeSnapshotIsNeverWrittenOver(t *testing.T) {
	t.Parallel()
	a, _, _, part := written(t)
	m := manifestOf(part)
	if _, err := a.Commit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	data, _ := sampleRDB(t)
	if _, err := a.WritePart(t.Context(), attempt, 1, "", bytes.NewReader(data), nil); !errors.Is(err, archive.ErrExists) {
		t.Errorf("WritePart = %v, want ErrExists", err)
	}
	m.Configuration.Description = "another"
	if _, err := a.Commit(t.Context(), m); !errors.Is(err, archive.ErrExists) {
		t.Errorf("Commit = %v, want ErrExists", err)
	}
	if err := a.VerifyPart(t.Context(), ref, part, nil); err != nil {
		t.Error(err)
	}
}

func TestCommitRefusesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	a, st, _, part := written(t)
	second := part
	second.Number, second.Object = 2, attempt.Part(2)
	longer := part
	longer.StoredBytes++
	invalid := manifestOf(part)
	invalid.Source = "by chance"
	for name, test := range map[string]struct {
		manifest archive.Manifest
		want     error
	}{
		"a part is missing":       {manifestOf(part, second), archive.ErrMissing},
		"a part is of other size": {manifestOf(longer), archive.ErrDamaged},
		"an invalid manifest":     {invalid, archive.ErrInvalid},
	} {
		if _, err := a.Commit(t.Context(), test.manifest); !errors.Is(err, test.want) {
			t.Errorf("%s: Commit = %v, want %v", name, err, test.want)
		}
	}
	if _, err := st.Stat(t.Context(), "orders/nightly/manifest.json"); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("there is a manifest all the same: %v", err)
	}
}

// spy notes deletes, fails puts and spoils what is read back, as told.
type spy struct {
	store.Store
	deleted []string
	putErr  error
	spoil   bool
}

func (s *spy) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.deleted = append(s.deleted, key)
	return s.Store.Delete(ctx, key)
}

func (s *spy) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if s.putErr != nil {
		_, _ = io.CopyN(io.Discard, r, 1000)
		return store.Object{}, s.putErr
	}
	return s.Store.Put(ctx, key, r)
}

func (s *spy) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.Store.Open(ctx, key)
	if err == nil && s.spoil {
		data, err := io.ReadAll(r)
		data[len(data)/2] ^= 1
		return io.NopCloser(bytes.NewReader(data)), errors.Join(err, r.Close())
	}
	return r, err
}

func TestRemoveTakesTheManifestFirst(t *testing.T) {
	t.Parallel()
	_, st, _, part := written(t)
	watched := &spy{Store: st}
	a := archive.New(watched)
	if _, err := a.Commit(t.Context(), manifestOf(part)); err != nil {
		t.Fatal(err)
	}
	_, err := st.Put(t.Context(), ref.String()+"/"+attempt.Filter(1), strings.NewReader("a filter"))
	if err := errors.Join(err, a.PutContents(t.Context(), manifestOf(part), contents.Contents{}), a.Remove(t.Context(), attempt, true)); err != nil {
		t.Fatal(err)
	}
	if want := attempt.Keys(1); watched.deleted[0] != want[0] || !slices.Equal(slices.Sorted(slices.Values(watched.deleted)), slices.Sorted(slices.Values(want))) {
		t.Errorf("deleted %q, want %q", watched.deleted, want)
	}
}

func TestCommitTakesBackAManifestThatReadsBackWrong(t *testing.T) {
	t.Parallel()
	_, st, _, part := written(t)
	a := archive.New(&spy{Store: st, spoil: true})
	if _, err := a.Commit(t.Context(), manifestOf(part)); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("Commit = %v, want ErrDamaged", err)
	}
	if got := entries(t, a); !slices.Equal(got, []archive.Entry{{Ref: ref}}) {
		t.Errorf("after that: %+v", got)
	}
}

func TestManifestThatWasPutElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	a, st, _, part := written(t)
	if _, err := a.Commit(t.Context(), manifestOf(part)); err != nil {
		t.Fatal(err)
	}
	r, err := st.Open(t.Context(), "orders/nightly/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := st.Put(t.Context(), "orders/weekly/manifest.json", r); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Manifest(t.Context(), archive.Ref{Cluster: "orders", Snapshot: "weekly"}); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("Manifest = %v, want ErrInvalid", err)
	}
}

func TestListTellsWholeFromRemains(t *testing.T) {
	t.Parallel()
	a, st, _ := setUp(t)
	for _, key := range []string{
		"a/automatic.a-2026-07-01-03-00/manifest.json", "a/automatic.a-2026-07-01-03-00/part-0001.rdb.zst",
		"a/n/part-0001.rdb.zst", "a-b/n/manifest.json", "b/n/part-0001.rdb.zst", "b/n/part-0002.rdb.zst", "b/n-2/manifest.json",
		"readme.txt", "a/note", "a/cluster.json", "c/cluster.json", "c/n/cluster.json", "Foreign/n/manifest.json", "a/Foreign.name/x", "c/n/old/manifest.json",
		"a/journal/2026-07-01/shard-0001/segment.resp.zst", "c/journal/2026-07-01/shard-0001/segment.resp.zst",
	} {
		if _, err := st.Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(cluster, snapshot string, committed bool) archive.Entry {
		return archive.Entry{Ref: archive.Ref{Cluster: cluster, Snapshot: snapshot}, Committed: committed}
	}
	want := []archive.Entry{
		entry("a-b", "n", true), entry("a", "automatic.a-2026-07-01-03-00", true), entry("a", "n", false),
		entry("b", "n-2", true), entry("b", "n", false), entry("c", "n", false),
	}
	if got := entries(t, a); !slices.Equal(got, want) {
		t.Errorf("List = %+v\nwant %+v", got, want)
	}
	var recorded []string
	for _, err := range a.ListWith(t.Context(), func(cluster string) { recorded = append(recorded, cluster) }) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(recorded, []string{"a", "c"}) {
		t.Errorf("the clusters %q have records", recorded)
	}
}

func TestRemoveTakesWhatIsTheAttemptsAndNothingElse(t *testing.T) {
	t.Parallel()
	const one, other = "0000000000000001", "0000000000000002"
	all := []string{
		"b/n-2/manifest.json", "b/n/manifest.json", "b/n/part-0001-" + one + ".rdb.zst", "b/n/part-0001-" + other + ".rdb.zst",
		"b/n/part-0001.rdb.zst", "b/n/part-0002-" + one + ".rdb.zst", "b/n/x/part-0001-" + one + ".rdb.zst", "b/nn/manifest.json",
	}
	for name, test := range map[string]struct {
		id       string
		manifest bool
		want     []string // what goes
	}{
		"a snapshot":                {one, true, []string{"b/n/manifest.json", "b/n/part-0001-" + one + ".rdb.zst", "b/n/part-0002-" + one + ".rdb.zst"}},
		"an attempt that lost":      {other, false, []string{"b/n/part-0001-" + other + ".rdb.zst"}},
		"a snapshot of version 1":   {"", true, []string{"b/n/manifest.json", "b/n/part-0001.rdb.zst"}},
		"an attempt that left none": {"0000000000000003", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, st, _ := setUp(t)
			for _, key := range all {
				if _, err := st.Put(t.Context(), key, strings.NewReader("x")); err != nil {
					t.Fatal(err)
				}
			}
			at := archive.Attempt{Ref: archive.Ref{Cluster: "b", Snapshot: "n"}, ID: test.id}
			if err := a.Remove(t.Context(), at, test.manifest); err != nil {
				t.Fatal(err)
			}
			want := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return slices.Contains(test.want, key) })
			var left []string
			for object := range st.List(t.Context(), "") {
				left = append(left, object.Key)
			}
			if !slices.Equal(left, want) {
				t.Errorf("left: %q\nwant: %q", left, want)
			}
		})
	}
}

func TestBadNamesAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	a, st, _ := setUp(t)
	data, _ := sampleRDB(t)
	for _, bad := range []archive.Ref{
		{}, {Cluster: "a"}, {Snapshot: "a"}, {"..", "n"}, {"a", ".."}, {"a/b", "n"}, {"a", "b/c"}, {"A", "n"}, {"a", "N"}, {"1a", "n"},
		{"a-", "n"}, {"a--b", "n"}, {"a", "x.n"}, {"a", "automatic."}, {strings.Repeat("a", 41), "n"}, {"a", strings.Repeat("n", 256)}, {"a\n", "n"},
	} {
		at := archive.Attempt{Ref: bad, ID: attempt.ID}
		_, writeErr := a.WritePart(t.Context(), at, 1, "", bytes.NewReader(data), nil)
		_, openErr := a.OpenPart(t.Context(), bad, archive.Part{Number: 1, Object: "part-0001.rdb.zst"})
		_, storedErr := a.OpenStored(t.Context(), bad, archive.Part{Number: 1, Object: "part-0001.rdb.zst"})
		_, manifestErr := a.Manifest(t.Context(), bad)
		for name, err := range map[string]error{"WritePart": writeErr, "OpenPart": openErr, "OpenStored": storedErr, "Manifest": manifestErr, "Remove": a.Remove(t.Context(), at, true)} {
			if !errors.Is(err, archive.ErrInvalid) {
				t.Errorf("%s of %q = %v, want ErrInvalid", name, bad, err)
			}
		}
	}
	for _, id := range []string{"", "x", "6C1F0DE2B49A8857", "../../etc/passwd", attempt.ID + "0"} {
		at := archive.Attempt{Ref: ref, ID: id}
		if _, err := a.WritePart(t.Context(), at, 1, "", bytes.NewReader(data), nil); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("WritePart at the attempt %q = %v, want ErrInvalid", id, err)
		}
	}
	for _, part := range []archive.Part{{}, {Number: 1}, {Number: 1, Object: "../../x"}, {Number: 1, Object: "part-0002.rdb.zst"}, {Number: -1, Object: "part--001.rdb.zst"}} {
		if _, err := a.OpenPart(t.Context(), ref, part); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("OpenPart of %+v = %v, want ErrInvalid", part, err)
		}
	}
	for _, slots := range []string{"x", "1-", "5-1", "0-16384", "3,2", "01", "-1", "1,,2"} {
		if _, err := a.WritePart(t.Context(), attempt, 1, slots, bytes.NewReader(data), nil); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("WritePart with slots %q = %v, want ErrInvalid", slots, err)
		}
	}
	wantEmpty(t, st)
}
