package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/jonboulle/clockwork"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"rekindle/models"
)

// Host is what the rules need to know about the place where nodes run. Package jobs implements it over internal/launch.
type Host interface {
	// Engines lists the installed server programs.
	Engines(ctx context.Context) ([]models.Engine, error)
	// Home names the data folder in which this host's nodes have their files: [Owner.Home].
	Home() string
	// Address is the first address that nodes may be bound to, such as "127.0.0.1".
	Address() string
	// Announced is the host by which applications reach the nodes, instead of by the addresses that they are bound to; "" if there is none.
	Announced() string
	// FreePort finds a port at that address on which nothing listens and which avoid does not exclude.
	FreePort(ctx context.Context, avoid func(port int) bool) (int, error)
	// FreeAddress finds an address at which nothing listens on this port and which avoid does not exclude; "" when there is none.
	FreeAddress(ctx context.Context, port int, avoid func(address string) bool) (string, error)
	// CannotTake says why this engine can neither load a snapshot nor have it written into it key by key, with these deadlines; "" when it can.
	CannotTake(engine models.Engine, snapshot models.Snapshot, deadlines models.Deadlines) string
	// FieldsExpire tells whether a snapshot may have hashes whose fields expire.
	FieldsExpire(snapshot models.Snapshot) bool
	// Expired says how many keys of a snapshot have expired at a time: at least, and at most. known is false when that cannot be told.
	Expired(snapshot models.Snapshot, at time.Time) (least, most int64, known bool)
}

// DB is the catalog: a small type for each thing that it keeps, over one database.
type DB struct {
	Clusters      Clusters
	Attachments   Attachments
	Tunings       Tunings
	Fills         Fills
	Changes       Changes
	Migrations    OnlineMigrations
	Nodes         Nodes
	Losses        Losses
	History       History
	Impacts       Impacts
	Usage         Usage
	Snapshots     Snapshots
	Copies        Copies
	Schedule      Schedule
	Verifications Verifications
	Drills        Drills
	Recording     Recording
	Comparisons   Comparisons
	Journal       Journal
	Recoveries    Recoveries
	Finds         Finds
	BringBacks    BringBacks
	Runs          Runs
	Settle        Settling
	Owners        Owners
	Locks         Locks
	Parameters    Parameters
	Subnets       Subnets
	AccessUsers   AccessUsers
	UserGroups    UserGroups
	Tags          Tags
	Keys          Keys
	Calls         Calls
	Users         Users
	Settings      Settings
	Records       Records
	Rebuild       Rebuilding
	Remains       Remains
	Events        Events
	Channels      Channels
	Alarms        Alarms
	Deliveries    Deliveries
	Clock         Clock
	Disk          Disk
	Engines       Engines
	Measures      Measures

	gorm   *gorm.DB
	kind   database
	place  Place
	clock  clockwork.Clock
	host   Host
	folder string // whose disk is watched
	watch  *clockWatch
	probe  *diskProbe
	day    *dayLoad
}

// Open opens the catalog at this place. It creates it if it is not there, and brings its tables up to date.
func Open(ctx context.Context, place Place, clock clockwork.Clock, host Host) (*DB, error) {
	kind := place.database()
	db, err := kind.connect(clock)
	if err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", place, err)
	}
	catalog := (&DB{gorm: db, kind: kind, place: place, clock: clock, host: host, folder: place.folder(), watch: newClockWatch(), probe: &diskProbe{}, day: &dayLoad{}}).bound()
	pending, err := prepare(ctx, kind, db, clock.Now())
	if err == nil && pending {
		err = migrate(ctx, db, kind.migrations())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open catalog %s: %w", place, err), catalog.Close())
	}
	if moved, is, err := find[models.Setting](db.WithContext(ctx).Where("name = ?", movedSetting)); err != nil {
		return nil, errors.Join(fmt.Errorf("open catalog %s: %w", place, err), catalog.Close())
	} else if is {
		return nil, errors.Join(fmt.Errorf("open catalog %s: %w %s: start with --catalog and that one", place, ErrMoved, moved.Value), catalog.Close())
	}
	if err := catalog.Clock.remember(ctx); err != nil {
		return nil, errors.Join(err, catalog.Close())
	}
	return catalog, nil
}

func gormConfig(clock clockwork.Clock) *gorm.Config {
	return &gorm.Config{
		TranslateError: true,
		NowFunc:        func() time.Time { return catalogTime(clock.Now()) },
		Logger:         logger.Discard, // errors are returned and logged once, at the edge; and the default logger prints secrets
	}
}

// bound points every part at this database.
func (db *DB) bound() *DB {
	db.Clusters = Clusters{db}
	db.Attachments = Attachments{db}
	db.Tunings = Tunings{db}
	db.Fills = Fills{db}
	db.Changes = Changes{db}
	db.Migrations = OnlineMigrations{db}
	db.Nodes = Nodes{db}
	db.Losses = Losses{db}
	db.History = History{db}
	db.Impacts = Impacts{db}
	db.Usage = Usage{db}
	db.Snapshots = Snapshots{db}
	db.Copies = Copies{db}
	db.Schedule = Schedule{db}
	db.Verifications = Verifications{db}
	db.Drills = Drills{db}
	db.Recording = Recording{db}
	db.Comparisons = Comparisons{db}
	db.Journal = Journal{db}
	db.Recoveries = Recoveries{db}
	db.Finds = Finds{db}
	db.BringBacks = BringBacks{db}
	db.Runs = Runs{db}
	db.Settle = Settling{db}
	db.Owners = Owners{db}
	db.Locks = Locks{db}
	db.Parameters = Parameters{db}
	db.Subnets = Subnets{db}
	db.AccessUsers = AccessUsers{db}
	db.UserGroups = UserGroups{db}
	db.Tags = Tags{db}
	db.Keys = Keys{db}
	db.Calls = Calls{db}
	db.Users = Users{db}
	db.Settings = Settings{db}
	db.Records = Records{db}
	db.Rebuild = Rebuilding{db}
	db.Remains = Remains{db}
	db.Events = Events{db}
	db.Channels = Channels{db}
	db.Alarms = Alarms{db}
	db.Deliveries = Deliveries{db}
	db.Clock = Clock{db}
	db.Disk = Disk{db}
	db.Engines = Engines{db}
	db.Measures = Measures{db}
	return db
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
	if err := db.kind.check(db.with(ctx)); err != nil {
		return fmt.Errorf("query catalog: %w", err)
	}
	return nil
}

// Place is where the catalog is.
func (db *DB) Place() Place { return db.place }

// Watch calls a function with each query from now on, and with how many rows it returned or changed, or -1 where the caller reads the rows itself.
// Call it before others use the catalog.
func (db *DB) Watch(seen func(query string, rows int64)) {
	db.gorm.Logger = watcher{logger.Discard, seen}
}

type watcher struct {
	logger.Interface
	seen func(query string, rows int64)
}

func (w watcher) Trace(_ context.Context, _ time.Time, query func() (string, int64), _ error) {
	w.seen(query())
}

// reading is a watcher of a query whose rows are counted while they are read. Until then it only remembers the query.
type reading struct {
	watcher
	query string
}

func (r *reading) Trace(_ context.Context, _ time.Time, query func() (string, int64), _ error) {
	r.query, _ = query()
}

// Now is the catalog's time, in UTC.
func (db *DB) Now() time.Time { return catalogTime(db.clock.Now()) }

// catalogTime is a time as every catalog keeps it. SQLite compares times as text, which is right in one zone only, and PostgreSQL counts in
// microseconds.
func catalogTime(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

func catalogTimeOf(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	utc := catalogTime(*at)
	return &utc
}

// transaction runs fn so that all of its changes happen or none. fn must not use the network.
func (db *DB) transaction(ctx context.Context, fn func(tx *DB) error) error {
	var mark *invocation
	err := db.gorm.WithContext(ctx).Transaction(func(g *gorm.DB) (err error) {
		copied := *db
		copied.gorm = g
		tx := copied.bound()
		if mark, err = markInvocation(ctx, tx); err != nil {
			return err
		}
		return fn(tx)
	})
	if err != nil && mark != nil {
		mark.written = false // it was rolled back with the transaction
	}
	return err
}

func (db *DB) with(ctx context.Context) *gorm.DB { return db.gorm.WithContext(ctx) }

// readAll reads many rows straight into their fields. gorm inspects each value and takes several times as long. A column that may be NULL needs a
// pointer field.
func readAll[T any](ctx context.Context, db *DB, which func(*gorm.DB) *gorm.DB) ([]T, error) {
	// The driver starts a goroutine for each row of a query that can be cancelled.
	query := which(db.with(context.WithoutCancel(ctx)).Model(new(T)))
	var all []T
	if w, watched := query.Logger.(watcher); watched {
		r := &reading{watcher: w}
		query = query.Session(&gorm.Session{Logger: r})
		defer func() { w.seen(r.query, int64(len(all))) }()
	}
	described := gorm.Statement{DB: query}
	if err := described.Parse(new(T)); err != nil {
		return nil, err
	}
	rows, err := query.Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	fields := make([]*schema.Field, len(columns))
	for i, column := range columns {
		if fields[i] = described.Schema.FieldsByDBName[column]; fields[i] == nil {
			return nil, fmt.Errorf("no field has the column %s", column)
		}
	}
	targets := make([]any, len(fields))
	for rows.Next() {
		var row T
		all = append(all, row)
		value := reflect.ValueOf(&all[len(all)-1]).Elem()
		for i, field := range fields {
			targets[i] = field.ReflectValueOf(ctx, value).Addr().Interface()
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
	}
	return all, rows.Err()
}

// find loads the one row that matches, and tells whether there is one.
func find[T any](query *gorm.DB) (T, bool, error) {
	var rows []T
	if err := query.Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		var none T
		return none, false, err
	}
	return rows[0], true, nil
}
