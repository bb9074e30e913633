package declared

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/drain"
	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
)

// every is how often clusters that could not be reached are tried again.
const every = time.Minute

// saidMistakes is how many mistakes an event names. The log has all of them.
const saidMistakes = 5

// Attacher finds clusters and writes down how they were found. Refusals are [models.Faults].
type Attacher interface {
	Attach(ctx context.Context, spec models.AttachSpec) (models.Cluster, error)
	ChangeAccess(ctx context.Context, name string, access models.Access, password secret.Text, requestedBy string) error
}

// Config is what a [Keeper] is built from.
type Config struct {
	DB       *catalog.DB
	Clock    clockwork.Clock
	Clusters Attacher
	Logger   *slog.Logger
	Mine     func(ctx context.Context) (bool, error) // whether this console is the one that looks after attached clusters
}

// Keeper keeps attached clusters in line with a clusters file, from its first [Keeper.Declare] on.
type Keeper struct {
	Config
	loops       *drain.Loops
	wake        chan struct{}
	mu          sync.Mutex
	cut         context.CancelFunc // ends the round that is under way
	file        File
	refused     string
	outstanding map[string]models.Outstanding
}

// NewKeeper builds a keeper that has no file.
func NewKeeper(config Config) *Keeper {
	return &Keeper{Config: config, loops: drain.NewLoops(), wake: make(chan struct{}, 1), cut: func() {}, outstanding: make(map[string]models.Outstanding)}
}

// Declare says what is declared from now on, and has it applied at once. A round that is under way, perhaps waiting for hosts that are away, is cut
// off for that.
func (k *Keeper) Declare(file File) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file, k.refused = file, ""
	k.cut()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Start begins the rounds.
func (k *Keeper) Start(context.Context) error {
	k.loops.Go(k.watch)
	return nil
}

// Stop ends the rounds, and waits until none is under way, or ctx ends.
func (k *Keeper) Stop(ctx context.Context) error { return k.loops.Stop(ctx) }

func (k *Keeper) watch(ctx context.Context) {
	ticker := k.Clock.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		round, cut := context.WithCancel(ctx)
		k.mu.Lock()
		file := k.file
		k.cut = cut
		k.mu.Unlock()
		if file.Path != "" {
			k.round(round, file)
		}
		cut()
		select {
		case <-ctx.Done():
		case <-ticker.Chan():
		case <-k.wake:
		}
	}
}

// Refuse records that the file has mistakes. What it said before stays in force.
func (k *Keeper) Refuse(ctx context.Context, mistakes Mistakes) error {
	k.Logger.Error("the clusters file was not applied", "mistakes", mistakes.Error())
	said := []string(mistakes)
	if more := len(said) - saidMistakes; more > 0 {
		said = append(slices.Clone(said[:saidMistakes]), fmt.Sprintf("And %d more; the log has them.", more))
	}
	text := strings.Join(said, " ")
	k.mu.Lock()
	k.refused = text
	k.mu.Unlock()
	return k.DB.Events.Add(ctx, models.Event{Severity: models.SeverityError, Message: "The clusters file was not applied, and everything stays as it was. " + text})
}

// State says how far the file is in force. Only the console that looks after attached clusters knows what is outstanding.
func (k *Keeper) State() models.Declared {
	k.mu.Lock()
	defer k.mu.Unlock()
	return models.Declared{File: k.file.Path, Refused: k.refused,
		Outstanding: slices.SortedFunc(maps.Values(k.outstanding), func(a, b models.Outstanding) int { return cmp.Compare(a.Name, b.Name) })}
}

// settle records what a round could not do. Each new failure gets its event even if the round is cut off meanwhile: later it would no longer be new.
func (k *Keeper) settle(ctx context.Context, file File, failed map[string]models.Outstanding) {
	ctx = context.WithoutCancel(ctx)
	k.mu.Lock()
	before := k.outstanding
	k.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		o := failed[name]
		if was, known := before[name]; known {
			o.Since = was.Since
			failed[name] = o
			continue
		}
		if err := k.say(ctx, file, o); err != nil {
			k.Logger.Error("write an event", "error", err)
		}
	}
	k.mu.Lock()
	k.outstanding = failed
	k.mu.Unlock()
}

// say writes the event of a cluster that is not as the file says.
func (k *Keeper) say(ctx context.Context, file File, o models.Outstanding) error {
	what := "is not attached yet"
	if o.Attached {
		what = "is not yet as the file says"
	}
	k.Logger.Warn("a cluster of the clusters file "+what, "cluster", o.Name, "reason", o.Reason)
	return k.DB.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: o.Name,
		Message: fmt.Sprintf("The cluster %s of the clusters file %s %s. %s It is tried again every minute.", o.Name, file.Path, what, o.Reason)})
}
