package catalog

import (
	"errors"
	"strings"
	"testing"

	"rekindle/models"
)

// tuningOf is a change of a node of this cluster.
func tuningOf(cluster models.Cluster) []models.Tuning {
	return []models.Tuning{{ClusterID: cluster.ID, Address: "[fd00::5]:6380", Parameter: "rdbcompression", Was: "yes", Tuned: "no"},
		{ClusterID: cluster.ID, Address: "[fd00::5]:6380", Parameter: "repl-diskless-sync-delay", Was: "5", Tuned: "0"}}
}

func TestWhatIsChangedOnANodeIsWrittenDownForItsRun(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ctx := t.Context()
	cluster := must(db.Attachments.Attach(ctx, attachSpec("orders"), foundAt("10.0.0.1:6379")))(t)
	must(db.Snapshots.Request(ctx, "orders", "first", false, "admin"))(t)
	run := claim(t, db)
	stranger := run
	stranger.Owner = "another"
	if _, err := db.Tunings.Begin(ctx, stranger, tuningOf(cluster)); !errors.Is(err, models.ErrRunEnded) {
		t.Errorf("a console that does not work on the run may begin: %v", err)
	}
	begun := must(db.Tunings.Begin(ctx, run, tuningOf(cluster)))(t)
	if open := must(db.Tunings.Open(ctx, cluster.ID))(t); len(open) != 2 || open[0] != begun[0] || open[0].RunID != run.ID {
		t.Errorf("%+v is written down, not %+v", open, begun)
	}
	left := func(owner string) int { t.Helper(); return len(must(db.Tunings.Left(ctx, owner))(t)) }
	if others, own := left("another"), left(run.Owner); others != 0 || own != 2 {
		t.Errorf("of a run that is alive, %d are left for another console, and %d for its own", others, own)
	}
	must(db.Owners.End(ctx, models.Owner{ID: run.Owner}))(t)
	if n := left("another"); n != 2 {
		t.Errorf("of a run whose console is gone, %d are left", n)
	}

	for range 2 {
		check(t, db.Tunings.Tell(ctx, begun, "it does not answer"))
	}
	const commands = "redis-cli -h fd00::5 -p 6380 CONFIG SET rdbcompression yes; redis-cli -h fd00::5 -p 6380 CONFIG SET repl-diskless-sync-delay 5"
	if n := count(t, db, &models.Event{}, "cluster_name = 'orders' AND message LIKE ?", "%because it does not answer%By hand: "+commands); n != 1 {
		t.Errorf("%d events say what is to be put back", n)
	}
	for range 2 {
		check(t, db.Tunings.End(ctx, begun[0], "It is as before."))
	}
	if n := count(t, db, &models.Event{}, "message = ?", "It is as before."); n != 1 || len(must(db.Tunings.Open(ctx, cluster.ID))(t)) != 1 {
		t.Errorf("%d events say that it was put back", n)
	}
}

func TestWhatIsStillChangedIsSaidWhenAClusterIsDetached(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ctx := t.Context()
	cluster := must(db.Attachments.Attach(ctx, attachSpec("orders"), foundAt("10.0.0.1:6379")))(t)
	must(db.Snapshots.Request(ctx, "orders", "first", false, "admin"))(t)
	run := claim(t, db)
	begun := must(db.Tunings.Begin(ctx, run, tuningOf(cluster)))(t)
	check(t, db.Settle.Fail(ctx, run, models.RunFailed, "Its source went away."))
	if before := count(t, db, &models.Event{}); before != 0 {
		check(t, db.Tunings.End(ctx, begun[1], "nobody was told"))
		if count(t, db, &models.Event{}) != before {
			t.Error("an event says what nobody has asked about")
		}
	}
	check(t, db.Clusters.Delete(ctx, "orders", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(ctx, claim(t, db)))
	var events []models.Event
	check(t, db.with(ctx).Where("message LIKE ?", "%Run: redis-cli%").Find(&events).Error)
	if len(events) != 1 || !strings.Contains(events[0].Message, "CONFIG SET rdbcompression yes") || strings.Contains(events[0].Message, "delay") || count(t, db, &models.Tuning{}) != 0 {
		t.Errorf("%+v, and %d changes are left", events, count(t, db, &models.Tuning{}))
	}
}
