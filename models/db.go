package models

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jonboulle/clockwork"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Engine is a server program that can be launched.
type Engine struct {
	Name    string // "redis" or "valkey"
	Version string // "7.0.15"
}

// String returns "redis 7.0.15".
func (e Engine) String() string { return e.Name + " " + e.Version }

// Host is what the rules need to know of the place where nodes run. Package jobs implements it over internal/launch.
type Host interface {
	// Engines lists the installed server programs.
	Engines(ctx context.Context) ([]Engine, error)
	// Home names the data folder in which this host's nodes have their files: [Owner.Home].
	Home() string
	// Address is the first of those that nodes may be bound to, such as "127.0.0.1".
	Address() string
	// FreePort finds a port on which nothing listens at that address and that avoid does not exclude.
	FreePort(ctx context.Context, avoid func(port int) bool) (int, error)
	// FreeAddress finds an address at which nothing listens on this port and that avoid does not exclude. It is "" when there is none.
	FreeAddress(ctx context.Context, port int, avoid func(address string) bool) (string, error)
	// CanLoad tells whether this engine can load an RDB of this version.
	CanLoad(engine Engine, rdbVersion int) bool
}

// DB is the catalog.
type DB struct {
	gorm   *gorm.DB
	clock  clockwork.Clock
	host   Host
	folder string // in which the catalog lies
	watch  *clockWatch
	probe  *diskProbe
}

// Open opens the catalog in this SQLite file, creates it when it is not there and brings its tables up to date.
func Open(ctx context.Context, path string, clock clockwork.Clock, host Host) (*DB, error) {
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	db, err := connect(path, clock)
	if err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", path, err)
	}
	catalog := &DB{gorm: db, clock: clock, host: host, folder: filepath.Dir(path), watch: newClockWatch(), probe: &diskProbe{}}
	err = prepare(ctx, db, path, clock.Now())
	if err == nil {
		err = migrate(db.WithContext(ctx))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open catalog %s: %w", path, err), catalog.Close())
	}
	if err := catalog.rememberClock(ctx); err != nil {
		return nil, errors.Join(err, catalog.Close())
	}
	return catalog, nil
}

func connect(path string, clock clockwork.Clock) (*gorm.DB, error) {
	// The pragmas hold per connection, so they belong in the DSN. Transactions begin as immediate ones: a deferred
	// read-then-write fails at once when somebody else wrote in between, whatever the busy timeout.
	return connectWith(path, "_journal_mode=WAL&_busy_timeout=5000&_foreign_keys=on&_txlock=immediate&_synchronous=FULL", clock)
}

// connectPlain opens a copy, which has no journal beside it and is to have none.
func connectPlain(path string) (*gorm.DB, error) {
	return connectWith(path, "mode=ro&immutable=1", clockwork.NewRealClock())
}

func connectWith(path, options string, clock clockwork.Clock) (*gorm.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options}
	return gorm.Open(sqlite.Open(dsn.String()), &gorm.Config{
		TranslateError: true,
		NowFunc:        func() time.Time { return clock.Now().UTC() },
		Logger:         logger.Discard, // errors are returned and logged once, at the edge; and the default prints secrets
	})
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

// Close closes the catalog.
func (db *DB) Close() error {
	return closePool(db.gorm)
}

func closePool(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("close catalog: %w", err)
	}
	return pool.Close()
}

// Check tells whether the catalog answers.
func (db *DB) Check(ctx context.Context) error {
	if err := db.gorm.WithContext(ctx).Exec("SELECT 1").Error; err != nil {
		return fmt.Errorf("query catalog: %w", err)
	}
	return nil
}

// Now is the catalog's time, in UTC.
func (db *DB) Now() time.Time { return db.clock.Now().UTC() }

// inUTC is how every time is stored: SQLite compares times as text, which is right in one zone only.
func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	utc := at.UTC()
	return &utc
}

// transaction runs fn so that all its changes happen or none. No network I/O belongs into fn.
func (db *DB) transaction(ctx context.Context, fn func(tx *DB) error) error {
	var mark *invocation
	err := db.gorm.WithContext(ctx).Transaction(func(g *gorm.DB) (err error) {
		copied := *db
		tx := &copied
		tx.gorm = g
		if mark, err = markInvocation(ctx, tx); err != nil {
			return err
		}
		return fn(tx)
	})
	if err != nil && mark != nil {
		mark.written = false // it went with the transaction
	}
	return err
}

func (db *DB) with(ctx context.Context) *gorm.DB { return db.gorm.WithContext(ctx) }

// find loads the one row that matches, and tells whether there is one.
func find[T any](query *gorm.DB) (T, bool, error) {
	var rows []T
	if err := query.Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		var none T
		return none, false, err
	}
	return rows[0], true, nil
}
