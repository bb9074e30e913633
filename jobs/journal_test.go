package jobs_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/archive"
	"rekindle/internal/journal"
	"rekindle/models"
	"rekindle/models/catalog"
)

// withJournal is a cluster whose journal is kept, once something of it is stored and there is a snapshot that it begins with.
func (c *console) withJournal(name string, replicas int, change func(*models.JournalPlan)) models.Cluster {
	c.t.Helper()
	cluster := c.create(c.backedUp(name, replicas))[0]
	c.keepJournal(name, change)
	c.playable(cluster)
	return cluster
}

// backedUp is a cluster whose window opens half a day from now.
func (c *console) backedUp(name string, replicas int) models.ClusterSpec {
	spec := c.spec(name, replicas)
	spec.Retention, spec.Window = 3, models.Window{Start: (c.clock.Now().UTC().Hour() + 12) % 24 * 60, Length: 60}
	return spec
}

func (c *console) keepJournal(name string, change func(*models.JournalPlan)) {
	c.t.Helper()
	plan := models.JournalPlan{Kept: true, Days: 1, Promise: models.MinPromise}
	if change != nil {
		change(&plan)
	}
	must(c.t, c.db.Recording.Save(c.t.Context(), name, plan, "test"))
}

// playable waits until the cluster can be brought back to some second.
func (c *console) playable(cluster models.Cluster) {
	c.t.Helper()
	c.waitFor("a recovery window of "+cluster.Name, func() bool {
		must(c.t, c.primary(cluster).Incr(c.t.Context(), "written").Err()) // a stream in which nothing happens is stored each minute
		return len(c.window(cluster)) > 0
	}, func() string { return c.journalNow(cluster) })
}

func (c *console) window(cluster models.Cluster) models.RecoveryWindow {
	c.t.Helper()
	window, err := c.db.Journal.Window(c.t.Context(), cluster)
	must(c.t, err)
	return window
}

// journalNow says how it stands with a journal.
func (c *console) journalNow(cluster models.Cluster) string {
	links, _ := c.db.Recording.Links(context.Background(), cluster)
	stretches, _ := c.db.Journal.Stretches(context.Background(), cluster.ID)
	return fmt.Sprintf("links %+v, stretches %+v, events\n%s", links, stretches, c.events())
}

// written waits until everything that is written now is stored, and returns the stretch that ends with it.
func (c *console) written(cluster models.Cluster) models.JournalStretch {
	c.t.Helper()
	now := c.clock.Now()
	must(c.t, c.primary(cluster).Set(c.t.Context(), "mark", now.String(), 0).Err())
	var last models.JournalStretch
	c.waitFor("what was written", func() bool {
		stretches, err := c.db.Journal.Stretches(c.t.Context(), cluster.ID)
		must(c.t, err)
		if len(stretches) > 0 {
			last = stretches[len(stretches)-1]
		}
		return !last.End.Before(now)
	}, func() string { return c.journalNow(cluster) })
	return last
}

// stream is what is stored of a stretch.
func (c *console) stream(cluster models.Cluster, s models.JournalStretch) string {
	c.t.Helper()
	var segments []journal.Segment
	for segment, err := range journal.List(c.t.Context(), c.store, cluster.Name, time.Time{}) {
		must(c.t, err)
		segments = append(segments, segment)
	}
	chain, err := journal.Chain(segments, s.Run, s.From, s.To)
	must(c.t, err)
	r, err := journal.Open(c.t.Context(), c.store, chain, s.From, s.To)
	must(c.t, err)
	defer func() { _ = r.Close() }()
	text, err := io.ReadAll(r)
	must(c.t, err)
	return string(text)
}

func TestWhatIsWrittenIsStoredAsItComes(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.withJournal("orders", 1, nil)
	links, err := c.db.Recording.Links(t.Context(), cluster)
	must(t, err)
	if len(links) != 1 || links[0].Role != models.RoleReplica || links[0].State != models.JournalFollowing {
		t.Errorf("the links are %+v", links)
	}
	client := c.primary(cluster)
	for i := range 100 {
		must(t, client.Set(t.Context(), fmt.Sprint("key", i), "value", 0).Err())
	}
	must(t, client.FlushAll(t.Context()).Err())
	stretch := c.written(cluster)
	if text := c.stream(cluster, stretch); strings.Count(text, "\r\nkey") != 100 || !strings.Contains(text, "\r\nkey99\r\n") || !strings.Contains(strings.ToLower(text), "flushall") {
		t.Errorf("the stream has %d of 100 keys: %.2000q", strings.Count(text, "\r\nkey"), text)
	}
	events, err := c.db.Journal.Events(t.Context(), cluster.ID, time.Time{}, c.clock.Now(), 10)
	must(t, err)
	if len(events) != 1 || events[0].Command != journal.FlushAll || events[0].Before >= events[0].After || !c.window(cluster).Contains(events[0].At) {
		t.Errorf("what happened is %+v, and the window %v", events, c.window(cluster))
	}
	if snapshots := c.automatic("orders"); len(snapshots) != 1 || snapshots[0].Status != models.SnapshotAvailable {
		t.Errorf("it begins with %+v", snapshots)
	}
	writes, err := c.manager.JournalSeconds(t.Context(), cluster, models.RecoverySpan{From: events[0].At.Truncate(time.Minute).Add(-time.Minute), To: events[0].At.Truncate(time.Minute).Add(2 * time.Minute)})
	must(t, err)
	var sum int64
	for _, w := range writes {
		sum += w.Writes
	}
	if sum < 101 {
		t.Errorf("%d writes are counted", sum)
	}
}

func TestJournalGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.withJournal("orders", 1, nil)
	client := c.primary(cluster)
	must(t, client.Set(t.Context(), "before", "x", 0).Err())
	first := c.written(cluster)
	c.stop()
	must(t, client.Set(t.Context(), "meanwhile", "x", 0).Err())
	c.start()
	must(t, client.Set(t.Context(), "afterwards", "x", 0).Err())
	last := c.written(cluster)
	if last.ID != first.ID || last.Run != first.Run {
		t.Errorf("a stop of the console broke it: %s", c.journalNow(cluster))
	}
	text := c.stream(cluster, last)
	for _, key := range []string{"before", "meanwhile", "afterwards"} {
		if !strings.Contains(text, "\r\n"+key+"\r\n") {
			t.Errorf("%s is not in it", key)
		}
	}
	if n := len(c.automatic("orders")); n != 1 {
		t.Errorf("it took %d snapshots", n)
	}
}

func TestJournalOutlivesAFailover(t *testing.T) {
	t.Parallel()
	for replicas, name := range map[int]string{1: "the replica becomes the primary, and the other node has forgotten everything", 2: "another replica has what comes next"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outlivesAFailover(t, replicas)
		})
	}
}

func outlivesAFailover(t *testing.T, replicas int) {
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.withJournal("orders", replicas, nil)
	must(t, c.primary(cluster).Set(t.Context(), "before", "x", 0).Err())
	first := c.written(cluster)
	old, _ := cluster.Shards()[0].Primary()
	c.kill(cluster, func() {}, old)
	c.waitFor("another primary", func() bool {
		now, err := c.db.Clusters.Get(t.Context(), "orders")
		must(t, err)
		primary, is := now.Shards()[0].Primary()
		cluster = now
		return is && primary.Name != old.Name
	}, c.events)
	client := c.primary(cluster)
	c.waitFor("the new primary takes writes", func() bool { return client.Set(t.Context(), "afterwards", "x", 0).Err() == nil }, c.events)
	last := c.written(cluster)
	if last.ID != first.ID {
		t.Errorf("a failover broke it: %s", c.journalNow(cluster))
	}
	c.waitFor("a replica to be read", func() bool {
		links, err := c.db.Recording.Links(t.Context(), cluster)
		must(t, err)
		_ = client.Incr(t.Context(), "written").Err()
		return links[0].State == models.JournalFollowing && links[0].Role == models.RoleReplica
	}, func() string { return c.journalNow(cluster) })
	if last = c.written(cluster); last.ID != first.ID {
		t.Errorf("going back to a replica broke it: %s", c.journalNow(cluster))
	}
	if text := c.stream(cluster, last); !strings.Contains(text, "\r\nbefore\r\n") || !strings.Contains(text, "\r\nafterwards\r\n") {
		t.Errorf("the stream is %.2000q", text)
	}
}

func TestALonePrimaryIsReadOnlyIfThatIsAllowed(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.backedUp("orders", 0))[0]
	c.keepJournal("orders", nil)
	c.waitFor("why it waits", func() bool {
		links, err := c.db.Recording.Links(t.Context(), cluster)
		must(t, err)
		return len(links) == 1 && strings.HasPrefix(links[0].Reason, "The cluster has no replica. A journal is read from a primary only if that is allowed")
	}, func() string { return c.journalNow(cluster) })
	c.keepJournal("orders", func(p *models.JournalPlan) { p.Lone = true })
	c.playable(cluster)
	must(t, c.primary(cluster).Set(t.Context(), "key", "x", 0).Err())
	if text := c.stream(cluster, c.written(cluster)); !strings.Contains(text, "\r\nkey\r\n") {
		t.Errorf("the stream is %q", text)
	}
	if n := len(c.automatic("orders")); n != 1 {
		t.Errorf("it took %d snapshots: %s", n, c.journalNow(cluster))
	}
}

// Before somebody has replicated it, a node keeps nothing of what is written. The snapshot that changes that is what the journal begins with, and not what
// is written at some instant while it is taken.
func TestJournalOfALonePrimaryBeginsWithItsSnapshot(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	cluster := c.create(c.backedUp("orders", 0))[0]
	primary := c.primary(cluster)
	fillBig(t, primary, 4)
	reached, goOn := make(chan struct{}), make(chan struct{})
	st.mu.Lock()
	st.after, st.reached, st.goOn = 1<<20, reached, goOn
	st.mu.Unlock()
	c.keepJournal("orders", func(p *models.JournalPlan) { p.Lone = true })
	<-reached
	must(t, primary.Set(t.Context(), "meanwhile", "x", 0).Err())
	c.waitFor("the link to wait", func() bool {
		links, err := c.db.Recording.Links(t.Context(), cluster)
		must(t, err)
		return len(links) == 1 && strings.HasPrefix(links[0].Reason, "A snapshot of orders is being taken, and its journal begins with it.")
	}, func() string { return c.journalNow(cluster) })
	close(goOn)
	c.playable(cluster)
	if text := c.stream(cluster, c.written(cluster)); !strings.Contains(text, "\r\nmeanwhile\r\n") {
		t.Errorf("the stream is %q", text)
	}
	if n := len(c.automatic("orders")); n != 1 {
		t.Errorf("it took %d snapshots: %s", n, c.journalNow(cluster))
	}
}

func TestJournalGoesWithItsCluster(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewRealClock()
	c := newConsole(t, clock)
	cluster := c.withJournal("orders", 1, nil)
	c.written(cluster)
	c.deleted("orders")
	c.stop() // its first look sweeps
	c.start()
	c.waitFor("the journal to go", func() bool {
		for _, key := range c.stored() {
			if strings.Contains(key, "/journal/") {
				return false
			}
		}
		return true
	}, func() string { return strings.Join(c.stored(), "\n") })
}

func TestJournalThatIsTurnedOffLetsGo(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.withJournal("orders", 1, nil)
	c.written(cluster)
	c.keepJournal("orders", func(p *models.JournalPlan) { p.Kept = false })
	c.waitFor("the link to close", func() bool {
		for _, n := range cluster.Nodes {
			client := redis.NewClient(&redis.Options{Addr: n.Address(), Password: cluster.Password.Reveal(), Protocol: 2, DisableIdentity: true})
			list, err := client.ClientList(t.Context()).Result()
			must(t, err)
			must(t, client.Close())
			if strings.Contains(list, "name=rekindle") && strings.Contains(list, "flags=S") {
				return false
			}
		}
		return true
	}, func() string { return c.journalNow(cluster) })
	if len(c.window(cluster)) != 1 {
		t.Errorf("what was recorded is gone: %s", c.journalNow(cluster))
	}
}

func TestWhatCannotBeReadOfAJournalIsAGap(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.withJournal("orders", 1, nil)
	for range 3 {
		c.written(cluster)
	}
	var segments []models.JournalSegment
	c.waitFor("everything to be read back", func() bool {
		stretches, err := c.db.Journal.Stretches(t.Context(), cluster.ID)
		must(t, err)
		segments, err = c.db.Journal.Segments(t.Context(), cluster.ID, 1, stretches[0].Run, stretches[0].From, stretches[0].To)
		must(t, err)
		return len(segments) > 3 && segments[2].VerifiedAt != nil
	}, func() string { return fmt.Sprintf("%+v", segments) })
	c.stop()
	path := filepath.Join(c.data, "snapshots", segments[1].Key)
	text, err := os.ReadFile(path)
	must(t, err)
	text[len(text)-8] ^= 1
	must(t, os.WriteFile(path, text, 0o600))
	must(t, os.Remove(filepath.Join(c.data, "snapshots", segments[2].Key)))
	clock := clockwork.NewFakeClockAt(time.Now().AddDate(0, 0, 1+models.DefaultVerifyEvery))
	c.clock = clock
	must(t, c.db.Close())
	c.db, err = catalog.Open(t.Context(), catalog.File(filepath.Join(c.data, "rekindle.db")), c.clock, c.host)
	must(t, err)
	c.start()
	c.waitFor("both to be found", func() bool {
		clock.Advance(time.Second)
		text := c.events()
		return strings.Contains(text, "What is stored of it is not what was written. Everything before and after that") && strings.Contains(text, "It is missing in the snapshot store. Everything")
	}, func() string { return c.journalNow(cluster) })
	if stretches, err := c.db.Journal.Stretches(t.Context(), cluster.ID); err != nil || len(stretches) < 2 || stretches[1].Gap == "" {
		t.Errorf("the stretches are %+v, %v", stretches, err)
	}
}

func TestJournalIsFoundAgainWhenTheCatalogIsLost(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.withJournal("orders", 1, nil)
	must(t, c.primary(cluster).FlushAll(t.Context()).Err())
	before := c.written(cluster)
	c.restart("the record", func(a *archive.Archive) bool {
		return c.kept(a, "orders", func(r archive.ClusterRecord) bool {
			return r.Journal != nil && r.Journal.Days == 1 && r.Journal.Seconds == 2
		})
	})
	c.stop()
	c.loseCatalog()
	c.start()
	c.rebuild()
	cluster = c.await("orders", models.ClusterAvailable)
	must(t, c.primary(cluster).Set(t.Context(), "afterwards", "x", 0).Err())
	last := c.written(cluster)
	if last.Run != before.Run || last.From != before.From || len(c.window(cluster)) != 1 {
		t.Errorf("it does not go on: %s", c.journalNow(cluster))
	}
	c.waitFor("what happened", func() bool {
		events, err := c.db.Journal.Events(t.Context(), cluster.ID, time.Time{}, c.clock.Now(), 10)
		must(t, err)
		return len(events) == 1 && events[0].Command == journal.FlushAll
	}, func() string { return c.journalNow(cluster) })
}
