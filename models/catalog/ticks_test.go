package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
)

// BenchmarkTicks prints what the console's ticks cost for idle clusters, as far as they ask the catalog, with few clusters and with many: what does
// not grow is flat. REKINDLE_BENCH_CLUSTERS and REKINDLE_BENCH_SNAPSHOTS say how many those are.
func BenchmarkTicks(b *testing.B) {
	size := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	many, snapshots := size("REKINDLE_BENCH_CLUSTERS", 10_000), size("REKINDLE_BENCH_SNAPSHOTS", 35)
	few := many / 100
	type column struct {
		name  string
		db    *DB
		names []string // of snapshots, as a store lists them
	}
	var columns []column
	add := func(name string, db *DB) {
		var names []string
		check(b, db.with(b.Context()).Model(&models.Snapshot{}).Order("cluster_name, name").Pluck("name", &names).Error)
		columns = append(columns, column{name, db, names})
	}
	for _, clusters := range []int{few, many} {
		add(fmt.Sprintf("SQLite, %d clusters", clusters), atRest(b, File(b.TempDir()+"/rekindle.db"), clusters, snapshots))
	}
	for _, clusters := range []int{few, many} {
		place := postgresPlace(b)
		db := atRest(b, place, clusters, snapshots)
		check(b, must(postgresServer())(b).Settle(place.URL.Reveal()))
		add(fmt.Sprintf("PostgreSQL, %d clusters", clusters), db)
	}
	fmt.Print("| tick, median (greatest) in ms |")
	for _, c := range columns {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Printf("\n|---|%s\n", "---:|---:|---:|---:|")
	times := make([][][]time.Duration, len(ticks))
	for range 11 { // all in turn, so that whatever else the machine does affects all of them
		for t, tick := range ticks {
			times[t] = slices.Grow(times[t], len(columns))[:len(columns)]
			for i, c := range columns {
				began := time.Now()
				check(b, tick.do(b.Context(), c.db, c.names))
				times[t][i] = append(times[t][i], time.Since(began))
			}
		}
	}
	for t, tick := range ticks {
		fmt.Printf("| %s |", tick.name)
		for _, took := range times[t] {
			took = took[1:] // the first one has nothing in any cache
			slices.Sort(took)
			fmt.Printf(" %.1f (%.1f) |", float64(took[len(took)/2])/1e6, float64(took[len(took)-1])/1e6)
		}
		fmt.Println()
	}
	b.ReportMetric(0, "ns/op")
}

// atRest is a catalog of that size in which all is done that was due.
func atRest(b *testing.B, place Place, clusters, snapshots int) *DB {
	b.Helper()
	db := open(b, place, clockwork.NewFakeClockAt(monday))
	check(b, db.Sample(b.Context(), clusters, snapshots))
	check(b, db.with(b.Context()).Model(&models.Snapshot{}).Where("1 = 1").UpdateColumn("verified_at", db.Now()).Error)
	check(b, db.with(b.Context()).Model(&models.Cluster{}).Where("1 = 1").UpdateColumn("home", models.CatalogHome).Error)
	must(db.Schedule.QueueDue(b.Context()))(b)
	must(db.Schedule.QueueOutlived(b.Context()))(b)
	for { // what was due is done
		run, found, err := db.Runs.Claim(b.Context(), lease(b, db, "console"), func(models.Run) bool { return true })
		check(b, err)
		if !found {
			break
		}
		if run.Kind == models.RunSnapshot {
			check(b, db.Settle.Snapshot(b.Context(), run, measured(db, run.SnapshotName)))
		} else {
			check(b, db.Settle.SnapshotDeletion(b.Context(), run))
		}
	}
	check(b, db.Schedule.Judge(b.Context()))
	check(b, db.Records.Unmark(b.Context(), must(db.Records.Marked(b.Context()))(b)))
	return db
}

// ticks ask what those of package jobs ask.
var ticks = []struct {
	name string
	do   func(ctx context.Context, db *DB, names []string) error
}{
	{"schedule", func(ctx context.Context, db *DB, _ []string) error { _, err := db.Schedule.QueueDue(ctx); return err }},
	{"retention, every hour", func(ctx context.Context, db *DB, _ []string) error {
		_, err := db.Schedule.QueueOutlived(ctx)
		return err
	}},
	{"usage, every hour", func(ctx context.Context, db *DB, _ []string) error { return db.Usage.Sample(ctx) }},
	{"recover", func(ctx context.Context, db *DB, _ []string) error {
		_, err := db.Runs.CutOff(ctx, "console")
		return err
	}},
	{"verify", func(ctx context.Context, db *DB, _ []string) error { _, err := db.Verifications.Queue(ctx); return err }},
	{"records", func(ctx context.Context, db *DB, _ []string) error {
		_, err := db.Records.Marked(ctx)
		return errors.Join(err, consoleRecord(ctx, db))
	}},
	{"records, every hour", func(ctx context.Context, db *DB, _ []string) error {
		keys, err := db.Records.Keys(ctx)
		clusters, err2 := db.Clusters.AllNames(ctx)
		if err := errors.Join(err, err2); err != nil || len(keys) != len(clusters) {
			return errors.Join(err, fmt.Errorf("%d records of %d clusters", len(keys), len(clusters)))
		}
		for some := range slices.Chunk(clusters, 500) {
			for i := range some {
				keys[i] = some[i] + "/cluster.json"
			}
			_, err := db.Records.Kept(ctx, keys[:len(some)])
			_, err2 := db.Clusters.ToRecord(ctx, some)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
		}
		return consoleRecord(ctx, db)
	}},
	{"records as they were every minute, for comparison", func(ctx context.Context, db *DB, _ []string) error {
		var kept []models.Setting
		err := db.with(ctx).Where("name LIKE ?", keptPrefix+"%").Find(&kept).Error
		_, err2 := db.Clusters.All(ctx)
		return errors.Join(err, err2, consoleRecord(ctx, db))
	}},
	{"disk", func(_ context.Context, db *DB, _ []string) error { _, err := db.Disk.Space(); return err }},
	{"clock", func(ctx context.Context, db *DB, _ []string) error {
		_, err := db.Clock.Look(ctx, time.Time{})
		return err
	}},
	{"supervise, every 2 s, all launched here", func(ctx context.Context, db *DB, _ []string) error { return supervise(ctx, db, models.CatalogHome) }},
	{"supervise, every 2 s, all launched elsewhere", func(ctx context.Context, db *DB, _ []string) error { return supervise(ctx, db, "here") }},
	{"supervise as it was, for comparison", func(ctx context.Context, db *DB, _ []string) error { _, err := allByGorm(ctx, db); return err }},
	{"sweep, every hour", func(ctx context.Context, db *DB, names []string) error {
		for some := range slices.Chunk(names, 500) {
			if _, err := db.Snapshots.States(ctx, some); err != nil {
				return err
			}
		}
		return nil
	}},
	{"a hundredth of the sweep as it was, for comparison", func(ctx context.Context, db *DB, names []string) error {
		for _, name := range names[:len(names)/100] {
			if _, err := db.Snapshots.Get(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}},
}

func consoleRecord(ctx context.Context, db *DB) error {
	_, err := db.Records.Kept(ctx, []string{"console.json"})
	_, err2 := db.Settings.Chosen(ctx)
	return errors.Join(err, err2)
}

func supervise(ctx context.Context, db *DB, home string) error {
	states := []models.ClusterStatus{models.ClusterAvailable, models.ClusterSnapshotting, models.ClusterUnreachable}
	_, err := db.Clusters.LaunchedAt(ctx, home, states)
	_, err2 := db.Clusters.LaunchedAway(ctx, home, states)
	return errors.Join(err, err2)
}

// allByGorm are all clusters as gorm reads them.
func allByGorm(ctx context.Context, db *DB) (clusters []models.Cluster, err error) {
	err = db.with(context.WithoutCancel(ctx)).Preload("Nodes", inOrder).Order("name").Find(&clusters).Error
	return clusters, err
}

// Reading straight into fields gives the same as gorm.
func TestClustersAreReadAsGormReadsThem(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	check(t, db.Sample(t.Context(), 3, 0))
	at := db.Now()
	attributes := models.Attributes{Topic: "t", Zones: []string{"a", "b"}}
	check(t, db.with(t.Context()).Model(&models.Cluster{ID: 1}).UpdateColumns(map[string]any{"attributes": attributes, "password": "hunter2-hunter2", "emptied_at": at, "home": "here"}).Error)
	check(t, db.with(t.Context()).Model(&models.Cluster{ID: 2}).UpdateColumns(map[string]any{"kind": models.KindAttached, "node_type": "", "status": models.ClusterUnreachable}).Error)
	check(t, db.with(t.Context()).Where("cluster_id = 2").Delete(&models.Node{}).Error)
	want := must(allByGorm(t.Context(), db))(t)
	if got := must(db.Clusters.All(t.Context()))(t); !reflect.DeepEqual(got, want) {
		t.Errorf("all are read as\n%+v, by gorm as\n%+v", got, want)
	}
	states := []models.ClusterStatus{models.ClusterAvailable, models.ClusterUnreachable}
	if got := must(db.Clusters.LaunchedAt(t.Context(), "here", states))(t); !reflect.DeepEqual(got, want[:1]) {
		t.Errorf("those here are read as\n%+v, by gorm as\n%+v", got, want[:1])
	}
	lease(t, db, "console")
	if got := must(db.Clusters.LaunchedAway(t.Context(), "here", states))(t); len(got) != 1 || got[0].ID != want[2].ID || got[0].Status != want[2].Status {
		t.Errorf("elsewhere are %+v, want the third", got)
	}
	check(t, db.with(t.Context()).Model(&models.Cluster{ID: 3}).UpdateColumn("home", must(db.Owners.All(t.Context()))(t)[0].Home).Error)
	if got := must(db.Clusters.LaunchedAway(t.Context(), "here", states))(t); len(got) != 0 {
		t.Errorf("away are %+v, of which there is a console", got)
	}
	if got := must(db.Clusters.LaunchedAt(t.Context(), "here", states[1:]))(t); len(got) != 0 {
		t.Errorf("those here in another state are %+v", got)
	}
}
