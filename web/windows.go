package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

type windowsPage struct{ *site }

const (
	maxLanes    = 12 // clusters whose windows are drawn one by one
	nextStarts  = 6  // that the overview names
	clashWithin = 24 // so many of the next ones are looked at for hosts that fork for several at once
)

func (h windowsPage) show(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var props views.Windows
	var err error
	if props.Plan, err = h.present.dayPlan(ctx); err != nil {
		return err
	}
	shown, _ := listing{filters: []string{"hour"}}.read(r)
	if hour, err := strconv.Atoi(r.URL.Query().Get("hour")); err == nil && hour >= 0 && hour < len(props.Plan.Hours) {
		props.Plan.Hour = hour
	}
	var clusters []models.Cluster
	now := h.clock.Now()
	if hour := props.Plan.Hour; hour >= 0 {
		shown.Total = props.Plan.Hours[hour].Starts
		shown.Page = min(shown.Page, shown.Pages())
		clusters, err = h.db.Schedule.Starting(ctx, hour, (shown.Page-1)*shown.Size, shown.Size)
	} else {
		clusters, err = h.db.Schedule.NextStarting(ctx, minuteOf(now), shown.Size)
	}
	if err != nil {
		return err
	}
	props.List = shown
	if props.Starts, props.Clashes, err = h.present.starts(ctx, clusters); err != nil {
		return err
	}
	at := place{title: "A day's windows", active: views.NavOverview, crumbs: []views.Crumb{{Text: "Overview", Href: "/"}}, aws: h.aws(r).clusters()}
	return h.page(w, r, at, func(shell views.Shell) templ.Component { return views.WindowsPage(shell, props) })
}

// minuteOf is the minute of the day in UTC.
func minuteOf(t time.Time) int { return t.UTC().Hour()*60 + t.UTC().Minute() }

// dayPlan is what all schedules do in a day, with each window if they are few.
func (p presenter) dayPlan(ctx context.Context) (views.DayPlan, error) {
	plan := views.DayPlan{Hour: -1}
	load, err := p.db.Schedule.DayLoad(ctx)
	if err != nil {
		return plan, err
	}
	plan.Clusters = load.Clusters
	for _, hour := range load.Hours {
		plan.Hours = append(plan.Hours, views.HourLoad{Starts: hour.Starts, Open: hour.Open})
	}
	if load.Clusters == 0 || load.Clusters > maxLanes {
		return plan, nil
	}
	clusters, err := p.db.Schedule.NextStarting(ctx, 0, maxLanes)
	if err != nil {
		return plan, err
	}
	for _, c := range clusters {
		begins := c.SnapshotWindow.On(p.clock.Now(), c.Name).Begins
		plan.Lanes = append(plan.Lanes, views.Lane{Cluster: c.Name, Start: c.SnapshotWindow.Start, Length: c.SnapshotWindow.Length, Begins: minuteOf(begins)})
	}
	return plan, nil
}

// starts are the next snapshots of these clusters, with the hosts that will fork for several of them at once.
func (p presenter) starts(ctx context.Context, clusters []models.Cluster) ([]views.ComingStart, []views.HostClash, error) {
	names := make([]string, len(clusters))
	for i, c := range clusters {
		names[i] = c.Name
	}
	newest, err := p.db.Snapshots.Newest(ctx, names...)
	if err != nil {
		return nil, nil, err
	}
	since := p.clock.Now().Add(-time.Minute) // the schedule looks every minute
	begins := make(map[uint]time.Time, len(clusters))
	for _, c := range clusters {
		begins[c.ID] = c.SnapshotWindow.Next(since, c.Name).Begins
	}
	ways, err := p.db.Comparisons.Coming(ctx, begins)
	if err != nil {
		return nil, nil, err
	}
	coming := make([]models.Start, len(clusters))
	shown := make([]views.ComingStart, len(clusters))
	for i, c := range clusters {
		next := c.SnapshotWindow.Next(since, c.Name)
		coming[i] = models.Start{Cluster: c.Name, At: next.Begins, Opens: next.Opens, Closes: next.Closes, Takes: newest[c.Name].TakenIn()}
		ofJournal := ways[c.ID] == models.OfJournal
		if !ofJournal { // otherwise none of its nodes forks
			coming[i].Hosts = c.ForkHosts()
		}
		shown[i] = views.ComingStart{Cluster: c.Name, At: next.Begins, Window: c.SnapshotWindow.String(), Takes: coming[i].Takes, Hosts: coming[i].Hosts, OfJournal: ofJournal}
	}
	var clashes []views.HostClash
	for _, c := range models.Clashes(coming) {
		clashes = append(clashes, views.HostClash{Host: c.Host, From: c.From, Clusters: c.Clusters})
	}
	return shown, clashes, nil
}
