package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// together is a store in which no part is stored before so many are about to be.
type together struct {
	store.Store
	arrived *sync.WaitGroup
}

func (s together) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if strings.HasSuffix(key, ".zst") {
		s.arrived.Done()
		s.arrived.Wait()
	}
	return s.Store.Put(ctx, key, r)
}

// Two consoles with one store, each with a cluster of the same name, take a snapshot of the same name at the same moment. One of them has it,
// whole; the other one says why not, and can remove its own without harm to the first.
func TestTwoConsolesOnOneStoreSpoilNothing(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	var arrived sync.WaitGroup
	var consoles [2]*console
	var want [2]string
	for i := range consoles {
		folder, err := dir.Open(shared)
		must(t, err)
		consoles[i] = newConsoleWith(t, clockwork.NewRealClock(), t.TempDir(), together{folder, &arrived})
		source := consoles[i].primary(consoles[i].create(consoles[i].spec("orders", 0))[0])
		testkit.Fill(t, source, 50+i)
		want[i] = testkit.Fingerprint(t, source)
	}
	for _, name := range []string{"s1", "s2", "s3"} {
		arrived.Add(2)
		for _, c := range consoles {
			c.must(c.db.Snapshots.Request(t.Context(), "orders", name, false, "test"))
			c.manager.Wake()
		}
		var got [2]models.Snapshot
		for i, c := range consoles {
			got[i] = c.awaitSnapshot(name)
		}
		winner := 0
		if got[0].Status != models.SnapshotAvailable {
			winner = 1
		}
		loser := 1 - winner
		if got[winner].Status != models.SnapshotAvailable || got[loser].Status != models.SnapshotFailed || !strings.Contains(got[loser].StatusReason, "Another console has stored a snapshot of this name") {
			t.Fatalf("%s: one is %s (%s), the other %s (%s)", name, got[0].Status, got[0].StatusReason, got[1].Status, got[1].StatusReason)
		}
		if run := consoles[loser].deleteSnapshot(name); run.Status != models.RunSucceeded {
			t.Errorf("the removal of what failed is %s: %s", run.Status, run.Error)
		}
		if consoles[winner].restored(name, fmt.Sprintf("r-%s", name)) != want[winner] {
			t.Errorf("%s brings other data back", name)
		}
		if files, err := filepath.Glob(filepath.Join(shared, "orders", name, "*")); err != nil || len(testkit.Undescribed(files)) != 2 {
			t.Errorf("the store has %v, %v", files, err)
		}
	}
}

// foreign puts another attempt's manifest, with its part, into the place of a snapshot.
func (c *console) foreign(manifest archive.Manifest, name string) archive.Manifest {
	c.t.Helper()
	at := archive.NewAttempt(archive.Ref{Cluster: "orders", Snapshot: name})
	part, err := os.ReadFile(c.file(manifest.Cluster, manifest.Snapshot, firstPart))
	must(c.t, err)
	other := manifest.In(at)
	text, err := other.Encode()
	must(c.t, err)
	for key, content := range map[string][]byte{at.Keys(1)[0]: text, at.Keys(1)[1]: part} {
		_, err := c.store.Put(c.t.Context(), key, bytes.NewReader(content))
		must(c.t, err)
	}
	return other
}

// At the recovery of a snapshot that was cut off, only its own attempt's manifest is the commit.
func TestRecoveryTakesNoForeignManifestForItsOwn(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"its own": true, "another attempt's": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKilled(t)
			run := k.begin(k.db.Snapshots.Request(t.Context(), "orders", "new", false, "test"))
			other := k.foreign(k.manifest, "new")
			attempt := other.Attempt
			if !own {
				attempt = archive.NewAttempt(other.Ref()).ID
			}
			must(t, k.db.Snapshots.NoteAttempt(t.Context(), run, "new", attempt))
			k.start()
			run = k.awaitRun(run)
			if got := k.status("new"); own != (got == models.SnapshotAvailable) || own != (run.Status == models.RunSucceeded) {
				t.Errorf("the run is %s (%s), the snapshot %s", run.Status, run.Error, got)
			}
			if back, err := archive.New(k.store).Manifest(t.Context(), other.Ref()); err != nil || back.Attempt != other.Attempt {
				t.Errorf("in the store there is %+v, %v", back, err)
			}
			if err := archive.New(k.store).VerifyPart(t.Context(), other.Ref(), other.Parts[0], nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRemovalThatFindsSomethingForeignIsNoSuccess(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	for _, name := range []string{"changed", "replaced"} {
		c.snapshot("orders", name)
	}
	manifest, err := archive.New(c.store).Manifest(t.Context(), archive.Ref{Cluster: "orders", Snapshot: "replaced"})
	must(t, err)
	other := c.foreign(manifest, "replaced")
	run := c.deleteSnapshot("replaced")
	if run.Status != models.RunFailed || !strings.Contains(run.Error, "Another snapshot is in the place of replaced") || strings.Contains(c.events(), "replaced was deleted") {
		t.Errorf("the run is %s: %s\n%s", run.Status, run.Error, c.events())
	}
	if got := c.status("replaced"); got != models.SnapshotFailed {
		t.Errorf("it is %s", got)
	}
	if err := archive.New(c.store).VerifyPart(t.Context(), other.Ref(), other.Parts[0], nil); err != nil {
		t.Errorf("the foreign one: %v", err)
	}
	// One of its own that was changed is no foreign one.
	path := c.file("orders", "changed", "manifest.json")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.Replace(text, []byte(`"created_at": "20`), []byte(`"created_at": "21`), 1), 0o600))
	if _, s := c.verify("changed"); s.Status != models.SnapshotFailed || !strings.Contains(s.Damage, "manifest in the store is damaged") {
		t.Errorf("with another date it is %s: %s", s.Status, s.Damage)
	}
	if run := c.deleteSnapshot("changed"); run.Status != models.RunSucceeded {
		t.Errorf("the run is %s: %s", run.Status, run.Error)
	}
	if files, err := filepath.Glob(c.file("orders", "changed", "*")); err != nil || len(files) != 0 {
		t.Errorf("left of it: %v, %v", files, err)
	}
}

// A whole manifest of the same attempt that is not the one that the catalog remembers is noticed, and nothing is restored by it.
func TestManifestThatWasReplacedIsNoticed(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	c.snapshot("orders", "s1")
	manifest, err := archive.New(c.store).Manifest(t.Context(), archive.Ref{Cluster: "orders", Snapshot: "s1"})
	must(t, err)
	manifest.EngineVersion = "1.0.0"
	text, err := manifest.Encode()
	must(t, err)
	must(t, os.WriteFile(c.file("orders", "s1", "manifest.json"), text, 0o600))
	spec := c.spec("copy", 0)
	spec.Snapshot = "s1"
	if _, err := c.db.Clusters.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	c.await("copy", models.ClusterRestoreFailed)
	testkit.WaitFor(t, "it to be verified and found changed", func() bool {
		s := mustSnapshot(c, "s1")
		return s.Status == models.SnapshotFailed && strings.Contains(s.Damage, "not the one that was written")
	})
}

// spoiling is a store that gives parts back other than they are.
type spoiling struct {
	store.Store
	spoil bool
}

func (s *spoiling) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.Store.Open(ctx, key)
	if err != nil || !s.spoil || !strings.HasSuffix(key, ".zst") {
		return r, err
	}
	data, err := io.ReadAll(r)
	data[len(data)-1] ^= 1
	return io.NopCloser(bytes.NewReader(data)), errors.Join(err, r.Close())
}

// What is stored has to read back as it was written before there is a snapshot.
func TestSnapshotThatReadsBackWrongIsNone(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	folder, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	st := &spoiling{Store: folder, spoil: true}
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st)
	c.create(c.spec("orders", 0))
	s := c.snapshot("orders", "s1")
	if s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, "does not match what was written") {
		t.Errorf("it is %s: %s", s.Status, s.StatusReason)
	}
	if err := c.upload("orders", "up", fakeRDB("REDIS0010", oneKey...)); err == nil || !strings.Contains(err.Error(), "does not match what was written") {
		t.Errorf("an upload: %v", err)
	}
	testkit.WaitFor(t, "nothing to be left", func() bool { return len(c.storedNow()) == 0 })
}
