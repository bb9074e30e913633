package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"rekindle/internal/drain"
	"rekindle/internal/launch"
	"rekindle/internal/store"
	"rekindle/jobs/attached"
	"rekindle/jobs/declared"
	"rekindle/jobs/links"
	"rekindle/jobs/measure"
	"rekindle/jobs/nodes"
	"rekindle/jobs/notify"
	"rekindle/jobs/queue"
	"rekindle/jobs/tick"
	"rekindle/jobs/tuning"
	"rekindle/jobs/vault"
	"rekindle/models"
	"rekindle/models/catalog"
)

// Config is what a [Manager] is built from. The limits have defaults.
type Config struct {
	DB       *catalog.DB
	Store    store.Store
	Launcher launch.Launcher
	Host     *Host
	Clock    clockwork.Clock // decides when things are due; what only paces I/O uses real time
	Logger   *slog.Logger
	Tracer   trace.Tracer // is told of runs and their stages; nil: nobody is
	// OpenStore opens another store by its URL, for copies, exports and imports (folders only).
	OpenStore func(ctx context.Context, url string) (store.Store, error)
	// Bucket returns the URL of a bucket that is reached in the same way as the snapshot store (s3://bucket).
	Bucket func(name, region string) string
	// PublicURL is where people reach the console, for links in messages; "": nobody has said.
	PublicURL string
	// Spool is a folder for what the store does not take at once of clusters' journals; "": there is none, and little may wait.
	Spool string
	// Declared is the clusters file to start with; nil: there is none.
	Declared *declared.File

	Transfers        int           // snapshots, restores, copies and uploads at once (2): each needs some 20 MiB
	SnapshotsPerHost int           // forks at once on one host (1)
	Chores           int           // other runs at once (4)
	Bandwidth        int64         // bytes a second that all snapshots together read from their sources (0: no limit)
	Parts            int           // hosts of one snapshot that are read at once (4)
	SuperviseEvery   time.Duration // 2 s
	FollowEvery      time.Duration // between two looks at an attached cluster (10 s)
	ReplicaWait      time.Duration // how long a restore into a cluster that exists waits for its replicas (10 s)
	Lease            time.Duration // after which a silent console counts as gone (15 s); the others read it in the catalog
}

// Manager carries out runs, supervises nodes and asks the schedule. Start it once, stop it once.
type Manager struct {
	Config
	scheduler *tick.Scheduler
	run       context.Context // ends at Stop
	stop      context.CancelCauseFunc
	lease     *queue.Lease
	queue     *queue.Queue
	nodes     *nodes.Supervisor
	attached  *attached.Follower
	declared  *declared.Keeper
	tuner     *tuning.Tuner
	vault     *vault.Vault
	locks     *locks
	builder   *builder
	handover  *handover
	migrator  *migrator
	filler    *filler
	bringer   *bringer
	calendar  *calendar
	disk      *disk
	counts    *measure.Recorder
	notifier  *notify.Notifier
	links     *links.Keeper
}

// loop is something that works in the background from its start until it is stopped.
type loop interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error // cuts off what is under way, and waits for it to end until ctx ends
}

// New builds a manager; nothing happens before [Manager.Start].
func New(config Config) (*Manager, error) {
	defaults(&config.Transfers, 2)
	defaults(&config.SnapshotsPerHost, 1)
	defaults(&config.Chores, 4)
	defaults(&config.Parts, 4)
	defaults(&config.SuperviseEvery, 2*time.Second)
	defaults(&config.FollowEvery, 10*time.Second)
	defaults(&config.ReplicaWait, 10*time.Second)
	defaults(&config.Lease, 15*time.Second)
	if config.Bucket == nil {
		config.Bucket = func(name, region string) string { return "s3://" + name + "?region=" + region }
	}
	config.Launcher = discreet{config.Launcher, config.DB, config.Logger}
	scheduler, err := tick.New(config.Clock)
	if err != nil {
		return nil, err
	}
	m := &Manager{Config: config, scheduler: scheduler}
	m.run, m.stop = context.WithCancelCause(context.Background())
	m.counts = measure.New()
	m.calendar, m.disk = &calendar{m.DB, m.Logger, m.Wake, m.counts}, &disk{db: m.DB, logger: m.Logger, host: hostName()}
	m.lease = queue.NewLease(queue.LeaseConfig{DB: m.DB, Home: m.Host.Home(), Lasts: m.Lease, Logger: m.Logger, TakesOver: m.goOn})
	m.locks = &locks{m.DB, m.lease, m.Logger}
	m.vault = vault.New(vault.Config{DB: m.DB, Store: m.Store, Launcher: m.Launcher, Host: m.Host, Lease: m.lease, Clock: m.Clock, Logger: m.Logger, Life: m.run,
		OpenStore: m.OpenStore, Bandwidth: m.Bandwidth, Lock: m.locks.lock, Sentence: explain, Wake: m.Wake, Moving: func() int64 { return m.queue.Moving() },
		GoOn: func(ctx context.Context) error { return m.queue.Recover(ctx) }, Dial: nodes.Dial, Follows: nodes.Follows})
	m.nodes = nodes.New(nodes.Config{Operator: nodes.Operator{DB: m.DB, Launcher: m.Launcher}, Home: m.Host.Home(), Clock: m.Clock, Logger: m.Logger,
		Every: m.SuperviseEvery, Lock: m.locks.try, Sentence: sentence, Wake: m.Wake})
	first := func(ctx context.Context) (bool, error) { return m.DB.Owners.First(ctx, m.lease.Owner()) }
	m.attached = attached.NewFollower(attached.Config{DB: m.DB, Clock: m.Clock, Logger: m.Logger, Every: m.FollowEvery, Mine: first})
	m.notifier = notify.New(notify.Config{DB: m.DB, Clock: m.Clock, Logger: m.Logger, PublicURL: strings.TrimSuffix(m.PublicURL, "/"), Mine: first, Store: m.Store.Location(),
		Present: m.storePresent, Space: m.storeSpace, Sentence: explain})
	m.links = links.New(links.Config{DB: m.DB, Store: vault.Leased(m.Store, m.lease), Nodes: m.nodes, Clock: m.Clock, Logger: m.Logger, Spool: m.Spool, Owner: m.lease.Owner, Within: m.lease.Within, Mine: first, Present: m.vault.Health.Present,
		Sentence: explain, Wake: m.Wake})
	m.declared = declared.NewKeeper(declared.Config{DB: m.DB, Clock: m.Clock, Clusters: m.attached, Logger: m.Logger, Mine: first})
	m.tuner = tuning.New(tuning.Config{DB: m.DB, Logger: m.Logger, Owner: m.lease.Owner, Hold: m.lease.Hold, Working: func(run uint) bool { return m.queue.Working(run) }})
	m.builder, m.handover = &builder{m.Config, m.nodes, m.locks, m.vault.Reader, m.vault.Verifier, m.vault.Recoverer}, &handover{m.Config, m.locks}
	m.migrator = &migrator{m.Config, m.locks}
	m.filler = &filler{m.Config, m.locks, m.attached, m.vault.Reader, m.vault.Verifier}
	m.bringer = &bringer{m.filler, m.prepare}
	m.queue = queue.New(queue.Config{DB: m.DB, Kinds: m.kinds(), Lease: m.lease, Logger: m.Logger, Transfers: m.Transfers, Chores: m.Chores,
		Ready: m.vault.Sweeper.Looked(), Sentence: sentence, Reachable: m.vault.Health.Present, Tracer: m.Tracer, Ended: m.counts.Ended, ClearsAway: m.vault.Keeper.ClearAway})
	return m, nil
}

func defaults[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// Start repairs what a killed console left in the catalog, then starts the loops. It returns once they run, even if the store cannot be reached:
// what was left in the store is cleaned up alongside the loops.
func (m *Manager) Start(ctx context.Context) error {
	if _, err := m.DB.Clock.Look(ctx, time.Time{}); err != nil { // before anything is deleted because of its age
		return err
	}
	if err := m.lease.Start(ctx); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	m.vault.Start(ctx)
	if err := m.scheduler.Add(m.run, slices.Concat(m.calendar.ticks(), m.disk.ticks(), m.notifier.Ticks(), m.links.Ticks(), m.vault.Ticks(), m.tuner.Ticks())...); err != nil {
		return err
	}
	if err := m.queue.Start(ctx); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	m.scheduler.Start()
	if m.Config.Declared != nil {
		m.declared.Declare(*m.Config.Declared)
	}
	return errors.Join(m.nodes.Start(ctx), m.attached.Start(ctx), m.declared.Start(ctx), m.links.Start(ctx))
}

// Stop ends the loops and cuts off the runs, which settle what they were doing: some fail cleanly, such as snapshots, and the others begin
// again at the next start. It waits for them until ctx ends, writes the records that are due, and then gives its lease back.
func (m *Manager) Stop(ctx context.Context) error {
	m.stop(drain.ErrStopping)
	loops := []loop{m.queue, m.nodes, m.attached, m.declared, m.notifier, m.links}
	failures := make([]error, len(loops))
	var stops sync.WaitGroup
	for i, loop := range loops {
		stops.Go(func() { failures[i] = loop.Stop(ctx) })
	}
	err := m.scheduler.Stop()
	stops.Wait()
	if failed := errors.Join(failures...); failed != nil {
		return errors.Join(err, fmt.Errorf("stop jobs: %w", failed))
	}
	m.vault.Recorder.KeepLast(ctx)
	return errors.Join(err, m.lease.Stop(ctx))
}

// StopNodes saves and stops every node of every launched cluster, for a host or a container that goes down with the console.
func (m *Manager) StopNodes(ctx context.Context) error { return m.nodes.StopNodes(ctx) }

// SetBandwidth changes how many bytes a second all snapshots together read from their sources; 0: no limit.
func (m *Manager) SetBandwidth(bandwidth int64) { m.vault.SetBandwidth(bandwidth) }

// Wake tells the queue that runs were queued.
func (m *Manager) Wake() { m.queue.Wake() }

// Owner is the id of the lease that this console has.
func (m *Manager) Owner() string { return m.lease.Owner() }

// JournalSeconds says how much was written to a cluster in each second of a span.
func (m *Manager) JournalSeconds(ctx context.Context, cluster models.Cluster, span models.RecoverySpan) ([]models.JournalWrites, error) {
	return m.links.Seconds(ctx, cluster, span)
}

// goOn continues runs that were cut off.
func (m *Manager) goOn(ctx context.Context) error {
	if err := m.queue.Requeue(ctx); err != nil {
		return err
	}
	m.queue.Wake()
	return errors.Join(m.scheduler.Now(tuning.Name), m.scheduler.Now(vault.GoesOn))
}

// RebuildCatalog rebuilds the catalog from the store without a run, for a console that is not started. It calls say from time to time with its
// progress.
func (m *Manager) RebuildCatalog(ctx context.Context, say func(text string)) (models.Rebuilt, error) {
	if err := m.lease.Start(ctx); err != nil {
		return models.Rebuilt{}, err
	}
	done, err := m.vault.Rebuilder.Read(ctx, say)
	if err == nil {
		err = m.DB.Rebuild.Event(ctx, done)
	}
	if err = errors.Join(err, m.lease.Stop(context.WithoutCancel(ctx))); err != nil {
		return done, fmt.Errorf("rebuild the catalog: %w", err)
	}
	return done, nil
}

// OpenPart opens one part of a snapshot for reading: as a plain RDB, or as it is stored.
func (m *Manager) OpenPart(ctx context.Context, snapshot models.Snapshot, part models.Part, plain bool) (io.ReadCloser, error) {
	return m.vault.Reader.OpenPart(ctx, snapshot, part, plain)
}

// Counts is what this console has done since it started, for Prometheus.
func (m *Manager) Counts() prometheus.Collector { return m.counts }

// StoreLocation says where snapshots are kept.
func (m *Manager) StoreLocation() string { return m.Store.Location() }

// StoreNotice says in a sentence why the store is not taken for the console's own, "" if it is.
func (m *Manager) StoreNotice() string { return m.vault.Health.Unrecognised() }

// CheckStore tells whether the store can be written and read now, or could be a moment ago. An error says in words why not.
func (m *Manager) CheckStore(ctx context.Context) error { return m.vault.Health.Check(ctx) }

// DescribeStore says what is known about the store. What the store does not tell is left out.
func (m *Manager) DescribeStore(ctx context.Context) (models.StoreInfo, error) {
	return m.vault.Health.Describe(ctx)
}

// TestChannel sends a message through a channel at once, and returns what became of it.
func (m *Manager) TestChannel(ctx context.Context, channel models.Channel, by string) (models.Delivery, error) {
	return m.notifier.Test(ctx, channel, by)
}

// HostMemory returns the memory of the host on which nodes are launched, in bytes.
func (m *Manager) HostMemory(ctx context.Context) (total, available int64, err error) {
	memory, err := m.Launcher.Memory(ctx)
	return memory.Total, memory.Available, err
}

// Engines lists the installed server programs whose data can be kept: all but memcached, which only the API launches.
func (m *Manager) Engines(ctx context.Context) ([]models.Engine, error) {
	engines, err := m.Host.Engines(ctx)
	return slices.DeleteFunc(engines, func(e models.Engine) bool { return e.Name == models.EngineMemcached }), err
}

// CannotTake says why an engine can neither load a snapshot nor have it written into it key by key, as the end of a sentence; "" when it can.
func (m *Manager) CannotTake(engine models.Engine, snapshot models.Snapshot, deadlines models.Deadlines) string {
	return m.Host.CannotTake(engine, snapshot, deadlines)
}

// BucketURL is the address of a bucket that is reached in the same way as the snapshot store. If that store is a folder, only the region is known.
func (m *Manager) BucketURL(bucket, region string) string { return m.Bucket(bucket, region) }
