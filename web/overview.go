package web

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

func (s *server) overview(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	props := views.Overview{StoreLocation: s.jobs.StoreLocation()}
	clusters, err := s.db.Clusters(ctx)
	if err != nil {
		return err
	}
	newest, err := s.db.NewestSnapshots(ctx)
	if err != nil {
		return err
	}
	for _, cluster := range clusters {
		row, err := s.protection(ctx, cluster, newest[cluster.Name])
		if err != nil {
			return err
		}
		props.Clusters = append(props.Clusters, row)
	}
	slices.SortStableFunc(props.Clusters, func(a, b views.Protection) int { return badness(b) - badness(a) })
	if props.Counters, err = s.counters(ctx, clusters); err != nil {
		return err
	}
	var active bool
	if props.Running, active, err = s.currentRuns(ctx, about{}); err != nil {
		return err
	}
	events, err := s.db.ListEvents(ctx, models.List{Size: 8})
	if err != nil {
		return err
	}
	if props.Events, err = s.presentEvents(ctx, events.Rows); err != nil {
		return err
	}
	storage, err := s.db.Storage(ctx)
	if err != nil {
		return err
	}
	settings, err := s.db.Settings(ctx)
	if err != nil {
		return err
	}
	props.SnapshotCount, props.StoredBytes, props.FreeBytes = storage.Snapshots, storage.Stored, storage.Stored-storage.Billable
	props.MonthlyCost = money(settings, float64(storage.Billable)/gigabyte*settings.Price)
	aws := s.aws(r)
	at := place{title: "Overview", active: views.NavOverview, follow: active, aws: aws.clusters() + "\n" + aws.snapshots(awsTarget{}, "", "")}
	return s.page(w, r, at, func(shell views.Shell) templ.Component {
		return views.OverviewPage(shell, props)
	})
}

// protection says how well a cluster can be brought back.
func (s *server) protection(ctx context.Context, cluster models.Cluster, newest models.Snapshot) (views.Protection, error) {
	schedule, err := s.schedule(ctx, cluster, newest)
	if err != nil {
		return views.Protection{}, err
	}
	row := views.Protection{Cluster: cluster.Name, Status: string(cluster.Status), Notice: cluster.StatusReason, Newest: schedule.Last, Schedule: schedule, State: views.Protected}
	row.CanSnapshot, _ = canSnapshot(cluster)
	late, err := s.overdue(ctx, cluster, newest)
	if err != nil {
		return views.Protection{}, err
	}
	switch {
	case cluster.Cached():
		row.State = views.CacheOnly
	case views.NeverRan(row.Status):
		row.State, row.Schedule = views.NothingInIt, views.Schedule{}
	case !schedule.Enabled:
		row.State = views.NoSchedule
	case !schedule.Failed.IsZero():
		row.State, row.Reason = views.LastFailed, schedule.FailedReason
	case late:
		row.State, row.Reason = views.Overdue, "The last window passed without a snapshot."
	case row.Newest == nil:
		row.State = views.FirstPending
	}
	return row, nil
}

// overdue tells whether the last window of the schedule has closed without a snapshot since it opened.
func (s *server) overdue(ctx context.Context, cluster models.Cluster, newest models.Snapshot) (bool, error) {
	switch cluster.Status {
	case models.ClusterCreating, models.ClusterSnapshotting, models.ClusterDeleting, models.ClusterCreateFailed, models.ClusterRestoreFailed:
		return false, nil
	}
	if !cluster.Backups() {
		return false, nil
	}
	now := s.clock.Now()
	closed := cluster.SnapshotWindow.Closed(now.Add(-48*time.Hour), now, cluster.Name)
	if len(closed) == 0 {
		return false, nil
	}
	last := closed[len(closed)-1]
	if !cluster.CreatedAt.Before(last.Opens) || !newest.CreatedAt.Before(last.Opens) && !newest.CreatedAt.After(now) {
		return false, nil
	}
	return s.db.WindowCounted(ctx, cluster, last)
}

// badness puts the worst first; among equals those that have something to say.
func badness(p views.Protection) int {
	n := 2 * slices.Index([]string{views.CacheOnly, views.Protected, views.NothingInIt, views.FirstPending, views.NoSchedule, views.LastFailed, views.Overdue}, p.State)
	if p.Notice != "" {
		n++
	}
	return n
}

// counters are numbers that lead to the lists they count.
func (s *server) counters(ctx context.Context, clusters []models.Cluster) ([]views.Counter, error) {
	unreachable := 0
	for _, c := range clusters {
		if c.Status == models.ClusterUnreachable {
			unreachable++
		}
	}
	counters := []views.Counter{
		{Label: "Clusters", Value: len(clusters), Href: "/clusters"},
		{Label: "Unreachable", Value: unreachable, Href: "/clusters?status=unreachable", Tone: "bad"},
	}
	for _, c := range []struct{ label, status, tone string }{
		{"Available snapshots", string(models.SnapshotAvailable), ""}, {"Failed snapshots", string(models.SnapshotFailed), "bad"},
	} {
		found, err := s.db.ListSnapshots(ctx, models.List{Equal: map[string]string{"status": c.status}, Size: 1})
		if err != nil {
			return nil, err
		}
		counters = append(counters, views.Counter{Label: c.label, Value: found.Total, Href: "/snapshots?status=" + c.status, Tone: c.tone})
	}
	running, err := s.db.ListRuns(ctx, models.List{Equal: map[string]string{"status": string(models.RunRunning)}, Size: 1})
	if err != nil {
		return nil, err
	}
	return append(counters, views.Counter{Label: "Runs under way", Value: running.Total, Href: "/runs?status=" + string(models.RunRunning), Tone: "busy"}), nil
}
