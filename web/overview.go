package web

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

type overviewPage struct{ *site }

func (h overviewPage) show(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	props := views.Overview{StoreLocation: h.jobs.StoreLocation()}
	protection, err := h.db.Schedule.Protection(ctx, views.OverviewRows)
	if err != nil {
		return err
	}
	props.Oldest = protection.Oldest
	for _, c := range protection.Counts {
		props.Standings = append(props.Standings, views.Standing{State: standings[c.Standing], Notice: c.Says, Restorable: c.Restorable, Clusters: c.Clusters})
	}
	for i := range protection.Worst {
		props.Worst = append(props.Worst, presentProtection(&protection.Worst[i]))
	}
	if err := h.describeProtection(ctx, props.Worst); err != nil {
		return err
	}
	if props.Counters, err = h.counters(ctx, props.Total()); err != nil {
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
	props.SnapshotCount, props.StoredBytes, props.NotCharged = storage.Snapshots, storage.Stored, storage.Stored-storage.Billable
	props.MonthlyCost = money(settings, float64(storage.Billable)/gigabyte*settings.Price)
	props.DiskFree, props.DiskTotal = h.storeDisk(ctx)
	aws := h.aws(r)
	at := place{title: "Overview", active: views.NavOverview, follow: active, live: true, work: props.Running, aws: aws.clusters() + "\n" + aws.snapshots(awsTarget{}, "", "")}
	return h.page(w, r, at, func(shell views.Shell) templ.Component {
		return views.OverviewPage(shell, props)
	})
}

// diskPatience is how long the store's disk may take to answer while somebody waits for the first page.
const diskPatience = time.Second

// storeDisk says how much room the disk of the store has. A bucket has no such limit, and is not asked: that costs money, and time.
func (h overviewPage) storeDisk(ctx context.Context) (free, total int64) {
	if !strings.HasPrefix(h.jobs.StoreLocation(), "dir:") {
		return 0, 0
	}
	ctx, cancel := context.WithTimeout(ctx, diskPatience)
	defer cancel()
	if h.jobs.CheckStore(ctx) != nil { // a disk that hangs would have the page wait
		return 0, 0
	}
	info, err := h.jobs.DescribeStore(ctx)
	if err != nil || info.Free < 0 || info.Capacity <= 0 {
		return 0, 0
	}
	return info.Free, info.Capacity
}

// standings are the page's names for how clusters stand.
var standings = map[models.Standing]string{
	models.StandingCached: views.CacheOnly, models.StandingGood: views.Protected, models.StandingEmpty: views.NothingInIt, models.StandingPending: views.FirstPending,
	models.StandingUnscheduled: views.NoSchedule, models.StandingFailed: views.LastFailed, models.StandingLate: views.Overdue,
}

// presentProtection says how well a cluster could be restored.
func presentProtection(g *models.Guarded) views.Protection {
	row := views.Protection{Cluster: g.Cluster.Name, Status: string(g.Cluster.Status), Notice: g.Cluster.StatusReason, State: standings[g.Standing()]}
	if !g.NewestAt.IsZero() {
		row.Newest = &views.LastSnapshot{At: g.NewestAt}
	}
	switch row.State {
	case views.Overdue:
		row.Reason = "The last window passed without a snapshot."
	case views.LastFailed:
		row.Reason = g.Failure
	}
	return row
}

// describeProtection fills in what only the visible rows need.
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
	next, err := h.db.Schedule.NextOf(ctx, slices.Collect(maps.Values(clusters))...)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		cluster, found := clusters[row.Cluster]
		if !found {
			continue // it has just been deleted
		}
		schedule := presentSchedule(cluster, newest[cluster.Name])
		schedule.Next = next[cluster.ID]
		row.Newest = schedule.Last
		row.CanSnapshot = cluster.NoSnapshot() == ""
		if row.State != views.NothingInIt {
			row.Schedule = schedule
		}
	}
	return nil
}

// counters are numbers that link to the lists they count.
func (h overviewPage) counters(ctx context.Context, clusters int) ([]views.Counter, error) {
	unreachable, err := h.db.Clusters.Count(ctx, models.ClusterUnreachable)
	if err != nil {
		return nil, err
	}
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
