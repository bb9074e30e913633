package web

import (
	"context"
	"strings"

	"rekindle/models"
)

// This file writes the commands that look at what the pages show; see awscommand.go.

// whoAmI is what a program asks to learn whose access key it uses.
func (a awsCLI) whoAmI() string { return a.do("sts get-caller-identity").String() }

// clusters lists all of them: replication groups and the cache clusters that are in none.
func (a awsCLI) clusters() string {
	return a.do("elasticache describe-replication-groups").String() + "\n" +
		a.do("elasticache describe-cache-clusters").flag("--show-cache-clusters-not-in-replication-groups").String()
}

// cluster describes one with its nodes.
func (a awsCLI) cluster(target awsTarget) string {
	c := a.do("elasticache describe-"+target.noun()+"s").with(target.option(), target.ID)
	if !target.Grouped {
		c.flag("--show-cache-node-info")
	}
	return c.String()
}

func (a awsCLI) snapshot(name string) string {
	return a.do("elasticache describe-snapshots").with("--snapshot-name", name).String()
}

// snapshots lists those of a cluster, or all of them, as far as the filters of the list can be said.
func (a awsCLI) snapshots(target awsTarget, source, status string) string {
	c := a.do("elasticache describe-snapshots")
	if target.ID != "" {
		c.with(target.option(), target.ID)
	}
	switch source {
	case models.SourceAutomatic:
		c.with("--snapshot-source", "system")
	case models.SourceManual:
		c.with("--snapshot-source", "user")
	}
	if status != "" && strings.Trim(status, "abcdefghijklmnopqrstuvwxyz-") == "" {
		c.with("--query", "Snapshots[?SnapshotStatus=='"+status+"']")
	}
	return c.String()
}

// events lists the last day's, of a cluster or of all.
func (a awsCLI) events(target awsTarget) string {
	c := a.do("elasticache describe-events")
	if target.ID != "" {
		c.with("--source-type", target.noun()).with("--source-identifier", target.ID)
	}
	return c.with("--duration", "1440").String()
}

// target finds out how a command names a cluster that may be gone, of which then only its traces tell.
func (s *server) target(ctx context.Context, id string, grouped func() bool) (awsTarget, error) {
	if id == "" {
		return awsTarget{}, nil
	}
	cluster, err := s.db.Cluster(ctx, id)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return awsTarget{ID: id, Grouped: grouped()}, nil
	}
	return awsTargetOf(cluster), err
}

// eventsTarget is the cluster that events are shown of.
func (s *server) eventsTarget(ctx context.Context, id string, shown []models.Event) (awsTarget, error) {
	return s.target(ctx, id, func() bool { return len(shown) == 0 || shown[0].SourceType != models.SourceCluster })
}
