package models

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A lost catalog is rebuilt from the manifests in the store: package jobs reads them, this file writes them down. What is in the catalog
// and agrees is never touched.

// Rebuilt says what a rebuild did.
type Rebuilt struct {
	Found    int // snapshots with a manifest in the store
	Adopted  int // that the catalog did not know
	Restored int // that the catalog had as failed, and that are whole
	Agreed   int // that the catalog has as they are
	Missing  int // that the catalog has and the store does not
	Warnings int // manifests that could not be used, and rows that say something else
	Clusters []string
	Lost     []string // clusters that are known by what the store has of them, and have no nodes
	Settings bool     // the settings were taken from the store
}

// Sentence says it to a person.
func (r Rebuilt) Sentence() string {
	text := fmt.Sprintf("The catalog was rebuilt from the store: %d snapshots found, %d of them new, %d known already.", r.Found, r.Adopted, r.Agreed)
	if r.Restored > 0 {
		text += fmt.Sprintf(" %d that had failed are whole and available.", r.Restored)
	}
	if r.Missing > 0 {
		text += fmt.Sprintf(" %d that the catalog had are missing in the store.", r.Missing)
	}
	if len(r.Clusters) > 0 {
		text += " Brought back from their nodes: " + strings.Join(r.Clusters, ", ") + "."
	}
	if len(r.Lost) > 0 {
		text += " Known again, but without nodes: " + strings.Join(r.Lost, ", ") + ". Restore their snapshots."
	}
	if r.Settings {
		text += " The settings were taken from the store."
	}
	if r.Warnings > 0 {
		text += fmt.Sprintf(" %d warnings: see the events.", r.Warnings)
	}
	return text
}

// RequestRebuild queues a rebuild of the catalog. One at a time is enough.
func (db *DB) RequestRebuild(ctx context.Context, requestedBy string) (Run, error) {
	var run Run
	err := db.transaction(ctx, func(tx *DB) error {
		_, found, err := find[Run](tx.with(ctx).Where("kind = ? AND status IN ?", RunRebuild, []RunStatus{RunQueued, RunRunning}))
		if err != nil {
			return fmt.Errorf("look for a rebuild: %w", err)
		} else if found {
			return refuse(CodeRunState, "", "The catalog is being rebuilt already.")
		}
		run, err = tx.enqueue(ctx, Run{Kind: RunRebuild, RequestedBy: requestedBy}, NoArgs{})
		return err
	})
	return run, err
}

// Adopt writes a batch of snapshots down that were found in the store, each as its manifest describes it, with its parts; since is when
// the store began to be read. Warnings are sentences about those that could not be.
func (db *DB) Adopt(ctx context.Context, found []Snapshot, since time.Time) (done Rebuilt, warnings []Event, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		done, warnings = Rebuilt{}, nil
		names := make([]string, len(found))
		for i, s := range found {
			names[i] = s.Name
		}
		var rows []Snapshot
		if err := tx.with(ctx).Preload("Parts", inOrder).Where("name IN ?", names).Find(&rows).Error; err != nil {
			return fmt.Errorf("look for known snapshots: %w", err)
		}
		known := make(map[string]Snapshot, len(rows))
		for _, row := range rows {
			known[row.Name] = row
		}
		gone, err := tx.goneSince(ctx, since)
		if err != nil {
			return err
		}
		var clusters []Cluster
		if err := tx.with(ctx).Find(&clusters).Error; err != nil {
			return fmt.Errorf("list clusters: %w", err)
		}
		living := make(map[string]Cluster, len(clusters))
		for _, c := range clusters {
			living[c.Name] = c
		}
		var fresh []Snapshot
		for _, s := range found {
			done.Found++
			row, exists := known[s.Name]
			switch {
			case !exists && (gone.snapshots[s.Name] || gone.clusters[s.ClusterName]):
				// Deleted while the store was read.
			case !exists:
				s.Status, s.ClusterID = SnapshotAvailable, 0
				if c, ok := living[s.ClusterName]; ok && !s.CreatedAt.Before(c.CreatedAt) {
					s.ClusterID = c.ID // else it was of an earlier cluster of that name
				}
				s.CreatedAt = catalogTime(s.CreatedAt)
				s.StartedAt, s.CompletedAt, s.VerifiedAt, s.NodeCreatedAt = catalogTimeOf(s.StartedAt), catalogTimeOf(s.CompletedAt), catalogTimeOf(s.VerifiedAt), catalogTimeOf(s.NodeCreatedAt)
				for i := range s.Parts {
					s.Parts[i].StartedAt, s.Parts[i].CompletedAt = catalogTime(s.Parts[i].StartedAt), catalogTime(s.Parts[i].CompletedAt)
				}
				fresh = append(fresh, s)
				known[s.Name] = s
			case row.ClusterName != s.ClusterName:
				warnings = append(warnings, Event{ClusterName: s.ClusterName, SnapshotName: s.Name,
					Message: fmt.Sprintf("The store has a snapshot %s of %s and one of %s. The catalog has the one of %s; the other one was left as it is.",
						s.Name, row.ClusterName, s.ClusterName, row.ClusterName)})
			case row.Status == SnapshotCreating || row.Status == SnapshotDeleting:
				done.Agreed++ // a run is at work on it
			case row.Status == SnapshotFailed && row.Damage == "":
				if err := tx.reinstate(ctx, row, s); err != nil {
					return err
				}
				done.Restored++
			case !sameParts(row.Parts, s.Parts), row.ManifestSHA256 != "" && row.ManifestSHA256 != s.ManifestSHA256:
				warnings = append(warnings, Event{ClusterName: s.ClusterName, SnapshotName: s.Name,
					Message: fmt.Sprintf("The manifest of %s in the store is not the one that the catalog remembers. Nothing was changed; verify the snapshot to learn which is right.", s.Name)})
			default:
				done.Agreed++
			}
		}
		done.Adopted = len(fresh)
		return tx.createSnapshots(ctx, fresh)
	})
	return done, warnings, err
}

// batch is how many rows go into one statement: SQLite takes at most 32,766 values.
const batch = 200

func (db *DB) createSnapshots(ctx context.Context, rows []Snapshot) error {
	if len(rows) == 0 {
		return nil
	}
	if err := db.with(ctx).Omit("Parts").CreateInBatches(&rows, batch).Error; err != nil {
		return fmt.Errorf("write snapshots: %w", err)
	}
	var parts []Part
	for _, row := range rows {
		for _, p := range row.Parts {
			p.ID, p.SnapshotID = 0, row.ID
			parts = append(parts, p)
		}
	}
	if err := db.with(ctx).CreateInBatches(&parts, batch).Error; err != nil {
		return fmt.Errorf("write parts: %w", err)
	}
	return nil
}

// reinstate turns a snapshot that the catalog has as failed, though its manifest is in the store, into what it is.
func (db *DB) reinstate(ctx context.Context, row, found Snapshot) error {
	if err := db.with(ctx).Where("snapshot_id = ?", row.ID).Delete(&Part{}).Error; err != nil {
		return fmt.Errorf("replace parts of snapshot %s: %w", row.Name, err)
	}
	parts := make([]Part, len(found.Parts))
	for i, p := range found.Parts {
		p.ID, p.SnapshotID, p.StartedAt, p.CompletedAt = 0, row.ID, catalogTime(p.StartedAt), catalogTime(p.CompletedAt)
		parts[i] = p
	}
	if err := db.with(ctx).CreateInBatches(&parts, batch).Error; err != nil {
		return fmt.Errorf("write parts of snapshot %s: %w", row.Name, err)
	}
	err := db.with(ctx).Model(&Snapshot{ID: row.ID}).UpdateColumns(map[string]any{
		"engine": found.Engine, "engine_version": found.EngineVersion, "node_type": found.NodeType, "shards": found.Shards, "replicas": found.Replicas,
		"port": found.Port, "origin": found.Origin, "grouped": found.Grouped, "parameter_group": found.ParameterGroup, "attributes": found.Attributes, "node": found.Node, "node_created_at": found.NodeCreatedAt,
		"attempt": found.Attempt, "manifest_sha256": found.ManifestSHA256,
		"status": SnapshotAvailable, "status_reason": "", "source": found.Source, "rdb_version": found.RDBVersion, "bytes": found.Bytes, "stored": found.Stored,
		"keys": found.Keys, "used_memory": found.UsedMemory, "served_by": found.ServedBy, "served_role": found.ServedRole, "warning": found.Warning,
		"created_at": catalogTime(found.CreatedAt), "started_at": catalogTimeOf(found.StartedAt), "completed_at": catalogTimeOf(found.CompletedAt), "verified_at": catalogTimeOf(found.VerifiedAt),
	}).Error
	if err != nil {
		return fmt.Errorf("write snapshot %s: %w", row.Name, err)
	}
	return nil
}

func sameParts(a, b []Part) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Number != b[i].Number || a[i].Object != b[i].Object || a[i].Digest != b[i].Digest || a[i].StoredSHA256 != b[i].StoredSHA256 ||
			a[i].Bytes != b[i].Bytes || a[i].Stored != b[i].Stored {
			return false
		}
	}
	return true
}

// gone are the snapshots and clusters that go, or have gone, since an instant.
type gone struct{ snapshots, clusters map[string]bool }

func (db *DB) goneSince(ctx context.Context, since time.Time) (gone, error) {
	g := gone{map[string]bool{}, map[string]bool{}}
	var runs []Run
	err := db.with(ctx).Select("kind", "snapshot_name", "cluster_name").Where("kind IN ? AND (status IN ? OR ended_at >= ?)", []RunKind{RunDelete, RunDeleteSnapshot},
		[]RunStatus{RunQueued, RunRunning}, catalogTime(since)).Find(&runs).Error
	if err != nil {
		return g, fmt.Errorf("list deletions: %w", err)
	}
	for _, run := range runs {
		if run.Kind == RunDelete {
			g.clusters[run.ClusterName] = true
		} else {
			g.snapshots[run.SnapshotName] = true
		}
	}
	return g, nil
}

// UsableSnapshots returns the snapshots that the catalog holds for whole, without their parts, in the order of their numbers from after
// one number on.
func (db *DB) UsableSnapshots(ctx context.Context, after uint, limit int) ([]Snapshot, error) {
	var rows []Snapshot
	err := db.with(ctx).Select("id", "name", "cluster_name").Where("id > ? AND status IN ?", after, usable).Order("id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return rows, nil
}

// LoseSnapshot turns a snapshot failed whose manifest is not in the store any more, and tells whether it did: one that is being deleted is
// not lost.
func (db *DB) LoseSnapshot(ctx context.Context, row Snapshot, damage string) (lost bool, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		present, err := tx.Snapshot(ctx, row.Name)
		if HasCode(err, CodeSnapshotNotFound) || err == nil && (present.ID != row.ID || !present.Usable()) {
			return nil
		} else if err != nil {
			return err
		}
		lost = true
		return tx.markDamaged(ctx, present, damage)
	})
	return lost, err
}

// AdoptCluster writes down a cluster that was found by its nodes, and makes the snapshots of its name its own. It tells whether it did: a
// cluster of that name that the catalog has is left as it is.
func (db *DB) AdoptCluster(ctx context.Context, cluster Cluster, message string) (adopted bool, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		if _, exists, err := find[Cluster](tx.with(ctx).Where("name = ?", cluster.Name)); err != nil || exists {
			return err
		}
		now := tx.Now()
		cluster.Home = tx.host.Home()
		oldest, found, err := find[Snapshot](tx.with(ctx).Where("cluster_name = ?", cluster.Name).Order("created_at"))
		if err != nil {
			return err
		}
		cluster.Status, cluster.CreatedAt, cluster.UpdatedAt, cluster.ScheduleSince = ClusterAvailable, now, now, now
		if found && oldest.CreatedAt.Before(now) {
			cluster.CreatedAt = catalogTime(oldest.CreatedAt)
		}
		for i := range cluster.Nodes {
			cluster.Nodes[i].CreatedAt = now
		}
		if cluster.SnapshotWindow.IsZero() {
			cluster.SnapshotWindow, cluster.WindowChosen = PickWindowBeside(cluster.Name, cluster.Attributes.MaintenanceWindow), false
		}
		if err := tx.with(ctx).Create(&cluster).Error; err != nil {
			return fmt.Errorf("write cluster %s: %w", cluster.Name, err)
		}
		if err := tx.giveSnapshots(ctx, cluster); err != nil {
			return err
		}
		adopted = true
		return tx.AddEvent(ctx, Event{Severity: SeverityWarning, ClusterName: cluster.Name, Message: message})
	})
	return adopted, err
}

// CompleteRebuild ends a rebuild.
func (db *DB) CompleteRebuild(ctx context.Context, run Run, done Rebuilt) error {
	return db.transaction(ctx, func(tx *DB) error {
		return errors.Join(tx.RebuildEvent(ctx, done), tx.endRun(ctx, run, RunSucceeded, ""))
	})
}

// RebuildEvent writes down what a rebuild did.
func (db *DB) RebuildEvent(ctx context.Context, done Rebuilt) error {
	severity := SeverityInfo
	if done.Warnings+done.Missing+len(done.Lost) > 0 {
		severity = SeverityWarning
	}
	return db.AddEvent(ctx, Event{Severity: severity, Message: done.Sentence()})
}
