package jobs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"rekindle/internal/archive"
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
	nodes    *nodes.Supervisor
	locks    *locks
	reader   *vault.Reader
	verifier *vault.Verifier
}

// create is the body of a run that starts a new cluster, empty or from the snapshot that the run names.
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
	if run.Attempts > 1 {
		if err := b.removeNodes(ctx, cluster, cluster.Nodes); err != nil {
			return err
		}
	}
	if cluster, err = b.nodes.Trusted(ctx, cluster); err != nil {
		return err
	}
	if run.SnapshotName != "" {
		if cluster, err = b.DB.Clusters.BeginRestore(ctx, cluster, run.SnapshotName); err != nil {
			return err
		}
	}
	for i, node := range cluster.Nodes {
		if node.Role != models.RoleReplica {
			report.Stage("Starting "+node.Name, nil)
			if cluster.Nodes[i], err = b.startNew(ctx, cluster, node); err != nil {
				return err
			}
		}
	}
	if cluster.ClusterMode {
		if err := b.form(ctx, cluster, report); err != nil {
			return err
		}
	}
	message := fmt.Sprintf("The cluster %s was created.", cluster.Name)
	if run.SnapshotName != "" {
		result, err := b.fill(ctx, cluster, run.SnapshotName, report)
		if err != nil {
			return err
		}
		message = restored(cluster, run, result)
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
	if err := b.secure(ctx, cluster, run, report); err != nil {
		return err
	}
	return b.DB.Settle.Cluster(context.WithoutCancel(ctx), run, message)
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
func (b *builder) secure(ctx context.Context, cluster models.Cluster, run models.Run, report *queue.Report) error {
	if len(cluster.Nodes) == 1 {
		if run.SnapshotName == "" {
			return nil
		}
		for _, primary := range cluster.Primaries() {
			if err := nodes.Tell(ctx, cluster, primary, "BGSAVE"); err != nil {
				b.Logger.Warn("save after restore", "node", primary.Name, "error", err)
			}
		}
		return nil
	}
	cluster, err := b.DB.Clusters.ByID(ctx, cluster.ID) // ports may have changed
	if err != nil {
		return err
	}
	if err := b.agree(ctx, cluster, report); err != nil {
		return err
	}
	if cluster.ClusterMode && run.SnapshotName != "" {
		b.saveShards(ctx, cluster, report)
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

// saveShards makes each shard save the data it was filled with, and waits. A shard that died unsaved could not be refilled alone, because
// the others keep changing.
func (b *builder) saveShards(ctx context.Context, cluster models.Cluster, report *queue.Report) {
	for _, shard := range cluster.Shards() {
		node, _ := shard.Primary()
		if replicas := shard.Replicas(); len(replicas) > 0 {
			node = replicas[0]
		}
		report.Stage("Saving the data of "+node.Name, nil)
		b.save(ctx, cluster, node)
	}
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
	if limit := cluster.MaxMemory(); result.Memory > limit {
		message = fmt.Sprintf("%s Its data takes %s bytes of memory, and %s has %s: until there is more, the engine evicts keys or refuses writes, as its maxmemory-policy says.",
			message, words.Number(result.Memory), cluster.NodeType, words.Number(limit))
	}
	return message
}

// fill feeds each shard its part of a snapshot and returns the totals.
func (b *builder) fill(ctx context.Context, cluster models.Cluster, snapshot string, report *queue.Report) (primary.Result, error) {
	var all primary.Result
	row, err := b.DB.Snapshots.Get(ctx, snapshot)
	if err != nil {
		return all, err
	}
	if row.Damaged() {
		return all, because(nil, "The snapshot %s is damaged: %s", snapshot, row.Damage)
	}
	manifest, err := b.reader.Manifest(ctx, row)
	if err != nil {
		return all, fmt.Errorf("restore %s: %w", snapshot, err)
	}
	primaries := cluster.Primaries()
	if cluster.ClusterMode || len(manifest.Parts) != len(primaries) || !wholly(cluster, manifest) {
		if all, err = b.byKey(ctx, cluster, row, manifest, report); err != nil {
			return all, fmt.Errorf("restore %s into %s: %w", snapshot, cluster.Name, err)
		}
		return all, nil
	}
	for i, part := range manifest.Parts {
		result, err := b.fillShard(ctx, cluster, primaries[i], row, part, report)
		if err != nil {
			return all, fmt.Errorf("restore %s into %s: %w", snapshot, primaries[i].Name, err)
		}
		all.Keys += result.Keys
		all.Expired += result.Expired
		all.Memory = max(all.Memory, result.Memory) // of the fullest shard
	}
	return all, nil
}

// fillShard feeds a part of a snapshot to an empty node and makes it a primary.
func (b *builder) fillShard(ctx context.Context, cluster models.Cluster, node models.Node, row models.Snapshot, part archive.Part, report *queue.Report) (primary.Result, error) {
	var sent atomic.Int64
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
	node, err := b.startNew(ctx, cluster, node)
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
func (b *builder) startNew(ctx context.Context, cluster models.Cluster, node models.Node) (models.Node, error) {
	for {
		err := b.nodes.StartNode(ctx, cluster, node)
		if !errors.Is(err, launch.ErrPortTaken) || nodes.Filling(cluster) && cluster.UnsavedFrom != "" {
			return node, err
		}
		moved, could, failure := b.DB.Nodes.Move(ctx, cluster, node)
		if failure != nil || !could {
			return node, errors.Join(failure, because(err, "The port %d of the node %s is in use by another program.", node.Port, node.Name))
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
		if b.nodes.Foreign(ctx, cluster, node.Name) {
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
