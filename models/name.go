package models

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const maxNameLength = 40

// maxCacheClusterName is the maximum length of the name of a cache cluster.
//
// Source: Amazon ElastiCache API reference, CreateCacheCluster, CacheClusterId.
const maxCacheClusterName = 50

// maxSnapshotNameLength leaves room for "automatic.", the longest cluster name and the time.
const maxSnapshotNameLength = 255

// CheckName applies ElastiCache's rule for the name of a cluster: 1-40 characters of a-z, 0-9 and hyphen, beginning with
// a letter, no "--", no hyphen at the end. It returns the name in lower case, and a sentence that says what is wrong, or "".
//
// Source: Amazon ElastiCache API reference, CreateReplicationGroup, ReplicationGroupId.
func CheckName(what, name string) (string, string) {
	return checkName(what, name, maxNameLength)
}

// CheckSnapshotName applies the same rule to a snapshot's name, which may be longer (ElastiCache gives no limit; here
// it is 255 characters, the limit of file names).
func CheckSnapshotName(name string) (string, string) {
	return checkName("snapshot name", name, maxSnapshotNameLength)
}

// CheckCacheClusterName checks the name of a cache cluster.
func CheckCacheClusterName(name string) (string, string) {
	return checkName("cluster id", name, maxCacheClusterName)
}

// CheckExportName checks the name of an export's files.
func CheckExportName(name string) (string, string) {
	return checkName("name", name, maxExportName)
}

func checkName(what, name string, limit int) (string, string) {
	name = strings.ToLower(strings.TrimSpace(name))
	switch {
	case name == "":
		return name, fmt.Sprintf("Enter a %s.", what)
	case utf8.RuneCountInString(name) > limit:
		return name, fmt.Sprintf("The %s has %d characters; at most %d are allowed.", what, utf8.RuneCountInString(name), limit)
	case name[0] < 'a' || name[0] > 'z':
		return name, fmt.Sprintf("The %s must begin with a letter.", what)
	case strings.Contains(name, "--"):
		return name, fmt.Sprintf("The %s must not contain two hyphens in a row.", what)
	case name[len(name)-1] == '-':
		return name, fmt.Sprintf("The %s must not end with a hyphen.", what)
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return name, fmt.Sprintf("The %s may contain only letters, digits and hyphens, not %q.", what, r)
		}
	}
	return name, ""
}

// AutomaticName is the name of the automatic snapshot of a cluster that begins at this instant.
func AutomaticName(cluster string, at time.Time) string {
	return "automatic." + cluster + "-" + at.UTC().Format("2006-01-02-15-04")
}

// SuggestSnapshotName is what a form for a manual snapshot is pre-filled with.
func SuggestSnapshotName(cluster string, at time.Time) string {
	return cluster + "-" + at.UTC().Format("2006-01-02-15-04-05")
}

// NumberedNames are the names of several clusters restored from one snapshot: the name itself for one copy, otherwise
// name-1, name-2 and so on, all with as many digits as the last one.
func NumberedNames(name string, copies int) []string {
	if copies == 1 {
		return []string{name}
	}
	names := make([]string, copies)
	digits := len(fmt.Sprint(copies))
	for i := range names {
		names[i] = fmt.Sprintf("%s-%0*d", name, digits, i+1)
	}
	return names
}
