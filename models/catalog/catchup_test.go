package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// failed raises an alarm about a cluster that need not be there.
func failed(t testing.TB, db *DB, cluster string) {
	t.Helper()
	check(t, db.Events.Add(t.Context(), models.Event{Severity: models.SeverityError, ClusterName: cluster, Message: "The snapshot failed.", Raises: models.ConditionFailed}))
}

func TestAChannelIsToldOfWhatIsUnderWayAlready(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	orders := launched(t, db, spec("orders"))
	must(db.Clusters.MarkReachable(t.Context(), orders.ID, false, "The primary does not answer."))(t)
	clock.Advance(time.Hour)
	failed(t, db, "shop-a")
	failed(t, db, "over")
	check(t, db.Events.Add(t.Context(), models.Event{ClusterName: "over", Message: "It is over.", Ends: []models.Condition{models.ConditionFailed}}))
	clock.Advance(30 * time.Hour)

	const unreachable, shop = "all: The cluster orders is unreachable", "all: A snapshot of shop-a failed"
	all := channel(t, db, "all", nil)
	expectTitles(t, db, "created", unreachable, shop)
	must(db.Channels.Change(t.Context(), all, "admin"))(t)
	expectTitles(t, db, "changed in nothing", unreachable, shop)
	clock.Advance(24 * time.Hour)
	check(t, db.Alarms.Remind(t.Context()))
	still := "all: Still: The cluster orders is unreachable"
	expectTitles(t, db, "a day later", unreachable, shop, still)
	must(db.Clusters.MarkReachable(t.Context(), orders.ID, true, ""))(t)
	over := "all: The cluster orders answers again"
	expectTitles(t, db, "it answers", unreachable, shop, still, over)

	some := channel(t, db, "some", func(c *models.Channel) { c.Paused, c.Clusters = true, models.Lines{"other-*"} })
	before := []string{unreachable, shop, still, over}
	some.Paused = false
	some = must(db.Channels.Change(t.Context(), some, "admin"))(t)
	expectTitles(t, db, "turned on", before...)
	some.Clusters = models.Lines{"shop-*"}
	some = must(db.Channels.Change(t.Context(), some, "admin"))(t)
	before = append(before, "some: A snapshot of shop-a failed")
	expectTitles(t, db, "for more clusters", before...)
	some.Clusters, some.Paused = nil, true
	must(db.Channels.Change(t.Context(), some, "admin"))(t)
	expectTitles(t, db, "turned off", before...)

	var d models.Delivery
	check(t, db.with(t.Context()).Where("channel_name = ?", "some").First(&d).Error)
	if !d.Since.Equal(monday.Add(time.Hour)) || d.Phase != models.PhaseBegins {
		t.Errorf("the message is %+v", d)
	}
}

func TestAChannelThatWasOffIsRemindedOfWhatGoesOn(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	all := channel(t, db, "all", nil)
	orders := launched(t, db, spec("orders"))
	must(db.Clusters.MarkReachable(t.Context(), orders.ID, false, "The primary does not answer."))(t)
	begins, still := "all: The cluster orders is unreachable", "all: Still: The cluster orders is unreachable"
	all.Paused = true
	must(db.Channels.Change(t.Context(), all, "admin"))(t)
	clock.Advance(48 * time.Hour)
	check(t, db.Alarms.Remind(t.Context())) // which is forgotten while the channel is off
	expectTitles(t, db, "off", begins)
	all.Paused = false
	must(db.Channels.Change(t.Context(), all, "admin"))(t)
	expectTitles(t, db, "on again", begins, still)
	clock.Advance(24 * time.Hour)
	check(t, db.Alarms.Remind(t.Context()))
	expectTitles(t, db, "a day later", begins, still, still)
}

func TestOfManyAlarmsUnderWayTheOldestAreToldAndTheRestCounted(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	var want []string
	const alarms = alarmsAtOnce + caughtUpAtOnce
	for i := range alarms {
		name := fmt.Sprintf("shop-%04d", alarms-i)
		failed(t, db, name)
		clock.Advance(time.Second)
		if i < caughtUpAtOnce {
			want = append(want, "all: A snapshot of "+name+" failed")
		}
	}
	channel(t, db, "all", nil)
	if got := titles(t, db); !slices.Equal(got, append(want, fmt.Sprintf("all: %d more alarms are under way", alarmsAtOnce))) {
		t.Errorf("the messages are\n%s", strings.Join(got, "\n"))
	}
	var d models.Delivery
	check(t, db.with(t.Context()).Order("id DESC").First(&d).Error)
	if d.Path() != "/events" || !strings.Contains(d.Text, "overview") {
		t.Errorf("the last message is %+v", d)
	}
	check(t, db.Events.Add(t.Context(), models.Event{ClusterName: "shop-0001", Message: "It is over.", Ends: []models.Condition{models.ConditionFailed}}))
	if got := titles(t, db); got[len(got)-1] != "all: Snapshots of shop-0001 succeed again" {
		t.Errorf("the last message is %q", got[len(got)-1])
	}
}

// A channel is written together with what it is told, or not at all.
func TestAChannelIsNotCreatedWithoutItsMessages(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	failed(t, db, "orders")
	room := noRoom(t, db, "INSERT ON deliveries")
	c := models.Channel{Name: "all", Kind: models.ChannelWebhook, URL: "https://alarms.example.org/hidden", Secret: "0123456789abcdef", Conditions: models.Lines{string(models.ConditionFailed)}}
	if _, err := db.Channels.Create(t.Context(), c, "admin"); err == nil {
		t.Error("it was created")
	}
	room()
	if there := must(db.Channels.All(t.Context()))(t); len(there) != 0 {
		t.Errorf("there is %+v", there)
	}
	must(db.Channels.Create(t.Context(), c, "admin"))(t)
	expectTitles(t, db, "afterwards", "all: A snapshot of orders failed")
}
