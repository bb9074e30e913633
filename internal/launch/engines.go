package launch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	engineRedis     = "redis"
	engineValkey    = "valkey"
	engineMemcached = "memcached"
)

// programs are the engines' programs, as they are called in PATH.
var programs = map[string]string{engineRedis: "redis-server", engineValkey: "valkey-server", engineMemcached: "memcached"}

// Engine is a server program that is installed here.
type Engine struct {
	Name    string // "redis", "valkey" or "memcached"
	Version string // such as "7.0.15"
	Path    string
}

// Engines returns the installed engines, sorted by name and newest first within a name:
// redis-server, valkey-server and memcached from PATH, and Options.EnginePaths. The programs are
// asked for their version once; one that does not answer is left out, with a warning in the log.
// None at all is no error.
func (l *Local) Engines(ctx context.Context) ([]Engine, error) {
	l.enginesMu.Lock()
	defer l.enginesMu.Unlock()
	if l.engines != nil {
		return slices.Clone(l.engines), nil
	}
	var paths []string
	for _, program := range slices.Sorted(maps.Values(programs)) {
		if path, err := exec.LookPath(program); err == nil {
			paths = append(paths, path)
		}
	}
	found := []Engine{}
	for _, path := range append(paths, l.opts.EnginePaths...) {
		engine, err := askEngine(ctx, path)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			l.log.Warn("engine left out", "path", path, "error", err)
			continue
		}
		same := func(e Engine) bool { return e.Name == engine.Name && e.Version == engine.Version }
		if !slices.ContainsFunc(found, same) {
			found = append(found, engine)
		}
	}
	slices.SortStableFunc(found, func(a, b Engine) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), -compareVersions(a.Version, b.Version))
	})
	if len(found) > 0 { // none yet: look again next time, somebody may be installing one
		l.engines = found
	}
	return slices.Clone(found), nil
}

// "Redis server v=7.0.15 sha=...", "Valkey server v=8.1.1 sha=...", "Server v=7.2.8 sha=..." (Valkey 7.2),
// "memcached 1.6.18".
var versionPattern = regexp.MustCompile(`^(?:(Redis |Valkey )?[Ss]erver v=|(memcached) )(\d+\.\d+\.\d+)`)

func askEngine(ctx context.Context, path string) (Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Engine{}, fmt.Errorf("%s --version: %w", path, err)
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return Engine{}, errors.New("its --version is none of Redis's, Valkey's and memcached's")
	}
	name := engineValkey
	switch {
	case len(match[2]) > 0:
		name = engineMemcached
	case string(match[1]) == "Redis ":
		name = engineRedis
	}
	return Engine{Name: name, Version: string(match[3]), Path: path}, nil
}

// engineFor chooses the program for a node: its very version, else another patch of it, else the
// nearest newer one, because packages are upgraded below us and newer engines read older data.
// Never an older one, which could not.
func (l *Local) engineFor(ctx context.Context, n Node) (Engine, error) {
	engines, err := l.Engines(ctx)
	if err != nil {
		return Engine{}, err
	}
	return chooseEngine(engines, n.Engine, n.Version)
}

func chooseEngine(engines []Engine, name, version string) (Engine, error) {
	engines = slices.DeleteFunc(slices.Clone(engines), func(e Engine) bool { return e.Name != name })
	if len(engines) == 0 {
		return Engine{}, fmt.Errorf("%w: no %s found", ErrNoEngine, programs[name])
	}
	slices.SortFunc(engines, func(a, b Engine) int { return compareVersions(a.Version, b.Version) })
	if version == "" {
		return engines[len(engines)-1], nil
	}
	wanted := parseVersion(version)
	var newer, samePatch *Engine
	for i, e := range engines {
		v := parseVersion(e.Version)
		switch {
		case v == wanted:
			return e, nil
		case v[0] == wanted[0] && v[1] == wanted[1]:
			samePatch = &engines[i]
		case newer == nil && compareVersions(e.Version, version) > 0:
			newer = &engines[i]
		}
	}
	if chosen := cmp.Or(samePatch, newer); chosen != nil {
		return *chosen, nil
	}
	return Engine{}, fmt.Errorf("%w: %s %s or newer is needed, the newest here is %s",
		ErrNoEngine, name, version, engines[len(engines)-1].Version)
}

func parseVersion(version string) [3]int {
	var out [3]int
	for i, part := range strings.SplitN(version, ".", 3) {
		out[i], _ = strconv.Atoi(part) // what is no number counts as 0
	}
	return out
}

func compareVersions(a, b string) int {
	x, y := parseVersion(a), parseVersion(b)
	return slices.Compare(x[:], y[:])
}
