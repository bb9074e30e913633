package catalog

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// Settings from the store fill in what nobody has chosen here, all of them or none.
func TestSettingsFromTheStoreFillInWhatNobodyHasChosen(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ctx := t.Context()
	if err := db.Settings.SaveVerifyEvery(ctx, 30); err != nil {
		t.Fatal(err)
	}
	before, err := db.Settings.Chosen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]map[string]string{
		"events of a day": {"keep_events": "1"}, "a quota of nothing": {"manual_quota": "0", "price": "0.1"}, "no number": {"price": "cheap"}, "a price below nothing": {"put_price": "-1"}, "no price": {"get_price": "free"}, "too long": {"currency": "golden coins"},
	} {
		if adopted, err := db.Settings.Adopt(ctx, bad); adopted {
			t.Errorf("%s: adopted", name)
		} else if _, refused := models.AsFaults(err); !refused {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := db.Settings.Chosen(ctx); err != nil || !maps.Equal(now, before) {
			t.Errorf("%s: the settings became %v, %v", name, now, err)
		}
	}
	found := map[string]string{"manual_quota": "7", "currency": "EUR", "price": "0.02", "verify_every": "3", "session_key": "stolen"}
	if adopted, err := db.Settings.Adopt(ctx, found); err != nil || !adopted {
		t.Fatal(adopted, err)
	}
	now, err := db.Settings.Chosen(ctx)
	if want := map[string]string{"manual_quota": "7", "currency": "EUR", "price": "0.02", "verify_every": "30"}; err != nil || !maps.Equal(now, want) {
		t.Errorf("the settings are %v, %v", now, err)
	}
	if adopted, err := db.Settings.Adopt(ctx, map[string]string{"price": "9"}); err != nil || adopted {
		t.Errorf("what was chosen was replaced: %t, %v", adopted, err)
	}
}

// Whatever the record of a cluster is made of marks it when it changes, and what changes all the time does not.
func TestRecordsAreMarkedByWhatTheyAreMadeOf(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	check(t, db.Sample(t.Context(), 3, 0))
	const name = "shop-00001"
	access := models.Attachment{ClusterID: must(db.Clusters.Get(t.Context(), name))(t).ID}
	check(t, db.with(t.Context()).Create(&access).Error)
	marked := func() string {
		t.Helper()
		marks := must(db.Records.Marked(t.Context()))(t)
		check(t, db.Records.Unmark(t.Context(), marks))
		names := make([]string, len(marks))
		for i, mark := range marks {
			names[i] = mark.ClusterName
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	expect := func(what, want string) {
		t.Helper()
		if got := marked(); got != want {
			t.Errorf("%s marks %q, not %q", what, got, want)
		}
	}
	expect("an access that comes", name)
	plan := models.DrillPlan{ClusterID: access.ClusterID, Every: models.Weekly, Window: models.Window{Start: 180, Length: 60}, DueAt: db.Now()}
	check(t, db.with(t.Context()).Create(&plan).Error)
	expect("drills that come", name)
	kept := models.JournalPlan{ClusterID: access.ClusterID, Kept: true, Days: 3, Promise: time.Second, Since: db.Now()}
	check(t, db.with(t.Context()).Create(&kept).Error)
	expect("a journal that comes", name)
	for table, silent := range map[string][]string{
		"clusters": {"id", "home", "databases", "schedule_since", "parameters_wanted", "parameters_applied", "status_reason", "emptied_at", "loss_cause", "restored_from", "unsaved_from", "updated_at", "declared",
			"transit_encryption", "ca", // the first never changes, the second is the host's
			"old_password", "former_password", "password_pending", "password_changed_at",
			"user_group", "former_user", "users_wanted", "users_applied",
			"migration_source", "migration_address", "migration_since", "migration_copied"},
		"attachments":   {"topology", "since"},
		"drill_plans":   {"cluster_id", "due_at"},
		"journal_plans": {"cluster_id", "since"},
		"nodes":         {"id", "cluster_id", "name", "shard", "role", "host", "port", "announced", "state", "used_memory", "max_memory", "keys", "lag_bytes", "created_at", "seen_at", "halted", "zone", "slots", "ident"},
	} {
		for _, described := range columnsOf(t, db)[table] {
			if !strings.HasPrefix(described, "column ") {
				continue // an index
			}
			column := strings.Fields(described)[1]
			where := "cluster_id = (SELECT id FROM clusters WHERE name = ?)"
			if table == "clusters" {
				where = "name = ?"
			}
			if done := db.with(t.Context()).Exec("UPDATE "+table+" SET "+column+" = "+column+" WHERE "+where, name); done.Error != nil || done.RowsAffected == 0 {
				t.Fatalf("change %s.%s: %v, %d rows", table, column, done.Error, done.RowsAffected)
			}
			want := name
			if slices.Contains(silent, column) {
				want = ""
			}
			expect("a change of "+table+"."+column, want)
		}
	}
	check(t, db.with(t.Context()).Delete(&access).Error)
	expect("an access that goes", name)
	check(t, db.with(t.Context()).Where("cluster_id = ?", plan.ClusterID).Delete(&models.DrillPlan{}).Error)
	expect("drills that go", name)
	check(t, db.with(t.Context()).Where("cluster_id = ?", plan.ClusterID).Delete(&models.JournalPlan{}).Error)
	expect("a journal that goes", name)
	check(t, db.with(t.Context()).Where("cluster_id = ?", access.ClusterID).Delete(&models.Node{}).Error)
	expect("nodes that go", name)
	check(t, db.with(t.Context()).Create(&models.Node{ClusterID: access.ClusterID, Name: "another", Host: "127.9.9.9", Port: 1, CreatedAt: db.Now()}).Error)
	expect("a node that comes", name)
	check(t, db.with(t.Context()).Model(&models.Cluster{ID: access.ClusterID}).UpdateColumn("name", "other").Error)
	expect("another name", "other "+name)
	check(t, db.with(t.Context()).Where("cluster_id = ?", access.ClusterID).Delete(&models.Node{}).Error)
	check(t, db.with(t.Context()).Delete(&models.Cluster{ID: access.ClusterID}).Error)
	expect("a cluster that goes", "other")
	if keys := must(db.Records.Keys(t.Context()))(t); len(keys) != 3 {
		t.Errorf("the records are %q", keys)
	}
}

func TestAMarkOfALaterChangeStays(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	check(t, db.Sample(t.Context(), 2, 0))
	change := func() {
		t.Helper()
		retention := 3
		must(db.Changes.Modify(t.Context(), "shop-00001", models.ModifySpec{Retention: &retention}))(t)
	}
	change()
	looked := must(db.Records.Marked(t.Context()))(t)
	other := must(db.Records.Marked(t.Context()))(t) // by another console
	check(t, db.Records.Unmark(t.Context(), other))
	change()
	check(t, db.Records.Unmark(t.Context(), looked))
	if marks := must(db.Records.Marked(t.Context()))(t); len(marks) != 1 || marks[0].ID == looked[0].ID {
		t.Errorf("%+v are the marks after %+v", marks, looked)
	}
}

func TestChannelsFromTheStoreComeBackWhereThereAreNone(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ctx := t.Context()
	found := []models.Channel{{Name: "Chat", Kind: models.ChannelSlack, RepeatHours: 3}, {Name: "Chat", Kind: models.ChannelTeams}, {Name: "Pigeon", Kind: "pigeon"}}
	for i := range found {
		found[i].Conditions = models.Lines{string(models.ConditionMissed)}
	}
	adopted, refused, err := db.Channels.Adopt(ctx, found)
	if err != nil || len(adopted) != 1 || len(refused) != 2 || !strings.Contains(refused[0], "There are two called Chat.") {
		t.Fatal(adopted, refused, err)
	}
	there := must(db.Channels.All(ctx))(t)
	if len(there) != 1 || !there[0].Paused || there[0].RepeatHours != 3 {
		t.Errorf("they came back as %+v", there)
	}
	found[0].Name = "Another"
	if adopted, refused, err := db.Channels.Adopt(ctx, found); err != nil || len(adopted)+len(refused) > 0 {
		t.Errorf("beside one that is here: %v %v %v", adopted, refused, err)
	}
	changed := there[0]
	changed.Paused = false
	if _, err := db.Channels.Change(ctx, changed, "admin"); err == nil {
		t.Error("it can be turned on without its address")
	}
	changed.URL = "https://hooks.example.org/again"
	if again := must(db.Channels.Change(ctx, changed, "admin"))(t); len(again.Lacks()) > 0 || again.Paused {
		t.Errorf("with its address it is %+v", again)
	}
}
