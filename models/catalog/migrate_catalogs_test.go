package catalog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
)

// fill puts something of everything into a catalog, as a console would have written it.
func fill(t *testing.T, db *DB, clock *clockwork.FakeClock) {
	t.Helper()
	ctx := t.Context()
	must(db.Users.EnsureAdmin(ctx, "a-long-password"))(t)
	must(db.Users.SignIn(ctx, models.AdminName, "a-long-password", "::1", "test"))(t)
	_, err := db.Users.SignIn(ctx, models.AdminName, "wrong", "::1", "test")
	refused(t, err, models.CodeInvalid)
	check(t, db.Settings.Save(ctx, models.Settings{ManualQuota: 50, Price: 0.02, Currency: "EUR"}))

	orders := spec("orders")
	orders.Retention, orders.Window, orders.Replicas = 3, models.Window{Start: 12 * 60, Length: 60}, 1
	orders.Auth, orders.Password, orders.Description = models.AuthGiven, "a-password-of-16-letters", "all orders"
	cluster := launched(t, db, orders)
	now := db.Now()
	cluster.Nodes[0].State, cluster.Nodes[0].SeenAt = "available", &now
	check(t, db.Nodes.Seen(ctx, cluster.Nodes[0]))
	taken(t, db, "orders", "by-hand")
	for clock.Now().Before(monday.Add(27 * time.Hour)) { // over one window
		clock.Advance(10 * time.Minute)
		if must(db.Schedule.QueueDue(ctx))(t) > 0 {
			run := claim(t, db)
			check(t, db.Settle.Snapshot(ctx, run, measured(db, run.SnapshotName)))
		}
	}
	must(db.Snapshots.Request(ctx, "orders", "failed", false, "admin"))(t)
	check(t, db.Settle.Fail(ctx, claim(t, db), models.RunFailed, "Its source went away."))
	must(db.Locks.Try(ctx, "orders", lease(t, db, "console")))(t)
	launched(t, db, spec("gone"))
	check(t, db.Clusters.Delete(ctx, "gone", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(ctx, claim(t, db)))
	must(db.Clusters.Create(ctx, spec("waiting")))(t)
	fillResources(t, db, cluster)
}

// fillResources adds what came with the API.
func fillResources(t *testing.T, db *DB, cluster models.Cluster) {
	t.Helper()
	ctx := t.Context()
	must(db.Keys.Create(ctx, models.RoleOperate, "a script", "admin"))(t)
	must(db.Subnets.Create(ctx, "private", "one subnet", []string{"subnet-1"}, nil))(t)
	must(db.Parameters.Create(ctx, "tuned", "redis7", "no eviction", nil))(t)
	check(t, db.Parameters.Set(ctx, "tuned", map[string]string{"maxmemory-policy": "noeviction"}))
	check(t, db.Tags.Add(ctx, cluster.Resource(), map[string]string{"team": "shop"}))
	check(t, db.Calls.Once(ctx, "0123", func(ctx context.Context) error {
		return db.Tags.Add(ctx, cluster.Resource(), map[string]string{"once": "yes"})
	}))
	must(db.Calls.Admit(ctx, models.Signature{Signature: "abc", Invocation: "0123", Attempt: "1", At: db.Now()}, false))(t)
}

// use does with an old catalog what people do with a console: whatever a later version needs must be there.
func use(t *testing.T, db *DB, clock *clockwork.FakeClock) {
	t.Helper()
	ctx := t.Context()
	must(db.Users.SignIn(ctx, models.AdminName, "a-long-password", "::1", "test"))(t)
	if settings := must(db.Settings.Get(ctx))(t); settings.ManualQuota != 50 || settings.Currency != "EUR" {
		t.Errorf("the settings are %+v", settings)
	}
	old := must(db.Snapshots.Get(ctx, "by-hand"))(t)
	if !old.Usable() || old.Keys != 7 || len(old.Parts) != 1 || old.Parts[0].Stored != 300 {
		t.Errorf("the old snapshot is %+v", old)
	}
	waiting := claim(t, db)
	if waiting.ClusterName != "waiting" || waiting.Kind != models.RunCreate {
		t.Fatalf("the run that waited is %+v", waiting)
	}
	check(t, db.Settle.Cluster(ctx, waiting, "It is there."))

	restored := spec("restored")
	restored.Snapshot, restored.Replicas = "by-hand", 1
	if cluster := launched(t, db, restored); cluster.Status != models.ClusterAvailable || len(cluster.Nodes) != 2 {
		t.Errorf("restored: %+v", cluster)
	}
	for i, name := range []string{"orders", "waiting", "restored"} {
		snapshot := taken(t, db, name, fmt.Sprintf("after-%d", i))
		if snapshot.Status != models.SnapshotAvailable {
			t.Errorf("a snapshot of %s is %s: %s", name, snapshot.Status, snapshot.StatusReason)
		}
	}
	must(db.Changes.Modify(ctx, "orders", models.ModifySpec{Replicas: pointer(2), RequestedBy: "admin"}))(t)
	check(t, db.Settle.Cluster(ctx, claim(t, db), "It has two replicas."))
	check(t, db.Snapshots.Delete(ctx, []string{"by-hand", "failed"}, "admin"))
	for range 2 {
		check(t, db.Settle.SnapshotDeletion(ctx, claim(t, db)))
	}
	useTheClock(t, db, clock)
	check(t, db.Clusters.Delete(ctx, "orders", models.DeleteSpec{FinalSnapshot: "farewell", RequestedBy: "admin"}))
	run := claim(t, db)
	check(t, db.Settle.Snapshot(ctx, run, measured(db, "farewell")))
	check(t, db.Settle.ClusterDeletion(ctx, run))
	for _, list := range []func() (int, error){
		func() (int, error) { rows, err := db.Clusters.List(ctx, models.List{}); return len(rows.Rows), err },
		func() (int, error) { rows, err := db.Snapshots.List(ctx, models.List{}); return len(rows.Rows), err },
		func() (int, error) { rows, err := db.Runs.List(ctx, models.List{}); return len(rows.Rows), err },
		func() (int, error) { rows, err := db.Events.List(ctx, models.List{}); return len(rows.Rows), err },
	} {
		if must(list())(t) == 0 {
			t.Error("a list is empty")
		}
	}
	fillResources(t, must(rename(db))(t), must(db.Clusters.Get(ctx, "restored"))(t))
}

// rename makes room for what fillResources writes once more.
func rename(db *DB) (*DB, error) {
	return db, db.gorm.Exec("UPDATE subnet_groups SET name = 'old' WHERE name = 'private'").
		Exec("UPDATE parameter_groups SET name = 'old' WHERE name = 'tuned'").Exec("DELETE FROM invocations").Error
}

// useTheClock lets four days pass: schedule, retention and verification.
func useTheClock(t *testing.T, db *DB, clock *clockwork.FakeClock) {
	t.Helper()
	ctx := t.Context()
	check(t, db.Settings.SaveVerifyEvery(ctx, 1))
	taken, removed, verified := 0, 0, 0
	for range 4 * 24 * 3 {
		clock.Advance(20 * time.Minute)
		must(db.Schedule.QueueDue(ctx))(t)
		must(db.Schedule.QueueOutlived(ctx))(t)
		must(db.Verifications.Queue(ctx))(t)
		for {
			run, found, err := db.Runs.Claim(ctx, lease(t, db, "console"), func(models.Run) bool { return true })
			check(t, err)
			if !found {
				break
			}
			switch run.Kind {
			case models.RunSnapshot:
				check(t, db.Settle.Snapshot(ctx, run, measured(db, run.SnapshotName)))
				taken++
			case models.RunDeleteSnapshot:
				check(t, db.Settle.SnapshotDeletion(ctx, run))
				removed++
			case models.RunVerify:
				check(t, db.Settle.Verify(ctx, run, must(db.Snapshots.Get(ctx, run.SnapshotName))(t), ""))
				verified++
			default:
				t.Fatalf("unexpected run %+v", run)
			}
		}
	}
	if taken < 4 || removed == 0 || verified == 0 {
		t.Errorf("%d automatic snapshots were taken, %d removed, %d verified", taken, removed, verified)
	}
}

// writeMissingCatalogs dumps a catalog as the program of today writes it, for each migration that has none.
func writeMissingCatalogs(t *testing.T) {
	t.Helper()
	for _, id := range migrationIDs() {
		file := filepath.Join(oldCatalogs, id+".sql")
		if _, err := os.Stat(file); err == nil || id < "0003" {
			continue
		}
		db, clock := catalog(t)
		fill(t, db, clock)
		check(t, os.WriteFile(file, []byte(dump(t, db)), 0o644))
	}
}

// dump is a catalog as SQL.
func dump(t *testing.T, db *DB) string {
	t.Helper()
	var text strings.Builder
	var objects []struct{ Type, Name, SQL string }
	check(t, db.gorm.Raw("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid").Scan(&objects).Error)
	text.WriteString("PRAGMA foreign_keys=OFF;\nBEGIN;\n")
	create := func(triggers bool) {
		for _, o := range objects {
			if (o.Type == "trigger") == triggers {
				fmt.Fprintf(&text, "%s;\n", o.SQL)
			}
		}
	}
	create(false)
	for _, o := range objects {
		if o.Type != "table" {
			continue
		}
		var columns, rows []string
		check(t, db.gorm.Raw("SELECT name FROM pragma_table_info(?)", o.Name).Scan(&columns).Error)
		quoted := make([]string, len(columns))
		for i, column := range columns {
			quoted[i] = "quote(" + column + ")"
		}
		check(t, db.gorm.Raw(fmt.Sprintf("SELECT %s FROM %s", strings.Join(quoted, "||', '||"), o.Name)).Scan(&rows).Error)
		slices.Sort(rows)
		for _, row := range rows {
			fmt.Fprintf(&text, "INSERT INTO %s (%s) VALUES (%s);\n", o.Name, strings.Join(columns, ", "), row)
		}
	}
	create(true) // which would act on the rows
	text.WriteString("COMMIT;\n")
	return text.String()
}
