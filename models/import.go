package models

import (
	"fmt"
	"strings"
)

// MaxImportShards is how many files one import may have; ElastiCache has up to 500 shards in a cluster.
const MaxImportShards = 500

// MaxDatabases is the most databases that a node can have, the limit of ElastiCache's parameter databases.
const MaxDatabases = 1_200_000

// ImportSpec asks for RDB files from elsewhere to become a manual snapshot.
type ImportSpec struct {
	Cluster     string   // the cluster under which it is filed; it need not exist
	Name        string   // of the snapshot
	Sources     []string // the files' addresses, one for each shard, in order; none if they are uploaded
	RequestedBy string

	CacheCluster bool // it is for a cache cluster in ElastiCache's terms
}

// CheckSources checks the addresses of the files to import, and brings them into their final form.
func CheckSources(spec *ImportSpec, faults *Faults) {
	var sources []string
	seen := make(map[string]bool)
	for _, text := range spec.Sources {
		if strings.TrimSpace(text) == "" {
			continue
		}
		source, problem := checkObject(text)
		if problem == "" && seen[source] {
			problem = fmt.Sprintf("%.200s is named twice. Name each shard's file once.", source)
		}
		if problem != "" {
			faults.Add(CodeInvalid, "sources", problem)
		}
		seen[source] = true
		sources = append(sources, source)
	}
	switch {
	case len(sources) == 0:
		faults.Add(CodeInvalid, "sources", "Say which files are to be imported, one for each shard.")
	case len(sources) > MaxImportShards:
		faults.Add(CodeInvalid, "sources", fmt.Sprintf("%d files are too many; %d shards are the most a cluster can have.", len(sources), MaxImportShards))
	}
	spec.Sources = sources
}

// SuggestNodeType returns the smallest of the current node types that holds this much memory with room to spare, or the largest one.
func SuggestNodeType(usedMemory int64) NodeType {
	// A quarter is left for buffers and for later writes.
	return smallestNodeType(func(t NodeType) bool { return t.Memory-t.Memory/4 >= usedMemory })
}
