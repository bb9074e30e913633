package nodes

import (
	"context"
	"errors"
	"strconv"

	"rekindle/internal/launch"
	"rekindle/jobs/reason"
	"rekindle/models"
	"rekindle/models/catalog"
)

// Operator has the operations on nodes that runs and the supervisor share.
type Operator struct {
	DB       *catalog.DB
	Launcher launch.Launcher
}

// StartNode starts a node as the catalog describes it. A node that is already running is left alone.
func (o *Operator) StartNode(ctx context.Context, cluster models.Cluster, node models.Node) error {
	want, err := o.describe(ctx, cluster, node)
	if err != nil {
		return err
	}
	return o.start(ctx, cluster, node, want)
}

// StartPreloaded starts a new primary with the RDB that was put in place for it by Launcher.Preload. Until [Open] no client writes to it.
func (o *Operator) StartPreloaded(ctx context.Context, cluster models.Cluster, node models.Node) error {
	want, err := o.describe(ctx, cluster, node)
	if err != nil {
		return err
	}
	want.Held, want.Preloaded = false, true
	return o.start(ctx, cluster, node, want)
}

// describe says how a node is started.
func (o *Operator) describe(ctx context.Context, cluster models.Cluster, node models.Node) (launch.Node, error) {
	want := launch.Node{
		Cluster: cluster.Name, Name: node.Name, Engine: cluster.Engine, Version: cluster.EngineVersion, Host: node.Host, Port: node.Port,
		MaxMemory: cluster.MaxMemory(), Password: cluster.Password, OldPassword: cluster.OldPassword, SavePoints: savesItself(cluster, node),
		Announced: node.Announced, Held: node.Role == models.RolePrimary && Filling(cluster), ClusterMode: managed(cluster), TLS: cluster.TransitEncryption,
	}
	var err error
	if want.Peers, err = o.peers(ctx, cluster); err != nil {
		return want, err
	}
	if want.User = cluster.SignsInAs(); want.User != "" {
		if want.Users, err = o.users(ctx, cluster); err != nil {
			return want, err
		}
	}
	if want.Config, err = o.DB.Parameters.OfNodes(ctx, cluster); err != nil {
		return want, err
	}
	if node.Role == models.RoleReplica {
		shard, _ := cluster.Shard(node.Shard)
		first, found := shard.Primary()
		if !found {
			return want, reason.Because(nil, "The cluster %s has no primary.", cluster.Name)
		}
		want.PrimaryHost, want.PrimaryPort = first.Host, first.Port
	}
	if node.Role == models.RolePrimary && cluster.Migrating() {
		if err := beginAtSource(cluster, &want); err != nil {
			return want, err
		}
	}
	return want, nil
}

// peers says where all nodes of a cluster in cluster mode are, whichever of them the caller knows.
func (o *Operator) peers(ctx context.Context, cluster models.Cluster) (map[string]launch.Endpoint, error) {
	if !managed(cluster) {
		return nil, nil
	}
	whole, err := o.DB.Clusters.ByID(ctx, cluster.ID)
	if err != nil {
		return nil, err
	}
	at := make(map[string]launch.Endpoint, len(whole.Nodes))
	for _, n := range whole.Nodes {
		at[n.Name] = launch.Endpoint{Host: n.Host, Port: n.Port}
	}
	return at, nil
}

// Own returns an error if a node's files are not its own; see [Operator.Foreign].
func (o *Operator) Own(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if !o.Foreign(ctx, cluster, node.Name) {
		return nil
	}
	return notOwn(nil, cluster, node)
}

// Vacant returns an error, a [launch.ErrHasData], if there are files of a node that is to be made: those of an earlier cluster, with a password or without.
// A node that is filled again may have files, but no data.
func (o *Operator) Vacant(ctx context.Context, cluster models.Cluster, node models.Node) error {
	saved, err := o.Launcher.Saved(ctx, cluster.Name, node.Name)
	if err != nil {
		return err
	}
	_, none := o.Launcher.Describe(ctx, cluster.Name, node.Name)
	if saved.Exists || none == nil && cluster.UnsavedFrom == "" {
		return notOwn(launch.ErrHasData, cluster, node)
	}
	return nil
}

func notOwn(cause error, cluster models.Cluster, node models.Node) error {
	return reason.Because(cause, "There are files of a node %s of an earlier cluster %s, which the catalog does not know. They were left as they are. "+
		"Choose another name, or delete this cluster and rebuild the catalog under Settings to bring the earlier one back.", node.Name, cluster.Name)
}

func (o *Operator) start(ctx context.Context, cluster models.Cluster, node models.Node, want launch.Node) error {
	if err := o.Own(ctx, cluster, node); err != nil {
		return err
	}
	err := o.Launcher.Start(ctx, want)
	switch {
	case err == nil:
		return o.DB.Nodes.Started(ctx, node)
	case errors.Is(err, launch.ErrPortTaken):
		return reason.Because(err, "The node %s could not be started: another program has its port %d.", node.Name, node.Port)
	case errors.Is(err, launch.ErrNoAddress):
		return reason.Because(err, "The node %s could not be started: its host does not have the address %s now.", node.Name, node.Host)
	case errors.Is(err, launch.ErrNoEngine):
		return reason.Because(err, "The node %s could not be started: neither %s %s nor a newer one is installed.", node.Name, cluster.Engine, cluster.EngineVersion)
	case errors.Is(err, launch.ErrNoTLS):
		return reason.Because(err, "The node %s could not be started: %s %s on its host was built without TLS, so it cannot encrypt. Install one that was built with it, as Debian's are.",
			node.Name, cluster.Engine, cluster.EngineVersion)
	}
	return reason.Because(err, "The node %s could not be started.%s", node.Name, o.LastWords(ctx, cluster, node))
}

// LastWords returns a sentence, with a leading space, that quotes from a node's log why the node has ended, so that nobody has to read the
// log. It is "" when the log says nothing.
func (o *Operator) LastWords(ctx context.Context, cluster models.Cluster, node models.Node) string {
	words, _ := o.Launcher.LastWords(ctx, cluster.Name, node.Name)
	if words == "" {
		return ""
	}
	return " " + words
}

// Filling reports whether a cluster is being created with data. Until the data is there its primary refuses writes: clients that know the
// port from before would otherwise write in between.
func Filling(cluster models.Cluster) bool {
	return cluster.Status == models.ClusterCreating && cluster.RestoredFrom != ""
}

// savesItself reports whether a node writes RDB files at save points. A primary leaves that to its replicas, so that the application never
// feels a fork.
func savesItself(cluster models.Cluster, node models.Node) bool {
	shard, _ := cluster.Shard(node.Shard)
	return !cluster.Cached() && (node.Role == models.RoleReplica || len(shard.Nodes) == 1)
}

// Foreign reports whether a node's files belong to an earlier cluster of the same name, which happens after the catalog was lost. It is
// recognized by its password, so clusters without one cannot be told apart. Such files must be neither overwritten nor removed.
func (o *Operator) Foreign(ctx context.Context, cluster models.Cluster, node string) bool {
	found, err := o.Launcher.Describe(ctx, cluster.Name, node)
	return err == nil && !cluster.KnowsPassword(found.Password)
}

// savePoints are Redis's own defaults, as the launcher writes them into a node's configuration.
const savePoints = "3600 1 300 100 60 10000"

// Configure applies the settings that can change while a node runs.
func Configure(ctx context.Context, cluster models.Cluster, node models.Node) error {
	saves := ""
	if savesItself(cluster, node) {
		saves = savePoints
	}
	err := errors.Join(
		Tell(ctx, cluster, node, "CONFIG", "SET", "maxmemory", strconv.FormatInt(cluster.MaxMemory(), 10)),
		Tell(ctx, cluster, node, "CONFIG", "SET", "save", saves))
	if err != nil {
		return reason.Because(err, "The node %s did not accept its new settings.", node.Name)
	}
	return nil
}

// applyParameters brings a changed parameter group to the nodes. What can change at once is set; the rest waits for a restart. Parameters
// that the group does not set get the engine's defaults, because it may have set them before.
func (o *Operator) applyParameters(ctx context.Context, cluster models.Cluster, nodes []models.Node) error {
	if cluster.Cached() {
		return nil // memcached reads its parameters only at a restart
	}
	set, err := o.DB.Parameters.OfNodes(ctx, cluster)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		for _, p := range models.Parameters(cluster.ShownEngine().Family()) {
			if p.Reboot {
				continue
			}
			value, given := set[p.Name]
			if !given {
				value = p.Default
			}
			if err := Tell(ctx, cluster, node, "CONFIG", "SET", p.Name, value); err != nil {
				return reason.Because(err, "The node %s did not accept the parameter %s.", node.Name, p.Name)
			}
		}
	}
	return o.DB.Parameters.Applied(ctx, cluster.ID, cluster.ParametersWanted)
}
