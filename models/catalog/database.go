package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"
	"gorm.io/gorm"

	"rekindle/internal/secret"
)

// Place is where a catalog is: a file of SQLite, or a database of a PostgreSQL server.
type Place struct {
	File   string      // of SQLite
	URL    secret.Text // of PostgreSQL, postgres://user:password@host/database?sslmode=verify-full; "": use the File
	Folder string      // the data folder, whose disk is watched; "": the one that the File is in
}

// File is a place in SQLite.
func File(path string) Place { return Place{File: path} }

// InPostgres tells whether the place is a PostgreSQL database.
func (p Place) InPostgres() bool { return p.URL != "" }

// String names the place to people, without any secret.
func (p Place) String() string {
	if !p.InPostgres() {
		return p.File
	}
	u, err := url.Parse(p.URL.Reveal())
	if err != nil {
		return "postgres"
	}
	return (&url.URL{Scheme: "postgres", Host: u.Host, Path: u.Path}).String()
}

// Check tells whether this can be a place. Its error contains no secret.
func (p Place) Check() error {
	if p.InPostgres() {
		_, err := postgresConfig(p.URL)
		return err
	}
	return nil
}

func (p Place) folder() string {
	if p.Folder == "" && p.File != "" {
		return filepath.Dir(p.File)
	}
	return p.Folder
}

// database is what the two kinds of places do not have in common. Everything else is written in SQL that both understand in the same way: text is
// compared byte by byte, times are absolute, and there is one writer at a time.
type database interface {
	// connect opens the place, and creates what is missing of it except the tables.
	connect(clock clockwork.Clock) (*gorm.DB, error)
	// migrations are what creates and changes its tables.
	migrations() []migration
	// keep makes a copy before migrations from this one on change the tables. Where that is not possible, there are other ways back.
	keep(ctx context.Context, db *gorm.DB, pending string, now time.Time) error
	// check asks the database something.
	check(db *gorm.DB) error
	// lastID returns the last number that a row of this table ever got; setLastID sets it.
	lastID(db *gorm.DB, table string) (int64, error)
	setLastID(db *gorm.DB, table string, id int64) error
	// using reads a table by this index, where the planner would not choose it.
	using(table, index string) string
	// like is the operator that ignores the case of ASCII letters.
	like() string
}

func (p Place) database() database {
	if p.InPostgres() {
		return postgresDatabase{p}
	}
	return sqliteDatabase{p}
}

// Exists tells whether there is a catalog at this place. It creates nothing.
func Exists(ctx context.Context, place Place) (exists bool, err error) {
	if !place.InPostgres() {
		if _, err := os.Stat(place.File); errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
	}
	db, err := place.database().connect(clockwork.NewRealClock())
	if err != nil {
		return false, fmt.Errorf("open catalog %s: %w", place, err)
	}
	defer func() { err = errors.Join(err, closePool(db)) }()
	applied, err := appliedMigrations(db.WithContext(ctx))
	if err != nil {
		return false, fmt.Errorf("open catalog %s: %w", place, err)
	}
	return len(applied) > 0, nil
}

// ErrNewerCatalog says that the catalog was written by a newer Rekindle.
var ErrNewerCatalog = errors.New("the catalog is newer than this Rekindle")

// appliedMigrations returns the IDs of the migrations applied to a catalog; none for a new one.
func appliedMigrations(db *gorm.DB) ([]string, error) {
	if !db.Migrator().HasTable("migrations") {
		return nil, db.Exec("SELECT 1").Error // "no table" and "no answer" look the same
	}
	var ids []string
	if err := db.Raw("SELECT id FROM migrations ORDER BY id").Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("look into the catalog: %w", err)
	}
	return ids, nil
}

// prepare refuses a catalog that is newer than this program, and keeps a copy of one that is about to be changed. It tells whether there is
// something to migrate.
func prepare(ctx context.Context, at database, db *gorm.DB, now time.Time) (pending bool, err error) {
	applied, err := appliedMigrations(db.WithContext(ctx))
	if err != nil || len(applied) == 0 {
		return true, err
	}
	known := at.migrations()
	for _, id := range applied {
		if !slices.ContainsFunc(known, func(m migration) bool { return m.id == id }) {
			return false, fmt.Errorf("%w: it has been brought to %s, which this version does not know. Start the newer version again; "+
				"or go back to a copy from before the upgrade, and lose what has happened since", ErrNewerCatalog, id)
		}
	}
	for _, m := range known {
		if !slices.Contains(applied, m.id) {
			return true, at.keep(ctx, db, m.id, now)
		}
	}
	return false, nil
}

// contains returns a condition for a column that contains the text, and the pattern that it needs.
func (db *DB) contains(column, text string) (condition, pattern string) {
	text = text[:min(len(text), maxText)]
	pattern = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	return column + " " + db.kind.like() + ` ? ESCAPE '\'`, pattern
}
