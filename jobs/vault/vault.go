package vault

import (
	"context"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/journal"
	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/internal/store"
	"rekindle/jobs/tick"
	"rekindle/models"
	"rekindle/models/catalog"
)

// Config is what a [Vault] is built from.
type Config struct {
	DB       *catalog.DB
	Store    store.Store
	Launcher launch.Launcher // of the nodes that try imports and snapshots out, and of those found when a catalog is rebuilt
	Host     Host
	Lease    Lease
	Clock    clockwork.Clock // decides when things are due; what only paces I/O uses real time
	Logger   *slog.Logger
	Life     context.Context // ends when the console is stopped
	// OpenStore opens another store by its URL, for copies, exports and imports. If it is nil, only folders can be opened.
	OpenStore func(ctx context.Context, url string) (store.Store, error)
	// Bandwidth is how many bytes a second all snapshots together read from their sources; 0: no limit.
	Bandwidth int64

	// Segments finds what is stored of the replication stream of a cluster: what ends at since or later, and begins at until or before. If it is nil, the
	// store is listed.
	Segments func(ctx context.Context, cluster models.Cluster, since, until time.Time) ([]journal.Segment, error)

	Lock     func(ctx context.Context, name string) (unlock func(), err error) // waits for it
	Sentence func(error) (text string, known bool)                             // words an error for people
	Wake     func()                                                            // says that a run was queued
	Moving   func() int64                                                      // how many runs and uploads move data now
	GoOn     func(ctx context.Context) error                                   // goes on with runs that were cut off

	Dial    func(ctx context.Context, cluster models.Cluster, node models.Node) (*resp.Conn, error)
	Follows func(ctx context.Context, cluster models.Cluster, node models.Node) (primary string, replica bool, err error) // asks a node
}

// Host is the place where nodes are launched.
type Host interface {
	Engines(ctx context.Context) ([]models.Engine, error)
	Home() string // names the data folder
}

// Lease is this console's right to change what is stored.
type Lease interface {
	Owner() string                           // names this console in the catalog
	Hold(ctx context.Context) error          // fails when it was lost
	Alone(ctx context.Context) (bool, error) // tells whether no other console has one
}

// Vault works on what is in the store: each of its parts has one subject.
type Vault struct {
	Health    *Health    // whether the store is there, and still the one that was opened
	Reader    *Reader    // reads snapshots
	Keeper    *Keeper    // decides what may be removed from the store
	Writer    *Writer    // brings what clusters hold into the store
	Remover   *Remover   // removes snapshots
	Mover     *Mover     // ends copies, exports and imports
	Copier    *Copier    // copies snapshots, here and to other stores
	Exporter  *Exporter  // writes RDB files into other stores
	Importer  *Importer  // makes snapshots from RDB files
	Finder    *Finder    // looks for keys in snapshots
	Driller   *Driller   // shows that what is stored can be loaded
	Recoverer *Recoverer // makes snapshots of moments
	Comparer  *Comparer  // compares snapshots with what the journal makes of them
	Verifier  *Verifier  // reads back what is stored
	Recorder  *Recorder  // keeps records of the clusters in the store as well
	Rebuilder *Rebuilder // makes a catalog from the store
	Sweeper   *Sweeper   // cleans up what was left half done

	clocks *clocks
	trials *trials
}

// New builds a vault; nothing happens before [Vault.Start].
func New(config Config) *Vault {
	if config.OpenStore == nil {
		config.OpenStore = openFolder
	}
	config.Store = &marked{db: config.DB, logger: config.Logger, opened: config.Store}
	k := kit{Config: config, archive: archive.New(Leased(config.Store, config.Lease)), pace: &pacer{}}
	k.pace.set(config.Bandwidth)
	k.health = &Health{Config: config, archive: k.archive}
	v := &Vault{Health: k.health, Reader: &Reader{k}, Keeper: &Keeper{k}, Recorder: &Recorder{kit: k}, Rebuilder: &Rebuilder{k}, clocks: &clocks{k}, trials: &trials{k}}
	opener := &opener{k}
	remains := &remains{k, v.clocks, opener}
	v.Verifier = &Verifier{k, archive.New(quietStore{config.Store, config.Moving})}
	v.Driller = &Driller{k, v.trials, v.Verifier}
	v.Finder = &Finder{kit: k, trials: v.trials, quiet: v.Verifier.quiet}
	v.Writer = &Writer{k, v.Keeper}
	v.Remover = &Remover{k, v.Keeper}
	v.Mover = &Mover{k, v.Keeper, v.Verifier, remains}
	v.Copier = &Copier{k, v.Reader, v.Mover, remains, opener}
	v.Exporter = &Exporter{k, v.Reader, remains, opener}
	v.Importer = &Importer{k, v.Mover, v.trials, opener}
	v.Recoverer = &Recoverer{k, v.Reader, v.Writer, v.Mover, v.Verifier, v.trials, make(chan struct{}, 1)}
	v.Comparer = &Comparer{v.Recoverer}
	v.Sweeper = &Sweeper{kit: k, keeper: v.Keeper, recorder: v.Recorder, clocks: v.clocks, remains: remains, begun: time.Now(), looked: make(chan struct{})}
	return v
}

// Start removes what a killed console left on this host.
func (v *Vault) Start(ctx context.Context) { v.trials.endAll(ctx) }

// GoesOn names the tick that goes on with runs that were cut off.
const GoesOn = "recover"

// Ticks are the tasks that are repeated.
func (v *Vault) Ticks() []tick.Tick {
	return []tick.Tick{
		{Name: "clock", Every: time.Minute, Do: v.clocks.watch},
		{Name: GoesOn, Every: time.Minute, Do: v.Sweeper.Recover},
		{Name: "sweep", Every: time.Minute, Do: v.Sweeper.hourly},
		{Name: "verify", Every: time.Minute, Do: v.Verifier.ask},
		{Name: "drill", Every: time.Minute, Do: v.Driller.ask},
		{Name: "searches", Every: time.Hour, Do: v.Finder.forget},
		{Name: "mark", Every: time.Minute, Do: v.Health.watch},
		{Name: "records", Every: time.Minute, Do: v.Recorder.keepUp},
	}
}

// SetBandwidth changes how many bytes a second all snapshots together read from their sources; 0: no limit.
func (v *Vault) SetBandwidth(bandwidth int64) { v.Writer.pace.set(bandwidth) }

// kit is what all parts of the vault work with.
type kit struct {
	Config
	archive *archive.Archive // of the store, as long as the lease is held
	health  *Health
	pace    *pacer // at which sources are read
}

// event writes an event.
func (k *kit) event(ctx context.Context, severity models.Severity, cluster, message string) {
	if err := k.DB.Events.Add(ctx, models.Event{Severity: severity, ClusterName: cluster, Message: message}); err != nil {
		k.Logger.Error("write event", "message", message, "error", err)
	}
}
