package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// money writes an amount in the currency of the settings: "$1.32", "EUR 1.32". What is more than nothing does not look like nothing.
func money(settings models.Settings, amount float64) string {
	if amount > 0 && amount < .005 {
		return "less than " + currencyOf(settings) + "0.01"
	}
	return fmt.Sprintf("%s%.2f", currencyOf(settings), amount)
}

// roughly writes an amount that is an estimate.
func roughly(settings models.Settings, amount float64) string {
	if amount >= .005 {
		return "about " + money(settings, amount)
	}
	return money(settings, amount)
}

// currencyOf is what is written before an amount.
func currencyOf(settings models.Settings) string {
	if last := settings.Currency[max(0, len(settings.Currency)-1):]; last >= "A" && last <= "z" {
		return settings.Currency + " "
	}
	return settings.Currency
}

// forecast says what the automatic snapshots of one cluster, or of several alike, will cost as it is set, and what a lower retention would save.
// stored is the expected size of one in the store.
func forecast(settings models.Settings, retention, copies int, stored int64) string {
	amount := func(days int) float64 { return settings.Forecast(days, stored) * float64(copies) }
	days := min(retention, models.MaxRetention)
	text := fmt.Sprintf("%s of retention will cost %s a month: %s of %s, the newest one free.", views.Plural(days, "day"), roughly(settings, amount(days)),
		views.Plural(days, "snapshot"), views.SizeText(stored))
	if copies > 1 {
		text = fmt.Sprintf("%s of retention will cost %s a month: %s of each cluster, of %s, the newest one free.", views.Plural(days, "day"), roughly(settings, amount(days)),
			views.Plural(days, "snapshot"), views.SizeText(stored))
	}
	if lower := models.LowerRetention(days); lower > 0 && amount(days) >= .005 {
		text += fmt.Sprintf(" %s would save %s.", views.Plural(lower, "day"), money(settings, amount(days)-amount(lower)))
	}
	return text
}

// forecastOver is how many of the last automatic snapshots say how large the next ones will be.
const forecastOver = 7

// bill is what one cluster's snapshots cost in the present month.
type bill struct {
	settings models.Settings
	month    time.Time
	spans    []models.Span
	hours    map[string]int // charged, by the snapshot's name
}

// billOf reads what the snapshots of a cluster of this name cost. active is since when there is a cluster; zero: it is gone.
func (p presenter) billOf(ctx context.Context, cluster string, active time.Time) (bill, error) {
	now := p.clock.Now()
	b := bill{}
	var err error
	if b.settings, err = p.db.Settings.Get(ctx); err != nil {
		return b, err
	}
	b.month, _ = models.MonthOf(now)
	if b.spans, err = p.db.Usage.Spans(ctx, cluster, b.month); err != nil {
		return b, err
	}
	b.hours = models.ChargedHours(b.spans, active, b.month, now)
	return b, nil
}

func (b bill) monthName() string { return b.month.Format("January") }

func (b bill) soFar(byteHours float64) string {
	return money(b.settings, b.settings.CostOf(byteHours, b.month))
}

// clusterCost is what the snapshots of a cluster cost; nil if nothing of it is kept.
func (p presenter) clusterCost(ctx context.Context, cluster models.Cluster, newest models.Snapshot) (*views.ClusterCost, error) {
	b, err := p.billOf(ctx, cluster.Name, cluster.CreatedAt)
	if err != nil || len(b.spans) == 0 {
		return nil, err
	}
	_, stored, err := p.db.Snapshots.StorageOf(ctx, cluster.Name)
	if err != nil {
		return nil, err
	}
	charged := max(0, stored-newest.Stored)
	cost := &views.ClusterCost{Stored: stored, Charged: charged, Rate: money(b.settings, b.settings.Monthly(charged)), Month: b.monthName(),
		SoFar: b.soFar(models.ByteHours(b.spans, b.hours))}
	if !cluster.Backups() {
		return cost, nil
	}
	last, err := p.db.History.LastStored(ctx, cluster.Name, forecastOver)
	if size := models.ExpectedStored(last); size > 0 {
		cost.Forecast = forecast(b.settings, cluster.RetentionLimit, 1, size)
	}
	return cost, err
}

// snapshotCost is what one good snapshot costs.
func (p presenter) snapshotCost(ctx context.Context, s models.Snapshot) (*views.SnapshotCost, error) {
	if !s.Usable() {
		return nil, nil
	}
	var active time.Time
	clusters, err := p.db.Clusters.ByName(ctx, []string{s.ClusterName})
	if err != nil {
		return nil, err
	}
	cluster, there := clusters[s.ClusterName]
	if there {
		active = cluster.CreatedAt
	}
	b, err := p.billOf(ctx, s.ClusterName, active)
	if err != nil {
		return nil, err
	}
	newest, err := p.db.Snapshots.Newest(ctx, s.ClusterName)
	if err != nil {
		return nil, err
	}
	own := models.Span{Snapshot: s.Name, Stored: s.Stored}
	if !slices.ContainsFunc(b.spans, func(span models.Span) bool { return span.Snapshot == s.Name }) {
		own.Snapshot = "" // it is one of the many old ones that are counted together
	}
	return &views.SnapshotCost{Free: there && newest[s.ClusterName].Name == s.Name, Rate: money(b.settings, b.settings.Monthly(s.Stored)), Month: b.monthName(),
		SoFar: b.soFar(models.ByteHours([]models.Span{own}, b.hours))}, nil
}

type costPage struct{ *site }

const (
	costMonths   = 6  // that are listed
	costClusters = 20 // that are listed
	costDays     = 35 // that are drawn
)

func (h costPage) show(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	settings, err := h.db.Settings.Get(ctx)
	if err != nil {
		return err
	}
	storage, err := h.db.Snapshots.Storage(ctx)
	if err != nil {
		return err
	}
	now := h.clock.Now()
	props := views.CostPage{Now: now, Stored: storage.Stored, Charged: storage.Billable, Price: currencyOf(settings) + strconv.FormatFloat(settings.Price, 'f', -1, 64), Rate: money(settings, settings.Monthly(storage.Billable)),
		Month: now.UTC().Format("January")}
	growth, err := h.db.Usage.Growth(ctx, storage.Stored)
	if err != nil {
		return err
	}
	props.Growth = growthText(growth)
	if err := h.months(ctx, settings, storage, &props); err != nil {
		return err
	}
	if props.Plot, err = h.plot(ctx, storage); err != nil {
		return err
	}
	if props.Largest, err = h.largest(ctx, settings); err != nil {
		return err
	}
	at := place{title: "Cost", active: views.NavOverview, crumbs: []views.Crumb{{Text: "Overview", Href: "/"}}}
	return h.page(w, r, at, func(shell views.Shell) templ.Component { return views.CostsPage(shell, props) })
}

// months fills in this month and those before, as far as there is a record of them.
func (h costPage) months(ctx context.Context, settings models.Settings, storage models.Storage, props *views.CostPage) error {
	now := h.clock.Now()
	from, to := models.MonthOf(now)
	for i := range costMonths {
		month, err := h.db.Usage.Month(ctx, from.AddDate(0, -i, 0))
		if err != nil {
			return err
		}
		amount := settings.CostOf(month.ByteHours, month.Month)
		if i == 0 {
			props.SoFar = money(settings, amount)
			props.Expected = roughly(settings, amount+settings.CostOf(float64(storage.Billable)*to.Sub(now).Hours(), month.Month))
		}
		row := views.MonthCost{Month: month.Month.Format("January 2006"), Amount: money(settings, amount)}
		if month.Since.IsZero() {
			if i > 0 {
				break
			}
		} else if month.Since.Sub(month.Month) > time.Hour {
			row.Note = "the record begins on " + month.Since.Format("2 January")
		}
		if i == 0 {
			row.Note = joinNotes("so far", row.Note)
		}
		props.Months = append(props.Months, row)
	}
	return nil
}

func joinNotes(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}

// plot draws what was stored on each of the last days, until now.
func (h costPage) plot(ctx context.Context, storage models.Storage) (views.Plot, error) {
	now := h.clock.Now()
	plot := views.Plot{ID: "plot-stored", Title: "Stored", From: now.AddDate(0, 0, -costDays), To: now, Scale: views.PlotBytes,
		Empty: "What is stored is written down every hour. The first figures come with the first hour."}
	samples, err := h.db.Usage.Daily(ctx, costDays)
	if err != nil {
		return plot, err
	}
	for _, s := range samples {
		if s.Hour == models.HourOf(now) {
			continue // it is followed by the present
		}
		plot.Points = append(plot.Points, views.PlotPoint{At: s.At(), Value: float64(s.Stored), Text: views.SizeText(s.Stored)})
	}
	if len(samples) > 0 {
		plot.From = since(plot.From, samples[0].At(), now)
		plot.Points = append(plot.Points, views.PlotPoint{At: now, Value: float64(storage.Stored), Text: views.SizeText(storage.Stored)})
	}
	return plot, nil
}

// since is where a plot begins: at its first point, but at least a day before the present.
func since(earliest, first, now time.Time) time.Time {
	if day := now.AddDate(0, 0, -1); first.After(day) {
		first = day
	}
	if first.After(earliest) {
		return first
	}
	return earliest
}

// largest are the clusters whose snapshots take the most space.
func (h costPage) largest(ctx context.Context, settings models.Settings) ([]views.CostRow, error) {
	found, err := h.db.Usage.Largest(ctx, costClusters)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(found))
	for i, c := range found {
		names[i] = c.Cluster
	}
	clusters, err := h.db.Clusters.ByName(ctx, names)
	if err != nil {
		return nil, err
	}
	rows := make([]views.CostRow, len(found))
	for i, c := range found {
		rows[i] = views.CostRow{Cluster: c.Cluster, There: c.There, Snapshots: c.Snapshots, Stored: c.Stored, Charged: c.Stored - c.Free, Rate: money(settings, settings.Monthly(c.Stored-c.Free))}
		if cluster, there := clusters[c.Cluster]; there && cluster.Backups() {
			rows[i].Forecast = roughly(settings, settings.Forecast(cluster.RetentionLimit, c.Free))
		}
	}
	return rows, nil
}

// growthText says how the stored bytes change; "" if nobody knows.
func growthText(g models.StorageGrowth) string {
	switch {
	case g.Over == 0:
		return ""
	case g.PerDay > 0:
		return "grows by " + views.SizeText(g.PerDay) + " a day"
	case g.PerDay < 0:
		return "shrinks by " + views.SizeText(-g.PerDay) + " a day"
	}
	return "does not grow"
}
