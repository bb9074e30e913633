package jobs_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/journal"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// trace looks for a key in the journal of orders, and waits for the end. The changes are the oldest first.
func (c *console) trace(spec models.FindSpec) (run models.Run, stream models.FindStream, changes []models.FoundChange, holes []models.FindHole) {
	c.t.Helper()
	spec.Cluster = "orders"
	if spec.Journal == nil {
		spec.Journal = &models.FindJournal{Only: true}
	}
	run, _, rows, _ := c.search(spec)
	if spec.Journal.Only && len(rows) != 0 {
		c.t.Errorf("it looked through %d snapshots", len(rows))
	}
	var err error
	stream, _, err = c.db.Finds.Stream(c.t.Context(), run.ID)
	must(c.t, err)
	newest, err := c.db.Finds.Changes(c.t.Context(), run.ID, 0, 10_000)
	must(c.t, err)
	for _, change := range newest {
		changes = append([]models.FoundChange{change}, changes...)
	}
	holes, err = c.db.Finds.Holes(c.t.Context(), run.ID)
	must(c.t, err)
	return run, stream, changes, holes
}

func texts(changes []models.FoundChange) string {
	var all []string
	for _, change := range changes {
		all = append(all, change.Command+": "+change.Text(string(change.Other)))
	}
	return strings.Join(all, "\n")
}

func TestEachChangeOfAKeyIsFoundInTheJournal(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.withJournal("orders", 0, func(p *models.JournalPlan) { p.Lone = true })
	app, ctx := c.primary(orders), t.Context()
	must(t, app.Set(ctx, "cart:1", "apples", 0).Err())
	must(t, app.Set(ctx, "cart:2", "nuts", 0).Err())
	must(t, app.ExpireAt(ctx, "cart:1", time.Unix(4102444800, 0)).Err())
	must(t, app.Rename(ctx, "cart:1", "secret").Err())
	must(t, app.Rename(ctx, "secret", "cart:1").Err())
	_, err := app.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Append(ctx, "cart:1", " and pears")
		p.Del(ctx, "cart:1", "cart:2")
		return nil
	})
	must(t, err)
	must(t, app.FlushAll(ctx).Err())
	c.written(orders)

	run, stream, changes, holes := c.trace(models.FindSpec{Sought: "cart:1"})
	want := "SET: Written\nPEXPIREAT: Its expiry was set\nRENAME: Renamed to secret\nRENAME: Overwritten by renaming secret\nAPPEND: Changed\nDEL: Deleted, expired or evicted\n" +
		"FLUSHALL: Deleted with every key of every database, if it was there"
	if run.Status != models.RunSucceeded || stream.Changes != 7 || stream.Kept != 7 || !stream.Done || len(holes) != 0 || texts(changes) != want {
		t.Fatalf("%s (%s), %+v, holes %+v:\n%s", run.Status, run.Error, stream, holes, texts(changes))
	}
	if expiry := changes[1].ExpiresAt; expiry == nil || expiry.Unix() != 4102444800 {
		t.Errorf("it expires %v", expiry)
	}
	appended, deleted := changes[4], changes[5]
	if appended.Before != deleted.Before || appended.After != deleted.After || deleted.Word != 1 || len(deleted.Name) != 0 || !c.window(orders).Contains(deleted.At) {
		t.Errorf("of one transaction there are %+v and %+v", appended, deleted)
	}
	if changes[0].Database != 0 {
		t.Errorf("it is in the database %d", changes[0].Database)
	}
	c.beforeAndAfter(deleted)

	// By a pattern, in a span, and with the snapshots.
	if _, stream, changes, _ := c.trace(models.FindSpec{Sought: "cart:[2]", Pattern: true}); stream.Changes != 3 || string(changes[0].Name) != "cart:2" || changes[1].Word != 2 {
		t.Errorf("by a pattern there are\n%s", texts(changes))
	}
	if _, stream, _, _ := c.trace(models.FindSpec{Sought: "cart:1", Journal: &models.FindJournal{Only: true, Until: changes[0].At.Truncate(time.Second).Add(-time.Second)}}); stream.Changes != 0 || !stream.Done {
		t.Errorf("before all that there are %d changes", stream.Changes)
	}
	if _, stream, _, _ := c.trace(models.FindSpec{Sought: "cart:1", Journal: &models.FindJournal{Only: true, Since: changes[0].At.Truncate(time.Second), Until: changes[6].At.Truncate(time.Second)}}); stream.Changes != 7 {
		t.Errorf("in these seconds there are %d changes", stream.Changes)
	}
	if run, stream, _, _ := c.trace(models.FindSpec{Sought: "cart:1", Journal: &models.FindJournal{}}); stream.Changes != 7 || run.Title() != "Find a key in all snapshots and the journal of orders" {
		t.Errorf("%s: %d changes", run.Title(), stream.Changes)
	}
	if _, _, changes, _ := c.trace(models.FindSpec{Sought: "cart:1", Keep: 2}); len(changes) != 2 || changes[1].Command != "FLUSHALL" {
		t.Errorf("the newest two are\n%s", texts(changes))
	}
	c.namesStayHidden()
}

// beforeAndAfter recovers to the places around the deletion of cart:1, and looks whether it is there.
func (c *console) beforeAndAfter(deleted models.FoundChange) {
	c.t.Helper()
	for name, place := range map[string]int64{"before": deleted.Before, "after": deleted.After} {
		c.recovered(models.RecoverSpec{Cluster: "orders", Name: name, Moment: deleted.At, Places: []models.RecoverFrom{{Shard: deleted.Shard, Run: deleted.Run, Offset: place}}})
		_, search, _, _ := c.search(models.FindSpec{Snapshot: name, Sought: "cart:1"})
		if want := name == "before"; (search.Matches == 1) != want {
			c.t.Errorf("just %s it is there %d times", name, search.Matches)
		}
	}
}

// namesStayHidden hides names of keys, and looks what a search keeps then.
func (c *console) namesStayHidden() {
	c.t.Helper()
	must(c.t, c.db.Settings.SaveHidesKeyNames(c.t.Context(), true))
	if _, stream, changes, _ := c.trace(models.FindSpec{Sought: "cart:*", Pattern: true}); stream.Changes == 0 || len(changes) != 0 {
		c.t.Errorf("of %d changes these are kept:\n%s", stream.Changes, texts(changes))
	}
	if _, _, changes, _ := c.trace(models.FindSpec{Sought: "cart:1"}); len(changes) != 7 || strings.Contains(texts(changes), "secret") || !strings.Contains(texts(changes), "Renamed to another key") {
		c.t.Errorf("by its name there are\n%s", texts(changes))
	}
	if events := c.events(); strings.Contains(events, "cart") || strings.Contains(events, "secret") {
		c.t.Errorf("an event names a key:\n%s", events)
	}
}

func TestASearchOfAJournalSaysWhatIsDamagedAndGoesOn(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.withJournal("orders", 0, func(p *models.JournalPlan) { p.Lone = true })
	app := c.primary(orders)
	for i := range 4 {
		must(t, app.Set(t.Context(), "cart:1", fmt.Sprint(i), 0).Err())
		c.written(orders)
	}
	has := func(what string) string {
		for _, s := range c.segments("orders", 1) {
			if _, plain, err := journal.Load(t.Context(), c.store, s); err == nil && strings.Contains(string(plain), what) {
				return filepath.Join(c.data, "snapshots", filepath.FromSlash(s.Key))
			}
		}
		t.Fatalf("no segment has %q", what)
		return ""
	}
	one, two := has("cart:1\r\n$1\r\n1"), has("cart:1\r\n$1\r\n2")
	data, err := os.ReadFile(one)
	must(t, err)
	data[len(data)-7] ^= 0x40
	must(t, os.WriteFile(one, data, 0o600))
	must(t, os.Remove(two))
	run, stream, changes, holes := c.trace(models.FindSpec{Sought: "cart:1"})
	if run.Status != models.RunSucceeded || !stream.Done || len(changes) != 2 || len(holes) != 2 {
		t.Fatalf("%s (%s): %+v, %+v\n%s", run.Status, run.Error, stream, holes, texts(changes))
	}
	if !strings.Contains(holes[0].Reason, "damaged") || !strings.Contains(holes[0].Reason, filepath.Base(one)) || !strings.Contains(holes[1].Reason, "missing") || holes[0].Begin == nil || holes[0].Shard != 1 {
		t.Errorf("the holes are %+v", holes)
	}
}

// held is a store whose journal is read only when somebody lets it be.
type held struct {
	store.Store
	mu   sync.Mutex
	hold bool
	came chan struct{}
}

func (s *held) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	s.mu.Lock()
	hold := s.hold && strings.Contains(key, "/journal/")
	s.mu.Unlock()
	if hold {
		select {
		case s.came <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Store.Open(ctx, key)
}

func TestASearchOfAJournalIsCancelled(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	real, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	st := &held{Store: real, came: make(chan struct{}, 1)}
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st)
	orders := c.withJournal("orders", 0, func(p *models.JournalPlan) { p.Lone = true })
	c.written(orders)
	st.mu.Lock()
	st.hold = true
	st.mu.Unlock()
	run := c.must(c.db.Finds.Request(t.Context(), models.FindSpec{Cluster: "orders", Sought: "cart:1", Journal: &models.FindJournal{Only: true}, RequestedBy: "test"}))
	c.manager.Wake()
	testkit.WaitFor(t, "the search to be within the journal", func() bool {
		now, err := c.db.Runs.Get(t.Context(), run.ID)
		return err == nil && now.Stage == "Looking through the journal" && now.BytesTotal > 0 && len(st.came) > 0
	})
	must(t, c.db.Runs.Cancel(t.Context(), run.ID))
	c.manager.Wake()
	if run = c.ended(run.ID); run.Status != models.RunCancelled {
		t.Errorf("it %s (%s)", run.Status, run.Error)
	}
	st.mu.Lock()
	st.hold = false
	st.mu.Unlock()
	if run, stream, _, _ := c.trace(models.FindSpec{Sought: "mark"}); run.Status != models.RunSucceeded || stream.Changes < 1 {
		t.Errorf("the next one %s (%s): %+v", run.Status, run.Error, stream)
	}
}

// A replica's stream does not say which database is selected. The snapshot that the journal begins with does.
func TestTheDatabaseOfAChangeIsKnownFromTheSnapshot(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.create(c.backedUp("orders", 1))[0]
	options := *c.primary(orders).Options()
	options.DB = 3
	app := redis.NewClient(&options)
	defer app.Close()
	must(t, app.Set(t.Context(), "cart:1", "apples", 0).Err())
	c.keepJournal("orders", nil)
	c.waitFor("a recovery window", func() bool {
		must(t, app.Incr(t.Context(), "written").Err())
		return len(c.window(orders)) > 0
	}, func() string { return c.journalNow(orders) })
	must(t, app.Set(t.Context(), "cart:1", "pears", 0).Err())
	must(t, app.Del(t.Context(), "cart:1").Err())
	c.written(orders) // in database 0
	_, _, changes, _ := c.trace(models.FindSpec{Sought: "cart:1"})
	if len(changes) != 2 || changes[0].Database != 3 || changes[1].Database != 3 {
		t.Errorf("%+v", changes)
	}
}
