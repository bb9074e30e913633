package models

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// versionPattern is the form in which versions are asked for: "7.1", "7.0.7", "6.x", "8".
var versionPattern = regexp.MustCompile(`^\d{1,2}(\.(x|\d{1,2}(\.\d{1,3})?))?$`)

// AskedVersion completes a version that was asked for by its first numbers, as ElastiCache would show it: "7.1.0" for "7.1". It is "" if the text is
// not a version.
func AskedVersion(text string) string {
	if !versionPattern.MatchString(text) {
		return ""
	}
	if text == "6.x" {
		return "6.2.0" // ElastiCache's last version 6
	}
	text = strings.TrimSuffix(text, ".x")
	return text + strings.Repeat(".0", 2-strings.Count(text, "."))
}

// StandIn finds the installed engine that stands in for one that is not installed: the newest patch of the same release, otherwise of the nearest
// later release, which understands everything that clients of the earlier one send. It is never an older one; but Redis 7.1, which exists only at
// Amazon, is a Redis 7.0 to its clients. Engines of a family without parameter groups have no stand-in.
func StandIn(installed []Engine, wanted Engine) (Engine, bool) {
	if !slices.Contains(Families(), wanted.Family()) {
		return Engine{}, false
	}
	from := release(wanted)
	if wanted.Name == "redis" && from == "7.1" {
		from = "7.0"
	}
	var best Engine
	for _, e := range installed {
		if e.Name != wanted.Name || Newer(from, release(e)) {
			continue
		}
		if later := compareVersions(release(e), release(best)); best.Name == "" || later < 0 || later == 0 && Newer(e.Version, best.Version) {
			best = e
		}
	}
	return best, best.Name != ""
}

// release is the first two numbers of an engine's version.
func release(e Engine) string {
	numbers := append(strings.SplitN(e.Version, ".", 3), "0")
	return numbers[0] + "." + numbers[1]
}

// ShownVersion is the engine's version that ElastiCache's clients are told: the one that was asked for, which need not be installed here. A client
// that describes clusters in files would take any other one for a difference that it must remove.
func (c Configuration) ShownVersion() string {
	return cmp.Or(c.Attributes.EngineVersion, c.EngineVersion)
}

// ShownEngine is the engine with that version. Parameter groups are those of its family.
func (c Configuration) ShownEngine() Engine { return Engine{c.Engine, c.ShownVersion()} }
