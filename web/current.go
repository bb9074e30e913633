package web

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"time"

	"rekindle/models"
	"rekindle/views"
)

// How long an ended run is still shown at the top of the pages of what it worked on, and how many such runs are.
const (
	showEnded = time.Minute
	maxEnded  = 3
)

// maxWaiting is how many waiting runs are shown at the top of a page. The activity page has all.
const maxWaiting = 3

// about says whose runs are meant: those of a cluster, a snapshot or a kind, or all.
type about struct {
	cluster, snapshot string
	kind              models.RunKind
}

func (a about) includes(run models.Run) bool {
	if a.kind != "" && run.Kind != a.kind {
		return false
	}
	if a.snapshot == "" {
		return a.cluster == "" || run.ClusterName == a.cluster
	}
	// A copy also belongs on the page of its source.
	args, err := run.Carries()
	return run.SnapshotName == a.snapshot || err == nil && !run.Status.Ended() && args.Source == a.snapshot
}

func (a about) activity() string {
	query := url.Values{}
	switch {
	case a.snapshot != "":
		query.Set("q", a.snapshot)
	case a.cluster != "":
		query.Set("cluster", a.cluster)
	case a.kind != "":
		query.Set("kind", runKindName(a.kind))
	default:
		return "/runs"
	}
	return "/runs?" + query.Encode()
}

// currentRuns returns the runs that are under way or have just ended, and whether any is under way. All running ones are shown, however many others
// wait or have ended.
func (p presenter) currentRuns(ctx context.Context, of about) (work views.Work, active bool, err error) {
	runs, err := p.db.Runs.Active(ctx)
	if err != nil {
		return work, false, err
	}
	now := p.clock.Now()
	ended, err := p.db.Runs.Ended(ctx, now.Add(-showEnded))
	if err != nil {
		return work, false, err
	}
	away, err := p.homesAway(ctx, runs)
	if err != nil {
		return work, false, err
	}
	work.Href = of.activity()
	// The running ones first, then those that wait, each with the oldest first.
	slices.SortStableFunc(runs, func(a, b models.Run) int { return queuedLast(a) - queuedLast(b) })
	waiting := 0
	for _, run := range runs {
		if !of.includes(run) {
			continue
		}
		active = true
		if run.Status == models.RunQueued {
			if waiting++; waiting > maxWaiting {
				work.Waiting++
				continue
			}
		}
		shown := presentRun(run, now)
		shown.HostAway = away[run.Home]
		work.Runs = append(work.Runs, shown)
	}
	ended = slices.DeleteFunc(ended, func(run models.Run) bool { return !of.includes(run) })
	work.Ended = max(len(ended)-maxEnded, 0)
	shown, err := p.runs(ctx, ended[:len(ended)-work.Ended])
	work.Runs = append(work.Runs, shown...)
	return work, active, err
}

// events returns events with links only to what still exists.
func (p presenter) events(ctx context.Context, events []models.Event) ([]views.Event, error) {
	clusters, snapshots := make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		clusters[i], snapshots[i] = e.ClusterName, e.SnapshotName
	}
	livingClusters, livingSnapshots, err := p.db.Present(ctx, clusters, snapshots)
	if err != nil {
		return nil, err
	}
	shown := make([]views.Event, len(events))
	for i, e := range events {
		shown[i] = views.Event{At: e.At, Severity: string(e.Severity), Cluster: e.ClusterName, Snapshot: e.SnapshotName, Text: e.Message,
			ClusterExists: livingClusters[e.ClusterName], SnapshotExists: livingSnapshots[e.SnapshotName]}
	}
	return shown, nil
}

// runs returns runs with links only to what still exists, and with how those that failed are tried again.
func (p presenter) runs(ctx context.Context, runs []models.Run) ([]views.Run, error) {
	clusters, snapshots := make([]string, len(runs)), make([]string, len(runs))
	for i, run := range runs {
		clusters[i], snapshots[i] = run.ClusterName, run.SnapshotName
	}
	livingClusters, livingSnapshots, err := p.db.Present(ctx, clusters, snapshots)
	if err != nil {
		return nil, err
	}
	away, err := p.homesAway(ctx, runs)
	if err != nil {
		return nil, err
	}
	shown := make([]views.Run, len(runs))
	for i, run := range runs {
		shown[i] = presentRun(run, p.clock.Now())
		shown[i].HostAway = away[run.Home]
		shown[i].ClusterExists, shown[i].SnapshotExists = livingClusters[run.ClusterName], livingSnapshots[run.SnapshotName]
	}
	return shown, p.offerAgain(ctx, runs, shown)
}

// homesAway returns the homes, of consoles that are away, that queued runs wait for.
func (p presenter) homesAway(ctx context.Context, runs []models.Run) (map[string]bool, error) {
	away := map[string]bool{}
	for _, run := range runs {
		if run.Status == models.RunQueued && run.Home != "" {
			away[run.Home] = true
		}
	}
	if len(away) == 0 {
		return nil, nil
	}
	living, err := p.db.Owners.Homes(ctx)
	maps.DeleteFunc(away, func(home string, _ bool) bool { return living[home] })
	return away, err
}

// queuedLast sorts waiting runs after running ones.
func queuedLast(run models.Run) int {
	if run.Status == models.RunQueued {
		return 1
	}
	return 0
}
