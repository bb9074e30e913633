package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
)

// What commands print with --json. docs/running.md promises these fields.
type (
	listedCluster struct {
		Name         string     `json:"name"`
		Description  string     `json:"description"`
		Status       string     `json:"status"`
		Engine       string     `json:"engine"`
		NodeType     string     `json:"node_type"`
		Shards       int        `json:"shards"`
		Nodes        int        `json:"nodes"`
		Retention    int        `json:"retention_days"`
		Window       *string    `json:"window_utc"`
		Address      *string    `json:"address"`
		CreatedAt    *time.Time `json:"created_at"`
		TransitCrypt bool       `json:"transit_encryption"`
		AuthEnabled  bool       `json:"auth_enabled"`

		sourceType types.SourceType
	}
	listedSnapshot struct {
		Name        string     `json:"name"`
		Cluster     string     `json:"cluster"`
		Source      string     `json:"source"`
		Status      string     `json:"status"`
		Engine      string     `json:"engine"`
		Version     string     `json:"engine_version"`
		NodeType    string     `json:"node_type"`
		Shards      int        `json:"shards"`
		Size        *int64     `json:"size_bytes"` // the API has whole MiB
		CompletedAt *time.Time `json:"completed_at"`

		sourceType types.SourceType
	}
)

// listingVersion is the version of what commands print with --json.
const listingVersion = 1

// clusters lists all clusters by name: replication groups, and the cache clusters that are in none.
func (c *apiClient) clusters(ctx context.Context) ([]listedCluster, error) {
	var all []listedCluster
	groups := elasticache.NewDescribeReplicationGroupsPaginator(c, &elasticache.DescribeReplicationGroupsInput{MaxRecords: pageSize})
	for groups.HasMorePages() {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.ReplicationGroups {
			all = append(all, clusterOfGroup(g))
		}
	}
	single := elasticache.NewDescribeCacheClustersPaginator(c, &elasticache.DescribeCacheClustersInput{MaxRecords: pageSize, ShowCacheNodeInfo: aws.Bool(true),
		ShowCacheClustersNotInReplicationGroups: aws.Bool(true)})
	for single.HasMorePages() {
		page, err := single.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, one := range page.CacheClusters {
			all = append(all, clusterOfNodes(one))
		}
	}
	slices.SortStableFunc(all, func(a, b listedCluster) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func clusterOfGroup(g types.ReplicationGroup) listedCluster {
	l := listedCluster{Name: aws.ToString(g.ReplicationGroupId), Description: aws.ToString(g.Description), Status: aws.ToString(g.Status), Engine: aws.ToString(g.Engine),
		NodeType: aws.ToString(g.CacheNodeType), Shards: max(1, len(g.NodeGroups)), Nodes: len(g.MemberClusters), Retention: int(aws.ToInt32(g.SnapshotRetentionLimit)),
		Window: g.SnapshotWindow, CreatedAt: inUTC(g.ReplicationGroupCreateTime), TransitCrypt: aws.ToBool(g.TransitEncryptionEnabled), AuthEnabled: aws.ToBool(g.AuthTokenEnabled),
		sourceType: types.SourceTypeReplicationGroup}
	l.Address = hostPort(g.ConfigurationEndpoint)
	if l.Address == nil && len(g.NodeGroups) > 0 {
		l.Address = hostPort(g.NodeGroups[0].PrimaryEndpoint)
	}
	if len(g.NodeGroups) > 0 && aws.ToString(g.NodeGroups[0].Status) == "unreachable" { // the group itself says available, as ElastiCache does
		l.Status = "unreachable"
	}
	return l
}

func clusterOfNodes(one types.CacheCluster) listedCluster {
	l := listedCluster{Name: aws.ToString(one.CacheClusterId), Status: aws.ToString(one.CacheClusterStatus), Engine: aws.ToString(one.Engine), NodeType: aws.ToString(one.CacheNodeType),
		Shards: 1, Nodes: int(aws.ToInt32(one.NumCacheNodes)), Retention: int(aws.ToInt32(one.SnapshotRetentionLimit)), Window: one.SnapshotWindow,
		CreatedAt: inUTC(one.CacheClusterCreateTime), TransitCrypt: aws.ToBool(one.TransitEncryptionEnabled), AuthEnabled: aws.ToBool(one.AuthTokenEnabled),
		sourceType: types.SourceTypeCacheCluster}
	if l.Address = hostPort(one.ConfigurationEndpoint); l.Address == nil && len(one.CacheNodes) > 0 {
		l.Address = hostPort(one.CacheNodes[0].Endpoint)
	}
	return l
}

func hostPort(e *types.Endpoint) *string {
	if e == nil || aws.ToString(e.Address) == "" {
		return nil
	}
	return aws.String(aws.ToString(e.Address) + ":" + strconv.Itoa(int(aws.ToInt32(e.Port))))
}

// snapshots lists all snapshots by name, or those of one cluster.
func (c *apiClient) snapshots(ctx context.Context, cluster string) (all []listedSnapshot, err error) {
	read := func(group, single *string) error {
		pages := elasticache.NewDescribeSnapshotsPaginator(c, &elasticache.DescribeSnapshotsInput{MaxRecords: pageSize, ReplicationGroupId: group, CacheClusterId: single})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, s := range page.Snapshots {
				all = append(all, snapshotOf(s))
			}
		}
		return nil
	}
	if cluster == "" {
		return all, read(nil, nil)
	}
	err = ofEither(cluster, read)
	return all, err
}

// consoleSources are the console's words for what ElastiCache calls otherwise.
var consoleSources = map[string]string{"automated": "automatic"}

func snapshotOf(s types.Snapshot) listedSnapshot {
	source := aws.ToString(s.SnapshotSource)
	l := listedSnapshot{Name: aws.ToString(s.SnapshotName), Cluster: aws.ToString(s.ReplicationGroupId), Source: cmp.Or(consoleSources[source], source), Status: aws.ToString(s.SnapshotStatus),
		Engine: aws.ToString(s.Engine), Version: aws.ToString(s.EngineVersion), NodeType: aws.ToString(s.CacheNodeType), Shards: max(1, len(s.NodeSnapshots)),
		sourceType: types.SourceTypeReplicationGroup}
	if l.Cluster == "" {
		l.Cluster, l.sourceType = aws.ToString(s.CacheClusterId), types.SourceTypeCacheCluster
	}
	for _, part := range s.NodeSnapshots {
		mib, err := strconv.ParseInt(strings.TrimSuffix(aws.ToString(part.CacheSize), " MB"), 10, 64)
		if part.SnapshotCreateTime == nil || err != nil { // it is still being taken
			continue
		}
		if l.Size == nil {
			l.Size = new(int64)
		}
		*l.Size += mib << 20
		l.CompletedAt = inUTC(part.SnapshotCreateTime)
	}
	return l
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
