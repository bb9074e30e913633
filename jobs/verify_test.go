package jobs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// verify has a snapshot verified and waits for the end of that.
func (c *console) verify(name string) (models.Run, models.Snapshot) {
	c.t.Helper()
	run, err := c.db.Verifications.Request(c.t.Context(), name, "test")
	if err != nil {
		c.t.Fatal(err)
	}
	c.manager.Wake()
	run = c.ended(run.ID)
	snapshot, err := c.db.Snapshots.Get(c.t.Context(), name)
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		c.t.Fatal(err)
	}
	return run, snapshot
}

func (c *console) ended(id uint) (run models.Run) {
	c.t.Helper()
	testkit.WaitFor(c.t, "the run to end", func() bool {
		var err error
		run, err = c.db.Runs.Get(c.t.Context(), id)
		return err == nil && run.Status.Ended()
	})
	return run
}

func (c *console) file(cluster, snapshot, object string) string {
	path := filepath.Join(c.data, "snapshots", cluster, snapshot, object)
	if strings.HasPrefix(object, "part-") { // whatever the attempt
		if found, _ := filepath.Glob(strings.Replace(path, ".rdb.zst", "-*.rdb.zst", 1)); len(found) > 0 {
			return found[0]
		}
	}
	return path
}

// firstPart stands for the first part of a snapshot, whatever the attempt that its name has.
const firstPart = "part-0001.rdb.zst"

var attemptInName = regexp.MustCompile(`-[0-9a-f]{16}(\.rdb\.zst)`)

// anyAttempt leaves out of the names of parts which attempt they are of.
func anyAttempt(keys []string) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = attemptInName.ReplaceAllString(key, "$1")
	}
	return names
}

// renameField changes one byte in the name of a field that a manifest must have.
func renameField(t *testing.T, path, field string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(text), `"`+field+`"`, `"`+field[:1]+`"`, 1)), 0o600))
}

// flip changes one byte in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerifyFindsWhateverBecameOfASnapshot(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	testkit.Fill(t, c.primary(cluster), 300)
	c.snapshot("orders", "good")
	const part, manifest = firstPart, "manifest.json"
	for name, damage := range map[string]struct {
		do   func(name string)
		want string
		left int // files that stay
	}{
		"flipped": {func(n string) { flip(t, c.file("orders", n, part)) }, "Part 1 is damaged: ", 2},
		"cut": {func(n string) {
			info, err := os.Stat(c.file("orders", n, part))
			must(t, err)
			must(t, os.Truncate(c.file("orders", n, part), info.Size()-10))
		}, "Part 1 is damaged: ", 2},
		"emptied":       {func(n string) { must(t, os.Truncate(c.file("orders", n, part), 0)) }, "Part 1 is damaged: ", 2},
		"no-part":       {func(n string) { must(t, os.Remove(c.file("orders", n, part))) }, "Part 1 is missing in the store.", 1},
		"no-manifest":   {func(n string) { must(t, os.Remove(c.file("orders", n, manifest))) }, "The manifest is missing in the store.", 1},
		"bad-manifest":  {func(n string) { renameField(t, c.file("orders", n, manifest), "parts") }, "The manifest in the store ", 2},
		"all-gone":      {func(n string) { must(t, os.RemoveAll(filepath.Dir(c.file("orders", n, part)))) }, "Its manifest and all its parts are missing", 0},
		"other-content": {func(n string) { copyFile(t, c.file("orders", "good", manifest), c.file("orders", n, manifest)) }, "The manifest in the store is damaged, or another snapshot's.", 2},
	} {
		before := c.snapshot("orders", name)
		if before.Status != models.SnapshotAvailable || before.VerifiedAt == nil {
			t.Fatalf("%s is %s (%s), verified %v: want available and verified at its completion", name, before.Status, before.StatusReason, before.VerifiedAt)
		}
		damage.do(name)
		run, after := c.verify(name)
		if run.Status != models.RunDamaged || run.Error != after.Damage || after.Status != models.SnapshotFailed || !strings.Contains(after.StatusReason, damage.want) || after.Damage == "" {
			t.Errorf("%s: the run %s (%s), the snapshot is %s: %q; want failed: %q", name, run.Status, run.Error, after.Status, after.StatusReason, damage.want)
		}
		if events := c.events(); !strings.Contains(events, "error orders: The snapshot "+name+" of orders is damaged") {
			t.Errorf("%s: no event says so:\n%s", name, events)
		}
		spec := c.spec("copy", 0)
		spec.Snapshot = name
		if _, err := c.db.Clusters.Create(t.Context(), spec); !models.HasCode(err, models.CodeSnapshotState) {
			t.Errorf("%s can be restored: %v", name, err)
		}
	}
	// A restart sweeps the store: what is damaged stays for somebody to look at.
	before := len(c.stored())
	c.stop()
	c.start()
	run, good := c.verify("good") // takes longer than the sweep, which begins at once
	if after := len(c.stored()); after != before {
		t.Errorf("the sweep removed files of damaged snapshots: %d of %d are left: %v", after, before, c.stored())
	}
	if run.Status != models.RunSucceeded || good.Status != models.SnapshotAvailable {
		t.Errorf("the good one is %s (%s)", good.Status, good.StatusReason)
	}
	testkit.WaitFor(t, "the progress to say how much was read", func() bool { // the last figures follow the end
		run, _ = c.db.Runs.Get(t.Context(), run.ID)
		return run.BytesDone == good.Bytes && run.BytesTotal == good.Bytes
	})
	// What was put right again can be used again.
	flip(t, c.file("orders", "flipped", part))
	if _, again := c.verify("flipped"); again.Status != models.SnapshotAvailable || again.Damage != "" {
		t.Errorf("the repaired one is %s (%s)", again.Status, again.StatusReason)
	}
	// By hand a damaged one goes, with all that is left of it.
	must(t, c.db.Snapshots.Delete(t.Context(), []string{"no-manifest", "cut"}, "test"))
	c.manager.Wake()
	testkit.WaitFor(t, "the damaged ones to be gone", func() bool {
		files := strings.Join(c.stored(), "\n")
		return !strings.Contains(files, "orders/no-manifest/") && !strings.Contains(files, "orders/cut/")
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o600))
}

func TestStoreThatIsAwayIsNoDamage(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 100)
	c.snapshot("orders", "s1")
	c.snapshot("orders", "s2")
	root, aside := filepath.Join(c.data, "snapshots"), filepath.Join(c.data, "aside")
	stays := func(what, say string) {
		t.Helper()
		run, snapshot := c.verify("s1")
		if run.Status != models.RunFailed || !strings.Contains(run.Error, say) || snapshot.Status != models.SnapshotAvailable || snapshot.Damage != "" {
			t.Errorf("%s: the run %s: %q, the snapshot is %s (%s); want a failed run that says %q, and the snapshot available",
				what, run.Status, run.Error, snapshot.Status, snapshot.StatusReason, say)
		}
	}
	must(t, os.Rename(root, aside))
	stays("moved away", "store is away")
	must(t, os.Mkdir(root, 0o700))
	stays("another folder in its place", root+" does not have the mark of this console's store")
	c.stop()
	other, err := dir.Open(root) // as after a restart without the mount
	must(t, err)
	c.store = other
	c.start()
	stays("an empty one after a restart", root+" does not have the mark of this console's store")
	c.stop()
	must(t, os.Remove(root)) // nothing was made in it
	must(t, os.Rename(aside, root))
	if c.store, err = dir.Open(root); err != nil {
		t.Fatal(err)
	}
	c.start()
	if run, snapshot := c.verify("s1"); run.Status != models.RunSucceeded || snapshot.Status != models.SnapshotAvailable {
		t.Errorf("when the store is back the run %s (%s), and the snapshot is %s", run.Status, run.Error, snapshot.Status)
	}
}

// slowStore holds every read of a part until it is let go, or gives an error.
type slowStore struct {
	store.Store
	mu     sync.Mutex
	hold   chan struct{} // nil: does not hold
	failed error
	opened chan string // names of parts, as long as it has room
}

func (s *slowStore) set(hold chan struct{}, failed error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold, s.failed = hold, failed
}

func (s *slowStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	s.mu.Lock()
	hold, failed := s.hold, s.failed
	s.mu.Unlock()
	if failed != nil {
		return nil, failed
	}
	r, err := s.Store.Open(ctx, key)
	if err != nil || hold == nil || !strings.HasSuffix(key, ".zst") {
		return r, err
	}
	select {
	case s.opened <- key:
	default:
	}
	return heldReader{r, ctx, hold}, nil
}

type heldReader struct {
	io.ReadCloser
	ctx  context.Context
	hold chan struct{}
}

func (r heldReader) Read(p []byte) (int, error) {
	select {
	case <-r.hold:
		return r.ReadCloser.Read(p)
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}

func newSlowConsole(t *testing.T) (*console, *slowStore) {
	t.Helper()
	data := t.TempDir()
	folder, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	slow := &slowStore{Store: folder, opened: make(chan string, 1)}
	return newConsoleWith(t, clockwork.NewRealClock(), data, slow), slow
}

func TestVerifyIsCancelledAndCutOffCleanly(t *testing.T) {
	t.Parallel()
	c, slow := newSlowConsole(t)
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 100)
	taken := c.snapshot("orders", "s1")
	c.snapshot("orders", "s2")
	begin := func(name string) models.Run {
		t.Helper()
		run, err := c.db.Verifications.Request(t.Context(), name, "test")
		must(t, err)
		c.manager.Wake()
		return run
	}
	hold := make(chan struct{})
	slow.set(hold, nil)

	// Meanwhile it is what it was, and asking again is refused; another one waits.
	run := begin("s1")
	<-slow.opened
	if s, _ := c.db.Snapshots.Get(t.Context(), "s1"); s.Status != models.SnapshotAvailable {
		t.Errorf("while it is verified the snapshot is %s", s.Status)
	}
	if _, err := c.db.Verifications.Request(t.Context(), "s1", "test"); !models.HasCode(err, models.CodeSnapshotState) {
		t.Errorf("it can be verified twice at once: %v", err)
	}
	second := begin("s2")
	c.create(c.spec("later", 0)) // the queue was looked at since: what came behind it is done
	if r, _ := c.db.Runs.Get(t.Context(), second.ID); r.Status != models.RunQueued {
		t.Errorf("a second verification is %s while one goes on", r.Status)
	}
	must(t, c.db.Runs.Cancel(t.Context(), second.ID))
	must(t, c.db.Runs.Cancel(t.Context(), run.ID))
	if r := c.ended(run.ID); r.Status != models.RunCancelled {
		t.Errorf("the cancelled run is %s: %s", r.Status, r.Error)
	}
	if r := c.ended(second.ID); r.Status != models.RunCancelled {
		t.Errorf("the run that was cancelled in the queue is %s: %s", r.Status, r.Error)
	}
	if s, _ := c.db.Snapshots.Get(t.Context(), "s1"); s.Status != models.SnapshotAvailable || !s.VerifiedAt.Equal(*taken.VerifiedAt) {
		t.Errorf("after the cancelled verification it is %s (%s), verified at %v", s.Status, s.StatusReason, s.VerifiedAt)
	}

	// A console that ends in the middle begins it again.
	run = begin("s1")
	<-slow.opened
	c.stop()
	if r, _ := c.db.Runs.Get(t.Context(), run.ID); r.Status != models.RunQueued {
		t.Errorf("after the stop the run is %s", r.Status)
	}
	// Killed, it could not even put it back into the queue.
	if _, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(models.Run) bool { return true }); err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	slow.set(nil, nil)
	close(hold)
	c.start()
	if r := c.ended(run.ID); r.Status != models.RunSucceeded || r.Attempts != 3 {
		t.Errorf("the run that was cut off is %s after %d attempts: %s", r.Status, r.Attempts, r.Error)
	}

	// A store that breaks off is no damage.
	slow.set(nil, errors.New("connection reset"))
	if run, s := c.verify("s1"); run.Status != models.RunFailed || s.Status != models.SnapshotAvailable || !strings.Contains(run.Error, "stays as it is") {
		t.Errorf("with a broken store the run is %s (%s) and the snapshot %s", run.Status, run.Error, s.Status)
	}

	// Deleting it in the middle ends the verification, and the snapshot.
	hold = make(chan struct{})
	slow.set(hold, nil)
	for len(slow.opened) > 0 {
		<-slow.opened
	}
	run = begin("s1")
	<-slow.opened
	must(t, c.db.Snapshots.Delete(t.Context(), []string{"s1"}, "test"))
	c.manager.Wake()
	if r := c.ended(run.ID); r.Status != models.RunCancelled || !strings.Contains(r.Error, "deleted") {
		t.Errorf("the verification of a deleted snapshot is %s: %s", r.Status, r.Error)
	}
	testkit.WaitFor(t, "the snapshot to be gone", func() bool {
		_, err := c.db.Snapshots.Get(t.Context(), "s1")
		return models.HasCode(err, models.CodeSnapshotNotFound)
	})
	if events := c.events(); strings.Contains(events, "s1 of orders is damaged") {
		t.Errorf("a deleted snapshot was called damaged:\n%s", events)
	}
}

func TestScrubVerifiesEverySnapshotOnceAWeek(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	names := []string{"a", "b", "c", "d", "e"}
	for _, name := range names {
		c.snapshot("orders", name)
	}
	runs := func() map[string]int {
		found, err := c.db.Runs.List(t.Context(), models.List{Equal: map[string]string{"kind": "verify"}})
		must(t, err)
		count := make(map[string]int)
		for _, run := range found.Rows {
			if run.Status == models.RunSucceeded && run.RequestedBy == models.VerifyBySchedule {
				count[run.SnapshotName]++
			}
		}
		return count
	}
	for week := 1; week <= 2; week++ {
		clock.Advance(7 * 24 * time.Hour)
		testkit.WaitFor(t, "every snapshot to be verified", func() bool {
			clock.Advance(time.Minute)
			time.Sleep(20 * time.Millisecond)
			for _, name := range names {
				if runs()[name] < week {
					return false
				}
			}
			return true
		})
		for name, n := range runs() {
			if n != week {
				t.Errorf("in week %d %s was verified %d times", week, name, n)
			}
		}
	}
	must(t, c.db.Settings.SaveVerifyEvery(t.Context(), 0))
	retention := 1
	_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &retention, RequestedBy: "test"})
	must(t, err)
	c.manager.Wake()
	clock.Advance(30 * 24 * time.Hour)
	c.nextAutomatic(clock, "orders") // the ticks go on
	if n := runs()["a"]; n != 2 {
		t.Errorf("turned off, it went on: %d", n)
	}
}

func TestRetentionKeepsTheNewestThatIsNotDamaged(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	spec := c.spec("orders", 0)
	spec.Retention, spec.Window = 1, models.Window{Start: 3 * 60, Length: 60}
	c.create(spec)
	first := c.nextAutomatic(clock, "orders")
	second := c.nextAutomatic(clock, "orders")
	testkit.WaitFor(t, "the first one to have outlived, or not", func() bool {
		_, err := c.db.Snapshots.Get(t.Context(), first.Name)
		return err != nil || second.CreatedAt.Sub(first.CreatedAt) < 24*time.Hour
	})
	flip(t, c.file("orders", second.Name, firstPart))
	if _, s := c.verify(second.Name); s.Status != models.SnapshotFailed {
		t.Fatalf("the second one is %s", s.Status)
	}
	third := c.nextAutomatic(clock, "orders")
	clock.Advance(5 * 24 * time.Hour)
	if _, err := c.db.Schedule.QueueOutlived(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{second.Name, third.Name} {
		s, err := c.db.Snapshots.Get(t.Context(), name)
		if err != nil || s.Status == models.SnapshotDeleting {
			t.Errorf("%s goes: %v %s; a damaged one stays for somebody to look at, and the newest good one as well", name, err, s.Status)
		}
	}
}
