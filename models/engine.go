package models

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// EngineMemcached is the engine whose nodes are caches and nothing more: there is no replication and nothing to be backed up.
const EngineMemcached = "memcached"

// MaxCacheNodes is how many nodes a memcached cluster can have, as in ElastiCache.
const MaxCacheNodes = 40

// Cached tells whether the nodes only cache: each has its own keys, none is a primary, and there are no snapshots.
func (c Cluster) Cached() bool { return c.Engine == EngineMemcached }

// Family is the engine's generation as parameter groups name it: "redis7", "redis6.x", "valkey8", "memcached1.6".
//
// Source: Amazon ElastiCache API reference, CreateCacheParameterGroup, CacheParameterGroupFamily.
func (e Engine) Family() string {
	major, minor, _ := strings.Cut(e.Version, ".")
	minor, _, _ = strings.Cut(minor, ".")
	switch {
	case e.Name == EngineMemcached:
		return e.Name + major + "." + minor
	case e.Name == "redis" && major == "6":
		return "redis6.x"
	}
	return e.Name + major
}

// FindEngine returns the newest installed engine of this name whose version begins with the given one: "7", "7.0", "7.0.15", "6.x" or ""
// for any. A refusal says what is installed.
func (db *DB) FindEngine(ctx context.Context, name, version string) (Engine, error) {
	engines, err := db.host.Engines(ctx)
	if err != nil {
		return Engine{}, fmt.Errorf("list engines: %w", err)
	}
	wanted := strings.TrimSuffix(version, ".x")
	var installed []string
	var best Engine
	for _, e := range engines {
		if e.Name != name {
			continue
		}
		installed = append(installed, e.Version)
		if (wanted == "" || e.Version == wanted || strings.HasPrefix(e.Version, wanted+".")) && (best.Name == "" || newer(e.Version, best.Version)) {
			best = e
		}
	}
	switch {
	case best.Name != "":
		return best, nil
	case len(installed) == 0:
		return best, refuse(CodeInvalid, "engine", fmt.Sprintf("The engine %.40q is not installed on this host.", name))
	}
	hint := ""
	if name == "redis" && wanted == "7.1" {
		hint = " Redis 7.1 exists only at Amazon."
	}
	return best, refuse(CodeInvalid, "engine", fmt.Sprintf("%s %.40q is not installed on this host. Installed is %s.%s", name, version, strings.Join(installed, ", "), hint))
}

// AtLeast tells whether the engine is of this version or a newer one.
func (e Engine) AtLeast(version string) bool { return !newer(version, e.Version) }

// newer compares two versions number by number.
func newer(a, b string) bool {
	numbers := func(version string) (n []int) {
		for part := range strings.SplitSeq(version, ".") {
			value, _ := strconv.Atoi(part) // what is no number counts as 0
			n = append(n, value)
		}
		return n
	}
	return slices.Compare(numbers(a), numbers(b)) > 0
}

// Engines lists the installed engines.
func (db *DB) Engines(ctx context.Context) ([]Engine, error) {
	engines, err := db.host.Engines(ctx)
	if err != nil {
		return nil, fmt.Errorf("list engines: %w", err)
	}
	return engines, nil
}
