package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"rekindle/models"
)

// Nodes records how nodes were seen, and where they listen.
type Nodes struct{ db *DB }

// Halted writes down that these nodes of a cluster were stopped on purpose, with the console, so that nobody is warned when they are started again.
func (q Nodes) Halted(ctx context.Context, nodes ...models.Node) error {
	return q.setHalted(ctx, true, nodes)
}

// Started writes down that a node runs again.
func (q Nodes) Started(ctx context.Context, node models.Node) error {
	if !node.Halted {
		return nil
	}
	return q.setHalted(ctx, false, []models.Node{node})
}

func (q Nodes) setHalted(ctx context.Context, halted bool, nodes []models.Node) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		for _, node := range nodes {
			changes := map[string]any{"halted": halted}
			if halted {
				changes["state"] = "stopped"
			}
			if err := tx.with(ctx).Model(&models.Node{ID: node.ID}).UpdateColumns(changes).Error; err != nil {
				return fmt.Errorf("write down that %s was stopped or started: %w", node.Name, err)
			}
		}
		return nil
	})
}

// Seen records what the supervisor saw of a node.
func (q Nodes) Seen(ctx context.Context, n models.Node) error {
	err := q.db.with(ctx).Model(&models.Node{ID: n.ID}).UpdateColumns(map[string]any{"state": n.State, "used_memory": n.UsedMemory,
		"max_memory": n.MaxMemory, "keys": n.Keys, "lag_bytes": n.LagBytes, "seen_at": catalogTimeOf(n.SeenAt)}).Error
	if err != nil {
		return fmt.Errorf("record node %s: %w", n.Name, err)
	}
	return nil
}

// Begin records that the planned nodes of a new cluster are being made: from now on the files in their place are theirs.
func (q Nodes) Begin(ctx context.Context, clusterID uint) error {
	planned := q.db.with(ctx).Model(&models.Node{}).Where("cluster_id = ? AND state = ?", clusterID, models.NodePlanned)
	if err := planned.UpdateColumn("state", "starting").Error; err != nil {
		return fmt.Errorf("record that the nodes of cluster %d are being made: %w", clusterID, err)
	}
	return nil
}

// SetSlots records which slots a primary has.
func (q Nodes) SetSlots(ctx context.Context, n models.Node, slots string) error {
	if err := q.db.with(ctx).Model(&models.Node{ID: n.ID}).Where("role = ?", models.RolePrimary).UpdateColumn("slots", slots).Error; err != nil {
		return fmt.Errorf("record the slots of %s: %w", n.Name, err)
	}
	return nil
}

// Remove removes a stopped node from the catalog.
func (q Nodes) Remove(ctx context.Context, id uint) error {
	if err := q.db.with(ctx).Delete(&models.Node{}, id).Error; err != nil {
		return fmt.Errorf("remove node %d: %w", id, err)
	}
	return nil
}

// Promote makes one node of a shard its primary and the others its replicas, in one step. The node gets the shard's slots, and the cluster's port
// follows the primary of the first shard.
func (q Nodes) Promote(ctx context.Context, clusterID uint, node models.Node) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		shard := func() *gorm.DB {
			return tx.with(ctx).Model(&models.Node{}).Where("cluster_id = ? AND shard = ?", clusterID, node.Shard)
		}
		var slots []string
		if err := shard().Where("slots <> ''").Limit(1).Pluck("slots", &slots).Error; err != nil {
			return fmt.Errorf("promote %s: %w", node.Name, err)
		}
		others := shard().Where("id <> ?", node.ID).UpdateColumns(map[string]any{"role": models.RoleReplica, "slots": ""})
		primary := tx.with(ctx).Model(&models.Node{ID: node.ID}).UpdateColumns(map[string]any{"role": models.RolePrimary, "slots": strings.Join(slots, "")})
		if err := errors.Join(others.Error, primary.Error); err != nil {
			return fmt.Errorf("promote %s: %w", node.Name, err)
		}
		if primary.RowsAffected == 0 {
			return fmt.Errorf("promote %s: the node was removed", node.Name) // otherwise a shard without a primary would be left
		}
		if node.Shard > 1 {
			return nil
		}
		if err := tx.with(ctx).Model(&models.Cluster{ID: clusterID}).UpdateColumn("port", node.Port).Error; err != nil {
			return fmt.Errorf("promote %s: %w", node.Name, err)
		}
		return nil
	})
}
