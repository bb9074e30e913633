package models

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parameter is a setting of the engines that a parameter group may change. Only safe ones are listed: none of them can make a node lose data, reach
// other files or be reached by others, or break replication.
type Parameter struct {
	Name        string
	Default     string // the engine's own
	Description string
	Type        string // "integer", "float" or "string"
	Allowed     string // "0-4294967295" or "yes,no"
	Reboot      bool   // takes effect after a restart of the node; otherwise at once
	Fixed       bool   // shown, but cannot be changed
}

// check says what is wrong with a value, or "".
func (p Parameter) check(value string) string {
	if p.Fixed {
		if value == p.Default {
			return ""
		}
		return fmt.Sprintf("The parameter %s cannot be changed; it is %s.", p.Name, p.Default)
	}
	if p.Name == "notify-keyspace-events" {
		if strings.Trim(value, "KEg$lshzxetdmnA") == "" {
			return ""
		}
		return fmt.Sprintf("The parameter %s takes letters of K, E, g, $, l, s, h, z, x, e, t, d, m, n and A, not %.40q.", p.Name, value)
	}
	if n, err := strconv.ParseInt(value, 10, 64); p.Name == "max_item_size" && err == nil && n%524288 != 0 {
		return fmt.Sprintf("The parameter %s takes a multiple of 524288, not %d.", p.Name, n)
	}
	low, high, isRange := strings.Cut(p.Allowed, "-")
	if p.Type == "integer" && isRange {
		n, err := strconv.ParseInt(value, 10, 64)
		least, _ := strconv.ParseInt(low, 10, 64)
		most, _ := strconv.ParseInt(high, 10, 64)
		if err == nil && n >= least && n <= most && value == strconv.FormatInt(n, 10) {
			return ""
		}
		return fmt.Sprintf("The parameter %s takes a whole number from %s to %s, not %.40q.", p.Name, low, high, value)
	}
	if p.Type == "float" && isRange {
		n, err := strconv.ParseFloat(value, 64)
		least, _ := strconv.ParseFloat(low, 64)
		most, _ := strconv.ParseFloat(high, 64)
		if err == nil && n >= least && n <= most {
			return ""
		}
		return fmt.Sprintf("The parameter %s takes a number from %s to %s, not %.40q.", p.Name, low, high, value)
	}
	if slices.Contains(strings.Split(p.Allowed, ","), value) {
		return ""
	}
	return fmt.Sprintf("The parameter %s takes one of %s, not %.40q.", p.Name, strings.ReplaceAll(p.Allowed, ",", ", "), value)
}

const (
	yesNo    = "yes,no"
	anySize  = "0-9223372036854775807"
	anyCount = "0-4294967295"
)

// Families are the families of parameter groups, those of older engines first.
func Families() []string {
	return []string{"memcached1.5", "memcached1.6", "redis6.x", "redis7", "redis8", "valkey7", "valkey8", "valkey9"}
}

// Parameters lists the parameters of a family; none if the family is unknown. The defaults are those of the engines as Rekindle starts them.
//
// Source: redis.conf of the engines; Amazon ElastiCache user guide, "Engine specific parameters".
func Parameters(family string) []Parameter {
	switch {
	case !slices.Contains(Families(), family):
		return nil
	case strings.HasPrefix(family, EngineMemcached):
		return []Parameter{
			{Name: "backlog_queue_limit", Default: "1024", Description: "Connections that wait to be accepted", Type: "integer", Allowed: "1-10000", Reboot: true},
			{Name: "chunk_size_growth_factor", Default: "1.25", Description: "How much larger each slab class is than the one before", Type: "float", Allowed: "1.01-10", Reboot: true},
			{Name: "max_item_size", Default: "1048576", Description: "Largest item in bytes, a multiple of 524288", Type: "integer", Allowed: "524288-67108864", Reboot: true},
			{Name: "max_simultaneous_connections", Default: "1024", Description: "Connections at once", Type: "integer", Allowed: "64-65000", Reboot: true},
		}
	}
	packed := "listpack"
	if family == "redis6.x" {
		packed = "ziplist"
	}
	return []Parameter{
		{Name: "client-query-buffer-limit", Default: "1073741824", Description: "Largest query buffer of a client in bytes", Type: "integer", Allowed: "1048576-9223372036854775807"},
		{Name: "cluster-enabled", Default: "no", Description: "Cluster mode", Type: "string", Allowed: yesNo, Reboot: true, Fixed: true},
		{Name: "databases", Default: "16", Description: "Databases of each node of a cluster that is created; a restore makes as many as its data needs", Type: "integer", Allowed: "1-1200000", Reboot: true},
		{Name: "hash-max-" + packed + "-entries", Default: "512", Description: "Fields up to which a hash is kept compact", Type: "integer", Allowed: anyCount},
		{Name: "hash-max-" + packed + "-value", Default: "64", Description: "Bytes of a value up to which a hash is kept compact", Type: "integer", Allowed: anyCount},
		{Name: "latency-monitor-threshold", Default: "0", Description: "Milliseconds from which events are recorded by the latency monitor; 0 turns it off", Type: "integer", Allowed: anyCount},
		{Name: "lazyfree-lazy-eviction", Default: lazy(family), Description: "Free evicted keys in the background", Type: "string", Allowed: yesNo},
		{Name: "lazyfree-lazy-expire", Default: lazy(family), Description: "Free expired keys in the background", Type: "string", Allowed: yesNo},
		{Name: "lazyfree-lazy-server-del", Default: lazy(family), Description: "Free overwritten keys in the background", Type: "string", Allowed: yesNo},
		{Name: "lazyfree-lazy-user-del", Default: lazy(family), Description: "Make DEL work like UNLINK", Type: "string", Allowed: yesNo},
		{Name: "lfu-decay-time", Default: "1", Description: "Minutes after which the counters of LFU decay", Type: "integer", Allowed: "0-2147483647"},
		{Name: "lfu-log-factor", Default: "10", Description: "How slowly the counters of LFU grow", Type: "integer", Allowed: "0-2147483647"},
		{Name: "list-compress-depth", Default: "0", Description: "Nodes at each end of a list that are not compressed; 0 turns compression off", Type: "integer", Allowed: "0-65535"},
		{Name: "maxmemory-policy", Default: "volatile-lru", Description: "What is evicted when the memory is used up", Type: "string",
			Allowed: "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction"},
		{Name: "maxmemory-samples", Default: "5", Description: "Keys that are looked at to find one to evict", Type: "integer", Allowed: "1-64"},
		{Name: "notify-keyspace-events", Default: "", Description: "Events that are published", Type: "string", Allowed: "letters of KEg$lshzxetdmnA"},
		{Name: "proto-max-bulk-len", Default: "536870912", Description: "Largest string in a request in bytes", Type: "integer", Allowed: "1048576-9223372036854775807"},
		{Name: "repl-backlog-size", Default: backlog(family), Description: "Bytes that are kept for replicas that come back", Type: "integer", Allowed: "16384-9223372036854775807"},
		{Name: "repl-backlog-ttl", Default: "3600", Description: "Seconds after which the backlog is freed when there is no replica; 0 keeps it", Type: "integer", Allowed: "0-2147483647"},
		{Name: "set-max-intset-entries", Default: "512", Description: "Members up to which a set of numbers is kept compact", Type: "integer", Allowed: anyCount},
		{Name: "slowlog-log-slower-than", Default: "10000", Description: "Microseconds from which a command is logged as slow", Type: "integer", Allowed: anySize},
		{Name: "slowlog-max-len", Default: "128", Description: "Slow commands that are kept", Type: "integer", Allowed: anyCount},
		{Name: "stream-node-max-bytes", Default: "4096", Description: "Bytes of a node of a stream", Type: "integer", Allowed: anyCount},
		{Name: "stream-node-max-entries", Default: "100", Description: "Entries of a node of a stream", Type: "integer", Allowed: anyCount},
		{Name: "timeout", Default: "0", Description: "Seconds after which an idle client is disconnected; 0: never", Type: "integer", Allowed: "0-2147483647"},
		{Name: "zset-max-" + packed + "-entries", Default: "128", Description: "Members up to which a sorted set is kept compact", Type: "integer", Allowed: anyCount},
		{Name: "zset-max-" + packed + "-value", Default: "64", Description: "Bytes of a member up to which a sorted set is kept compact", Type: "integer", Allowed: anyCount},
	}
}

func lazy(family string) string {
	if family == "valkey8" || family == "valkey9" {
		return "yes"
	}
	return "no"
}

func backlog(family string) string {
	if family == "valkey8" || family == "valkey9" {
		return "10485760"
	}
	return "1048576"
}
