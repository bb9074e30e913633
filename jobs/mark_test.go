package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// unmounted is what the store's folder looks like without its disk, and mounted puts the disk back.
func (c *console) unmounted() (mounted func()) {
	c.t.Helper()
	root, disk := filepath.Join(c.data, "snapshots"), filepath.Join(c.data, "disk")
	must(c.t, os.Rename(root, disk))
	must(c.t, os.Mkdir(root, 0o700))
	return func() {
		c.t.Helper()
		must(c.t, os.Remove(root)) // which fails if anything was made in it
		must(c.t, os.Rename(disk, root))
	}
}

// staysAway checks that nothing is taken, lost or removed while the store's disk is not mounted.
func (c *console) staysAway(snapshot, refused string) {
	c.t.Helper()
	want := "The folder " + filepath.Join(c.data, "snapshots") + " does not have the mark of this console's store (store.json): is its disk mounted?"
	if s := c.snapshot("orders", refused); s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, want) {
		c.t.Errorf("a snapshot is %s: %s", s.Status, s.StatusReason)
	}
	if text := c.manager.StoreNotice(); !strings.HasPrefix(text, want) {
		c.t.Errorf("people are told %q", text)
	}
	if run, s := c.verify(snapshot); run.Status != models.RunFailed || s.Status != models.SnapshotAvailable {
		c.t.Errorf("a verification %s, and the snapshot is %s", run.Status, s.Status)
	}
	if run := c.deleteSnapshot(snapshot); run.Status != models.RunFailed || c.status(snapshot) != models.SnapshotAvailable {
		c.t.Errorf("a removal %s, and the snapshot is %s", run.Status, c.status(snapshot))
	}
	if run := c.awaitRun(c.must(c.db.Rebuild.Request(c.t.Context(), "test"))); run.Status != models.RunFailed || !strings.HasPrefix(run.Error, want) {
		c.t.Errorf("a rebuild %s: %s", run.Status, run.Error)
	}
}

func TestDiskThatIsNotMountedIsNoEmptyStore(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	c.snapshot("orders", "s1")

	mounted := c.unmounted() // while the console runs
	c.staysAway("s1", "never")
	mounted()
	if s := c.snapshot("orders", "s2"); s.Status != models.SnapshotAvailable || c.manager.StoreNotice() != "" {
		t.Errorf("with the disk back a snapshot is %s (%s), and people are told %q", s.Status, s.StatusReason, c.manager.StoreNotice())
	}

	c.stop()
	mounted = c.unmounted() // before it starts
	var err error
	c.store, err = dir.Open(filepath.Join(c.data, "snapshots"))
	must(t, err)
	c.start()
	c.staysAway("s1", "not-yet")
	mounted() // the console goes on without a restart
	for _, name := range []string{"s1", "s2"} {
		if run, s := c.verify(name); run.Status != models.RunSucceeded || s.Status != models.SnapshotAvailable {
			t.Errorf("with the disk back a verification of %s %s (%s)", name, run.Status, run.Error)
		}
	}
	if s := c.snapshot("orders", "s3"); s.Status != models.SnapshotAvailable || c.manager.StoreNotice() != "" {
		t.Errorf("with the disk back a snapshot is %s (%s), and people are told %q", s.Status, s.StatusReason, c.manager.StoreNotice())
	}
	if run := c.deleteSnapshot("s1"); run.Status != models.RunSucceeded {
		t.Errorf("a removal %s: %s", run.Status, run.Error)
	}
}
