package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RequestSnapshot writes a manual snapshot down as creating and queues its run. With override the run may use a primary whose host
// is short of memory.
func (db *DB) RequestSnapshot(ctx context.Context, cluster, name string, override bool, requestedBy string) (Run, error) {
	return db.TakeSnapshot(ctx, SnapshotSpec{Cluster: cluster, Name: name, Override: override, RequestedBy: requestedBy})
}

// SnapshotSpec asks for a manual snapshot.
type SnapshotSpec struct {
	Cluster     string
	Name        string
	Override    bool   // use a primary although its host is short of memory
	Node        string // by which the cluster was named, if it was; it need not be the one that serves
	Tags        map[string]string
	RequestedBy string
}

// TakeSnapshot writes a manual snapshot down as creating and queues its run.
func (db *DB) TakeSnapshot(ctx context.Context, spec SnapshotSpec) (Run, error) {
	var run Run
	err := db.transaction(ctx, func(tx *DB) error {
		row, err := tx.Cluster(ctx, spec.Cluster)
		if err != nil {
			return renameField(err, "", "cluster")
		}
		if spec.Node != "" {
			row.Attributes.SnapshottingNode = spec.Node
		}
		name, err := tx.newSnapshot(ctx, row, spec.Name, SourceManual, false)
		if err != nil {
			return err
		}
		if run, err = tx.queueSnapshot(ctx, row, name, spec.RequestedBy, SnapshotArgs{Override: spec.Override}); err != nil {
			return err
		}
		return tx.addTags(ctx, ResourceSnapshot+":"+name, spec.Tags)
	})
	return run, err
}

// queueSnapshot locks the cluster by its state and queues the run. A cluster whose primary does not answer can be backed up too, as long as
// a replica is in step: afterwards it is unreachable again.
func (db *DB) queueSnapshot(ctx context.Context, cluster Cluster, name, requestedBy string, args SnapshotArgs) (Run, error) {
	from := ClusterAvailable
	if cluster.Status == ClusterUnreachable {
		present, err := db.ClusterByID(ctx, cluster.ID)
		if err != nil {
			return Run{}, err
		}
		if slices.ContainsFunc(present.Nodes, Node.InStep) {
			from, args.Unreachable = ClusterUnreachable, present.StatusReason
		}
	}
	moved, err := db.moveCluster(ctx, cluster.ID, ClusterSnapshotting, "", from)
	if err != nil {
		return Run{}, err
	} else if !moved {
		why := fmt.Sprintf("The cluster %s is %s; a snapshot can be taken when it is available.", cluster.Name, cluster.Status)
		if cluster.Status == ClusterSnapshotting {
			why = fmt.Sprintf("A snapshot of %s is already being taken; the next one can begin when it is done.", cluster.Name)
		} else if cluster.Status == ClusterUnreachable {
			why = strings.TrimSpace(fmt.Sprintf("The cluster %s is unreachable and has no replica that is in step with its primary, so there is nothing to take a snapshot from. %s",
				cluster.Name, cluster.StatusReason))
		}
		return Run{}, refuse(CodeClusterState, "cluster", why)
	}
	return db.enqueue(ctx, Run{Kind: RunSnapshot, ClusterName: cluster.Name, ClusterID: cluster.ID, SnapshotName: name, RequestedBy: requestedBy}, args)
}

// newSnapshot checks that this snapshot may be taken and writes its row as creating, with the cluster's configuration as it is now.
func (db *DB) newSnapshot(ctx context.Context, cluster Cluster, name, source string, final bool) (string, error) {
	var faults Faults
	if source == SourceManual {
		checked, problem := CheckSnapshotName(name)
		if problem != "" {
			faults.add(CodeInvalid, "name", problem)
		}
		name = checked
		if !final { // the limit must not keep anybody from a last backup
			if err := db.checkQuota(ctx, cluster, &faults); err != nil {
				return "", err
			}
		}
	}
	if _, exists, err := find[Snapshot](db.with(ctx).Where("name = ?", name)); err != nil {
		return "", err
	} else if exists {
		faults.add(CodeSnapshotExists, "name", fmt.Sprintf("There is already a snapshot %s. Choose another name.", name))
	}
	if cluster.Cached() {
		faults.add(CodeSnapshotUnsupported, "cluster", cachedUnsupported)
	} else if t, _ := FindNodeType(cluster.NodeType); t.NoSnapshots {
		faults.add(CodeSnapshotUnsupported, "cluster", fmt.Sprintf("Clusters of the node type %s cannot be backed up.", t.Name))
	}
	if len(faults) > 0 {
		return "", faults
	}
	snapshot := Snapshot{
		Name: name, ClusterName: cluster.Name, ClusterID: cluster.ID, Source: source, Status: SnapshotCreating,
		Description: cluster.Description, Engine: cluster.Engine, EngineVersion: cluster.EngineVersion, NodeType: cluster.NodeType,
		Shards: cluster.Shards, Replicas: cluster.Replicas, Port: cluster.Port, RetentionLimit: cluster.RetentionLimit,
		SnapshotWindow: cluster.SnapshotWindow, AuthEnabled: cluster.Password != "", CreatedAt: db.Now(),
		Grouped: cluster.Grouped, ParameterGroup: cluster.ParameterGroup, Attributes: cluster.Attributes, Node: cluster.SnapshottingNode(), NodeCreatedAt: cluster.snapshottingSince(),
	}
	if err := db.with(ctx).Create(&snapshot).Error; err != nil {
		return "", fmt.Errorf("write snapshot %s: %w", name, err)
	}
	return name, nil
}

// SnapshottingNode is the node that ElastiCache would name as the one that serves snapshots: the chosen one, else the first replica.
func (c Cluster) SnapshottingNode() string {
	var best Node
	for _, n := range c.Nodes {
		if n.Name == c.Attributes.SnapshottingNode {
			return n.Name
		}
		if best.Name == "" || n.Role == RoleReplica && best.Role != RoleReplica {
			best = n
		}
	}
	return best.Name
}

// snapshottingSince is when the node was made that [Cluster.SnapshottingNode] names, which for a cluster of one node is when the cluster was.
func (c Cluster) snapshottingSince() *time.Time {
	name := c.SnapshottingNode()
	for _, n := range c.Nodes {
		if n.Name == name {
			return &n.CreatedAt
		}
	}
	return nil
}

// checkQuota counts the manual snapshots of the last 24 hours; failed ones do not count.
func (db *DB) checkQuota(ctx context.Context, cluster Cluster, faults *Faults) error {
	settings, err := db.Settings(ctx)
	if err != nil {
		return err
	}
	now := db.Now() // a time after it is of a clock that stood wrong
	since := now.Add(-24 * time.Hour)
	var taken int64
	err = db.with(ctx).Model(&Snapshot{}).Where("cluster_name = ? AND source = ? AND status <> ?", cluster.Name, SourceManual, SnapshotFailed).
		Where("(created_at > ? AND created_at <= ? OR name IN (SELECT snapshot_name FROM runs WHERE kind IN ? AND created_at > ? AND created_at <= ?))",
			since, now, []RunKind{RunCopy, RunImport}, since, now).Count(&taken).Error
	if err != nil {
		return fmt.Errorf("count snapshots of %s: %w", cluster.Name, err)
	}
	if int(taken) >= settings.ManualQuota {
		faults.add(CodeSnapshotQuota, "cluster", fmt.Sprintf(
			"%d manual snapshots of %s were taken in the last 24 hours, which is the limit. Wait, or raise the limit in the settings.", taken, cluster.Name))
	}
	return nil
}

// Snapshot returns a snapshot with its parts.
func (db *DB) Snapshot(ctx context.Context, name string) (Snapshot, error) {
	snapshot, found, err := find[Snapshot](db.with(ctx).Preload("Parts", inOrder).Where("name = ?", name))
	switch {
	case err != nil:
		return snapshot, fmt.Errorf("find snapshot %s: %w", name, err)
	case !found:
		return snapshot, refuse(CodeSnapshotNotFound, "", fmt.Sprintf("There is no snapshot %s.", name))
	}
	return snapshot, nil
}

// DeleteSnapshots queues the removal of these snapshots, of all or of none.
func (db *DB) DeleteSnapshots(ctx context.Context, names []string, requestedBy string) error {
	return db.transaction(ctx, func(tx *DB) error {
		var faults Faults
		for _, name := range names {
			err := tx.deleteSnapshot(ctx, name, requestedBy)
			if more, refused := AsFaults(err); refused {
				faults = append(faults, more...)
			} else if err != nil {
				return err
			}
		}
		return faults.orNil()
	})
}

func (db *DB) deleteSnapshot(ctx context.Context, name, requestedBy string) error {
	snapshot, err := db.Snapshot(ctx, name)
	if err != nil {
		return err
	}
	moved, err := db.moveSnapshot(ctx, name, SnapshotDeleting, "", SnapshotAvailable, SnapshotFailed)
	if err != nil {
		return err
	} else if !moved {
		return refuse(CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is %s and cannot be deleted now.", name, snapshot.Status))
	}
	if err := db.stopVerify(ctx, name); err != nil {
		return err
	}
	_, err = db.enqueue(ctx, Run{Kind: RunDeleteSnapshot, ClusterName: snapshot.ClusterName, ClusterID: snapshot.ClusterID,
		SnapshotName: name, RequestedBy: requestedBy}, NoArgs{})
	return err
}

// QueueOutlived queues the removal of the automatic snapshots that have outlived their retention, and says which. Those of a cluster that
// has lost its nodes stay; see [Cluster.Lost]. While the clock is in doubt, all do.
func (db *DB) QueueOutlived(ctx context.Context) ([]string, error) {
	if doubt, err := db.LookAtClock(ctx, time.Time{}); err != nil || doubt != nil {
		return nil, err
	}
	var clusters []Cluster
	if err := db.with(ctx).Where("id IN (SELECT cluster_id FROM nodes)").Find(&clusters).Error; err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	var names []string
	for _, cluster := range clusters {
		outlived, err := db.outlived(ctx, cluster)
		if err != nil {
			return names, err
		}
		for _, name := range outlived {
			err := db.transaction(ctx, func(tx *DB) error {
				if err := tx.deleteSnapshot(ctx, name, "retention"); err != nil {
					return err
				}
				return tx.AddEvent(ctx, Event{Severity: SeverityInfo, ClusterName: cluster.Name, SnapshotName: name,
					Message: fmt.Sprintf("The automatic snapshot %s has outlived its retention and is removed.", name)})
			})
			if _, refused := AsFaults(err); refused {
				continue // it is being used; the next round takes it
			} else if err != nil {
				return names, err
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func (db *DB) outlived(ctx context.Context, cluster Cluster) ([]string, error) {
	var snapshots []Snapshot
	// One that turned out to be damaged stays until somebody has looked at it and deletes it by hand.
	err := db.with(ctx).Where("cluster_id = ? AND source = ? AND damage = '' AND status IN ?", cluster.ID, SourceAutomatic,
		[]SnapshotStatus{SnapshotAvailable, SnapshotRestoring, SnapshotCopying, SnapshotFailed}).Find(&snapshots).Error
	if err != nil {
		return nil, fmt.Errorf("list snapshots of %s: %w", cluster.Name, err)
	}
	kept := make([]Kept, len(snapshots))
	names := make(map[uint]string, len(snapshots))
	for i, s := range snapshots {
		kept[i] = Kept{ID: s.ID, CreatedAt: s.CreatedAt, Good: s.Usable(), Promised: s.RetentionLimit}
		names[s.ID] = s.Name
	}
	var outlived []string
	losses, err := db.losses(ctx, cluster.ID)
	if err != nil {
		return nil, err
	}
	for _, id := range Outlived(db.Now(), cluster.RetentionLimit, losses, kept) {
		outlived = append(outlived, names[id])
	}
	return outlived, nil
}

// RemoveSnapshotRow takes a snapshot out of the catalog, after its bytes are gone from the store.
func (db *DB) RemoveSnapshotRow(ctx context.Context, name string) error {
	return db.transaction(ctx, func(tx *DB) error {
		snapshot, err := tx.Snapshot(ctx, name)
		if HasCode(err, CodeSnapshotNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		if err := tx.with(ctx).Where("snapshot_id = ?", snapshot.ID).Delete(&Part{}).Error; err != nil {
			return fmt.Errorf("remove parts of snapshot %s: %w", name, err)
		}
		if err := tx.with(ctx).Delete(&Snapshot{}, snapshot.ID).Error; err != nil {
			return fmt.Errorf("remove snapshot %s: %w", name, err)
		}
		return tx.dropTags(ctx, ResourceSnapshot+":"+name)
	})
}

// AutomaticSnapshots returns the names of a cluster's automatic snapshots, which go with it.
func (db *DB) AutomaticSnapshots(ctx context.Context, clusterID uint) ([]string, error) {
	var names []string
	err := db.with(ctx).Model(&Snapshot{}).Where("cluster_id = ? AND source = ?", clusterID, SourceAutomatic).Order("id").Pluck("name", &names).Error
	if err != nil {
		return nil, fmt.Errorf("list automatic snapshots of cluster %d: %w", clusterID, err)
	}
	return names, nil
}

// ClaimSnapshotForRemoval turns a snapshot of a cluster that goes deleting, and tells whether it could: not while it is restored or copied.
func (db *DB) ClaimSnapshotForRemoval(ctx context.Context, name string) (bool, error) {
	var moved bool
	err := db.transaction(ctx, func(tx *DB) (err error) {
		if moved, err = tx.moveSnapshot(ctx, name, SnapshotDeleting, "", SnapshotAvailable, SnapshotFailed, SnapshotDeleting); err != nil || !moved {
			return err
		}
		return tx.stopVerify(ctx, name)
	})
	return moved, err
}

// KeepSnapshot ends the removal of a snapshot of which nothing was removed: it is what it was before.
func (db *DB) KeepSnapshot(ctx context.Context, run Run, reason string) error {
	return db.transaction(ctx, func(tx *DB) error {
		row, err := tx.Snapshot(ctx, run.SnapshotName)
		if err != nil {
			return err
		}
		to := SnapshotAvailable
		if row.Damage != "" {
			to = SnapshotFailed
		}
		if _, err := tx.moveSnapshot(ctx, row.Name, to, row.Damage, SnapshotDeleting); err != nil {
			return err
		}
		return errors.Join(tx.AddEvent(ctx, Event{Severity: SeverityError, ClusterName: row.ClusterName, SnapshotName: row.Name,
			Message: fmt.Sprintf("The snapshot %s could not be deleted. Nothing of it was removed, and it stays. %s", row.Name, reason)}),
			tx.endRun(ctx, run, RunFailed, reason))
	})
}

// ReinstateSnapshot turns a snapshot available that failed because its removal did, when it turns out that nothing was removed.
func (db *DB) ReinstateSnapshot(ctx context.Context, row Snapshot) error {
	return db.transaction(ctx, func(tx *DB) error {
		moved, err := tx.moveSnapshot(ctx, row.Name, SnapshotAvailable, "", SnapshotFailed)
		if err != nil || !moved {
			return err
		}
		return tx.AddEvent(ctx, Event{Severity: SeverityWarning, ClusterName: row.ClusterName, SnapshotName: row.Name,
			Message: fmt.Sprintf("The snapshot %s could not be deleted, and nothing of it was removed: it is available again.", row.Name)})
	})
}

// NoteAttempt writes down that a snapshot that is being created is stored at this attempt from now on. Whatever an earlier one has
// stored was removed before: only the last one is remembered.
func (db *DB) NoteAttempt(ctx context.Context, run Run, name, attempt string) error {
	err := db.transaction(ctx, func(tx *DB) error {
		written := tx.with(ctx).Model(&Snapshot{}).Where("name = ? AND status = ?", name, SnapshotCreating).UpdateColumn("attempt", attempt)
		if written.Error != nil {
			return written.Error
		} else if written.RowsAffected == 0 {
			return ErrRunEnded
		}
		return tx.hold(ctx, run)
	})
	if err != nil {
		return fmt.Errorf("note the attempt at snapshot %s: %w", name, err)
	}
	return nil
}
