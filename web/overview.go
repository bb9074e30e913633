package web

import (
	"context"
	"fmt"
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
	if err := h.protection(ctx, &props); err != nil {
		return err
	}
	var active bool
	var err error
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
	if err := h.day(ctx, &props); err != nil {
		return err
	}
	nearlyFull, err := h.storage(ctx, &props)
	if err != nil {
		return err
	}
	if err := h.counters(ctx, &props); err != nil {
		return err
	}
	if nearlyFull {
		props.Attention = append(props.Attention, views.Attention{Tone: "bad", Text: storeText(props, h.clock.Now()), Href: "/settings/storage"})
	}
	aws := h.aws(r)
	at := place{title: "Overview", active: views.NavOverview, follow: active, live: true, work: props.Running, aws: aws.clusters() + "\n" + aws.snapshots(awsTarget{}, "", "")}
	return h.page(w, r, at, func(shell views.Shell) templ.Component {
		return views.OverviewPage(shell, props)
	})
}

// protection fills in how all clusters stand, and those that stand worst.
func (h overviewPage) protection(ctx context.Context, props *views.Overview) error {
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
	return h.describeProtection(ctx, props.Worst)
}

// day fills in the day's windows, and which snapshots come next.
func (h overviewPage) day(ctx context.Context, props *views.Overview) (err error) {
	if props.Plan, err = h.present.dayPlan(ctx); err != nil || props.Plan.Clusters == 0 {
		return err
	}
	clusters, err := h.db.Schedule.NextStarting(ctx, minuteOf(h.clock.Now()), clashWithin)
	if err != nil {
		return err
	}
	if props.Starts, props.Clashes, err = h.present.starts(ctx, clusters); err != nil {
		return err
	}
	props.Starts = props.Starts[:min(nextStarts, len(props.Starts))]
	props.Clashes = props.Clashes[:min(nextStarts/2, len(props.Clashes))]
	return nil
}

// sparkDays is over how many days the overview draws what is stored.
const sparkDays = 35

// storage fills in what is stored, what it costs and when there is no more room, and tells whether that is soon.
func (h overviewPage) storage(ctx context.Context, props *views.Overview) (nearlyFull bool, err error) {
	storage, err := h.db.Snapshots.Storage(ctx)
	if err != nil {
		return false, err
	}
	settings, err := h.db.Settings.Get(ctx)
	if err != nil {
		return false, err
	}
	growth, err := h.db.Usage.Growth(ctx, storage.Stored)
	if err != nil {
		return false, err
	}
	daily, err := h.db.Usage.Daily(ctx, sparkDays)
	if err != nil {
		return false, err
	}
	now := h.clock.Now()
	month, err := h.db.Usage.Month(ctx, now)
	if err != nil {
		return false, err
	}
	props.SnapshotCount, props.StoredBytes, props.NotCharged = storage.Snapshots, storage.Stored, storage.Stored-storage.Billable
	props.MonthlyCost, props.Month = money(settings, settings.Monthly(storage.Billable)), now.UTC().Format("January")
	if !month.Since.IsZero() {
		props.MonthSoFar = money(settings, settings.CostOf(month.ByteHours, now))
	}
	for _, sample := range daily {
		props.Stored.Values = append(props.Stored.Values, float64(sample.Stored))
	}
	props.Stored.Label = fmt.Sprintf("What was stored over the last %s", views.Plural(len(daily), "day"))
	props.Growth = growthText(growth)
	props.DiskFree, props.DiskTotal = h.storeDisk(ctx)
	if props.DiskTotal == 0 {
		return false, nil
	}
	props.FullAt = growth.FullAt(now, props.DiskFree)
	return growth.NearlyFull(now, props.DiskFree, props.DiskTotal), nil
}

// storeText says that the store needs room.
func storeText(p views.Overview, now time.Time) string {
	text := fmt.Sprintf("The disk of the store has %s of %s free.", views.SizeText(p.DiskFree), views.SizeText(p.DiskTotal))
	if !p.FullAt.IsZero() {
		text += fmt.Sprintf(" At today's growth it is full %s.", views.RelativeText(p.FullAt, now))
	}
	return text
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
			row.Schedule, row.Promise = schedule, cluster.Promise()
		}
	}
	return nil
}

// counters fills in the numbers that link to the lists they count, and names those that need a person.
func (h overviewPage) counters(ctx context.Context, props *views.Overview) error {
	standing := make(map[string]int)
	for _, s := range props.Standings {
		standing[s.State] += s.Clusters
	}
	unreachable, err := h.db.Clusters.Count(ctx, models.ClusterUnreachable)
	if err != nil {
		return err
	}
	available, err := h.db.Snapshots.Count(ctx, models.SnapshotAvailable)
	if err != nil {
		return err
	}
	bad, err := h.db.Snapshots.Count(ctx, models.SnapshotFailed)
	if err != nil {
		return err
	}
	failed, err := h.countRuns(ctx, map[string]string{"status": string(models.RunFailed), "since": "day"})
	if err != nil {
		return err
	}
	running, err := h.countRuns(ctx, map[string]string{"status": string(models.RunRunning)})
	if err != nil {
		return err
	}
	const failedRuns = "/runs?since=day&status=failed"
	props.Counters = []views.Counter{
		{Label: "Clusters", Value: props.Total(), Href: "/clusters"},
		{Label: "Missed their window", Value: standing[views.Overdue], Href: clustersThat(views.Overdue), Tone: "bad"},
		{Label: "Unreachable", Value: unreachable, Href: "/clusters?status=unreachable", Tone: "bad"},
		{Label: "Available snapshots", Value: available, Href: "/snapshots?status=available"},
		{Label: "Failed snapshots", Value: bad, Href: "/snapshots?status=failed", Tone: "bad"},
		{Label: "Failed runs, 24 hours", Value: failed, Href: failedRuns, Tone: "bad"},
		{Label: "Runs under way", Value: running, Href: "/runs?status=" + string(models.RunRunning), Tone: "busy"},
	}
	for _, a := range []struct {
		n                   int
		one, many, to, tone string
	}{
		{standing[views.Overdue], "1 cluster has no snapshot from its last window.", "%s clusters have no snapshot from their last window.", clustersThat(views.Overdue), "bad"},
		{standing[views.LastFailed], "The last automatic snapshot of 1 cluster failed.", "The last automatic snapshots of %s clusters failed.", clustersThat(views.LastFailed), "bad"},
		{unreachable, "1 cluster cannot be reached.", "%s clusters cannot be reached.", "/clusters?status=unreachable", "bad"},
		{standing[views.NothingInIt], "1 cluster could not be created or restored.", "%s clusters could not be created or restored.", clustersThat(views.NothingInIt), "warn"},
		{failed, "1 run failed in the last 24 hours.", "%s runs failed in the last 24 hours.", failedRuns, "warn"},
	} {
		if a.n == 0 {
			continue
		}
		text := a.one
		if a.n > 1 {
			text = fmt.Sprintf(a.many, views.Count(a.n))
		}
		props.Attention = append(props.Attention, views.Attention{Tone: a.tone, Text: text, Href: templ.SafeURL(a.to)})
	}
	return nil
}

// clustersThat is the list of clusters that stand so.
func clustersThat(stand string) string { return "/clusters?standing=" + stand }

func (h overviewPage) countRuns(ctx context.Context, equal map[string]string) (int, error) {
	found, err := h.db.Runs.List(ctx, models.List{Equal: equal, Size: 1})
	return found.Total, err
}
