package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"rekindle/models"
)

const backupUse = "rekindle backup now CLUSTER [--name NAME] [--wait]"

// runBackupNow is "rekindle backup now CLUSTER".
func runBackupNow(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := newFlags("backup now", `Take a snapshot of a cluster, by a running console: `+backupUse+`. The snapshot's name is printed.
`+accessHelp, getenv, stdout)
	connect := declareClient(flags)
	name := flags.string("name", "", "`name` of the snapshot (default: that of the cluster with the time)")
	wait := flags.Bool("wait", false, waitUsage)
	asJSON := flags.Bool("json", false, jsonUsage)
	cluster, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	if cluster == "" {
		return misuse("say which cluster: %s", backupUse)
	}
	c, err := connect()
	if err != nil {
		return err
	}
	taken, err := c.takeSnapshot(ctx, cluster, cmp.Or(*name, models.SuggestSnapshotName(cluster, time.Now())))
	if err != nil {
		return c.explain(err)
	}
	if !*asJSON {
		fmt.Fprintln(stdout, taken.Name) // now, so that a script that is interrupted knows it
	}
	if *wait {
		if taken, err = c.awaitSnapshot(ctx, taken, terminalOf(stderr)); err != nil {
			return err
		}
	}
	if *asJSON {
		return printJSON(stdout, map[string]any{"format_version": listingVersion, "snapshot": taken})
	}
	return nil
}

const waitUsage = "wait until it is available; if that fails, so does the command"

// takeSnapshot has a snapshot taken of a cluster, and returns how it begins.
func (c *apiClient) takeSnapshot(ctx context.Context, cluster, name string, options ...func(*elasticache.Options)) (taken listedSnapshot, err error) {
	err = ofEither(cluster, func(group, single *string) error {
		answer, err := c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{SnapshotName: &name, ReplicationGroupId: group, CacheClusterId: single}, options...)
		if err == nil {
			taken = snapshotOf(*answer.Snapshot)
		}
		return err
	})
	return taken, err
}

// whyFailed is the console's sentence about a snapshot that failed. For one that was taken, ElastiCache's words stand before it.
func (c *apiClient) whyFailed(ctx context.Context, s listedSnapshot) string {
	for begins, ends := range map[string]string{
		"Snapshot failed for snapshot with ID '" + s.Name + "'": "ID '" + s.Cluster + "'. ",
		models.RecoveryFailed(s.Cluster, s.Name):                models.RecoveryFailed(s.Cluster, s.Name) + " ",
	} {
		said := c.said(ctx, s.Cluster, s.sourceType, begins)
		if _, reason, cut := strings.Cut(said, ends); cut {
			return reason
		} else if said != "" {
			return said
		}
	}
	return ""
}

// awaitSnapshot waits until a snapshot is available; an end in any other state is an error with the console's sentence.
func (c *apiClient) awaitSnapshot(ctx context.Context, s listedSnapshot, terminal io.Writer) (listedSnapshot, error) {
	status, err := c.await(ctx, "the snapshot "+s.Name, terminal, func(ctx context.Context) (string, error) {
		found, err := c.DescribeSnapshots(ctx, &elasticache.DescribeSnapshotsInput{SnapshotName: &s.Name})
		if err != nil {
			return "", err
		}
		s = snapshotOf(found.Snapshots[0])
		return s.Status, nil
	})
	switch {
	case err != nil || status == available:
		return s, err
	case status == "deleting":
		return s, fmt.Errorf("the snapshot %s is being deleted", s.Name)
	}
	said := c.whyFailed(ctx, s)
	return s, fmt.Errorf("%s", cmp.Or(said, fmt.Sprintf("the snapshot %s failed; its page in the console says why", s.Name)))
}
