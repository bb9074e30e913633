package catalog

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// update writes down what is new. It never changes what exists.
var update = flag.Bool("update", false, "write the sums and catalogs of new migrations into testdata")

const (
	migrationSums = "testdata/migrations.sum" // "<ID> <SHA-256 of its statements>", by ID
	oldCatalogs   = "testdata/catalogs"       // <ID of the last migration>.sql, each written by the program of that time
	howToAppend   = "run `go test ./models -run Migration -update` and commit models/testdata"
)

func TestMigrationsAreAppendedAndNeverChanged(t *testing.T) {
	sums, order := statementSums(t), migrationIDs()
	for _, id := range order {
		if first := postgresMigrations[0].id; id > first && !slices.ContainsFunc(postgresMigrations, func(m migration) bool { return m.id == id }) {
			t.Errorf("the migration %s is not there for PostgreSQL: append it there too", id)
		}
	}
	if !slices.IsSorted(order) || len(slices.Compact(slices.Clone(order))) != len(order) {
		t.Errorf("the migrations are not in the order of their IDs: %v", order)
	}
	committed := make(map[string]string)
	for line := range strings.Lines(string(must(os.ReadFile(migrationSums))(t))) {
		id, sum, _ := strings.Cut(strings.TrimSpace(line), " ")
		committed[id] = sum
	}
	for id, sum := range committed {
		switch now, there := sums[id]; {
		case !there:
			t.Errorf("the migration %s is gone, or has another ID. Catalogs exist to which it was applied: put it back, and append another one", id)
		case now != sum:
			t.Errorf("the migration %s was changed. Catalogs exist to which it was applied as it was: put it back, and append another one", id)
		}
	}
	for _, m := range postgresMigrations {
		order = append(order, inPostgres+m.id)
	}
	var lines strings.Builder
	for _, id := range order {
		if committed[id] == "" && !*update {
			t.Errorf("the migration %s is new: %s", id, howToAppend)
		}
		fmt.Fprintln(&lines, id, sums[id])
	}
	if *update && !t.Failed() {
		check(t, os.WriteFile(migrationSums, []byte(lines.String()), 0o644))
	}
}

// Each state that the tables ever had on main has a catalog in testdata. It is brought up to date and then used.
func TestMigrationsOfOldCatalogs(t *testing.T) {
	if *update {
		writeMissingCatalogs(t)
	}
	inFile(t)
	fresh, _ := catalog(t)
	files := must(filepath.Glob(filepath.Join(oldCatalogs, "*.sql")))(t)
	for _, id := range migrationIDs() {
		// 0001 and 0002 came to main together with 0003.
		if file := filepath.Join(oldCatalogs, id+".sql"); id >= "0003" && !slices.Contains(files, file) {
			t.Errorf("there is no %s: %s", file, howToAppend)
		}
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".sql"), func(t *testing.T) {
			db, clock := upgraded(t, file)
			if got, want := tables(t, db), tables(t, fresh); !maps.EqualFunc(got, want, slices.Equal[[]string]) {
				for table := range want {
					if !slices.Equal(got[table], want[table]) {
						t.Errorf("%s is\n\t%s\nand in a new catalog\n\t%s", table, strings.Join(got[table], "\n\t"), strings.Join(want[table], "\n\t"))
					}
				}
				t.Fatal("the tables are not those of a new catalog")
			}
			use(t, db, clock)
		})
	}
}

// upgraded is the catalog of this dump, opened by the program of today.
func upgraded(t *testing.T, file string) (*DB, *clockwork.FakeClock) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rekindle.db")
	raw := must(connectSQLite(path, clockwork.NewFakeClock()))(t)
	check(t, raw.Exec(string(must(os.ReadFile(file))(t))).Error)
	before := rowCounts(t, raw)
	check(t, must(raw.DB())(t).Close())
	clock := clockwork.NewFakeClockAt(monday.Add(2 * 24 * time.Hour)) // within a day of the last thing that happened
	db := open(t, File(path), clock)
	for table, n := range rowCounts(t, db.gorm) {
		if n < before[table] {
			t.Errorf("of %d rows of %s %d remain", before[table], table, n)
		}
	}
	if wrong := wrongTallies(t, db); wrong != 0 {
		t.Errorf("what is kept of %d clusters is wrong", wrong)
	}
	return db, clock
}

func migrationIDs() []string {
	ids := make([]string, len(sqliteMigrations))
	for i, m := range sqliteMigrations {
		ids[i] = m.id
	}
	return ids
}

// statementSums runs each migration on a new catalog and returns the sums of the statements that it executes. How they are
// broken into lines does not count.
func statementSums(t *testing.T) map[string]string {
	t.Helper()
	db := must(connectSQLite(filepath.Join(t.TempDir(), "rekindle.db"), clockwork.NewFakeClock()))(t)
	t.Cleanup(func() { check(t, must(db.DB())(t).Close()) })
	sums := make(map[string]string)
	for _, m := range sqliteMigrations {
		var said statements
		check(t, m.do(db.Session(&gorm.Session{Logger: &said})))
		sums[m.id] = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(said, ";\n"))))
	}
	dry := must(postgresDatabase{Place{URL: "postgres://nobody@127.0.0.1:1/nothing"}}.connect(clockwork.NewFakeClock()))(t)
	t.Cleanup(func() { check(t, closePool(dry)) })
	for _, m := range postgresMigrations {
		var said statements
		check(t, m.do(dry.Session(&gorm.Session{DryRun: true, Logger: &said})))
		sums[inPostgres+m.id] = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(said, ";\n"))))
	}
	return sums
}

// inPostgres marks the sums of migrations of PostgreSQL.
const inPostgres = "postgres/"

// statements is a logger that keeps them.
type statements []string

func (s *statements) LogMode(logger.LogLevel) logger.Interface      { return s }
func (s *statements) Info(context.Context, string, ...interface{})  {}
func (s *statements) Warn(context.Context, string, ...interface{})  {}
func (s *statements) Error(context.Context, string, ...interface{}) {}
func (s *statements) Trace(_ context.Context, _ time.Time, fc func() (string, int64), _ error) {
	statement, _ := fc()
	*s = append(*s, strings.Join(strings.Fields(statement), " "))
}

// tables lists the columns and indexes of each table. Their order is not compared: a column added later stands last.
func tables(t *testing.T, db *DB) map[string][]string {
	t.Helper()
	var lines []struct{ Name, Line string }
	check(t, db.gorm.Raw(`SELECT m.name, 'column '||c.name||' '||c.type||' notnull '||c."notnull"||' key '||c.pk||' default '||coalesce(c.dflt_value, '-') AS line
			FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
		UNION ALL SELECT tbl_name, coalesce(sql, name) FROM sqlite_master WHERE type IN ('index', 'trigger') ORDER BY 1, 2`).Scan(&lines).Error)
	found := make(map[string][]string)
	for _, l := range lines {
		found[l.Name] = append(found[l.Name], l.Line)
	}
	return found
}

func rowCounts(t *testing.T, db *gorm.DB) map[string]int {
	t.Helper()
	var names []string
	check(t, db.Raw("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").Scan(&names).Error)
	counts := make(map[string]int, len(names))
	for _, name := range names {
		var n int
		check(t, db.Raw("SELECT count(*) FROM "+name).Scan(&n).Error)
		counts[name] = n
	}
	return counts
}
