package catalog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"rekindle/models"
)

// rows is one zero value of every kind of row.
func rows() []any {
	return []any{&models.Cluster{}, &models.Node{}, &models.Attachment{}, &models.Snapshot{}, &models.Part{}, &models.Run{}, &models.WindowMark{}, &models.Loss{}, &models.Tuning{}, &models.Drill{}, &models.DrillPlan{}, &models.Find{}, &models.FindSnapshot{}, &models.FoundKey{}, &models.FindStream{}, &models.FoundChange{}, &models.FindHole{}, &models.BringBack{}, &models.Lock{}, &models.Event{}, &models.Setting{}, &models.User{}, &models.Session{}, &models.SignInFailure{},
		&models.Channel{}, &models.Alarm{}, &models.Telling{}, &models.Delivery{},
		&models.JournalPlan{}, &models.JournalLink{}, &models.JournalSegment{}, &models.JournalStretch{}, &models.JournalEvent{}, &models.JournalComparison{}}
}

func TestMigrationsAppliedTwiceChangeNothing(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	tables := func() string {
		var statements []string
		for table, columns := range columnsOf(t, db) {
			statements = append(statements, table+" "+strings.Join(columns, ", "))
		}
		slices.Sort(statements)
		return strings.Join(statements, "\n")
	}
	schemaBefore, before := tables(), content(t, db)
	check(t, migrate(t.Context(), db.gorm, db.kind.migrations()))
	if tables() != schemaBefore || content(t, db) != before {
		t.Error("the second run of the migrations changed something")
	}
}

func TestRowsFitTheTables(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	for _, row := range rows() {
		parsed := must(schema.Parse(row, &sync.Map{}, db.gorm.NamingStrategy))(t)
		columns := make(map[string]bool)
		for _, c := range must(db.gorm.Migrator().ColumnTypes(row))(t) {
			columns[c.Name()] = true
		}
		for _, name := range parsed.DBNames {
			if !columns[name] {
				t.Errorf("table %s has no column %s", parsed.Table, name)
			}
			delete(columns, name)
		}
		for name := range columns {
			t.Errorf("%T has no field for %s.%s", row, parsed.Table, name)
		}
	}
}

func TestZeroRowsPutNoNullWhereNoneMayBe(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	for _, row := range rows() {
		tx := db.gorm.Begin() // with the foreign keys looked at only at an end that never comes
		check(t, tx.Exec(map[string]string{"sqlite": "PRAGMA defer_foreign_keys=ON", "postgres": "SET LOCAL session_replication_role = replica"}[catalogsAre()]).Error)
		if err := tx.Create(row).Error; err != nil {
			t.Errorf("%T: %v", row, err)
		}
		back := reflect.New(reflect.TypeOf(row).Elem()).Interface()
		if err := tx.First(back).Error; err != nil {
			t.Errorf("read %T: %v", row, err)
		}
		tx.Rollback()
	}
}

func TestEveryConnectionHasItsSettings(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ask, settings := "PRAGMA ", map[string]string{"journal_mode": "wal", "busy_timeout": "5000", "foreign_keys": "1", "synchronous": "2"}
	if db.place.InPostgres() {
		ask, settings = "SHOW ", map[string]string{"default_transaction_isolation": "read committed", "lock_timeout": "15s", "idle_in_transaction_session_timeout": "5s",
			"timezone": "UTC", "application_name": "rekindle"}
	}
	pool := must(db.gorm.DB())(t)
	for range 4 {
		conn := must(pool.Conn(t.Context()))(t) // kept, so that the next one is another
		t.Cleanup(func() { _ = conn.Close() })
		for setting, want := range settings {
			var got string
			check(t, conn.QueryRowContext(t.Context(), ask+setting).Scan(&got))
			if got != want {
				t.Errorf("%s is %s", setting, got)
			}
		}
	}
}

func TestTheFileIsPrivateAlsoWhenItWasThereBefore(t *testing.T) {
	t.Parallel()
	inFile(t)
	path := filepath.Join(t.TempDir(), "data", "rekindle.db")
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, nil, 0o644))
	check(t, os.Chmod(path, 0o644)) // whatever the umask
	db := open(t, File(path), clockwork.NewFakeClock())
	launched(t, db, spec("orders"))
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		if info := must(os.Stat(file))(t); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", file, info.Mode())
		}
	}
}

func TestAnyPathWillDo(t *testing.T) {
	t.Parallel()
	inFile(t)
	for _, name := range []string{"with space", "q?mark", "ha#sh", "per%41cent", "plus+amp&eq=", "ünïcode", "quo'te\"", "a:b"} {
		path := filepath.Join(t.TempDir(), name, "re?kindle.db")
		db := open(t, File(path), clockwork.NewFakeClock())
		launched(t, db, spec("orders"))
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%q: %v, %v", name, info, err)
		}
		if files := must(os.ReadDir(filepath.Dir(path)))(t); len(files) != 3 {
			t.Errorf("%q: files %v", name, files)
		}
	}
	if db, err := Open(t.Context(), File(t.TempDir()), clockwork.NewFakeClock(), &fakeHost{}); err == nil {
		_ = db.Close()
		t.Error("a folder was opened")
	}
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	check(t, os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600))
	if db, err := Open(t.Context(), File(garbage), clockwork.NewFakeClock(), &fakeHost{}); err == nil {
		_ = db.Close()
		t.Error("garbage was opened")
	}
}

func TestConsolesThatOpenANewCatalogAtOnce(t *testing.T) {
	t.Parallel()
	place := newPlace(t)
	for _, err := range atOnce(6, func(int) error {
		db, err := Open(context.Background(), place, clockwork.NewFakeClock(), &fakeHost{})
		if err != nil {
			return err
		}
		return errors.Join(db.Check(context.Background()), db.Close())
	}) {
		if err != nil {
			t.Error(err)
		}
	}
}

// SQLite compares times as text, which is right only while all are written in one zone.
func TestTimesCompareAsTextJustAsTheyDoAsTimes(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	random := rand.New(rand.NewPCG(3, 4))
	times := make([]time.Time, 300)
	for i := range times {
		nanos := []int{0, 1, 10, 500_000_000, 123_456_789, 999_999_999, random.IntN(1_000_000_000)}[random.IntN(7)]
		times[i] = catalogTime(time.Date(1970+random.IntN(200), 1, 1, 0, 0, random.IntN(5), nanos, time.UTC))
		if i%3 > 0 { // equal and close ones
			times[i] = times[i-1].Add(time.Duration(random.IntN(3)) * 100 * time.Millisecond)
		}
		check(t, db.Events.Add(t.Context(), models.Event{At: times[i].In(time.FixedZone("somewhere", random.IntN(26*3600)-12*3600)), Message: "x"}))
	}
	for _, pivot := range times[:60] {
		for operator, holds := range map[string]func(c int) bool{"<": func(c int) bool { return c < 0 }, "=": func(c int) bool { return c == 0 }, ">=": func(c int) bool { return c >= 0 }} {
			want := 0
			for _, at := range times {
				if holds(at.Compare(pivot)) {
					want++
				}
			}
			if got := count(t, db, &models.Event{}, "at "+operator+" ?", pivot); got != want {
				t.Errorf("%d events are %s %v, want %d", got, operator, pivot, want)
			}
		}
	}
	events := must(db.Events.List(t.Context(), models.List{Sort: "time"}))(t).Rows
	if !slices.IsSortedFunc(events, func(a, b models.Event) int { return a.At.Compare(b.At) }) {
		t.Error("not sorted by time")
	}
	if events[0].At.Location() != time.UTC {
		t.Errorf("read in the zone %v", events[0].At.Location())
	}
}

// zoned is a clock of a machine that is set to another zone.
type zoned struct{ *clockwork.FakeClock }

func (z zoned) Now() time.Time {
	return z.FakeClock.Now().In(time.FixedZone("NPT", 5*3600+45*60))
}

func TestEveryTimeIsStoredInUTC(t *testing.T) {
	t.Parallel()
	clock := zoned{clockwork.NewFakeClockAt(monday.Add(123456789))}
	db := open(t, newPlace(t), clock)
	guarded := launched(t, db, spec("guarded"))
	launched(t, db, spec("moved"))
	told := channel(t, db, "all", nil)
	for _, reachable := range []bool{false, true, false, true} {
		must(db.Clusters.MarkReachable(t.Context(), guarded.ID, reachable, "No answer."))(t)
	}
	check(t, db.Deliveries.Delivered(t.Context(), must(db.Deliveries.Claim(t.Context(), told.ID, 1, time.Minute))(t)[0], "200 OK"))
	c := spec("orders")
	c.Retention = 5
	cluster := launched(t, db, c)
	local := clock.Now()
	must(db.Snapshots.Request(t.Context(), "orders", "one", false, "admin"))(t)
	run := claim(t, db)
	must(db.Tunings.Begin(t.Context(), run, tuningOf(cluster)))(t)
	check(t, db.Runs.ReportProgress(t.Context(), run, models.Progress{Stage: "Reading", StepSince: local}))
	done := measured(db, "one")
	done.StartedAt, done.Parts[0].StartedAt, done.Parts[0].CompletedAt = &local, local, local
	check(t, db.Settle.Snapshot(t.Context(), run, done))
	check(t, db.Drills.SavePlan(t.Context(), "orders", models.DrillPlan{Every: models.Weekly, Window: models.Window{Start: 60, Length: 60}}, "admin"))
	must(db.Drills.Request(t.Context(), "one", "admin"))(t)
	check(t, db.Drills.Settle(t.Context(), claim(t, db), models.Drill{SnapshotID: must(db.Snapshots.Get(t.Context(), "one"))(t).ID, StartedAt: local}))
	must(db.Finds.Request(t.Context(), models.FindSpec{Snapshot: "one", Sought: "x", RequestedBy: "admin"}))(t)
	search := claim(t, db)
	must(db.Finds.Begin(t.Context(), search))(t)
	check(t, db.Finds.Note(t.Context(), search, 1, models.FindProgress{Matches: 1, Done: 1, Keys: []models.FoundKey{{ExpiresAt: &local}}}))
	check(t, db.Finds.Settle(t.Context(), search))
	check(t, db.Recording.Save(t.Context(), "orders", models.JournalPlan{Kept: true, Days: 1, Promise: models.DefaultPromise}, "admin"))
	link, _, err := db.Recording.Claim(t.Context(), cluster, 1, lease(t, db, "console"))
	check(t, err)
	link.State, link.Run = models.JournalFollowing, "run1"
	check(t, db.Recording.Report(t.Context(), link))
	segment := models.JournalSegment{ID: 1, ClusterID: cluster.ID, Shard: 1, Run: "run1", To: 7, Begin: local, End: local, Key: "orders/journal/1"}
	check(t, db.Recording.Stored(t.Context(), link, segment, []models.JournalEvent{{At: local, Command: "FLUSHALL"}}, ""))
	check(t, db.Journal.Verified(t.Context(), segment, 0, nil))
	must(db.Recording.QueueBase(t.Context(), cluster))(t)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "It failed."))
	must(db.Finds.Request(t.Context(), models.FindSpec{Cluster: "orders", Sought: "x", Journal: &models.FindJournal{Only: true}, RequestedBy: "admin"}))(t)
	search = claim(t, db)
	must(db.Finds.Begin(t.Context(), search))(t)
	check(t, db.Finds.NoteChanges(t.Context(), search, 1, models.FoundChanges{Count: 1, Changes: []models.FoundChange{{At: local, ExpiresAt: &local}}, Holes: []models.FindHole{{Begin: &local, End: &local}}}))
	check(t, db.Finds.Settle(t.Context(), search))
	check(t, db.Comparisons.keep(t.Context(), run, models.JournalComparison{Verdict: models.VerdictDiffers}))
	check(t, db.Recording.Save(t.Context(), "orders", models.JournalPlan{Kept: true, Days: 1, Promise: models.DefaultPromise, Synthetic: true}, "admin"))
	clock.Advance(time.Minute) // a name has the minute
	must(db.Comparisons.LookAgain(t.Context(), "orders", "admin"))(t)
	claim(t, db)
	node := cluster.Nodes[0]
	node.SeenAt = &local
	check(t, db.Nodes.Seen(t.Context(), node))
	check(t, db.Losses.Emptied(t.Context(), cluster.ID, node.Name))
	clock.Advance(49 * time.Hour)
	must(db.Schedule.QueueDue(t.Context()))(t)
	check(t, db.Settings.SaveVerifyEvery(t.Context(), 1))
	must(db.Verifications.Queue(t.Context()))(t)
	check(t, db.Migrations.Start(t.Context(), "moved", "db1", "admin"))
	run, _, err = db.Runs.Claim(t.Context(), lease(t, db, "me"), func(run models.Run) bool { return run.Kind == models.RunMigrate })
	check(t, err)
	check(t, db.Migrations.Began(t.Context(), run, models.Migration{Source: "db1:6379", Address: "10.0.0.5:6379"}, "It follows."))
	attached := must(db.Attachments.Attach(t.Context(), attachSpec("attached"), foundAt("10.0.0.1:6379")))(t)
	check(t, db.Attachments.Unreached(t.Context(), attached, "No answer.", nil))
	must(db.Locks.Try(t.Context(), "orders", lease(t, db, "me")))(t)
	must(db.Changes.Modify(t.Context(), "guarded", models.ModifySpec{Password: &models.PasswordChange{Strategy: models.PasswordSet, Password: "another-password-of-it"}, RequestedBy: "admin"}))(t)
	must(db.Users.EnsureAdmin(t.Context(), "a-long-password"))(t)
	must(db.Users.SignIn(t.Context(), models.AdminName, "a-long-password", "::1", "test"))(t)
	_, err = db.Users.SignIn(t.Context(), models.AdminName, "wrong", "::1", "test")
	refused(t, err, models.CodeInvalid)
	checked := 0
	for _, row := range rows() {
		parsed := must(schema.Parse(row, &sync.Map{}, db.gorm.NamingStrategy))(t)
		for _, field := range parsed.Fields {
			if field.DataType != schema.Time {
				continue
			}
			var texts []string
			check(t, db.gorm.Raw(fmt.Sprintf("SELECT CAST(%s AS text) FROM %s WHERE %s IS NOT NULL", field.DBName, parsed.Table, field.DBName)).Scan(&texts).Error)
			for _, text := range texts {
				checked++
				if want := map[string]string{"sqlite": "+00:00", "postgres": "+00"}[catalogsAre()]; !strings.HasSuffix(text, want) || text[10] != ' ' {
					t.Errorf("%s.%s is stored as %s", parsed.Table, field.DBName, text)
				}
			}
			if len(texts) == 0 {
				t.Errorf("%s.%s was never written", parsed.Table, field.DBName)
			}
		}
	}
	if _, found, err := db.Runs.Last(t.Context(), "orders", models.RunSnapshot, local); err != nil || !found {
		t.Errorf("the run of just now is not found by a local time: %v", err)
	}
	t.Logf("%d stored times", checked)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	if got := must(db.Settings.Get(t.Context()))(t); got != (models.Settings{ManualQuota: 20, Price: 0.085, Currency: "$"}) {
		t.Errorf("%+v", got)
	}
	for _, s := range []models.Settings{{ManualQuota: 50, Price: 0, Currency: "EUR"}, {ManualQuota: 1, Price: 1000, Currency: "€"}, {ManualQuota: 10000, Price: 0.0000001, Currency: "Fr."}} {
		check(t, db.Settings.Save(t.Context(), s))
		if got := must(db.Settings.Get(t.Context()))(t); got != s {
			t.Errorf("%+v became %+v", s, got)
		}
	}
	before := content(t, db)
	zero := 0.0
	for _, s := range []models.Settings{{ManualQuota: 0, Price: 1, Currency: "$"}, {ManualQuota: -1, Price: 1, Currency: "$"}, {ManualQuota: 10001, Price: 1, Currency: "$"}, {ManualQuota: 1, Price: -0.1, Currency: "$"}, {ManualQuota: 1, Price: 1001, Currency: "$"}, {ManualQuota: 1, Price: zero / zero, Currency: "$"}, {ManualQuota: 1, Price: 1 / zero, Currency: "$"}, {ManualQuota: 1, Price: 1, Currency: " "}, {ManualQuota: 1, Price: 1, Currency: "too long a one"}} {
		refused(t, db.Settings.Save(t.Context(), s), models.CodeInvalid)
	}
	if content(t, db) != before {
		t.Error("a refused setting was written")
	}
	if got := must(db.Settings.RequestPrices(t.Context()))(t); got != models.DefaultRequestPrices {
		t.Errorf("requests cost %+v", got)
	}
	free := models.RequestPrices{Put: 0, Get: 0.00004}
	check(t, db.Settings.SaveRequestPrices(t.Context(), free))
	refused(t, db.Settings.SaveRequestPrices(t.Context(), models.RequestPrices{Put: -1}), models.CodeInvalid)
	if got := must(db.Settings.RequestPrices(t.Context()))(t); got != free {
		t.Errorf("requests cost %+v", got)
	}
	key := must(db.Settings.SessionKey(t.Context()))(t)
	if again := must(db.Settings.SessionKey(t.Context()))(t); again != key || len(key.Reveal()) != 32 {
		t.Error("the session key changes")
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	won := make([]bool, 20)
	for i := range won {
		lease(t, db, fmt.Sprint(i))
	}
	lease(t, db, "x")
	for _, err := range atOnce(20, func(i int) (err error) {
		won[i], err = db.Locks.Try(context.Background(), "orders", fmt.Sprint(i))
		return err
	}) {
		check(t, err)
	}
	owner := slices.Index(won, true)
	if owner < 0 || slices.Index(won[owner+1:], true) >= 0 {
		t.Fatalf("held by %v", won)
	}
	check(t, db.Locks.Release(t.Context(), "orders", "somebody else"))
	if must(db.Locks.Try(t.Context(), "orders", "x"))(t) {
		t.Error("somebody else gave the lock back")
	}
	check(t, db.Owners.Leave(t.Context(), fmt.Sprint((owner+1)%len(won))))
	if must(db.Locks.Try(t.Context(), "orders", "x"))(t) {
		t.Error("another's lock was broken")
	}
	check(t, db.Locks.Release(t.Context(), "orders", fmt.Sprint(owner)))
	if !must(db.Locks.Try(t.Context(), "orders", "x"))(t) {
		t.Error("the lock was not given back")
	}
	check(t, db.Owners.Leave(t.Context(), "x"))
	if !must(db.Locks.Try(t.Context(), "orders", lease(t, db, "new console")))(t) {
		t.Error("the lock of a console that is gone holds")
	}
	if _, err := db.Locks.Try(t.Context(), "customers", "x"); !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("a lock without a lease: %v", err)
	}
}

func TestRowsOfBeforeGetTheWordsOfNow(t *testing.T) {
	t.Parallel()
	raw := must(gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "old.db")), &gorm.Config{Logger: logger.Discard}))(t)
	t.Cleanup(func() { check(t, must(raw.DB())(t).Close()) })
	before := slices.IndexFunc(sqliteMigrations, func(m migration) bool { return m.id > "0005-losses" })
	check(t, migrate(t.Context(), raw, sqliteMigrations[:before]))
	for _, statement := range []string{
		`INSERT INTO clusters (name, description, kind, engine, engine_version, node_type, shards, replicas, port, port_chosen, password, retention_limit, snapshot_window,
			window_chosen, schedule_since, status, status_reason, restored_from, created_at, updated_at)
			VALUES ('orders', '', 'launched', 'redis', '7.0.15', 'cache.t4g.micro', 1, 0, 6379, true, '', 0, '', false, '2026-01-02', 'rebooting', '', '', '2026-01-02', '2026-01-02')`,
		`INSERT INTO nodes (cluster_id, name, shard, role, host, port, created_at, state, used_memory, max_memory, keys, lag_bytes)
			VALUES (1, 'orders-001', 1, 'primary', '127.0.0.1', 6379, '2026-01-02 03:04:05', '', 0, 0, 0, 0)`,
		`INSERT INTO snapshots (name, cluster_name, cluster_id, source, status, status_reason, description, engine, engine_version, node_type, shards, replicas, port,
			retention_limit, snapshot_window, auth_enabled, rdb_version, bytes, stored, keys, used_memory, served_by, served_role, warning, created_at, node)
			VALUES ('one', 'orders', 1, 'manual', 'available', '', '', 'redis', '7.0.15', '', 1, 0, 0, 0, '', false, 10, 0, 0, 0, 0, 'orders-001', '', '', '2026-01-03', 'orders-001')`,
	} {
		check(t, raw.Exec(statement).Error)
	}
	check(t, migrate(t.Context(), raw, sqliteMigrations))
	var cluster models.Cluster
	check(t, raw.First(&cluster).Error)
	var snapshot models.Snapshot
	check(t, raw.First(&snapshot).Error)
	if cluster.Status != models.ClusterRebooting || snapshot.NodeCreatedAt == nil || !snapshot.NodeCreatedAt.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%s, %v", cluster.Status, snapshot.NodeCreatedAt)
	}
}

// What the API says in ElastiCache's words is not said to people a second time, and a node recovers once for each time it had stopped.
func TestEventsForTheAPIAreForItAlone(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ctx := t.Context()
	cluster := models.Cluster{Name: "orders", Configuration: models.Configuration{Grouped: true}}
	single := models.Cluster{Name: "lone", Nodes: []models.Node{{Name: "lone-001"}}}
	recovered := func(c models.Cluster, node string) { t.Helper(); check(t, db.Events.Recovered(ctx, c, node)) }
	recovered(cluster, "orders-001") // nobody said that it had stopped
	check(t, db.Events.AddAll(ctx, models.NodeRecovering(cluster, "orders-001"), models.NodeRecovering(cluster, "orders-002"), models.NodeRecovering(single, "lone-001")))
	recovered(cluster, "orders-001")
	recovered(cluster, "orders-001")
	recovered(single, "lone-001")
	check(t, db.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: "orders", Message: "For people."}))
	if people := must(db.Events.List(ctx, models.List{}))(t); people.Total != 1 || people.Rows[0].Message != "For people." {
		t.Errorf("people see %+v", people)
	}
	for name, test := range map[string]struct {
		filter models.EventFilter
		want   string
	}{
		"of all":       {models.EventFilter{}, "orders-001 Recovering, orders-002 Recovering, lone Recovering, orders-001 Finished, lone Finished, orders For"},
		"of a group":   {models.EventFilter{SourceType: models.SourceGroup, Source: "orders"}, "orders For"},
		"of a member":  {models.EventFilter{SourceType: models.SourceCluster, Source: "orders", Member: "orders-001"}, "orders-001 Recovering, orders-001 Finished, orders For"},
		"of a cluster": {models.EventFilter{SourceType: models.SourceCluster, Source: "lone"}, "lone Recovering, lone Finished"},
		"of a kind":    {models.EventFilter{SourceType: models.SourceCluster}, "orders-001 Recovering, orders-002 Recovering, lone Recovering, orders-001 Finished, lone Finished"},
	} {
		test.filter.To = db.Now()
		var said []string
		for _, e := range must(db.Events.Page(ctx, test.filter, 0, 100))(t) {
			said = append(said, e.SourceID()+" "+strings.Fields(e.Message)[0])
		}
		if got := strings.Join(said, ", "); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
