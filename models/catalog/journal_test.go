package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
)

const historyID = "0123456789012345678901234567890123456789"

// journaled is a cluster whose journal is kept, with a link that this console keeps.
func journaled(t *testing.T, db *DB) (models.Cluster, models.JournalLink) {
	t.Helper()
	cluster := launched(t, db, withBackups("orders"))
	check(t, db.Recording.Save(t.Context(), "orders", models.JournalPlan{Kept: true, Days: 1, Promise: 10 * time.Second}, "admin"))
	link, mine, err := db.Recording.Claim(t.Context(), cluster, 1, lease(t, db, "console"))
	if err != nil || !mine {
		t.Fatal(mine, err)
	}
	link.State, link.Run, link.ReplicationID = models.JournalFollowing, "run1", historyID
	check(t, db.Recording.Report(t.Context(), link))
	return cluster, link
}

// store stores the ten seconds of the stream that end now.
func store(t *testing.T, db *DB, link models.JournalLink, run string, from, to int64, events ...models.JournalEvent) models.JournalSegment {
	t.Helper()
	s := models.JournalSegment{ClusterID: link.ClusterID, Shard: link.Shard, Run: run, ReplicationID: historyID, From: from, To: to, Begin: db.Now().Add(-10 * time.Second), End: db.Now(),
		Size: 100, Writes: 5, Key: fmt.Sprintf("orders/journal/%s-%d-%d", run, from, to)}
	check(t, db.Recording.Stored(t.Context(), link, s, events, "The node had forgotten it."))
	return must(db.Journal.Segments(t.Context(), link.ClusterID, link.Shard, run, from, to))(t)[0]
}

// basedOn is a snapshot of a place in the stream.
func basedOn(t testing.TB, db *DB, name string, offset int64) models.Snapshot {
	t.Helper()
	must(db.Snapshots.Request(t.Context(), "orders", name, false, "admin"))(t)
	m := measured(db, name)
	m.Parts[0].ReplicationID, m.Parts[0].ReplicationOffset = historyID, offset
	check(t, db.Settle.Snapshot(t.Context(), claim(t, db), m))
	return must(db.Snapshots.Get(t.Context(), name))(t)
}

func ends(t *testing.T, db *DB, cluster models.Cluster) (text []string) {
	t.Helper()
	for _, s := range must(db.Journal.Stretches(t.Context(), cluster.ID))(t) {
		text = append(text, fmt.Sprintf("%s %d-%d", s.Run, s.From, s.To))
	}
	return text
}

func TestOneConsoleKeepsALink(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db)
	other := must(db.Owners.Enroll(t.Context(), "elsewhere", time.Minute))(t)
	if _, mine, err := db.Recording.Claim(t.Context(), cluster, 1, other.ID); mine || err != nil {
		t.Fatalf("another console got it: %t, %v", mine, err)
	}
	store(t, db, link, "run1", 0, 100)
	check(t, db.Owners.Leave(t.Context(), "console"))
	taken, mine, err := db.Recording.Claim(t.Context(), cluster, 1, other.ID)
	if err != nil || !mine || taken.Offset != 100 || taken.Run != "run1" || taken.ReplicationID != historyID || taken.StoredAt == nil {
		t.Fatalf("after its keeper has gone: %+v, %t, %v", taken, mine, err)
	}
	s := models.JournalSegment{ClusterID: cluster.ID, Shard: 1, Run: "run1", From: 100, To: 200, Begin: clock.Now(), End: clock.Now(), Key: "late"}
	if err := db.Recording.Stored(t.Context(), link, s, nil, ""); !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("the console that lost it writes: %v", err)
	}
	if err := db.Recording.Report(t.Context(), link); !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("the console that lost it reports: %v", err)
	}
	if _, _, err := db.Recording.Claim(t.Context(), cluster, 1, "nobody"); !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("a console without a lease claims: %v", err)
	}
	check(t, db.Recording.Release(t.Context(), taken))
	if _, mine, err := db.Recording.Claim(t.Context(), cluster, 1, lease(t, db, "third")); err != nil || !mine {
		t.Errorf("once it is released: %t, %v", mine, err)
	}
}

func TestSegmentsMakeStretches(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db)
	for i := range int64(3) {
		clock.Advance(10 * time.Second)
		store(t, db, link, "run1", 100*i, 100*(i+1))
	}
	store(t, db, link, "run1", 150, 250) // of another console, at the same time
	clock.Advance(time.Minute)
	store(t, db, link, "run2", 900, 1000)
	if got := fmt.Sprint(ends(t, db, cluster)); got != "[run1 0-300 run2 900-1000]" {
		t.Errorf("the stretches are %s", got)
	}
	stretches := must(db.Journal.Stretches(t.Context(), cluster.ID))(t)
	said(t, db, "The journal of orders has a gap before")
	if stretches[1].Gap != "The node had forgotten it." || !stretches[0].End.Equal(clock.Now().Add(-time.Minute)) {
		t.Errorf("%+v", stretches)
	}
	if window := must(db.Journal.Window(t.Context(), cluster))(t); len(window) != 0 {
		t.Errorf("without a snapshot, it can be brought back to %v", window)
	}
	basedOn(t, db, "late", 950)
	basedOn(t, db, "foreign", 400) // in no stretch
	if window := must(db.Journal.Window(t.Context(), cluster))(t); len(window) != 1 || !window.Newest().Equal(clock.Now()) {
		t.Errorf("it can be brought back to %v", window)
	}
	segments := must(db.Journal.Segments(t.Context(), cluster.ID, 1, "run1", 100, 200))(t)
	if len(segments) != 2 || segments[0].From != 100 || segments[1].From != 150 {
		t.Errorf("behind 100 up to 200: %+v", segments)
	}
}

func TestAnUnreadableSegmentMakesAGap(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db)
	var all []models.JournalSegment
	for i := range int64(3) {
		clock.Advance(10 * time.Second)
		all = append(all, store(t, db, link, "run1", 100*i, 100*(i+1)))
	}
	for range 2 { // the second time, it is known
		check(t, db.Journal.Lost(t.Context(), all[1], "Its bytes are not what was stored."))
	}
	if got := fmt.Sprint(ends(t, db, cluster)); got != "[run1 0-100 run1 200-300]" {
		t.Errorf("the stretches are %s", got)
	}
	said(t, db, "The journal of orders cannot be read from")
	clock.Advance(10 * time.Second)
	store(t, db, link, "run1", 300, 400)
	if got := fmt.Sprint(ends(t, db, cluster)); got != "[run1 0-100 run1 200-400]" {
		t.Errorf("once more has come, the stretches are %s", got)
	}
}

func TestASnapshotIsTakenForAJournalThatHasNone(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db)
	queued := func(want bool) {
		t.Helper()
		if got := must(db.Recording.QueueBase(t.Context(), cluster))(t); got != want {
			t.Fatalf("queued: %t", got)
		}
	}
	store(t, db, link, "run1", 0, 100)
	queued(true)
	queued(false) // it was asked for just now
	run := claim(t, db)
	if run.RequestedBy != models.BaseByJournal || !strings.HasPrefix(run.SnapshotName, "automatic.orders-") {
		t.Fatalf("%+v", run)
	}
	check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "There was no memory."))
	clock.Advance(5 * time.Minute)
	queued(false)
	clock.Advance(5 * time.Minute)
	queued(true)
	m := measured(db, "")
	m.Parts[0].ReplicationID, m.Parts[0].ReplicationOffset = historyID, 50
	run = claim(t, db)
	m.Name = run.SnapshotName
	check(t, db.Settle.Snapshot(t.Context(), run, m))
	clock.Advance(time.Hour)
	queued(false)
}

func TestSegmentsGoWhenNoWindowNeedsThem(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db) // a day
	for i := range int64(40) {        // an hour each
		if clock.Advance(time.Hour); i%8 == 0 {
			basedOn(t, db, fmt.Sprintf("s%d", i), 100*i)
		}
		store(t, db, link, "run1", 100*i, 100*(i+1), models.JournalEvent{Command: "FLUSHALL", At: db.Now(), Before: 100 * i, After: 100*i + 1})
	}
	outlived := must(db.Journal.Outlived(t.Context()))(t)
	if len(outlived) != 8 || outlived[0].From != 0 || outlived[7].To != 800 { // the window begins 16 hours in, and what is of then needs the snapshot of hour 8
		t.Fatalf("%d segments go", len(outlived))
	}
	check(t, db.Journal.Leave(t.Context(), outlived))
	check(t, db.Journal.Lost(t.Context(), outlived[0], "It is missing.")) // it was being read back, and is gone from the store by now
	if unread := must(db.Journal.Unverified(t.Context(), 100))(t); len(unread) != 32 || unread[0].From != 800 {
		t.Errorf("%d are still to be read back", len(unread))
	}
	if again := must(db.Journal.Outlived(t.Context()))(t); len(again) != 8 { // by a console that was killed before it forgot them
		t.Errorf("%d are found again", len(again))
	}
	check(t, db.Journal.Forget(t.Context(), outlived))
	if got := fmt.Sprint(ends(t, db, cluster)); got != "[run1 800-4000]" {
		t.Errorf("the stretches are %s", got)
	}
	if events := must(db.Journal.Events(t.Context(), cluster.ID, time.Time{}, db.Now(), 100))(t); len(events) != 32 {
		t.Errorf("%d events are left", len(events))
	}
	if again := must(db.Journal.Outlived(t.Context()))(t); len(again) != 0 {
		t.Errorf("then %d more go", len(again))
	}
	needed := must(db.Journal.needed(t.Context(), []models.Cluster{cluster}))(t)
	if s := must(db.Snapshots.Get(t.Context(), "s8"))(t); len(needed) != 1 || !needed[s.ID] {
		t.Errorf("%v are needed, not %d", needed, s.ID)
	}
	check(t, db.Recording.Save(t.Context(), "orders", models.JournalPlan{}, "admin"))
	if again := must(db.Journal.Outlived(t.Context()))(t); len(again) != 0 {
		t.Errorf("when it is turned off, %d go", len(again))
	}
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(t.Context(), claim(t, db)))
	rest := must(db.Journal.Outlived(t.Context()))(t)
	if len(rest) != 32 {
		t.Errorf("with the cluster, %d go", len(rest))
	}
	check(t, db.Journal.Forget(t.Context(), rest))
	for _, row := range []any{&models.JournalSegment{}, &models.JournalStretch{}, &models.JournalEvent{}, &models.JournalLink{}, &models.JournalPlan{}} {
		if n := count(t, db, row); n != 0 {
			t.Errorf("%d rows of %T are left", n, row)
		}
	}
}

func TestALostSegmentGoesWithItsDay(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	_, link := journaled(t, db) // a day
	basedOn(t, db, "base", 50)
	store(t, db, link, "run1", 0, 100)
	lost := store(t, db, link, "run1", 100, 200)
	store(t, db, link, "run1", 200, 300)
	check(t, db.Journal.Lost(t.Context(), lost, "It is missing."))
	clock.Advance(23 * time.Hour)
	if outlived := must(db.Journal.Outlived(t.Context()))(t); len(outlived) != 0 {
		t.Fatalf("within its day, %d go", len(outlived))
	}
	clock.Advance(2 * time.Hour)
	outlived := must(db.Journal.Outlived(t.Context()))(t)
	if !slices.ContainsFunc(outlived, func(s models.JournalSegment) bool { return s.ID == lost.ID }) {
		t.Fatalf("what is lost stays: %+v", outlived)
	}
	check(t, db.Journal.Leave(t.Context(), outlived))
	check(t, db.Journal.Forget(t.Context(), outlived))
	if again := must(db.Journal.Outlived(t.Context()))(t); len(again) != 0 {
		t.Errorf("then %d more go", len(again))
	}
}

// A recovery was asked for while its moment was in the window. What it needs stays until it has ended, also when the window has gone on, or the cluster has.
func TestSegmentsStayWhileARecoveryNeedsThem(t *testing.T) {
	t.Parallel()
	for kind, request := range map[models.RunKind]func(*DB, time.Time) models.Run{
		models.RunRecover: func(db *DB, moment time.Time) models.Run {
			return must(db.Recoveries.Request(t.Context(), models.RecoverSpec{Cluster: "orders", Name: "back", Moment: moment, RequestedBy: "test"}))(t)
		},
		models.RunStraight: func(db *DB, moment time.Time) models.Run {
			again := spec("again")
			again.Straight = &models.StraightFrom{Cluster: "orders", Moment: moment}
			must(db.Clusters.Create(t.Context(), again))(t)
			run, found, err := find[models.Run](db.with(t.Context()).Where("kind = ?", models.RunStraight))
			if err != nil || !found {
				t.Fatalf("no run makes it: %v", err)
			}
			return run
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			segmentsStay(t, request)
		})
	}
}

func segmentsStay(t *testing.T, request func(*DB, time.Time) models.Run) {
	db, clock := catalog(t)
	cluster, link := journaled(t, db) // a day
	for i := range int64(24) {        // an hour each
		if clock.Advance(time.Hour); i%8 == 0 {
			basedOn(t, db, fmt.Sprintf("s%d", i), 100*i)
		}
		store(t, db, link, "run1", 100*i, 100*(i+1))
	}
	moment := db.Now().Add(-12 * time.Hour) // hour 12, behind s8
	clock.Advance(36 * time.Hour)
	for i := range int64(36) {
		store(t, db, link, "run1", 100*(i+24), 100*(i+25))
	}
	basedOn(t, db, "s59", 5900)
	run := request(db, moment)
	clock.Advance(30 * time.Hour)
	outlived := func() (n int, to int64) {
		t.Helper()
		segments := must(db.Journal.Outlived(t.Context()))(t)
		for _, s := range segments {
			to = max(to, s.To)
		}
		return len(segments), to
	}
	for _, state := range []string{"it waits", "it is under way"} {
		if n, to := outlived(); n != 8 || to != 800 {
			t.Errorf("while %s, %d segments go, up to %d", state, n, to)
		}
		needed := must(db.Journal.needed(t.Context(), []models.Cluster{cluster}))(t)
		if s := must(db.Snapshots.Get(t.Context(), "s8"))(t); !needed[s.ID] {
			t.Errorf("while %s, what it begins with may go", state)
		}
		if state == "it waits" {
			if claimed := claim(t, db); claimed.ID != run.ID {
				t.Fatalf("another run is claimed: %+v", claimed)
			}
		}
	}
	check(t, db.Settle.Fail(t.Context(), must(db.Runs.Get(t.Context(), run.ID))(t), models.RunFailed, "It failed."))
	if n, to := outlived(); n != 59 || to != 5900 {
		t.Errorf("afterwards %d segments go, up to %d", n, to)
	}
}

// A clock that leaps makes nothing of a journal go, and neither does one that comes back.
func TestNothingOfAJournalGoesWhenTheClockLeaps(t *testing.T) {
	t.Parallel()
	clock := &leaping{clockwork.NewFakeClockAt(monday), 0, "first"}
	db := open(t, preparedPlace(t), clock)
	cluster, link := journaled(t, db)
	for i := range int64(10) {
		if clock.Advance(10 * time.Minute); i == 0 || i == 9 {
			basedOn(t, db, fmt.Sprintf("s%d", i), 100*i)
		}
		store(t, db, link, "run1", 100*i, 100*(i+1))
		must(db.Clock.Look(t.Context(), time.Time{}))(t)
	}
	stays := func(when string) {
		t.Helper()
		if outlived := must(db.Journal.Outlived(t.Context()))(t); len(outlived) != 0 {
			t.Errorf("%s, %d segments go", when, len(outlived))
		}
		if names := must(db.Schedule.QueueOutlived(t.Context()))(t); len(names) != 0 {
			t.Errorf("%s, %v go", when, names)
		}
	}
	clock.set = 31 * day
	stays("a month ahead")
	clock.set = 0
	stays("back again")
	if window := must(db.Journal.Window(t.Context(), cluster))(t); len(window) != 1 || window.Newest().Sub(window.Oldest()) < time.Hour {
		t.Errorf("the window is %v", window)
	}
}

func TestJournalIsFoundInTheStore(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster := launched(t, db, withBackups("orders"))
	var found []models.JournalSegment
	for i := range int64(3) {
		found = append(found, models.JournalSegment{ClusterID: cluster.ID, Shard: 1, Run: "run1", ReplicationID: historyID, From: 100 * i, To: 100 * (i + 1), Begin: db.Now(), End: db.Now(), Key: fmt.Sprint("key", i)})
	}
	for _, want := range []int{3, 0} {
		if adopted := must(db.Journal.Adopt(t.Context(), found))(t); len(adopted) != want {
			t.Errorf("%d segments were not known", len(adopted))
		}
	}
	if got := fmt.Sprint(ends(t, db, cluster)); got != "[run1 0-300]" {
		t.Errorf("the stretches are %s", got)
	}
	for _, want := range []int{3, 3, 0} { // each is read back, and then not again
		segments := must(db.Journal.Unverified(t.Context(), 10))(t)
		if len(segments) != want {
			t.Fatalf("%d segments are to be read back, not %d", len(segments), want)
		}
		first := want == 3 && segments[0].Writes == -1
		for _, s := range segments {
			check(t, db.Journal.Verified(t.Context(), s, 7, []models.JournalEvent{{Command: "FLUSHDB", At: s.End}}))
		}
		if first {
			clock.Advance(time.Duration(models.DefaultVerifyEvery) * 24 * time.Hour)
		}
	}
	if n := count(t, db, &models.JournalEvent{}); n != 3 {
		t.Errorf("%d events are written down", n)
	}
}

func TestAJournalThatStandsStillIsAnAlarm(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	channel(t, db, "all", nil)
	_, link := journaled(t, db)
	look := func(want string) {
		t.Helper()
		check(t, db.Recording.EndStalls(t.Context()))
		got := ""
		for _, s := range must(db.Recording.Stalled(t.Context()))(t) {
			got = s.Event().Message
			check(t, db.Alarms.Turn(t.Context(), s.Event()))
		}
		if got != want {
			t.Errorf("after %s: %q, not %q", clock.Now().Sub(monday), got, want)
		}
	}
	store(t, db, link, "run1", 0, 100)
	stored := clock.Now().UTC().Format("2006-01-02 15:04:05")
	look("")
	clock.Advance(models.StalledAfter)
	link.State, link.Reason = models.JournalWaiting, "The node does not answer."
	check(t, db.Recording.Report(t.Context(), link))
	look("The journal of orders is stored up to " + stored + " UTC only, so it cannot be brought back to anything newer. The node does not answer.")
	look("")
	expectTitles(t, db, "it stands still", "all: The journal of orders stands still")
	store(t, db, link, "run1", 100, 200)
	look("")
	expectTitles(t, db, "it goes on", "all: The journal of orders stands still", "all: The journal of orders goes on")
	clock.Advance(2 * time.Hour)
	look("The journal of orders is stored up to " + clock.Now().Add(-2*time.Hour).UTC().Format("2006-01-02 15:04:05") + " UTC only, so it cannot be brought back to anything newer. The node does not answer.")
	check(t, db.Recording.Save(t.Context(), "orders", models.JournalPlan{}, "admin"))
	look("")
	said(t, db, "The journal of orders is not kept any more.")
}

// withBackups is a cluster whose snapshots are taken by a schedule, as those whose journals are kept have to be.
func withBackups(name string) models.ClusterSpec {
	s := spec(name)
	s.Retention, s.Window = 3, models.Window{Start: 180, Length: 60}
	return s
}

// largeJournal adds this many segments of ten bytes each behind a place of a recording.
func largeJournal(tb testing.TB, db *DB, link models.JournalLink, from int64, segments int) {
	tb.Helper()
	check(tb, db.gorm.Exec(`WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)
		INSERT INTO journal_segments (cluster_id, shard, run, replication_id, from_offset, to_offset, begun_at, ended_at, size, writes, key, damage, verified_at)
		SELECT CAST(? AS bigint), CAST(? AS bigint), 'run1', CAST(? AS text), ? + 10 * i, ? + 10 * i + 10, ?, ?, 100, 5, 'orders/journal/' || i, '', ? FROM n`, segments, link.ClusterID, link.Shard, historyID,
		from, from, db.Now(), db.Now(), db.Now()).Error)
	check(tb, db.gorm.Create(&models.JournalStretch{ClusterID: link.ClusterID, Shard: link.Shard, Run: "run1", From: from, To: from + 10*int64(segments), Begin: db.Now(), End: db.Now()}).Error)
}

func TestSnapshotsFromBeforeTheJournalAreNoBases(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster, link := journaled(t, db)
	largeJournal(t, db, link, 1000, 100)
	store(t, db, link, "run1", 1700, 1900) // what another console stored holds several of them
	basedOn(t, db, "before", 900)
	basedOn(t, db, "first", 1000)
	basedOn(t, db, "within", 1755)
	basedOn(t, db, "last", 2000)
	basedOn(t, db, "behind", 2001)
	var names []string
	for _, b := range must(db.Journal.Bases(t.Context(), cluster))(t) {
		names = append(names, b.SnapshotName)
	}
	if got := strings.Join(names, " "); got != "first within last" {
		t.Errorf("it can be brought back from %q", got)
	}
}

// What is asked of a journal every few seconds costs the same after five weeks as after an hour.
func BenchmarkLargeJournal(b *testing.B) {
	measure := func(segments int) time.Duration {
		db, _ := catalog(b)
		cluster := launched(b, db, withBackups("orders"))
		link := models.JournalLink{ClusterID: cluster.ID, Shard: 1}
		for i := range 15 {
			basedOn(b, db, fmt.Sprintf("before-%d", i), int64(900+i))
		}
		largeJournal(b, db, link, 1000, segments)
		began := time.Now()
		for range 20 {
			must(db.Journal.Bases(b.Context(), cluster))(b)
			must(db.Journal.orphans(b.Context()))(b)
		}
		return time.Since(began)
	}
	var ratio float64
	for b.Loop() {
		hour, weeks := measure(360), measure(300_000)
		ratio = float64(weeks) / float64(hour)
	}
	b.ReportMetric(ratio, "weeks/hour")
}
