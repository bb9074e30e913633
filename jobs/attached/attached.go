// Package attached looks after clusters that were there before Rekindle: it tries them out before they are attached, and follows their changes. It
// never changes anything on their nodes.
package attached

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/drain"
	"rekindle/internal/secret"
	"rekindle/internal/topology"
	"rekindle/jobs/nodes"
	"rekindle/models"
	"rekindle/models/catalog"
)

const (
	// atOnce is how many clusters are looked at at a time.
	atOnce = 8
	// silentLooks is how many looks in a row must fail before a cluster is called unreachable.
	silentLooks = 2
	// lookTimeout bounds one look at a cluster.
	lookTimeout = 20 * time.Second
)

// Config is what a [Follower] is built from.
type Config struct {
	DB     *catalog.DB
	Clock  clockwork.Clock
	Logger *slog.Logger
	Every  time.Duration                           // between two looks at a cluster
	Mine   func(ctx context.Context) (bool, error) // whether this console is the one that looks
}

// Follower keeps the catalog in line with what attached clusters are.
type Follower struct {
	Config
	loops  *drain.Loops
	mu     sync.Mutex
	silent map[uint]int // failed looks in a row, by the cluster's ID
}

// NewFollower builds a follower; nothing happens before [Follower.Start].
func NewFollower(config Config) *Follower {
	return &Follower{Config: config, loops: drain.NewLoops(), silent: make(map[uint]int)}
}

// Start begins to look after the clusters.
func (f *Follower) Start(context.Context) error {
	f.loops.Go(f.watch)
	return nil
}

// Stop ends that, and waits until no look is under way, or ctx ends.
func (f *Follower) Stop(ctx context.Context) error { return f.loops.Stop(ctx) }

func (f *Follower) watch(ctx context.Context) {
	drain.Rounds(ctx, f.Every, atOnce, f.due, func(c models.Cluster) uint { return c.ID }, func(ctx context.Context, cluster models.Cluster) {
		if err := f.follow(ctx, cluster); err != nil && ctx.Err() == nil {
			f.Logger.Error("follow attached cluster", "cluster", cluster.Name, "error", err)
		}
	})
}

// due returns the clusters to look at now.
func (f *Follower) due(ctx context.Context) []models.Cluster {
	mine, err := f.Mine(ctx)
	var clusters []models.Cluster
	if err == nil && mine {
		clusters, err = f.DB.Attachments.Attached(ctx)
	}
	if err != nil && ctx.Err() == nil {
		f.Logger.Error("follow attached clusters", "error", err)
	}
	return clusters
}

// follow looks at a cluster once.
func (f *Follower) follow(ctx context.Context, cluster models.Cluster) error {
	if cluster.Status == models.ClusterDeleting {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	t, err := look(limited, cluster)
	if ctx.Err() != nil {
		return nil
	}
	found, why := foundOf(t), ""
	if err != nil {
		why = Sentence(err, cluster.Attachment.Access)
	} else if silent := silentPrimaries(found); silent != "" { // in cluster mode the other nodes still know it
		why = strings.TrimSpace(fmt.Sprintf("A primary does not answer: %s. %s", silent, denied(found)))
	}
	if why == "" {
		f.note(cluster.ID, true)
		return f.DB.Attachments.Follow(ctx, cluster, found)
	}
	if f.note(cluster.ID, false) < silentLooks && cluster.Status != models.ClusterUnreachable {
		return nil
	}
	f.Logger.Debug("an attached cluster is out of reach", "cluster", cluster.Name, "reason", why, "error", err)
	return f.DB.Attachments.Unreached(ctx, cluster, why, f.each(ctx, cluster))
}

// note counts the failed looks in a row.
func (f *Follower) note(cluster uint, reached bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.silent[cluster]++; reached {
		delete(f.silent, cluster)
	}
	return f.silent[cluster]
}

// look finds a cluster at the addresses that were given; when that fails, by its last known primary, and then by any of its nodes. A given address
// may belong to something else by now, and those who run the cluster need not tell us.
func look(ctx context.Context, cluster models.Cluster) (topology.Topology, error) {
	access := cluster.Attachment.Access
	found, first := discover(ctx, access, cluster.Password)
	if first == nil || cluster.Attachment.Topology == string(topology.Sentinel) {
		return found, first
	}
	for _, n := range append(cluster.Primaries(), cluster.Nodes...) {
		access.Addresses = models.Lines{n.Address()}
		if found, err := discover(ctx, access, cluster.Password); err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return found, first
}

// each looks at every node of a cluster that cannot be reached as a whole.
func (f *Follower) each(ctx context.Context, cluster models.Cluster) []models.Node {
	seen := make([]models.Node, len(cluster.Nodes))
	var probes sync.WaitGroup
	for i, n := range cluster.Nodes {
		probes.Go(func() { seen[i] = nodes.Seen(ctx, cluster, n, f.DB.Now()) })
	}
	probes.Wait()
	return seen
}

// Attach finds a cluster and writes it down as it was found. Refusals are [models.Faults].
func (f *Follower) Attach(ctx context.Context, spec models.AttachSpec) (models.Cluster, error) {
	if err := f.DB.Attachments.Check(ctx, &spec); err != nil {
		return models.Cluster{}, err
	}
	found, err := f.find(ctx, spec.Access, spec.Password)
	if err != nil {
		return models.Cluster{}, err
	}
	return f.DB.Attachments.Attach(ctx, spec, found)
}

// ChangeAccess looks for a cluster in another way and, if it was found, writes down that it is reached that way. Refusals are [models.Faults].
func (f *Follower) ChangeAccess(ctx context.Context, name string, access models.Access, password secret.Text, requestedBy string) error {
	if faults := models.CheckAccess(&access); len(faults) > 0 {
		return faults
	}
	found, err := f.find(ctx, access, password)
	if err != nil {
		return err
	}
	return f.DB.Attachments.Change(ctx, name, access, password, requestedBy, found)
}

// find looks for a cluster that must be there.
func (f *Follower) find(ctx context.Context, access models.Access, password secret.Text) (models.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	t, err := discover(ctx, access, password)
	if err != nil {
		f.Logger.Info("a cluster to be attached was not found", "error", err)
		return models.Found{}, faultsOf(err, access)
	}
	found := foundOf(t)
	if why := denied(found); why != "" {
		return found, models.Refuse(models.CodeInvalid, "addresses", "A primary that the other nodes name is not connected to: "+why)
	}
	if silent := silentPrimaries(found); silent != "" {
		return found, models.Refuse(models.CodeInvalid, "addresses", fmt.Sprintf("A primary that the other nodes name cannot be reached from here: %s. Map its address to one that can be reached from here, or let the console through.", silent))
	}
	return found, nil
}
