package jobs

import (
	"context"
	"errors"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/launch"
	"rekindle/internal/rdb"
	"rekindle/internal/words"
	"rekindle/models"
)

// Host describes the host on which nodes are launched to the rules in models.
type Host struct {
	nodes launch.Placer
	home  string
}

// NewHost describes the host on which these nodes run. home names the data folder: [models.Owner.Home].
func NewHost(nodes launch.Placer, home string) *Host { return &Host{nodes: nodes, home: home} }

// Home names the data folder.
func (h *Host) Home() string { return h.home }

// Engines lists the installed server programs.
func (h *Host) Engines(ctx context.Context) ([]models.Engine, error) {
	found, err := h.nodes.Engines(ctx)
	if err != nil {
		return nil, err
	}
	engines := make([]models.Engine, len(found))
	for i, e := range found {
		engines[i] = models.Engine{Name: e.Name, Version: e.Version}
	}
	return engines, nil
}

// Address is the first address that nodes may be bound to.
func (h *Host) Address() string { return h.nodes.Address() }

// Announced is the host by which applications reach the nodes; "" if that is the address of each.
func (h *Host) Announced() string { return h.nodes.Announced() }

// FreePort finds a port for a node at the first address.
func (h *Host) FreePort(ctx context.Context, avoid func(int) bool) (int, error) {
	free, err := h.nodes.Place(ctx, 0, func(e launch.Endpoint) bool { return avoid(e.Port) })
	return free.Port, err
}

// FreeAddress finds an address for a node with this port; "" when there is none.
func (h *Host) FreeAddress(ctx context.Context, port int, avoid func(string) bool) (string, error) {
	free, err := h.nodes.Place(ctx, port, func(e launch.Endpoint) bool { return avoid(e.Host) })
	if errors.Is(err, launch.ErrNoPort) {
		return "", nil
	}
	return free.Host, err
}

// CannotTake says why this engine can neither load a snapshot nor have it written into it key by key, with these deadlines; "" when it can. The text
// continues a sentence.
func (h *Host) CannotTake(engine models.Engine, snapshot models.Snapshot, deadlines models.Deadlines) string {
	if rdb.CanLoad(engine.Name, engine.Version, snapshot.RDBVersion) {
		return ""
	}
	obstacles, known := rdb.Obstacles(engine.Name, engine.Version, snapshot.RDBVersion, kindsOf(snapshot), rdb.FieldDeadlines{Drop: deadlines == models.DeadlinesDropped})
	switch {
	case !known:
		return ", and because it is not known how its values are stored, they cannot be written into it one by one either."
	case len(obstacles) == 0:
		return ""
	}
	return ", nor can it be written into it key by key: it has " + obstacleText(obstacles) + "."
}

// FieldsExpire tells whether a snapshot may have hashes whose fields expire.
func (h *Host) FieldsExpire(snapshot models.Snapshot) bool {
	return kindsOf(snapshot).FieldsExpire(snapshot.RDBVersion)
}

// Expired says how many keys of a snapshot have expired at a time: at least, and at most. known is false when that cannot be told.
func (h *Host) Expired(snapshot models.Snapshot, at time.Time) (least, most int64, known bool) {
	for _, part := range snapshot.Parts {
		if part.Expires == 0 {
			continue
		}
		some, all, ok := rdb.Lifetimes(part.Lifetimes).Expired(at)
		if !ok {
			return 0, 0, false
		}
		least, most = least+some, most+all
	}
	return least, most, true
}

// kindsOf is how the values of a snapshot are stored, in all of its parts.
func kindsOf(snapshot models.Snapshot) rdb.Kinds {
	kinds := rdb.NoKinds
	for _, part := range snapshot.Parts {
		kinds = kinds.And(rdb.Kinds(part.Kinds))
	}
	return kinds
}

// obstacleText lists the kinds of data whose stored form an engine does not know, each with its first keys.
func obstacleText(obstacles []rdb.Obstacle) string {
	var all []string
	for _, o := range obstacles {
		text := o.What
		var keys []string
		for _, key := range o.Keys[:min(len(o.Keys), 3)] {
			keys = append(keys, words.QuoteKey(key))
		}
		if len(keys) > 0 {
			text += " (" + strings.Join(keys, ", ") + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// engineOf is the engine of a cluster's nodes, for whom values take a form that it reads.
func engineOf(cluster models.Cluster) rdb.Target {
	target, _ := rdb.TargetOf(cluster.Engine, cluster.EngineVersion)
	return target
}

// wholly tells whether a cluster's engine loads the RDBs of a snapshot as they are.
func wholly(cluster models.Cluster, manifest archive.Manifest) bool {
	return rdb.CanLoad(cluster.Engine, cluster.EngineVersion, manifest.RDBVersion)
}
