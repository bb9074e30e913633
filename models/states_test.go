package models

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// draw is a diagram for Mermaid, and a table for those who would rather read it.
func draw[S ~string](title string, moves []move[S]) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n```mermaid\nstateDiagram-v2\n", title)
	id := func(s S) string {
		if s == "" {
			return "[*]"
		}
		return strings.NewReplacer(" ", "_", "-", "_").Replace(string(s))
	}
	for _, m := range moves {
		for _, s := range []S{m.From, m.To} {
			if line := fmt.Sprintf("    state \"%s\" as %s\n", s, id(s)); s != "" && id(s) != string(s) && !strings.Contains(b.String(), line) {
				b.WriteString(line)
			}
		}
	}
	for _, m := range moves {
		fmt.Fprintf(&b, "    %s --> %s\n", id(m.From), id(m.To))
	}
	b.WriteString("```\n\n| from | to | when |\n|---|---|---|\n")
	for _, m := range moves {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.From, m.To, m.When)
	}
	return b.String()
}

const statesIntro = `# States

Drawn from the tables in models/states.go, which the code asks before it changes a state: a way that is not here cannot be gone. An empty cell
is before the row is there, or after it is gone. ` + "`go test ./models -run StatesAreDrawn -update`" + ` writes this page.

A run that fails says first that it gives up and only then removes what it has made. An **owner** is a console with a lease: it begins when
the console starts, goes on with each renewal, and ends when the console stops, when another one starts on the same data folder, or when
another console has not seen it renewed for as long as it lasts. It never comes back: a console that has lost its lease gets another one,
and what it had begun is no longer its own.

`

func TestStatesAreDrawn(t *testing.T) {
	t.Parallel()
	want := statesIntro + draw("Clusters", ClusterMoves) + "\n" + draw("Snapshots", SnapshotMoves) + "\n" + draw("Runs", RunMoves)
	path := filepath.Join("..", "docs", "states.md")
	if *update {
		check(t, os.WriteFile(path, []byte(want), 0o644))
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what models/states.go says (%v): run `go test ./models -run StatesAreDrawn -update`", path, err)
	}
}

func TestEveryStateIsReachedAndLeft(t *testing.T) {
	t.Parallel()
	everyState(t, ClusterMoves, "", ClusterCreating, ClusterAvailable, ClusterModifying, ClusterMigrating, ClusterSnapshotting, ClusterRebooting, ClusterDeleting, ClusterRestoreFailed,
		ClusterCreateFailed, ClusterUnreachable)
	everyState(t, SnapshotMoves, "", SnapshotCreating, SnapshotAvailable, SnapshotRestoring, SnapshotCopying, SnapshotDeleting, SnapshotFailed)
	everyState(t, RunMoves, "", RunQueued, RunRunning, RunSucceeded, RunFailed, RunCancelled, RunDamaged)
}

func everyState[S ~string](t *testing.T, moves []move[S], states ...S) {
	t.Helper()
	seen := map[[2]S]bool{}
	for _, m := range moves {
		way := [2]S{m.From, m.To}
		if seen[way] || m.When == "" || !slices.Contains(states, m.From) || !slices.Contains(states, m.To) {
			t.Errorf("%+v is there twice, has no reason, or is of no state that there is", m)
		}
		seen[way] = true
	}
	for _, s := range states {
		run, ofRun := any(s).(RunStatus)
		ended := ofRun && run.Ended()
		reached := slices.ContainsFunc(moves, func(m move[S]) bool { return m.To == s && m.From != s })
		left := slices.ContainsFunc(moves, func(m move[S]) bool { return m.From == s && m.To != s })
		if s != "" && !reached || !left && !ended {
			t.Errorf("%q is reached: %t, left: %t", s, reached, left)
		}
	}
}
