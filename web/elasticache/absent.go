package elasticache

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
)

// absence is a kind of thing that ElastiCache has and Rekindle never does: a list of them is empty, and none is found by name. Clients ask for such
// lists on the way to something else, and an unknown action would stop them there.
type absence struct {
	list  string // the name of the list's element in the answer
	by    string // the parameter that names one
	code  string // of the refusal when one is named; see [wires]
	thing string // what people call it
}

var absences = map[string]absence{
	"DescribeCacheSecurityGroups":         {"CacheSecurityGroups", "CacheSecurityGroupName", "CacheSecurityGroupNotFound", "cache security group"},
	"DescribeGlobalReplicationGroups":     {"GlobalReplicationGroups", "GlobalReplicationGroupId", "GlobalReplicationGroupNotFoundFault", "global replication group"},
	"DescribeReservedCacheNodes":          {"ReservedCacheNodes", "ReservedCacheNodeId", "ReservedCacheNodeNotFound", "reserved cache node"},
	"DescribeReservedCacheNodesOfferings": {"ReservedCacheNodesOfferings", "ReservedCacheNodesOfferingId", "ReservedCacheNodesOfferingNotFound", "offering of reserved cache nodes"},
	"DescribeServerlessCaches":            {"ServerlessCaches", "ServerlessCacheName", "ServerlessCacheNotFoundFault", "serverless cache"},
	"DescribeServerlessCacheSnapshots":    {"ServerlessCacheSnapshots", "ServerlessCacheSnapshotName", "ServerlessCacheSnapshotNotFoundFault", "snapshot of a serverless cache"},
	"DescribeServiceUpdates":              {"ServiceUpdates", "ServiceUpdateName", "ServiceUpdateNotFoundFault", "service update"}, // engines are updated with the host's packages
	"DescribeUpdateActions":               {list: "UpdateActions"},
}

// emptyList is an answer with an empty list.
type emptyList struct{ List struct{ XMLName xml.Name } }

func (a absence) describe(_ context.Context, c *call) (any, error) {
	if a.by != "" {
		if name := c.text(a.by); name != "" {
			return nil, fault{http.StatusNotFound, a.code, fmt.Sprintf("There is no %s %.80s. Rekindle has none.", a.thing, name)}
		}
	}
	c.limit(maxRecords)
	var empty emptyList
	empty.List.XMLName.Local = a.list
	return empty, nil
}
