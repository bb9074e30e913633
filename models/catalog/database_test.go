package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"
	"gorm.io/gorm/schema"

	"rekindle/internal/secret"
	"rekindle/models"
)

// columnsOf lists the columns and indexes of each table, in words that are the same for both databases.
func columnsOf(t testing.TB, db *DB) map[string][]string {
	t.Helper()
	var columns []struct {
		Tab, Name, Type string
		Required        bool
		Fallback        string // by default
	}
	var indexes []struct{ Tab, Statement string }
	if db.place.InPostgres() {
		check(t, db.gorm.Raw(`SELECT table_name AS tab, column_name AS name, data_type AS type, is_nullable = 'NO' AS required, COALESCE(column_default, '') AS fallback
			FROM information_schema.columns WHERE table_schema = current_schema()`).Scan(&columns).Error)
		check(t, db.gorm.Raw(`SELECT tablename AS tab, indexdef AS statement FROM pg_indexes WHERE schemaname = current_schema() AND indexname LIKE 'idx%'`).Scan(&indexes).Error)
	} else {
		check(t, db.gorm.Raw(`SELECT m.name AS tab, c.name, lower(c.type) AS type, c."notnull" OR c.pk AS required, COALESCE(c.dflt_value, '') AS fallback
			FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'`).Scan(&columns).Error)
		check(t, db.gorm.Raw(`SELECT tbl_name AS tab, sql AS statement FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`).Scan(&indexes).Error)
	}
	types := map[string]string{"integer": "bigint", "datetime": "timestamp with time zone", "blob": "bytea"}
	found := make(map[string][]string)
	for _, c := range columns {
		if c.Tab != "migrations" { // gormigrate's own
			found[c.Tab] = append(found[c.Tab], fmt.Sprintf("column %s %s required %t default %s", c.Name, cmp.Or(types[c.Type], c.Type), c.Required, strings.TrimSuffix(c.Fallback, "::text")))
		}
	}
	for _, i := range indexes {
		parts := indexStatement.FindStringSubmatch(i.Statement)
		found[i.Tab] = append(found[i.Tab], fmt.Sprintf("index %s unique %t on %s, partial %t", parts[2], parts[1] != "", strings.TrimSuffix(strings.ReplaceAll(parts[3], " NULLS FIRST", ""), ", id"), strings.Contains(i.Statement, "WHERE")))
	}
	for table := range found {
		slices.Sort(found[table])
	}
	return found
}

var indexStatement = regexp.MustCompile(`CREATE (UNIQUE )?INDEX (\w+) ON .*?\((.*?)\)`)

func TestTablesAreTheSameInBothDatabases(t *testing.T) {
	t.Parallel()
	file := columnsOf(t, open(t, File(filepath.Join(t.TempDir(), "rekindle.db")), clockwork.NewFakeClockAt(monday)))
	server := columnsOf(t, open(t, postgresPlace(t), clockwork.NewFakeClockAt(monday)))
	if len(file) < 20 {
		t.Fatalf("there are only %d tables", len(file))
	}
	for _, table := range slices.Sorted(maps.Keys(file)) {
		if !slices.Equal(file[table], server[table]) {
			t.Errorf("%s is in SQLite\n\t%s\nand in PostgreSQL\n\t%s", table, strings.Join(file[table], "\n\t"), strings.Join(server[table], "\n\t"))
		}
	}
	for table := range server {
		if file[table] == nil {
			t.Errorf("only PostgreSQL has %s", table)
		}
	}
}

func TestPlacesAreNamedWithoutTheirSecrets(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://rekindle:hunter2@db.example.com:5433/backups?sslmode=verify-full&password=hunter2": "postgres://db.example.com:5433/backups",
		"postgres://db.example.com/backups": "postgres://db.example.com/backups",
		"postgres://a:hunter2%zz@x/y":       "postgres",
	} {
		place := Place{URL: secret.Text(url)}
		if got := place.String(); got != want {
			t.Errorf("%s is %s", url, got)
		}
		if text := fmt.Sprintf("%v %+v %#v %s", place, place, place, place); strings.Contains(text, "hunter2") {
			t.Errorf("%s is printed as %s", url, text)
		}
	}
}

func TestConfigurationsHaveTheSameColumnsEverywhere(t *testing.T) {
	t.Parallel()
	var columns []string
	for _, row := range []any{&models.Configuration{}, &models.Cluster{}, &models.Snapshot{}} {
		parsed := must(schema.Parse(row, &sync.Map{}, schema.NamingStrategy{}))(t)
		if columns == nil {
			columns = parsed.DBNames
		}
		for _, column := range columns {
			if _, has := parsed.FieldsByDBName[column]; !has {
				t.Errorf("%s has no column %s", parsed.Name, column)
			}
		}
	}
	written := slices.Sorted(maps.Keys(configurationColumns(models.Configuration{})))
	if slices.Sort(columns); !slices.Equal(written, columns) {
		t.Errorf("%v are written, of %v", written, columns)
	}
}
