package jobs_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// killed is a console with a snapshot s1 whose manager was killed in the middle of what the test queues.
type killed struct {
	*console
	manifest archive.Manifest // of s1
	plain    []byte           // the RDB of s1
	part     []byte           // as it is stored
}

func newKilled(t *testing.T) *killed {
	t.Helper()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	row := c.snapshot("orders", "s1")
	k := &killed{console: c}
	var err error
	if k.manifest, err = archive.New(c.store).Manifest(t.Context(), archive.Ref{Cluster: "orders", Snapshot: "s1"}); err != nil {
		t.Fatal(err)
	}
	r, err := c.manager.OpenPart(t.Context(), row, row.Parts[0], true)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if k.plain, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	if k.part, err = os.ReadFile(c.file("orders", "s1", firstPart)); err != nil {
		t.Fatal(err)
	}
	c.stop()
	return k
}

// begin claims the queued run as a console does that is then killed.
func (k *killed) begin(run models.Run, err error) models.Run {
	k.t.Helper()
	k.must(run, err)
	claimed, ok, err := k.db.Runs.Claim(k.t.Context(), k.earlier(), func(r models.Run) bool { return r.ID == run.ID })
	if err != nil || !ok {
		k.t.Fatalf("claim run %d: %v", run.ID, err)
	}
	return claimed
}

func (k *killed) put(st store.Store, key string, data []byte) {
	k.t.Helper()
	if _, err := st.Put(k.t.Context(), key, bytes.NewReader(data)); err != nil {
		k.t.Fatal(err)
	}
}

// halfWritten is a temporary file that nobody holds any more.
func (k *killed) halfWritten(root string) {
	k.t.Helper()
	if err := os.MkdirAll(filepath.Join(root, ".tmp"), 0o700); err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, ".tmp", "HALF"), k.part[:len(k.part)/2], 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killed) commit(st store.Store, m archive.Manifest) {
	k.t.Helper()
	if _, err := archive.New(st).Commit(k.t.Context(), m); err != nil {
		k.t.Fatal(err)
	}
}

// What becomes a snapshot of the catalog is settled by its manifest, at whichever step the console was killed.
func TestKilledCopyOrImportIsSettledByItsManifest(t *testing.T) {
	t.Parallel()
	steps := []string{"before the first byte", "in the middle of the part", "before the manifest", "before the catalog knew"}
	for _, kind := range []models.RunKind{models.RunCopy, models.RunImport, "upload"} {
		for step, name := range steps {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				k := newKilled(t)
				var run models.Run
				cluster := "orders"
				switch kind {
				case models.RunCopy:
					run = k.begin(k.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "new", RequestedBy: "test"}))
				case models.RunImport:
					cluster = "elsewhere"
					run = k.begin(k.db.Copies.Import(t.Context(), models.ImportSpec{Cluster: cluster, Name: "new", Sources: []string{"dir:/gone/dump.rdb"}}))
				default:
					cluster = "elsewhere"
					run = k.must(k.db.Copies.BeginUpload(t.Context(), models.ImportSpec{Cluster: cluster, Name: "new"}, k.earlier()))
				}
				row := mustSnapshot(k.console, "new")
				if step == 1 {
					k.halfWritten(filepath.Join(k.data, "snapshots"))
				}
				at := archive.NewAttempt(archive.Ref{Cluster: cluster, Snapshot: "new"})
				if step >= 1 {
					must(t, k.db.Snapshots.NoteAttempt(t.Context(), run, "new", at.ID))
				}
				if step >= 2 {
					k.put(k.store, at.Keys(1)[1], k.part)
				}
				if step == 3 {
					m := k.manifest.In(at)
					m.Source, m.Origin, m.CreatedAt = archive.Manual, row.Origin, row.CreatedAt
					k.commit(k.store, m)
				}
				k.start()
				run = k.awaitRun(run)
				want := 2 // the files of s1
				if step == 3 {
					want = 4
					if got := mustSnapshot(k.console, "new"); run.Status != models.RunSucceeded || got.Status != models.SnapshotAvailable || len(got.Parts) != 1 || got.Engine == "" {
						t.Errorf("the run is %s (%s), the snapshot %+v", run.Status, run.Error, got)
					}
				} else if got, err := k.db.Snapshots.Get(t.Context(), "new"); run.Status != models.RunFailed || err == nil && got.Status != models.SnapshotFailed {
					t.Errorf("the run is %s, the snapshot %s (%v)", run.Status, got.Status, err)
				}
				if files := k.stored(); len(files) != want {
					t.Errorf("the store has %v", files)
				}
				if got := k.status("s1"); got != models.SnapshotAvailable {
					t.Errorf("the source is %s", got)
				}
			})
		}
	}
}

// A copy or an export to somewhere else is begun again, and takes up what it had written; what is somebody else's stays.
func TestKilledExportIsFinishedAndTouchesNobodysFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(k *killed, run models.Run, root string, st store.Store)
		fails   bool
	}{
		"before the names were noted": {prepare: func(*killed, models.Run, string, store.Store) {}},
		"before the first byte": {prepare: func(k *killed, run models.Run, _ string, _ store.Store) {
			k.note(run, "s1-0001.rdb")
		}},
		"in the middle of the file": {prepare: func(k *killed, run models.Run, root string, _ store.Store) {
			k.note(run, "s1-0001.rdb")
			k.halfWritten(root)
		}},
		"before the catalog knew": {prepare: func(k *killed, run models.Run, _ string, st store.Store) {
			k.note(run, "s1-0001.rdb")
			k.put(st, "s1-0001.rdb", k.plain)
		}},
		"somebody else wrote that name": {fails: true, prepare: func(k *killed, run models.Run, _ string, st store.Store) {
			k.note(run, "s1-0001.rdb")
			k.put(st, "s1-0001.rdb", bytes.Repeat([]byte{'x'}, len(k.plain)))
		}},
		"somebody else's file was there first": {fails: true, prepare: func(k *killed, _ models.Run, _ string, st store.Store) {
			k.put(st, "s1-0001.rdb", k.plain)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, root := newKilled(t), t.TempDir()
			st := openDir(t, root)
			run := k.begin(k.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s1", Name: "s1", Store: "dir:" + root}))
			test.prepare(k, run, root, st)
			before, _ := os.ReadFile(filepath.Join(root, "s1-0001.rdb"))
			k.start()
			run = k.awaitRun(run)
			after, err := os.ReadFile(filepath.Join(root, "s1-0001.rdb"))
			switch {
			case test.fails && (run.Status != models.RunFailed || !strings.Contains(run.Error, "left alone") || !bytes.Equal(before, after)):
				t.Errorf("it is %s (%s); the file has %d bytes", run.Status, run.Error, len(after))
			case !test.fails && (run.Status != models.RunSucceeded || err != nil || !bytes.Equal(after, k.plain)):
				t.Errorf("it is %s (%s); the file has %d bytes of %d (%v)", run.Status, run.Error, len(after), len(k.plain), err)
			}
			if files := filesIn(t, root); len(files) != 1 {
				t.Errorf("the folder has %v", files)
			}
			if got := k.status("s1"); got != models.SnapshotAvailable {
				t.Errorf("the source is %s", got)
			}
		})
	}
}

func (k *killed) note(run models.Run, keys ...string) {
	k.t.Helper()
	if err := k.db.Copies.NoteWritten(k.t.Context(), run.ID, keys...); err != nil {
		k.t.Fatal(err)
	}
}

func TestKilledCopyToAnotherStoreIsFinished(t *testing.T) {
	t.Parallel()
	for step, name := range []string{"before the place was noted", "before the first byte", "in the middle of the part", "before the manifest", "before the catalog knew"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, root := newKilled(t), t.TempDir()
			st := openDir(t, root)
			run := k.begin(k.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "new", Store: "dir:" + root}))
			at := archive.NewAttempt(archive.Ref{Cluster: "orders", Snapshot: "new"})
			if step >= 1 {
				k.note(run, "orders/new at the attempt "+at.ID)
			}
			if step == 2 {
				k.halfWritten(root)
			}
			if step >= 3 {
				k.put(st, at.Keys(1)[1], k.part)
			}
			m := k.manifest.In(at)
			m.Source = archive.Manual
			if step == 4 {
				k.commit(st, m)
			}
			k.start()
			if run = k.awaitRun(run); run.Status != models.RunSucceeded {
				t.Errorf("it is %s: %s", run.Status, run.Error)
			}
			files := filesIn(t, root)
			slices.Sort(files)
			if want := []string{"orders/new/manifest.json", "orders/new/part-0001.rdb.zst"}; !slices.Equal(anyAttempt(files), want) {
				t.Errorf("the other store has %v", files)
			}
			stored, err := archive.New(st).Manifest(t.Context(), m.Ref())
			if err != nil {
				t.Fatal(err)
			}
			if err := archive.New(st).VerifyPart(t.Context(), m.Ref(), stored.Parts[0], nil); err != nil {
				t.Error(err)
			}
			if got := k.status("s1"); got != models.SnapshotAvailable {
				t.Errorf("the source is %s", got)
			}
		})
	}
}

// A copy that fails or is cancelled in its middle leaves nothing, and lets go of its source.
func TestCopyThatDoesNotSucceedLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure error
		middle  func(c *console, run models.Run)
		status  models.RunStatus
		reason  string
	}{
		"the store is full": {failure: fmt.Errorf("write: %w", store.ErrFull), status: models.RunFailed, reason: "full"},
		"it is cancelled": {status: models.RunCancelled, reason: "cancelled", middle: func(c *console, run models.Run) {
			if err := c.db.Runs.Cancel(c.t.Context(), run.ID); err != nil {
				c.t.Fatal(err)
			}
			testkit.WaitFor(c.t, "the run to end", func() bool {
				now, err := c.db.Runs.Get(c.t.Context(), run.ID)
				return err == nil && now.Status.Ended()
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, st := newTroubled(t)
			fillBig(t, c.primary(c.create(c.spec("orders", 0))[0]), 8)
			c.snapshot("orders", "s1")
			reached, goOn := make(chan struct{}), make(chan struct{})
			st.mu.Lock()
			st.after, st.failure, st.reached, st.goOn = 1<<10, test.failure, reached, goOn
			st.mu.Unlock()
			run := c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "new"}))
			c.manager.Wake()
			<-reached
			// What is read cannot be deleted meanwhile.
			if err := c.db.Snapshots.Delete(t.Context(), []string{"s1"}, "test"); !models.HasCode(err, models.CodeSnapshotState) {
				t.Errorf("deleting the source: %v", err)
			}
			if test.middle != nil {
				test.middle(c, run)
			}
			close(goOn)
			if run = c.awaitRun(run); run.Status != test.status || !strings.Contains(run.Error, test.reason) {
				t.Errorf("it is %s: %q", run.Status, run.Error)
			}
			if files := c.stored(); len(files) != 2 {
				t.Errorf("the store has %v", files)
			}
			if c.status("new") != models.SnapshotFailed || c.status("s1") != models.SnapshotAvailable {
				t.Errorf("the copy is %s, the source %s", c.status("new"), c.status("s1"))
			}
		})
	}
}

func TestMovesRefuseWhatCannotWork(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 20)
	// One snapshot for each, for a move that meets damage has its source verified, which then is failed.
	part := func(name string) string {
		return c.file("orders", name, firstPart)
	}
	for _, name := range []string{"s1", "s2", "s3"} {
		c.snapshot("orders", name)
		content, err := os.ReadFile(part(name))
		if err != nil {
			t.Fatal(err)
		}
		content[len(content)/2] ^= 1
		if err := os.WriteFile(part(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	damaged := c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "new"})))
	if damaged.Status != models.RunFailed || !strings.Contains(damaged.Error, "does not match") {
		t.Errorf("a damaged snapshot was copied: %s %q", damaged.Status, damaged.Error)
	}
	damaged = c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s2", Name: "s1", Store: "dir:" + out})))
	if damaged.Status != models.RunFailed || len(filesIn(t, out)) != 0 {
		t.Errorf("a damaged snapshot was exported: %s %q, %v", damaged.Status, damaged.Error, filesIn(t, out))
	}
	// The store lost it.
	if err := os.Remove(part("s3")); err != nil {
		t.Fatal(err)
	}
	lost := c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s3", Name: "new2"})))
	if lost.Status != models.RunFailed || !strings.Contains(lost.Error, "missing") {
		t.Errorf("a lost snapshot was copied: %s %q", lost.Status, lost.Error)
	}
	for url, reason := range map[string]string{"dir:/nowhere/dump.rdb": "no folder", "dir:" + out + "/dump.rdb": "no file"} {
		run := c.awaitRun(c.must(c.db.Copies.Import(t.Context(), models.ImportSpec{Cluster: "x", Name: "import-" + reason[3:], Sources: []string{url}})))
		if run.Status != models.RunFailed || !strings.Contains(run.Error, reason) {
			t.Errorf("import of %s: %s %q", url, run.Status, run.Error)
		}
	}
	if files := c.stored(); len(files) != 5 { // three manifests and two damaged parts
		t.Errorf("the store has %v", files)
	}
}

// An export of several shards that breaks off at the second one leaves the first one's file neither.
func TestExportOfSeveralShardsIsAllOrNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	many := slices.Clone(oneKey)
	for i := range 1000 {
		many = append(many, fmt.Sprintf("\x00\x04l%03d\x01w", i)...)
	}
	first, second := fakeRDB("REDIS0010", oneKey...), fakeRDB("REDIS0010", many...)
	if err := c.upload("elsewhere", "two", first, second); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	run := c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "two", Name: "x", Store: "dir:" + out})))
	if got, err := os.ReadFile(filepath.Join(out, "x-0002.rdb")); run.Status != models.RunSucceeded || err != nil || !bytes.Equal(got, second) || len(filesIn(t, out)) != 2 {
		t.Errorf("it is %s (%s): %v, %v", run.Status, run.Error, filesIn(t, out), err)
	}
	copied := c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "two", Name: "three"})))
	if got := mustSnapshot(c, "three"); copied.Status != models.RunSucceeded || len(got.Parts) != 2 || got.ShardCount != 2 {
		t.Errorf("the copy is %s (%s): %+v", copied.Status, copied.Error, got)
	}
	part := c.file("elsewhere", "two", "part-0002.rdb.zst")
	if err := os.Truncate(part, 60); err != nil {
		t.Fatal(err)
	}
	run = c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "two", Name: "y", Store: "dir:" + out})))
	if files := filesIn(t, out); run.Status != models.RunFailed || len(files) != 2 {
		t.Errorf("it is %s (%s): %v", run.Status, run.Error, files)
	}
	other := t.TempDir()
	run = c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "three", Name: "z", Store: "dir:" + other})))
	if run.Status != models.RunSucceeded || len(filesIn(t, other)) != 3 {
		t.Errorf("it is %s (%s): %v", run.Status, run.Error, filesIn(t, other))
	}
}
