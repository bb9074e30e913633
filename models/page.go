package models

import (
	"context"
	"fmt"
	"time"
)

// This file lists rows in pages that go on where the last one ended, so that what comes and goes in between neither hides nor repeats a row.

// SnapshotFilter says which snapshots are listed; what is empty does not filter.
type SnapshotFilter struct {
	Name   string
	Group  string // a replication group
	Node   string // a cache cluster, or a node of a replication group
	Source string
}

// SnapshotPage returns up to limit snapshots with their parts whose names follow one name, in the order of names.
func (db *DB) SnapshotPage(ctx context.Context, f SnapshotFilter, after string, limit int) ([]Snapshot, error) {
	query := db.with(ctx).Preload("Parts", inOrder).Where("name > ?", after).Order("name").Limit(limit)
	if f.Name != "" {
		query = query.Where("name = ?", f.Name)
	}
	if f.Group != "" {
		query = query.Where("grouped AND cluster_name = ?", f.Group)
	}
	if f.Node != "" {
		query = query.Where("(NOT grouped AND cluster_name = ?) OR (grouped AND node = ?)", f.Node, f.Node)
	}
	if f.Source != "" {
		query = query.Where("source = ?", f.Source)
	}
	var rows []Snapshot
	if err := query.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return rows, nil
}

// EventFilter says which events are listed; what is empty does not filter.
type EventFilter struct {
	SourceType string // SourceGroup, SourceCluster
	Source     string // a cluster's name
	From, To   time.Time
}

// EventPage returns up to limit events that are about something, the oldest first, whose numbers follow one number.
func (db *DB) EventPage(ctx context.Context, f EventFilter, after uint, limit int) ([]Event, error) {
	query := db.with(ctx).Where("id > ? AND source_type <> '' AND at >= ? AND at <= ?", after, catalogTime(f.From), catalogTime(f.To)).Order("id").Limit(limit)
	if f.SourceType != "" {
		query = query.Where("source_type = ?", f.SourceType)
	}
	if f.Source != "" {
		query = query.Where("cluster_name = ?", f.Source)
	}
	var rows []Event
	if err := query.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return rows, nil
}

// CacheCluster finds what ElastiCache calls a cache cluster: a cluster that is one, or a node of a replication group, and then which.
func (db *DB) CacheCluster(ctx context.Context, name string) (Cluster, *Node, error) {
	cluster, found, err := find[Cluster](db.with(ctx).Preload("Nodes", inOrder).Where("name = ? AND NOT grouped", name))
	if err != nil {
		return cluster, nil, fmt.Errorf("find cluster %s: %w", name, err)
	} else if found {
		return cluster, nil, nil
	}
	cluster, found, err = find[Cluster](db.with(ctx).Preload("Nodes", inOrder).Where("grouped AND id IN (SELECT cluster_id FROM nodes WHERE name = ?)", name))
	if err != nil {
		return cluster, nil, fmt.Errorf("find cluster of node %s: %w", name, err)
	}
	for i, n := range cluster.Nodes {
		if n.Name == name && found {
			return cluster, &cluster.Nodes[i], nil
		}
	}
	return Cluster{}, nil, refuse(CodeClusterNotFound, "", fmt.Sprintf("There is no cluster %s.", name))
}

// Group finds a replication group.
func (db *DB) Group(ctx context.Context, name string) (Cluster, error) {
	cluster, err := db.Cluster(ctx, name)
	if err == nil && !cluster.Grouped {
		err = refuse(CodeClusterNotFound, "", fmt.Sprintf("There is no replication group %s. There is a cache cluster of that name.", name))
	}
	return cluster, err
}
