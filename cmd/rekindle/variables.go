package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// watched is an environment that remembers what it was asked for.
type watched struct {
	getenv func(string) string
	mu     sync.Mutex
	asked  map[string]bool
}

func watch(getenv func(string) string) *watched {
	return &watched{getenv: getenv, asked: make(map[string]bool)}
}

func (w *watched) get(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[name] = true
	return w.getenv(name)
}

// notOurs are variables that others set: Kubernetes and Docker for a service or a container with the name rekindle.
var notOurs = regexp.MustCompile(`^REKINDLE_(SERVICE_(HOST|PORT)|PORT|NAME|ENV_)`)

// unknown looks for variables that begin like ours and that nobody has asked for. One that is nearly the name of a setting is refused: with a mistake in
// REKINDLE_STORE snapshots would go elsewhere. The others are only noted, because an older version has to start in the environment of a newer one.
func (w *watched) unknown(environ []string) (notes []string, err error) {
	w.mu.Lock()
	known := slices.DeleteFunc(slices.Sorted(maps.Keys(w.asked)), func(name string) bool { return !strings.HasPrefix(name, variablePrefix) })
	w.mu.Unlock()
	elsewhere := otherVariables()
	var failures []error
	slices.Sort(environ)
	for _, set := range environ {
		name, value, _ := strings.Cut(set, "=")
		if value == "" || !strings.HasPrefix(name, variablePrefix) || slices.Contains(known, name) || elsewhere[name] || notOurs.MatchString(name) {
			continue
		}
		if meant := closest(name, known); meant != "" {
			failures = append(failures, misuse("the environment variable %s is not known. Did you mean %s?", name, meant))
			continue
		}
		notes = append(notes, fmt.Sprintf("the environment variable %s is not known, and does nothing", name))
	}
	return notes, errors.Join(failures...)
}

// otherVariables are those of the commands beside serve.
func otherVariables() map[string]bool {
	names := map[string]bool{attachPassword: true, sentinelPassword: true, restorePassword: true}
	for _, c := range commands() {
		for _, f := range c.flags(context.Background()) {
			names[variable(f.name)] = true
		}
	}
	return names
}

// closest returns the name that somebody may have meant; "": none.
func closest(name string, known []string) (meant string) {
	name = strings.TrimPrefix(name, variablePrefix)
	best := max(1, min(2, len(name)/4)) + 1
	for _, candidate := range known {
		if d := distance(name, strings.TrimPrefix(candidate, variablePrefix)); d < best {
			best, meant = d, candidate
		}
	}
	return meant
}

// distance is how many letters have to be put in, left out, exchanged or swapped with their neighbour to make one word of the other.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
