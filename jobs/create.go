package jobs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/formation"
	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/words"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/jobs/reach"
	"rekindle/jobs/vault"
	"rekindle/models"
)

// joinTimeout bounds how long a new replica may take to get its first copy of the data.
const joinTimeout = 30 * time.Minute

// builder starts, fills and changes the nodes of clusters.
type builder struct {
	Config
	nodes     *nodes.Supervisor
	locks     *locks
	reader    *vault.Reader
	verifier  *vault.Verifier
	recoverer *vault.Recoverer
}

// create is the body of a run that starts a new cluster, empty, from the snapshot that the run names, or from a moment of another cluster.
//
// An interrupted run can start over: the cluster is not available yet, so its nodes cannot hold anybody's data, and what the first
// attempt left behind is removed.
func (b *builder) create(ctx context.Context, run models.Run, report *queue.Report) error {
	unlock, err := b.locks.lock(ctx, run.ClusterName)
	if err != nil {
		return err
	}
	defer unlock()
	cluster, err := b.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return err
	}
	if err := b.clear(ctx, cluster, run); err != nil {
		return err
	}
	if cluster, err = b.nodes.Trusted(ctx, cluster); err != nil {
		return err
	}
	message := fmt.Sprintf("The cluster %s was created.", cluster.Name)
	switch {
	case run.Kind == models.RunStraight:
		cluster, message, err = b.beginStraight(ctx, cluster, run, report)
	case run.SnapshotName == "":
		cluster, err = b.begin(ctx, cluster, filling{}, report)
	default:
		cluster, message, err = b.beginFilled(ctx, cluster, run, report)
	}
	if err != nil {
		return err
	}
	for _, node := range cluster.Nodes {
		if node.Role == models.RoleReplica {
			if _, err := b.join(ctx, cluster, node, report); err != nil {
				return err
			}
		}
	}
	if err := b.letIn(ctx, cluster); err != nil {
		return err
	}
	if err := b.secure(ctx, cluster, report); err != nil {
		return err
	}
	return b.DB.Settle.Cluster(context.WithoutCancel(ctx), run, message)
}

// clear makes sure that the nodes of a new cluster begin with nothing: what an interrupted attempt has left is removed, what belongs to an earlier cluster
// stands in the way. Nodes that are filled again have nothing. That the nodes are the cluster's own is written down before the first file is made, so that
// an attempt that was cut off earlier is not taken for one that left something.
func (b *builder) clear(ctx context.Context, cluster models.Cluster, run models.Run) error {
	planned := slices.ContainsFunc(cluster.Nodes, models.Node.Planned)
	if run.Attempts > 1 && !planned {
		return b.removeNodes(ctx, cluster, cluster.Nodes)
	}
	for _, node := range cluster.Nodes {
		if err := b.nodes.Vacant(ctx, cluster, node); err != nil {
			return err
		}
	}
	if !planned {
		return nil
	}
	return b.DB.Nodes.Begin(ctx, cluster.ID)
}

// begin starts the primaries of a cluster, and makes them one cluster if it is in cluster mode.
func (b *builder) begin(ctx context.Context, cluster models.Cluster, f filling, report *queue.Report) (models.Cluster, error) {
	cluster, err := b.startPrimaries(ctx, cluster, f, report)
	if err == nil && cluster.ClusterMode {
		err = b.form(ctx, cluster, report)
	}
	return cluster, err
}

// beginFilled is begin for a cluster that is made from a snapshot. It also returns the text of the event about that.
func (b *builder) beginFilled(ctx context.Context, cluster models.Cluster, run models.Run, report *queue.Report) (models.Cluster, string, error) {
	args, err := models.Args[models.RestoreArgs](run)
	if err != nil {
		return cluster, "", err
	}
	if cluster, err = b.DB.Clusters.BeginRestore(ctx, cluster, run.SnapshotName, args.Deadlines); err != nil {
		return cluster, "", err
	}
	f, err := b.source(ctx, cluster, run.SnapshotName, args.Deadlines, report)
	if err != nil {
		return cluster, "", err
	}
	if cluster, err = b.begin(ctx, cluster, f, report); err != nil {
		return cluster, "", err
	}
	var result primary.Result
	if f.preloaded() {
		result, err = b.open(ctx, cluster, f)
	} else {
		result, err = b.feedOnly(ctx, cluster, f, report)
	}
	return cluster, restored(cluster, run, result), err
}

// letIn sets up the users of a cluster's group on its nodes. Until then only the console can sign in.
func (b *builder) letIn(ctx context.Context, cluster models.Cluster) error {
	if cluster.UserGroup == "" {
		return nil
	}
	cluster, err := b.DB.Clusters.ByID(ctx, cluster.ID) // ports may have changed
	if err != nil {
		return err
	}
	return b.nodes.BringUsers(ctx, cluster)
}

// secure saves a cluster's data before the cluster becomes available. From then on people may write to it, so it must come back with
// its data even if it dies before its first regular save.
func (b *builder) secure(ctx context.Context, cluster models.Cluster, report *queue.Report) error {
	if len(cluster.Nodes) == 1 {
		return nil
	}
	cluster, err := b.DB.Clusters.ByID(ctx, cluster.ID) // ports may have changed
	if err != nil {
		return err
	}
	if err := b.agree(ctx, cluster, report); err != nil {
		return err
	}
	b.nodes.KeepSaved(ctx, cluster)
	return nil
}

// formTimeout bounds how long nodes may take to agree that they are a cluster. 90 nodes need a few seconds.
const formTimeout = 2 * time.Minute

// form joins the primaries into one cluster and gives each its slots.
func (b *builder) form(ctx context.Context, cluster models.Cluster, report *queue.Report) error {
	report.Stage("Forming a cluster of "+words.Plural(int64(cluster.ShardCount), "shard"), nil)
	var primaries []formation.Primary
	for _, node := range cluster.Primaries() {
		member, err := nodes.Member(cluster, node)
		if err != nil {
			return err
		}
		primaries = append(primaries, formation.Primary{Node: member, Slots: node.Slots})
	}
	deadline, cancel := context.WithTimeout(ctx, formTimeout)
	defer cancel()
	if err := formation.Form(deadline, primaries); err != nil {
		return because(err, "The nodes of %s did not become a cluster within %s.", cluster.Name, formTimeout)
	}
	return nil
}

// agree waits until all nodes know each other. Before that no replica could take over.
func (b *builder) agree(ctx context.Context, cluster models.Cluster, report *queue.Report) error {
	if !cluster.ClusterMode {
		return nil
	}
	report.Stage("Waiting until all nodes know each other", nil)
	deadline, cancel := context.WithTimeout(ctx, formTimeout)
	defer cancel()
	if err := nodes.Agree(deadline, cluster); err != nil {
		return because(err, "The nodes of %s did not find each other within %s.", cluster.Name, formTimeout)
	}
	return nil
}

// restored returns the text of the event that says a cluster was filled.
func restored(cluster models.Cluster, run models.Run, result primary.Result) string {
	how := "restored"
	if cluster.UnsavedFrom != "" {
		how = "filled again"
	}
	message := fmt.Sprintf("The cluster %s was %s from %s: %s.", cluster.Name, how, run.SnapshotName, words.Plural(result.Keys, "key"))
	if result.Expired > 0 {
		message = fmt.Sprintf("%s %s had expired since the snapshot.", message, words.Plural(result.Expired, "more key"))
	}
	return message + tooMuch(cluster, result)
}

// tooMuch is a sentence about data that takes more memory than the nodes have; "": it does not.
func tooMuch(cluster models.Cluster, result primary.Result) string {
	limit := cluster.MaxMemory()
	if result.Memory <= limit {
		return ""
	}
	return fmt.Sprintf(" Its data takes %s bytes of memory, and %s has %s: until there is more, the engine evicts keys or refuses writes, as its maxmemory-policy says.",
		words.Number(result.Memory), cluster.NodeType, words.Number(limit))
}

// feedOnly feeds the only shard of a cluster. A node that has no replica saves what it got; otherwise a replica does, see secure.
func (b *builder) feedOnly(ctx context.Context, cluster models.Cluster, f filling, report *queue.Report) (primary.Result, error) {
	node := cluster.Primaries()[0]
	result, err := b.feed(ctx, cluster, node, f, report)
	if err != nil {
		return result, fmt.Errorf("restore %s into %s: %w", f.row.Name, node.Name, err)
	}
	if len(cluster.Nodes) == 1 {
		if err := nodes.Tell(ctx, cluster, node, "BGSAVE"); err != nil {
			b.Logger.Warn("save after restore", "node", node.Name, "error", err)
		}
	}
	return result, nil
}

// feed feeds a snapshot of one part to an empty node, as it is, and makes the node a primary.
func (b *builder) feed(ctx context.Context, cluster models.Cluster, node models.Node, f filling, report *queue.Report) (primary.Result, error) {
	var sent atomic.Int64
	row, part := f.row, f.manifest.Parts[0]
	report.Stage("Feeding "+node.Name, func() models.Progress {
		return models.Progress{BytesDone: sent.Load(), BytesTotal: part.Bytes, KeysTotal: part.Keys}
	})
	reached, err := reach.Node(cluster, node)
	if err != nil {
		return primary.Result{}, err
	}
	own, err := b.certificate(ctx, cluster, node)
	if err != nil {
		return primary.Result{}, err
	}
	result, err := primary.Feed(ctx,
		primary.Target{Addr: reached.Addr, Username: reached.Username, Password: reached.Password, TLS: reached.TLS},
		primary.Dump{Length: part.Bytes, Digest: part.Digest(), Version: part.RDBVersion, Keys: part.Keys, Expires: part.Expires, Fitted: fitted(row, cluster),
			Open: func(ctx context.Context) (io.ReadCloser, error) { return b.reader.Open(ctx, row, part) }},
		primary.Options{ListenHost: node.Host, Certificate: own, OnProgress: sent.Store})
	if errors.Is(err, primary.ErrGone) && ctx.Err() == nil {
		// A node that hits damaged data while loading exits before the checksum is known. Find out whether the snapshot was at fault.
		report.Stage("Reading the snapshot again, because "+node.Name+" has ended", nil)
		if damage := b.reader.Verify(ctx, row, part); damage != nil {
			err = errors.Join(damage, err)
		} else if complaint, named := b.Launcher.LastWords(ctx, cluster.Name, node.Name); named {
			err = because(err, "The node %s could not load the snapshot. %s", node.Name, complaint)
		} else {
			err = because(err, "The node %s ended, or stopped answering, while it was being filled.%s", node.Name, b.nodes.LastWords(ctx, cluster, node))
		}
	}
	if err != nil {
		return result, err
	}
	report.Stage("Feeding "+node.Name, func() models.Progress {
		return models.Progress{BytesDone: part.Bytes, BytesTotal: part.Bytes, KeysDone: result.Keys, KeysTotal: part.Keys}
	})
	return result, nil
}

// certificate returns the certificate that this console presents when it acts as a node's primary; nil if the cluster does not encrypt.
func (b *builder) certificate(ctx context.Context, cluster models.Cluster, node models.Node) (*tls.Certificate, error) {
	if !cluster.TransitEncryption {
		return nil, nil
	}
	issued, err := b.Launcher.Certify(ctx, node.Host)
	if err != nil {
		return nil, fmt.Errorf("certify this console to %s: %w", node.Name, err)
	}
	own, err := tls.X509KeyPair(issued, issued)
	if err != nil {
		return nil, fmt.Errorf("certify this console to %s: %w", node.Name, err)
	}
	return &own, nil
}

// fitted reports whether the snapshot's data came from nodes like those of the cluster.
func fitted(snapshot models.Snapshot, cluster models.Cluster) bool {
	nodeType, known := models.FindNodeType(cluster.NodeType)
	return known && snapshot.FittedInto(nodeType)
}

// join starts a replica and waits until it is in step with its primary. It returns the node with its final endpoint.
func (b *builder) join(ctx context.Context, cluster models.Cluster, node models.Node, report *queue.Report) (models.Node, error) {
	report.Stage("Attaching replica "+node.Name, nil)
	node, err := b.startNew(ctx, cluster, node, b.nodes.StartNode)
	if err != nil {
		return node, err
	}
	deadline, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if cluster.ClusterMode {
		shard, _ := cluster.Shard(node.Shard)
		first, _ := shard.Primary()
		if err := nodes.Follow(deadline, cluster, node, first); err != nil {
			return node, because(err, "The replica %s did not become one of %s.", node.Name, first.Name)
		}
	}
	for {
		s, err := nodes.Probe(deadline, cluster, node)
		if err == nil && s.Replica && s.LinkUp && !s.Loading {
			return node, nil
		}
		if running, down := b.Launcher.Running(deadline, cluster.Name, node.Name); down == nil && !running {
			return node, because(err, "The replica %s ended while it was being attached.%s", node.Name, b.nodes.LastWords(ctx, cluster, node))
		}
		if !drain.Pause(deadline, 50*time.Millisecond) {
			if ctx.Err() != nil {
				return node, context.Cause(ctx)
			}
			return node, because(err, "The replica %s did not get in step with its primary within %s.", node.Name, joinTimeout)
		}
	}
}

// startNew starts a node for the first time. If its port has been taken since it was picked, the node gets another one, unless the port
// was asked for or the cluster has been available, so that people know it.
func (b *builder) startNew(ctx context.Context, cluster models.Cluster, node models.Node, start func(context.Context, models.Cluster, models.Node) error) (models.Node, error) {
	for {
		err := start(ctx, cluster, node)
		if !errors.Is(err, launch.ErrPortTaken) && !errors.Is(err, launch.ErrNoAddress) || nodes.Filling(cluster) && cluster.UnsavedFrom != "" {
			return node, err
		}
		moved, could, failure := b.DB.Nodes.Move(ctx, cluster, node)
		if failure != nil || !could {
			return node, errors.Join(failure, because(err, "The port %d of the node %s, which was asked for, is in use at each address of this host.", node.Port, node.Name))
		}
		node = moved
	}
}

// settleCreate records that a creation failed.
func (b *builder) settleCreate(ctx context.Context, run models.Run, f queue.Failure) error {
	return errors.Join(b.wipe(ctx, run), f.Settle(ctx, b.DB, run))
}

// settleRestore records that a restore failed. The snapshot may be to blame.
func (b *builder) settleRestore(ctx context.Context, run models.Run, f queue.Failure) error {
	b.verifier.Suspect(ctx, run, f.Err)
	return b.settleCreate(ctx, run, f)
}

// wipe removes the nodes of a cluster that could not be created. The cluster's row stays and says why.
func (b *builder) wipe(ctx context.Context, run models.Run) error {
	cluster, err := b.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return err
	}
	if cluster.Status != models.ClusterCreating {
		return nil // the completion was written but its answer was lost: the cluster may be in use
	}
	return b.removeNodes(ctx, cluster, cluster.Nodes)
}

// removeNodes stops nodes without saving and removes their files. The files of an earlier cluster of the same name stay.
func (b *builder) removeNodes(ctx context.Context, cluster models.Cluster, nodes []models.Node) error {
	var failures []error
	for _, node := range nodes {
		if node.Planned() || b.nodes.Foreign(ctx, cluster, node.Name) {
			b.Logger.Warn("the node's files belong to an earlier cluster of that name and are kept", "cluster", cluster.Name, "node", node.Name)
			continue
		}
		err := b.Launcher.Stop(ctx, cluster.Name, node.Name, launch.NoSave)
		if err == nil {
			err = b.Launcher.Remove(ctx, cluster.Name, node.Name)
		}
		if err != nil {
			failures = append(failures, because(err, "The node %s could not be removed.", node.Name))
		}
	}
	return errors.Join(failures...)
}
