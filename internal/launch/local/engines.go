package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/launch"
)

const (
	engineRedis     = "redis"
	engineValkey    = "valkey"
	engineMemcached = "memcached"
)

// programs are the names of the engines' programs in PATH.
var programs = map[string]string{engineRedis: "redis-server", engineValkey: "valkey-server", engineMemcached: "memcached"}

// program is an engine that is installed here.
type program struct {
	launch.Engine
	path string
}

// FindEngines lists the engines' programs in a folder or its direct subfolders, for [Options.EnginePaths].
func FindEngines(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	folders := []string{folder}
	for _, e := range entries {
		folders = append(folders, filepath.Join(folder, e.Name()))
	}
	var found []string
	for _, in := range folders {
		for _, name := range slices.Sorted(maps.Values(programs)) {
			if path, err := exec.LookPath(filepath.Join(in, name)); err == nil {
				found = append(found, path)
			}
		}
	}
	return found, nil
}

// Engines returns the installed engines, sorted by name and newest first within a name:
// redis-server, valkey-server and memcached from PATH, and Options.EnginePaths. The programs are
// asked for their version once; one that does not answer is left out, with a warning in the log.
// To find none is not an error.
func (l *Launcher) Engines(ctx context.Context) ([]launch.Engine, error) {
	found, err := l.installed(ctx)
	if err != nil {
		return nil, err
	}
	engines := make([]launch.Engine, len(found))
	for i, p := range found {
		engines[i] = p.Engine
	}
	return engines, nil
}

func (l *Launcher) installed(ctx context.Context) ([]program, error) {
	l.enginesMu.Lock()
	defer l.enginesMu.Unlock()
	if l.engines != nil {
		return slices.Clone(l.engines), nil
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Values(programs)) {
		if path, err := exec.LookPath(name); err == nil {
			paths = append(paths, path)
		}
	}
	found := []program{}
	for _, path := range append(paths, l.opts.EnginePaths...) {
		engine, err := askEngine(ctx, path)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			l.log.Warn("engine left out", "path", path, "error", err)
			continue
		}
		same := func(e program) bool { return e.Name == engine.Name && e.Version == engine.Version }
		if !slices.ContainsFunc(found, same) {
			found = append(found, engine)
		}
	}
	slices.SortStableFunc(found, func(a, b program) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), -compareVersions(a.Version, b.Version))
	})
	if len(found) > 0 { // if there is none yet, look again next time: somebody may be installing one
		l.engines = found
	}
	return slices.Clone(found), nil
}

// "Redis server v=7.0.15 sha=...", "Valkey server v=8.1.1 sha=...", "Server v=7.2.8 sha=..." (Valkey 7.2),
// "memcached 1.6.18".
var versionPattern = regexp.MustCompile(`^(?:(Redis |Valkey )?[Ss]erver v=|(memcached) )(\d+\.\d+\.\d+)`)

func askEngine(ctx context.Context, path string) (program, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return program{}, fmt.Errorf("%s --version: %w", path, err)
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return program{}, errors.New("its --version is none of Redis's, Valkey's and memcached's")
	}
	name := engineValkey
	switch {
	case len(match[2]) > 0:
		name = engineMemcached
	case string(match[1]) == "Redis ":
		name = engineRedis
	}
	return program{launch.Engine{Name: name, Version: string(match[3])}, path}, nil
}

// engineFor chooses the program for a node: its exact version, otherwise another patch of it, otherwise the
// nearest newer one, because packages are upgraded under us and newer engines read older data.
// It never chooses an older one, which could not read newer data.
func (l *Launcher) engineFor(ctx context.Context, n launch.Node) (program, error) {
	engines, err := l.installed(ctx)
	if err != nil {
		return program{}, err
	}
	return chooseEngine(engines, n.Engine, n.Version)
}

func chooseEngine(engines []program, name, version string) (program, error) {
	engines = slices.DeleteFunc(slices.Clone(engines), func(e program) bool { return e.Name != name })
	if len(engines) == 0 {
		return program{}, fmt.Errorf("%w: no %s found", launch.ErrNoEngine, programs[name])
	}
	slices.SortFunc(engines, func(a, b program) int { return compareVersions(a.Version, b.Version) })
	if version == "" {
		return engines[len(engines)-1], nil
	}
	wanted := parseVersion(version)
	var newer, samePatch *program
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
	return program{}, fmt.Errorf("%w: %s %s or newer is needed, the newest here is %s",
		launch.ErrNoEngine, name, version, engines[len(engines)-1].Version)
}

func parseVersion(version string) [3]int {
	var out [3]int
	for i, part := range strings.SplitN(version, ".", 3) {
		out[i], _ = strconv.Atoi(part) // anything but a number counts as 0
	}
	return out
}

func compareVersions(a, b string) int {
	x, y := parseVersion(a), parseVersion(b)
	return slices.Compare(x[:], y[:])
}
