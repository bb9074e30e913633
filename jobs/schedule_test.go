package jobs_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func noiseKey(i int) string { return fmt.Sprintf("noise:%04d", i) }

// noise is a megabyte that does not compress, the same for the same number.
func noise(i int) []byte {
	b := make([]byte, 1<<20)
	source := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)})
	_, _ = source.Read(b)
	return b
}

// nextAutomatic moves the clock to the next automatic snapshot of a cluster and waits for it.
func (c *console) nextAutomatic(clock *clockwork.FakeClock, name string) models.Snapshot {
	c.t.Helper()
	cluster := c.await(name, models.ClusterAvailable)
	next, on, err := c.db.Schedule.Next(c.t.Context(), cluster)
	if err != nil || !on {
		c.t.Fatalf("no next snapshot of %s: %v", name, err)
	}
	known := len(c.automatic(name))
	clock.Advance(next.Sub(clock.Now()))
	passed, began := 0, time.Now()
	var snapshots []models.Snapshot
	testkit.WaitFor(c.t, "the automatic snapshot", func() bool {
		if snapshots = c.automatic(name); len(snapshots) > known || (len(snapshots) > 0 && snapshots[0].CreatedAt.After(next.Add(-time.Second))) {
			return snapshots[0].Status != models.SnapshotCreating
		}
		if passed < 3+int(time.Since(began)/time.Second) { // the tick comes within the minute; a busy machine must not miss the window meanwhile
			clock.Advance(time.Minute)
			passed++
		}
		return false
	})
	return snapshots[0]
}

// automatic lists a cluster's automatic snapshots, the newest first.
func (c *console) automatic(name string) []models.Snapshot {
	c.t.Helper()
	rows, err := c.db.Snapshots.List(c.t.Context(), models.List{Equal: map[string]string{"cluster": name, "source": models.SourceAutomatic}})
	if err != nil {
		c.t.Fatal(err)
	}
	return rows.Rows
}

func TestAutomaticSnapshotsComeInTheirWindowAndGoWithRetention(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	spec := c.spec("orders", 1)
	spec.Retention, spec.Window = 1, models.Window{Start: 3 * 60, Length: 120}
	c.create(spec)
	c.snapshot("orders", "by-hand")

	first := c.nextAutomatic(clock, "orders")
	if first.Status != models.SnapshotAvailable || !strings.HasPrefix(first.Name, "automatic.orders-2026-03-11-0") {
		t.Fatalf("the automatic snapshot is %s %s (%s)", first.Name, first.Status, first.StatusReason)
	}
	if at := first.CreatedAt; at.Hour() < 3 || at.Hour() >= 5 {
		t.Errorf("it began at %s, outside its window", at)
	}
	second := c.nextAutomatic(clock, "orders")
	testkit.WaitFor(t, "retention to remove the first one", func() bool {
		clock.Advance(time.Hour)
		_, err := c.db.Snapshots.Get(t.Context(), first.Name)
		return models.HasCode(err, models.CodeSnapshotNotFound)
	})
	if _, err := c.db.Snapshots.Get(t.Context(), second.Name); err != nil {
		t.Errorf("the second one is gone: %v", err)
	}
	if by, err := c.db.Snapshots.Get(t.Context(), "by-hand"); err != nil || by.Status != models.SnapshotAvailable {
		t.Errorf("the manual one is gone: %v", err)
	}
}

func TestWindowThatPassedWhileTheConsoleWasStoppedIsAnEvent(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	spec := c.spec("orders", 0)
	spec.Retention, spec.Window = 7, models.Window{Start: 3 * 60, Length: 60}
	c.create(spec)
	c.stop()
	clock.Advance(24 * time.Hour)
	c.start()
	testkit.WaitFor(t, "an event about the missed window", func() bool {
		return strings.Contains(c.events(), "No automatic snapshot of orders was taken in the window of 2026-03-11 03:00 to 04:00 UTC")
	})
	if snapshots := c.automatic("orders"); len(snapshots) != 0 {
		t.Errorf("a snapshot was taken outside the window: %s", snapshots[0].Name)
	}
}

func TestOpenWindowIsUsedAfterARestart(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	spec := c.spec("orders", 0)
	spec.Retention, spec.Window = 7, models.Window{Start: 3 * 60, Length: 60}
	c.create(spec)
	c.stop()
	clock.Advance(15*time.Hour + 58*time.Minute) // 03:58 of the next day
	c.start()
	testkit.WaitFor(t, "the snapshot in the last minutes of the window", func() bool {
		snapshots := c.automatic("orders")
		return len(snapshots) == 1 && snapshots[0].Status == models.SnapshotAvailable
	})
}

func TestQueuedSnapshotWhoseWindowHasClosedIsNotTaken(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	spec := c.spec("orders", 0)
	spec.Retention, spec.Window = 7, models.Window{Start: 3 * 60, Length: 60}
	c.create(spec)
	c.stop()
	clock.Advance(15*time.Hour + 58*time.Minute) // 03:58 of the next day
	if queued, err := c.db.Schedule.QueueDue(t.Context()); err != nil || queued != 1 {
		t.Fatalf("%d queued, %v", queued, err)
	}
	clock.Advance(3 * time.Minute)
	c.start()
	testkit.WaitFor(t, "the run to end", func() bool {
		runs, err := c.db.Runs.List(t.Context(), models.List{Equal: map[string]string{"kind": string(models.RunSnapshot)}})
		return err == nil && len(runs.Rows) == 1 && runs.Rows[0].Status == models.RunFailed &&
			strings.HasPrefix(runs.Rows[0].Error, "Its window closed at 04:00 UTC before its turn came")
	})
	if files := c.stored(); len(files) != 0 {
		t.Errorf("the store has %v", files)
	}
}
