package nodes

import (
	"context"
	"errors"
	"sync"

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
	var stops sync.WaitGroup
	failures := make([]error, len(clusters))
	for i, cluster := range clusters {
		if cluster.Attached() || !s.Here(cluster) {
			continue
		}
		stops.Go(func() {
			for _, role := range []models.Role{models.RoleReplica, models.RolePrimary, models.RoleCache} {
				for _, node := range cluster.Nodes {
					if node.Role == role {
						failures[i] = errors.Join(failures[i], s.halt(ctx, cluster, node))
					}
				}
			}
		})
	}
	stops.Wait()
	return errors.Join(failures...)
}

// halt stops a node if it runs, and records that it was stopped on purpose.
func (s *Supervisor) halt(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if running, err := s.Launcher.Running(ctx, cluster.Name, node.Name); err != nil || !running {
		return err
	}
	if err := s.Launcher.Stop(ctx, cluster.Name, node.Name, launch.Save); err != nil {
		return err
	}
	return s.DB.Nodes.Halted(ctx, node)
}
