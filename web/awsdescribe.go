package web

import (
	"context"
	"strings"

	"rekindle/models"
)

// This file writes the commands that look at what the pages show; see awscommand.go.

// whoAmI is what a program calls to learn whose access key it uses.
func (a awsCLI) whoAmI() string { return a.do("sts get-caller-identity").String() }

// clusters lists all clusters: replication groups, and the cache clusters that belong to none.
func (a awsCLI) clusters() string {
	return a.do("elasticache describe-replication-groups").String() + "\n" +
		a.do("elasticache describe-cache-clusters").flag("--show-cache-clusters-not-in-replication-groups").String()
}

// cluster describes one cluster with its nodes.
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

// snapshots lists those of a cluster, or all, as far as the list's filters can be expressed.
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

// events lists those of the last day, of a cluster or of all.
func (a awsCLI) events(target awsTarget) string {
	c := a.do("elasticache describe-events")
	if target.ID != "" {
		c.with("--source-type", target.noun()).with("--source-identifier", target.ID)
	}
	return c.with("--duration", "1440").String()
}

// target finds out how a command names a cluster. For a cluster that is gone, what it left tells.
func (p presenter) target(ctx context.Context, id string, grouped func() (bool, error)) (awsTarget, error) {
	if id == "" {
		return awsTarget{}, nil
	}
	cluster, err := p.db.Clusters.Get(ctx, id)
	if !models.HasCode(err, models.CodeClusterNotFound) {
		return awsTargetOf(cluster), err
	}
	was, err := grouped()
	return awsTarget{ID: id, Grouped: was}, err
}

// eventsTarget is the cluster whose events are to be shown.
func (p presenter) eventsTarget(ctx context.Context, id string) (awsTarget, error) {
	return p.target(ctx, id, func() (bool, error) {
		last, err := p.db.Events.List(ctx, models.List{Equal: map[string]string{"cluster": id}, Size: 1})
		return err != nil || len(last.Rows) == 0 || last.Rows[0].SourceType != models.SourceCluster, err
	})
}
