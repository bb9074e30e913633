package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

type overviewPage struct{ *site }

func (h overviewPage) show(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	props := views.Overview{StoreLocation: h.jobs.StoreLocation()}
	clusters, err := h.db.Schedule.Guarded(ctx)
	if err != nil {
		return err
	}
	props.Clusters = make([]views.Protection, len(clusters))
	unreachable := 0
	for i := range clusters {
		g := &clusters[i]
		props.Clusters[i] = presentProtection(g)
		if g.Cluster.Status == models.ClusterUnreachable {
			unreachable++
		}
	}
	slices.SortStableFunc(props.Clusters, func(a, b views.Protection) int { return badness(b) - badness(a) })
	if err := h.describeProtection(ctx, props.Worst()); err != nil {
		return err
	}
	if props.Counters, err = h.counters(ctx, len(clusters), unreachable); err != nil {
		return err
	}
	var active bool
	if props.Running, active, err = h.present.currentRuns(ctx, about{}); err != nil {
		return err
	}
	events, err := h.db.Events.List(ctx, models.List{Size: 8})
	if err != nil {
		return err
	}
	if props.Events, err = h.present.events(ctx, events.Rows); err != nil {
		return err
	}
	storage, err := h.db.Snapshots.Storage(ctx)
	if err != nil {
		return err
	}
	settings, err := h.db.Settings.Get(ctx)
	if err != nil {
		return err
	}
	props.SnapshotCount, props.StoredBytes, props.FreeBytes = storage.Snapshots, storage.Stored, storage.Stored-storage.Billable
	props.MonthlyCost = money(settings, float64(storage.Billable)/gigabyte*settings.Price)
	aws := h.aws(r)
	at := place{title: "Overview", active: views.NavOverview, follow: active, aws: aws.clusters() + "\n" + aws.snapshots(awsTarget{}, "", "")}
	return h.page(w, r, at, func(shell views.Shell) templ.Component {
		return views.OverviewPage(shell, props)
	})
}

// presentProtection says how well a cluster can be brought back.
func presentProtection(g *models.Guarded) views.Protection {
	cluster := &g.Cluster
	row := views.Protection{Cluster: cluster.Name, Status: string(cluster.Status), Notice: cluster.StatusReason, State: views.Protected}
	if !g.NewestAt.IsZero() {
		row.Newest = &views.LastSnapshot{At: g.NewestAt}
	}
	switch {
	case cluster.Cached():
		row.State = views.CacheOnly
	case views.NeverRan(row.Status):
		row.State = views.NothingInIt
	case !cluster.Backups():
		row.State = views.NoSchedule
	case g.Failed:
		row.State = views.LastFailed
	case g.Late:
		row.State, row.Reason = views.Overdue, "The last window passed without a snapshot."
	case row.Newest == nil:
		row.State = views.FirstPending
	}
	return row
}

// describeProtection fills in what only the rows that are shown need to say.
func (h overviewPage) describeProtection(ctx context.Context, rows []views.Protection) error {
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Cluster
	}
	clusters, err := h.db.Clusters.ByName(ctx, names)
	if err != nil {
		return err
	}
	newest, err := h.db.Snapshots.Newest(ctx, names...)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		cluster, found := clusters[row.Cluster]
		if !found {
			continue // it went just now
		}
		schedule, err := h.present.schedule(ctx, cluster, newest[cluster.Name])
		if err != nil {
			return err
		}
		row.Newest = schedule.Last
		row.CanSnapshot = cluster.NoSnapshot() == ""
		if row.State == views.LastFailed {
			row.Reason = schedule.FailedReason
		}
		if row.State != views.NothingInIt {
			row.Schedule = schedule
		}
	}
	return nil
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
func (h overviewPage) counters(ctx context.Context, clusters, unreachable int) ([]views.Counter, error) {
	counters := []views.Counter{
		{Label: "Clusters", Value: clusters, Href: "/clusters"},
		{Label: "Unreachable", Value: unreachable, Href: "/clusters?status=unreachable", Tone: "bad"},
	}
	for _, c := range []struct{ label, status, tone string }{
		{"Available snapshots", string(models.SnapshotAvailable), ""}, {"Failed snapshots", string(models.SnapshotFailed), "bad"},
	} {
		found, err := h.db.Snapshots.Count(ctx, models.SnapshotStatus(c.status))
		if err != nil {
			return nil, err
		}
		counters = append(counters, views.Counter{Label: c.label, Value: found, Href: "/snapshots?status=" + c.status, Tone: c.tone})
	}
	running, err := h.db.Runs.List(ctx, models.List{Equal: map[string]string{"status": string(models.RunRunning)}, Size: 1})
	if err != nil {
		return nil, err
	}
	return append(counters, views.Counter{Label: "Runs under way", Value: running.Total, Href: "/runs?status=" + string(models.RunRunning), Tone: "busy"}), nil
}
