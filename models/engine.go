package models

import (
	"slices"
	"strconv"
	"strings"
)

// Engine is a server program that can be launched.
type Engine struct {
	Name    string // "redis" or "valkey"
	Version string // "7.0.15"
}

// String returns "redis 7.0.15".
func (e Engine) String() string { return e.Name + " " + e.Version }

// EngineMemcached is the engine whose nodes only cache: there is no replication and nothing to back up.
const EngineMemcached = "memcached"

// The engines that have users.
const (
	EngineRedis  = "redis"
	EngineValkey = "valkey"
)

// MaxCacheNodes is how many nodes a memcached cluster can have, as in ElastiCache.
const MaxCacheNodes = 40

// Family returns the engine's generation as parameter groups name it: "redis7", "redis6.x", "valkey8", "memcached1.6".
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

// AtLeast reports whether the engine has this version or a newer one.
func (e Engine) AtLeast(version string) bool { return !Newer(version, e.Version) }

// Newer compares two versions number by number.
func Newer(a, b string) bool { return compareVersions(a, b) > 0 }

func compareVersions(a, b string) int {
	numbers := func(version string) (n []int) {
		for part := range strings.SplitSeq(version, ".") {
			value, _ := strconv.Atoi(part) // what is not a number counts as 0
			n = append(n, value)
		}
		return n
	}
	return slices.Compare(numbers(a), numbers(b))
}
