package nodes

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"rekindle/internal/launch"
	"rekindle/models"
)

// StopNodes saves and stops every node of every launched cluster on this host. Replicas come first, so that no primary waits for them and none of
// them is promoted.
func (s *Supervisor) StopNodes(ctx context.Context) error {
	clusters, err := s.DB.Clusters.All(ctx)
	if err != nil {
		return err
	}
	clusters = slices.DeleteFunc(clusters, func(c models.Cluster) bool { return c.Attached() || !s.Here(c) })
	begun := time.Now()
	s.Logger.Info("saving and stopping the nodes", "clusters", len(clusters))
	var stops sync.WaitGroup
	failures := make([]error, len(clusters))
	for i, cluster := range clusters {
		stops.Go(func() { failures[i] = s.haltCluster(ctx, cluster) })
	}
	stops.Wait()
	failed := len(slices.DeleteFunc(slices.Clone(failures), func(err error) bool { return err == nil }))
	level := slog.LevelInfo
	if failed > 0 {
		level = slog.LevelError
	}
	s.Logger.Log(ctx, level, "the nodes are stopped", "clusters", len(clusters)-failed, "failed", failed, "took", took(begun))
	return errors.Join(failures...)
}

// haltCluster stops the nodes of a cluster, and says how that went.
func (s *Supervisor) haltCluster(ctx context.Context, cluster models.Cluster) (err error) {
	begun, stopped := time.Now(), 0
	for _, role := range []models.Role{models.RoleReplica, models.RolePrimary, models.RoleCache} {
		for _, node := range cluster.Nodes {
			if node.Role != role {
				continue
			}
			ran, failed := s.halt(ctx, cluster, node)
			if failed != nil {
				s.Logger.Error("a node could not be saved and stopped", "cluster", cluster.Name, "node", node.Name, "error", failed)
				err = errors.Join(err, failed)
			} else if ran {
				stopped++
			}
		}
	}
	if err == nil {
		s.Logger.Info("saved and stopped", "cluster", cluster.Name, "nodes", stopped, "took", took(begun))
	}
	return err
}

func took(begun time.Time) string { return time.Since(begun).Round(time.Millisecond).String() }

// halt stops a node if it runs, and records that it was stopped on purpose.
func (s *Supervisor) halt(ctx context.Context, cluster models.Cluster, node models.Node) (ran bool, err error) {
	if ran, err = s.Launcher.Running(ctx, cluster.Name, node.Name); err != nil || !ran {
		return false, err
	}
	if err := s.Launcher.Stop(ctx, cluster.Name, node.Name, launch.Save); err != nil {
		return true, err
	}
	return true, s.DB.Nodes.Halted(ctx, node)
}
