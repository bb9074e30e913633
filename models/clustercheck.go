package models

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"rekindle/internal/slots"
)

// CheckSpec checks the spec of a new cluster by itself, without looking at what exists. engines are the installed ones.
func CheckSpec(spec ClusterSpec, engines []Engine) Faults {
	var faults Faults
	faults = append(faults, CheckDescription(spec.Description)...)
	faults = append(faults, CheckWindow(spec.Window)...)
	window := spec.Window
	if window.IsZero() {
		window = PickWindowBeside(spec.Name, spec.Attributes.MaintenanceWindow)
	}
	faults = append(faults, CheckOverlap(window, spec.Attributes.MaintenanceWindow)...)
	installed := false
	for _, e := range engines {
		installed = installed || e == spec.Engine
	}
	if !installed {
		faults.Add(CodeInvalid, "engine", fmt.Sprintf("The engine %s is not installed on this host.", spec.Engine))
	}
	nodeType, known := FindNodeType(spec.NodeType)
	if !known {
		faults.Add(CodeInvalid, "node_type", fmt.Sprintf("There is no node type %q.", spec.NodeType))
	}
	if spec.Engine.Name == EngineMemcached {
		faults = append(faults, checkCached(spec)...)
	} else if spec.CacheNodes > 1 {
		faults.Add(CodeCombination, "nodes", "A cache cluster of Redis or Valkey has one node. For more, make a replication group with replicas.")
	} else if spec.CacheCluster && spec.Replicas > 0 {
		faults.Add(CodeCombination, "replicas", "A cache cluster has no replicas: make a replication group.")
	}
	faults = append(faults, checkShards(spec)...)
	faults = append(faults, checkDeadlines(spec.Deadlines)...)
	if spec.Replicas < 0 || spec.Replicas > MaxReplicas {
		faults.Add(CodeInvalid, "replicas", fmt.Sprintf("A cluster can have 0 to %d replicas, not %d.", MaxReplicas, spec.Replicas))
	}
	if spec.Port != 0 && (spec.Port < 1024 || spec.Port > 65535) {
		faults.Add(CodeInvalid, "port", fmt.Sprintf("The port must be between 1024 and 65535, not %d.", spec.Port))
	}
	if spec.Copies < 1 || spec.Copies > MaxCopies {
		faults.Add(CodeInvalid, "copies", fmt.Sprintf("One snapshot can be restored into 1 to %d clusters at a time, not %d.", MaxCopies, spec.Copies))
	} else if spec.Copies > 1 {
		if spec.Snapshot == "" {
			faults.Add(CodeCombination, "copies", "Several clusters at once can only be made from a snapshot.")
		}
		last := NumberedNames(spec.Name, spec.Copies)[spec.Copies-1]
		if _, own := CheckName("cluster id", spec.Name); own == "" && len(last) > maxNameLength {
			faults.Add(CodeInvalid, "id", fmt.Sprintf("The id is too long to be numbered: %q has more than %d characters.", last, maxNameLength))
		}
	}
	switch spec.Auth {
	case AuthNone, AuthGenerate, "":
	case AuthGiven:
		if problem := CheckAuthPassword(spec.Password.Reveal()); problem != "" {
			faults.Add(CodeInvalid, "password", problem)
		}
	default:
		faults.Add(CodeInvalid, "auth", "Choose no password, a generated one or one of your own.")
	}
	faults = append(faults, spec.Attributes.Check(max(spec.ShardCount()*(spec.Replicas+1), spec.CacheNodes))...)
	faults = append(faults, CheckTags(spec.Tags)...)
	return append(faults, CheckRetention(spec.Retention, nodeType)...)
}

// maxClusterPort is the highest port of nodes in cluster mode: the one by which they talk to each other is 10000 above.
const maxClusterPort = 65535 - 10000

// checkShards checks what the spec says about cluster mode.
func checkShards(spec ClusterSpec) Faults {
	var faults Faults
	switch {
	case !spec.ClusterMode && spec.Shards > 1:
		faults.Add(CodeCombination, "shards", "Only a cluster in cluster mode has several shards.")
	case spec.ClusterMode && (spec.Engine.Name == EngineMemcached || spec.CacheCluster):
		faults.Add(CodeCombination, "shards", "Only a replication group of Redis or Valkey can be in cluster mode.")
	case spec.ClusterMode && (spec.Shards < 0 || spec.Shards > MaxShards):
		faults.Add(CodeInvalid, "shards", fmt.Sprintf("A cluster can have 1 to %d shards, not %d.", MaxShards, spec.Shards))
	case len(spec.Slots) > 0 && len(spec.Slots) != spec.ShardCount():
		faults.Add(CodeCombination, "shards", fmt.Sprintf("Slots are given for %d shards, but there are to be %d. Give those of every shard, or of none.", len(spec.Slots), spec.ShardCount()))
	case len(spec.Slots) > 0:
		faults = append(faults, checkSlots(spec.Slots)...)
	case spec.ClusterMode && spec.Port > maxClusterPort:
		faults.Add(CodeInvalid, "port", fmt.Sprintf("In cluster mode the port must not be above %d, because nodes talk to each other on a second port, which is 10000 higher.", maxClusterPort))
	}
	return faults
}

// checkSlots refuses sets of slots in which a slot is missing or occurs twice.
func checkSlots(sets []string) Faults {
	missing, err := slots.Missing(sets)
	if bad, is := errors.AsType[*slots.Error](err); is {
		return Faults{{CodeInvalid, "shards", fmt.Sprintf("%.40q is not a set of slots. Write them like 0-5460,9000; they go from 0 to %d.", bad.Piece, slots.Count-1)}}
	}
	if missing != "" {
		return Faults{{CodeInvalid, "shards", fmt.Sprintf("Each slot from 0 to %d must be in exactly one shard. These are in none, or in several: %s.", slots.Count-1, missing)}}
	}
	return nil
}

// checkCached refuses for memcached what only makes sense with data that is kept.
func checkCached(spec ClusterSpec) Faults {
	var faults Faults
	if spec.CacheNodes < 1 || spec.CacheNodes > MaxCacheNodes {
		faults.Add(CodeInvalid, "nodes", fmt.Sprintf("A memcached cluster can have 1 to %d nodes, not %d.", MaxCacheNodes, spec.CacheNodes))
	}
	if !spec.CacheCluster || spec.Replicas > 0 {
		faults.Add(CodeCombination, "replicas", "Nodes of memcached do not replicate: make a cache cluster with several nodes.")
	}
	if spec.Auth != "" && spec.Auth != AuthNone {
		faults.Add(CodeCombination, "auth", "Clusters of memcached have no password.")
	}
	if spec.Encrypted {
		faults.Add(CodeCombination, "encrypted", "Clusters of memcached cannot be encrypted here: most systems' memcached, Debian's among them, is built without TLS. Use Redis or Valkey.")
	}
	if spec.Retention > 0 || spec.Snapshot != "" || len(spec.Sources) > 0 {
		faults.Add(CodeSnapshotUnsupported, "engine", CachedUnsupported)
	}
	return faults
}

// CachedUnsupported is why memcached and snapshots do not go together.
const CachedUnsupported = "Clusters of memcached cannot be backed up or filled from a snapshot: their nodes only cache."

// CheckDescription checks the description of a cluster.
func CheckDescription(description string) Faults {
	var faults Faults
	if utf8.RuneCountInString(description) > 255 {
		faults.Add(CodeInvalid, "description", "The description may have at most 255 characters.")
	} else if !utf8.ValidString(description) || strings.ContainsFunc(description, unprintable) {
		faults.Add(CodeInvalid, "description", "The description is not valid text (UTF-8 without control characters).")
	}
	return faults
}

// CheckWindow refuses a window that could be stored but not be read again.
func CheckWindow(window Window) Faults {
	if window.IsZero() {
		return nil
	}
	_, err := NewWindow(window.Start, window.Length)
	faults, _ := AsFaults(err)
	return faults
}

// CheckRetention checks the days for which automatic snapshots are kept; 0 turns them off.
func CheckRetention(days int, nodeType NodeType) Faults {
	var faults Faults
	if days < 0 || days > MaxRetention {
		faults.Add(CodeInvalid, "retention", fmt.Sprintf("The retention must be between 1 and %d days, not %d.", MaxRetention, days))
	}
	if days > 0 && nodeType.NoSnapshots {
		faults.Add(CodeSnapshotUnsupported, "backups",
			fmt.Sprintf("Clusters of the node type %s cannot be backed up. Turn automatic backups off or choose a larger type.", nodeType.Name))
	}
	return faults
}

// CheckAuthPassword applies ElastiCache's rule for AUTH tokens ("Authenticating with the AUTH command", user guide).
func CheckAuthPassword(password string) string {
	if len(password) < 16 || len(password) > 128 {
		return fmt.Sprintf("The password must have 16 to 128 characters; this one has %d.", len(password))
	}
	for _, r := range password {
		if r <= ' ' || r > '~' || r == '"' || r == '/' || r == '@' {
			return "The password may contain only printable ASCII characters, and no space, quotation mark, slash or @."
		}
	}
	return ""
}

// FittedInto tells whether the data of a snapshot came from a node with no more memory than this type. Then it fits again, although INFO reports
// somewhat more memory for a full node than its limit: buffers and the like do not count against the limit.
func (s Snapshot) FittedInto(t NodeType) bool {
	source, known := FindNodeType(s.NodeType)
	return known && s.ServedBy != "" && source.Memory <= t.Memory
}

// SizeTexts formats two different sizes with enough digits to tell them apart.
func SizeTexts(a, b int64) (string, string) {
	for digits := range 4 {
		if x, y := sizeTextOf(a, digits), sizeTextOf(b, digits); x != y {
			return x, y
		}
	}
	return fmt.Sprintf("%d bytes", a), fmt.Sprintf("%d bytes", b)
}

// sizeTextOf formats a size as the pages do, in powers of 1000 and with one decimal from a gigabyte on, plus this many more decimals.
func sizeTextOf(n int64, more int) string {
	if n < 1e9 {
		return fmt.Sprintf("%.*f MB", more, float64(n)/1e6)
	}
	return fmt.Sprintf("%.*f GB", more+1, float64(n)/1e9)
}

// checkRoom refuses node types that are too small for the data of a snapshot.
func checkRoom(spec ClusterSpec, snapshot Snapshot) Faults {
	nodeType, known := FindNodeType(spec.NodeType)
	shards := int64(spec.ShardCount())
	if !known || snapshot.UsedMemory <= shards*nodeType.Memory || shards >= int64(snapshot.ShardCount) && snapshot.FittedInto(nodeType) {
		return nil
	}
	needs, has := SizeTexts(snapshot.UsedMemory, shards*nodeType.Memory)
	if shards > 1 {
		return Faults{{CodeCombination, "node_type", fmt.Sprintf("The data needs %s of memory, and %d shards of %s have %s. Choose a larger node type or more shards.", needs, shards, nodeType.Name, has)}}
	}
	return Faults{{CodeCombination, "node_type", fmt.Sprintf("The data needs %s of memory, and %s has %s. Choose a larger node type.", needs, nodeType.Name, has)}}
}

// CheckRestore refuses restores that could only fail later. cannot says why the engine cannot take the snapshot; "" if it can.
func CheckRestore(spec ClusterSpec, snapshot Snapshot, cannot string) Faults {
	var faults Faults
	if why := snapshot.NoRestore(); why != "" {
		faults.Add(CodeSnapshotState, "snapshot", why)
		return faults // of an incomplete snapshot nothing else is known
	}
	faults = append(faults, checkRoom(spec, snapshot)...)
	if databases := snapshot.Databases(); spec.ClusterMode && databases > 1 {
		faults.Add(CodeCombination, "shards", fmt.Sprintf("The snapshot has keys in databases up to number %d, and a cluster in cluster mode has only database 0. Restore it outside of cluster mode.", databases-1))
	}
	if cannot != "" {
		faults.Add(CodeCombination, "engine", fmt.Sprintf("The snapshot was made by %s (RDB version %d), which %s cannot load%s Choose %s or a newer version of it.",
			snapshot.EngineName(), snapshot.RDBVersion, spec.Engine, cannot, snapshot.EngineName()))
	}
	return faults
}
