package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// channel is a webhook that is told of everything.
func channel(t testing.TB, db *DB, name string, change func(*models.Channel)) models.Channel {
	t.Helper()
	c := models.Channel{Name: name, Kind: models.ChannelWebhook, URL: "https://alarms.example.org/hidden", Secret: "0123456789abcdef", RepeatHours: 24, Ends: true}
	for _, condition := range models.Conditions() {
		c.Conditions = append(c.Conditions, string(condition))
	}
	if change != nil {
		change(&c)
	}
	return must(db.Channels.Create(t.Context(), c, "admin"))(t)
}

// titles are those of all messages, the oldest first.
func titles(t testing.TB, db *DB) []string {
	t.Helper()
	var all []models.Delivery
	check(t, db.with(t.Context()).Order("id").Find(&all).Error)
	texts := make([]string, len(all))
	for i, d := range all {
		texts[i] = d.ChannelName + ": " + d.Title
	}
	return texts
}

func expectTitles(t testing.TB, db *DB, what string, want ...string) {
	t.Helper()
	if got := titles(t, db); !slices.Equal(got, want) {
		t.Errorf("%s: the messages are\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func failSnapshot(t testing.TB, db *DB, cluster, name string) {
	t.Helper()
	must(db.Snapshots.Request(t.Context(), cluster, name, false, "admin"))(t)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "The replica stopped answering."))
}

func TestAFailedSnapshotIsToldAndSoIsTheNextThatSucceeds(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	channel(t, db, "all", nil)
	channel(t, db, "other clusters", func(c *models.Channel) { c.Clusters = models.Lines{"shop-*"} })
	channel(t, db, "other things", func(c *models.Channel) { c.Conditions = models.Lines{string(models.ConditionFull)} })
	channel(t, db, "no ends", func(c *models.Channel) { c.Ends = false })
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "first")
	expectTitles(t, db, "a good snapshot")
	failSnapshot(t, db, "orders", "second")
	expectTitles(t, db, "a failure", "all: A snapshot of orders failed", "no ends: A snapshot of orders failed")
	clock.Advance(time.Hour)
	failSnapshot(t, db, "orders", "third")
	expectTitles(t, db, "another failure is quiet", "all: A snapshot of orders failed", "no ends: A snapshot of orders failed")
	clock.Advance(24 * time.Hour)
	taken(t, db, "orders", "fourth")
	taken(t, db, "orders", "fifth")
	expectTitles(t, db, "it succeeds again", "all: A snapshot of orders failed", "no ends: A snapshot of orders failed", "all: Snapshots of orders succeed again")

	var first models.Delivery
	check(t, db.with(t.Context()).Order("id").First(&first).Error)
	if first.Text == "" || !strings.Contains(first.Text, "stopped answering") || first.Next == "" || first.Path() != "/clusters/orders" || first.Ref == "" || first.State != models.DeliveryWaiting {
		t.Errorf("the message is %+v", first)
	}
	var events []models.Event
	check(t, db.with(t.Context()).Where("kind <> ''").Order("id").Find(&events).Error)
	var said []string
	for _, e := range events {
		said = append(said, e.ElastiCacheMessage())
	}
	if len(said) != 5 || said[0] != "Snapshot succeeded for snapshot with ID 'first' of replication group with ID 'orders'" ||
		!strings.HasPrefix(said[1], "Snapshot failed for snapshot with ID 'second' of replication group with ID 'orders'. ") {
		t.Errorf("in ElastiCache's words: %q", said)
	}
}

// A message is written together with what it tells of, or not at all.
func TestMessagesAreWrittenWithWhatTheyTellOf(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	channel(t, db, "all", nil)
	launched(t, db, spec("orders"))
	must(db.Snapshots.Request(t.Context(), "orders", "first", false, "admin"))(t)
	run := claim(t, db)
	room := noRoom(t, db, "INSERT ON deliveries")
	if err := db.Settle.Fail(t.Context(), run, models.RunFailed, "No."); err == nil {
		t.Fatal("it failed without its message")
	}
	if now := must(db.Runs.Get(t.Context(), run.ID))(t); now.Status != models.RunRunning {
		t.Errorf("the run is %s", now.Status)
	}
	room()
	check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "No."))
	expectTitles(t, db, "afterwards", "all: A snapshot of orders failed")
}

func TestAClusterThatStaysUnreachableIsToldAgainUntilItAnswers(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	channel(t, db, "all", nil)
	cluster := launched(t, db, spec("orders"))
	mark := func(reachable bool) {
		t.Helper()
		must(db.Clusters.MarkReachable(t.Context(), cluster.ID, reachable, "The primary does not answer."))(t)
	}
	const begins, still, ends = "all: The cluster orders is unreachable", "all: Still: The cluster orders is unreachable", "all: The cluster orders answers again"
	mark(false)
	mark(false)
	check(t, db.Alarms.Remind(t.Context()))
	expectTitles(t, db, "it begins", begins)
	clock.Advance(24 * time.Hour)
	check(t, db.Alarms.Remind(t.Context()))
	check(t, db.Alarms.Remind(t.Context()))
	expectTitles(t, db, "a day later", begins, still)
	mark(true)
	expectTitles(t, db, "it answers", begins, still, ends)
	clock.Advance(time.Minute)
	for range 10 {
		mark(false)
		mark(true)
	}
	expectTitles(t, db, "it comes and goes", begins, still, ends)
	mark(false)
	clock.Advance(time.Hour)
	check(t, db.Alarms.Remind(t.Context()))
	expectTitles(t, db, "it stays away", begins, still, ends, begins)
	check(t, db.with(t.Context()).Exec("UPDATE channels SET paused = true").Error)
	clock.Advance(48 * time.Hour)
	check(t, db.Alarms.Remind(t.Context()))
	mark(true)
	expectTitles(t, db, "the channel is paused", begins, still, ends, begins)
}

func TestSnapshotsThatAreTooOldAreToldOnce(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	channel(t, db, "all", func(c *models.Channel) {
		c.Conditions = models.Lines{string(models.ConditionOverdue)}
	})
	scheduled := spec("orders")
	scheduled.Retention, scheduled.Window = 7, models.Window{Start: 3 * 60, Length: 60}
	launched(t, db, scheduled)
	launched(t, db, spec("no-schedule"))
	watch := func(want int) {
		t.Helper()
		check(t, db.Schedule.Judge(t.Context()))
		if raised := must(db.Alarms.WatchAge(t.Context()))(t); raised != want {
			t.Errorf("after %s, %d alarms were raised, want %d", clock.Now().Sub(monday), raised, want)
		}
	}
	taken(t, db, "orders", "first")
	watch(0)
	clock.Advance(25 * time.Hour) // its window has passed, but nobody ran
	must(db.Schedule.QueueDue(t.Context()))(t)
	watch(0)
	clock.Advance(4 * time.Hour)
	watch(1)
	watch(0)
	expectTitles(t, db, "too old", "all: The newest snapshot of orders is too old")
	failSnapshot(t, db, "orders", "second")
	watch(0)
	taken(t, db, "orders", "third")
	expectTitles(t, db, "a new one", "all: The newest snapshot of orders is too old", "all: orders has a new snapshot")
	watch(0)

	clock.Advance(50 * time.Hour)
	watch(1)
	check(t, db.with(t.Context()).Exec("UPDATE clusters SET retention_limit = 0").Error)
	watch(0)
	var open int64
	check(t, db.with(t.Context()).Model(&models.Alarm{}).Where("ended_at IS NULL AND condition = ?", models.ConditionOverdue).Count(&open).Error)
	if open != 0 {
		t.Error("a cluster without a schedule still has an alarm")
	}
}

func TestMissedWindowsAreTold(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	channel(t, db, "all", func(c *models.Channel) { c.Conditions = models.Lines{string(models.ConditionMissed)} })
	scheduled := spec("orders")
	scheduled.Retention, scheduled.Window = 7, models.Window{Start: 3 * 60, Length: 60}
	launched(t, db, scheduled)
	clock.Advance(72 * time.Hour)
	must(db.Schedule.QueueDue(t.Context()))(t)
	expectTitles(t, db, "three windows passed", "all: orders missed a snapshot window")
	var d models.Delivery
	check(t, db.with(t.Context()).First(&d).Error)
	if !strings.Contains(d.Next, "The next snapshot is taken at ") {
		t.Errorf("what comes next is %q", d.Next)
	}
}

func TestDamageIsToldAndForgottenWithItsSnapshot(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	channel(t, db, "all", nil)
	launched(t, db, spec("orders"))
	verify := func(name, damage string) {
		t.Helper()
		must(db.Verifications.Request(t.Context(), name, "admin"))(t)
		check(t, db.Settle.Verify(t.Context(), claim(t, db), must(db.Snapshots.Get(t.Context(), name))(t), damage))
	}
	taken(t, db, "orders", "first")
	taken(t, db, "orders", "second")
	verify("first", "A byte is wrong.")
	verify("second", "A byte is wrong.")
	verify("first", "")
	verify("first", "")
	expectTitles(t, db, "damage and its end", "all: The verification of the snapshot first failed", "all: The verification of the snapshot second failed", "all: The snapshot first is verified")
	check(t, db.Snapshots.Delete(t.Context(), []string{"second"}, "admin"))
	check(t, db.Settle.SnapshotDeletion(t.Context(), claim(t, db)))
	var open int64
	check(t, db.with(t.Context()).Model(&models.Alarm{}).Where("ended_at IS NULL").Count(&open).Error)
	if open != 0 {
		t.Errorf("%d alarms are left", open)
	}
	expectTitles(t, db, "it was deleted", "all: The verification of the snapshot first failed", "all: The verification of the snapshot second failed", "all: The snapshot first is verified")
}

func TestAVerificationWithoutAResultIsTold(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	channel(t, db, "all", nil)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "first")
	must(db.Verifications.Request(t.Context(), "first", "admin"))(t)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "The store does not answer."))
	must(db.Verifications.Request(t.Context(), "first", "admin"))(t)
	check(t, db.Settle.Verify(t.Context(), claim(t, db), must(db.Snapshots.Get(t.Context(), "first"))(t), ""))
	expectTitles(t, db, "", "all: The verification of the snapshot first failed", "all: The snapshot first is verified")
}

func TestADeletedClusterHasNoAlarms(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	channel(t, db, "all", nil)
	launched(t, db, spec("orders"))
	failSnapshot(t, db, "orders", "first")
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(t.Context(), claim(t, db)))
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "second")
	expectTitles(t, db, "another cluster of that name", "all: A snapshot of orders failed")
}

func TestMessagesAreClaimedByOneAndSettled(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	ctx := t.Context()
	c := channel(t, db, "all", nil)
	launched(t, db, spec("orders"))
	failSnapshot(t, db, "orders", "first")
	const lasts = 2 * time.Minute
	claimed := must(db.Deliveries.Claim(ctx, c.ID, 10, lasts))(t)
	if len(claimed) != 1 || claimed[0].Attempts != 1 {
		t.Fatalf("claimed %+v", claimed)
	}
	if again := must(db.Deliveries.Claim(ctx, c.ID, 10, lasts))(t); len(again) != 0 || len(must(db.Deliveries.Due(ctx))(t)) != 0 {
		t.Error("it is claimed twice")
	}
	clock.Advance(lasts) // whoever had it was killed
	taken := must(db.Deliveries.Claim(ctx, c.ID, 10, lasts))(t)
	if len(taken) != 1 || taken[0].Ref != claimed[0].Ref || taken[0].Attempts != 2 {
		t.Fatalf("afterwards, claimed %+v", taken)
	}
	check(t, db.Deliveries.Delivered(ctx, claimed[0], "from the one that was thought dead"))
	if got := find1(t, db, claimed[0].ID); got.State != models.DeliveryWaiting {
		t.Errorf("a claim that has expired settled it: %+v", got)
	}
	for attempt := 2; attempt <= 5; attempt++ {
		if given, err := db.Deliveries.Failed(ctx, taken[0], "500 Oh no"); err != nil || given {
			t.Fatalf("attempt %d: given up %t, %v", attempt, given, err)
		}
		pause, _ := models.RetryDelivery(attempt)
		clock.Advance(pause - time.Second)
		if len(must(db.Deliveries.Due(ctx))(t)) != 0 {
			t.Fatalf("attempt %d is made too early", attempt+1)
		}
		clock.Advance(time.Second)
		taken = must(db.Deliveries.Claim(ctx, c.ID, 10, lasts))(t)
	}
	if given, err := db.Deliveries.Failed(ctx, taken[0], "500 Oh no"); err != nil || !given {
		t.Fatalf("the last attempt: given up %t, %v", given, err)
	}
	if got := find1(t, db, taken[0].ID); got.State != models.DeliveryGivenUp || got.Answer != "500 Oh no" || got.EndedAt == nil {
		t.Errorf("it is %+v", got)
	}
	events := must(db.Events.List(ctx, models.List{Text: "could not be delivered"}))(t)
	if len(events.Rows) != 1 {
		t.Errorf("%d events say that it was given up", len(events.Rows))
	}
	must(db.Deliveries.Again(ctx, taken[0].ID))(t)
	taken = must(db.Deliveries.Claim(ctx, c.ID, 10, lasts))(t)
	check(t, db.Deliveries.Release(ctx, taken[0])) // the console stops
	if got := find1(t, db, taken[0].ID); got.Attempts != 0 || !got.DueAt.Equal(db.Now()) {
		t.Errorf("released, it is %+v", got)
	}
	taken = must(db.Deliveries.Claim(ctx, c.ID, 10, lasts))(t)
	check(t, db.Deliveries.Delivered(ctx, taken[0], "200 OK"))
	if got := find1(t, db, taken[0].ID); got.State != models.DeliveryDelivered || got.Answer != "200 OK" {
		t.Errorf("delivered, it is %+v", got)
	}
	rows := must(db.Deliveries.List(ctx, models.List{Equal: map[string]string{"state": string(models.DeliveryDelivered), "channel": "all"}}))(t)
	if last := must(db.Deliveries.Last(ctx))(t); len(rows.Rows) != 1 || last[c.ID].ID != taken[0].ID {
		t.Errorf("listed are %+v, the last is %+v", rows.Rows, last)
	}
	must(db.Channels.Delete(ctx, c.ID, "admin"))(t)
	if _, err := db.Deliveries.Again(ctx, taken[0].ID); !models.HasCode(err, models.CodeDeliveryState) {
		t.Errorf("sent again through a channel that is gone: %v", err)
	}
}

func find1(t testing.TB, db *DB, id uint) models.Delivery {
	t.Helper()
	d, found, err := find[models.Delivery](db.with(t.Context()).Where("id = ?", id))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	return d
}

func TestChannelsKeepTheirSecretsAndRefuseWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ctx := t.Context()
	launched(t, db, spec("orders"))
	c := channel(t, db, "all", func(c *models.Channel) { c.Clusters = models.Lines{"orders"} })
	again := c
	again.ID = 0
	if _, err := db.Channels.Create(ctx, again, "admin"); !models.HasCode(err, models.CodeInvalid) {
		t.Errorf("a second channel of that name: %v", err)
	}
	again.Name, again.Clusters = "other", models.Lines{"order"}
	if _, err := db.Channels.Create(ctx, again, "admin"); err == nil || !strings.Contains(err.Error(), `no cluster "order"`) {
		t.Errorf("a mistyped cluster: %v", err)
	}
	changed := c
	changed.URL, changed.Secret, changed.Name, changed.Ends, changed.RepeatHours = "", "", "nights", false, 0
	must(db.Channels.Change(ctx, changed, "admin"))(t)
	got := must(db.Channels.Get(ctx, c.ID))(t)
	if got.URL != c.URL || got.Secret != c.Secret || got.Name != "nights" || got.Ends || got.RepeatHours != 0 || !got.CreatedAt.Equal(c.CreatedAt) {
		t.Errorf("changed, it is %+v", got)
	}
	if text := fmt.Sprintf("%+v %v", got, got); strings.Contains(text, "hidden") || strings.Contains(text, "0123456789abcdef") {
		t.Errorf("its secrets are printed: %s", text)
	}
	if _, err := db.Channels.Get(ctx, 99); !models.HasCode(err, models.CodeChannelNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestEventsAndMessagesAreKeptForASetTime(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	ctx := t.Context()
	c := channel(t, db, "all", nil)
	launched(t, db, spec("orders"))
	failSnapshot(t, db, "orders", "first")
	d := must(db.Deliveries.Claim(ctx, c.ID, 1, time.Minute))(t)[0]
	check(t, db.Deliveries.Delivered(ctx, d, "200 OK"))
	taken(t, db, "orders", "second") // this message waits
	for days, refused := range map[int]bool{13: true, 14: false, 3650: false, 3651: true} {
		if err := db.Settings.SaveKeepEvents(ctx, days); (err != nil) != refused {
			t.Errorf("%d days: %v", days, err)
		}
	}
	check(t, db.Settings.SaveKeepEvents(ctx, 14))
	count := func() (n [3]int64) {
		for i, row := range []any{&models.Event{}, &models.Delivery{}, &models.Alarm{}} {
			check(t, db.with(ctx).Model(row).Count(&n[i]).Error)
		}
		return n
	}
	before := count()
	clock.Advance(14*24*time.Hour - time.Second)
	if must(db.Deliveries.Sweep(ctx))(t) != 0 || count() != before {
		t.Errorf("too early: %v became %v", before, count())
	}
	clock.Advance(2 * time.Second)
	must(db.Deliveries.Sweep(ctx))(t)
	if got := count(); got != [3]int64{0, 1, 0} {
		t.Errorf("kept are %v, want the message that waits", got)
	}
}

func TestAReplicaThatDoesNotAnswerIsToldUntilItDoes(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	channel(t, db, "all", nil)
	replicated := spec("orders")
	replicated.Replicas = 2
	cluster := launched(t, db, replicated)
	see := func(name, state string) {
		t.Helper()
		for _, n := range must(db.Clusters.Get(t.Context(), "orders"))(t).Nodes {
			if n.Name == name {
				if n.State = state; state == "available" {
					now := db.Now()
					n.SeenAt = &now
				}
				check(t, db.Nodes.Seen(t.Context(), n))
			}
		}
	}
	look := func(want ...string) {
		t.Helper()
		check(t, db.Alarms.EndSilences(t.Context()))
		var found []string
		for _, s := range must(db.Alarms.Silent(t.Context()))(t) {
			found = append(found, s.Name)
			check(t, db.Alarms.Turn(t.Context(), s.Event()))
		}
		if !slices.Equal(found, want) {
			t.Errorf("after %s, silent are %q, want %q", clock.Now().Sub(monday), found, want)
		}
	}
	for _, n := range cluster.Nodes {
		see(n.Name, "available")
	}
	for _, n := range cluster.Nodes { // a primary that is silent makes the cluster unreachable
		see(n.Name, "unreachable")
	}
	see("orders-003", "available")
	clock.Advance(models.SilentAfter - time.Second)
	look()
	clock.Advance(time.Second)
	see("orders-003", "loading")
	must(db.Clusters.MarkReachable(t.Context(), cluster.ID, false, "The primary does not answer."))(t)
	look()
	must(db.Clusters.MarkReachable(t.Context(), cluster.ID, true, ""))(t)
	const whole, again = "all: The cluster orders is unreachable", "all: The cluster orders answers again"
	look("orders-002")
	look()
	const begins, ends = "all: The node orders-002 is unreachable", "all: The alarm about the node orders-002 is over"
	expectTitles(t, db, "one replica is silent", whole, again, begins)
	for range 5 {
		see("orders-002", "available")
		look()
		see("orders-002", "stopped")
		look()
		clock.Advance(models.SilentAfter)
		look("orders-002")
	}
	expectTitles(t, db, "it comes and goes", whole, again, begins, ends)
	clock.Advance(time.Hour)
	check(t, db.Alarms.Remind(t.Context()))
	expectTitles(t, db, "it stays away", whole, again, begins, ends, begins)
	for _, n := range cluster.Nodes {
		if n.Name == "orders-002" {
			check(t, db.Nodes.Remove(t.Context(), n.ID))
		}
	}
	look()
	expectTitles(t, db, "its cluster has it no more", whole, again, begins, ends, begins, ends)

	see("orders-003", "stopped")
	check(t, db.with(t.Context()).Exec("UPDATE nodes SET halted = true").Error)
	clock.Advance(models.SilentAfter)
	look() // it was stopped with the console
	check(t, db.with(t.Context()).Exec("UPDATE nodes SET halted = false").Error)
	look("orders-003")
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(t.Context(), claim(t, db)))
	look()
	expectTitles(t, db, "the cluster was deleted", whole, again, begins, ends, begins, ends, "all: The node orders-003 is unreachable")

	var d models.Delivery
	check(t, db.with(t.Context()).Where("condition = ?", models.ConditionSilent).Order("id").First(&d).Error)
	if want := "The replica orders-002 ("; !strings.HasPrefix(d.Text, want) || !strings.Contains(d.Text, "of the cluster orders has not answered since "+monday.Format("2006-01-02 15:04")) || d.Path() != "/clusters/orders" {
		t.Errorf("the message is %+v", d)
	}
}
