package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// sqliteDatabase is a catalog in a file of SQLite.
type sqliteDatabase struct{ place Place }

func (d sqliteDatabase) connect(clock clockwork.Clock) (*gorm.DB, error) {
	if err := createPrivate(d.place.File); err != nil {
		return nil, err
	}
	return connectSQLite(d.place.File, clock)
}

func (sqliteDatabase) migrations() []migration { return sqliteMigrations }

// SQLite would not choose a partial index by itself.
func (sqliteDatabase) using(table, index string) string { return table + " INDEXED BY " + index }

func (sqliteDatabase) check(db *gorm.DB) error { return db.Exec("SELECT 1").Error }

func (sqliteDatabase) lastID(db *gorm.DB, table string) (last int64, err error) {
	err = db.Raw("SELECT seq FROM sqlite_sequence WHERE name = ?", table).Scan(&last).Error
	return last, err
}

func (sqliteDatabase) setLastID(db *gorm.DB, table string, id int64) error {
	return errors.Join(db.Exec("DELETE FROM sqlite_sequence WHERE name = ?", table).Error, db.Exec("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, id).Error)
}

func (sqliteDatabase) like() string { return "LIKE" }

// keep copies the file.
func (d sqliteDatabase) keep(ctx context.Context, db *gorm.DB, pending string, now time.Time) error {
	prefix := d.place.File + ".before-"
	target := prefix + pending + "." + now.UTC().Format("20060102T150405.000")
	if err := copyCatalog(ctx, db, target); err != nil {
		return fmt.Errorf("keep a copy of the catalog before it is changed: %w", err)
	}
	return dropOldCopies(prefix, target)
}

func connectSQLite(path string, clock clockwork.Clock) (*gorm.DB, error) {
	// The pragmas hold per connection, so they belong in the DSN. Transactions begin as immediate ones: a deferred
	// read-then-write fails at once when somebody else wrote in between, whatever the busy timeout.
	const patience, pause = 5 * time.Second, 10 * time.Millisecond
	for began := time.Now(); ; time.Sleep(pause) {
		db, err := connectWith(path, "_journal_mode=WAL&_busy_timeout=5000&_foreign_keys=on&_txlock=immediate&_synchronous=FULL", clock)
		// While another console creates the journal of a new file, SQLite does not wait: its busy timeout would be a deadlock there.
		if busy, is := errors.AsType[sqlite3.Error](err); !is || busy.Code != sqlite3.ErrBusy || time.Since(began) > patience {
			return db, err
		}
	}
}

// connectPlain opens a copy, which has no journal beside it and must not get one.
func connectPlain(path string) (*gorm.DB, error) {
	return connectWith(path, "mode=ro&immutable=1", clockwork.NewRealClock())
}

func connectWith(path, options string, clock clockwork.Clock) (*gorm.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options}
	pool, err := sql.Open(sqlite.DriverName, dsn.String())
	if err != nil {
		return nil, err
	}
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: sqlitePool{pool, make(chan struct{}, 1)}}), gormConfig(clock))
	if err != nil && db != nil && db.ConnPool != nil {
		err = errors.Join(err, closePool(db))
	}
	return db, err
}

// sqlitePool lets one transaction of this process begin after the other, in turn. SQLite itself has those that wait look again now and then, and
// whoever looks at the right moment is next: on a busy machine somebody looks in vain until the busy timeout is over. GORM wraps every write in a
// transaction.
type sqlitePool struct {
	*sql.DB
	turn chan struct{} // has an element while a transaction is open
}

func (p sqlitePool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

func (p sqlitePool) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	end := sync.OnceFunc(func() { <-p.turn })
	tx, err := p.DB.BeginTx(ctx, options)
	if err != nil {
		end()
		return nil, err
	}
	return &sqliteTx{tx, end}, nil
}

type sqliteTx struct {
	*sql.Tx
	end func()
}

func (t *sqliteTx) Commit() error {
	defer t.end()
	return t.Tx.Commit()
}

func (t *sqliteTx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}

// createPrivate makes the file readable by its owner only before SQLite writes secrets into it; SQLite gives its
// journal files the same mode.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create folder of catalog: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create catalog: %w", err)
	}
	// The mode of a file that was there already is not changed by opening it.
	return errors.Join(file.Chmod(0o600), file.Close())
}
