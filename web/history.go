package web

import (
	"context"
	"fmt"
	"time"

	"rekindle/models"
	"rekindle/views"
)

// plottedPoints is how many snapshots a plot shows: those of the last days, or fewer if there are many.
const plottedPoints = 100

// history is what became of a cluster's last windows, each with the way to its snapshot or its run.
func (p presenter) history(ctx context.Context, cluster models.Cluster) (views.ClusterHistory, error) {
	var h views.ClusterHistory
	days, err := p.db.History.Of(ctx, cluster)
	if err != nil {
		return h, err
	}
	var names []string
	for _, day := range days {
		if day.Snapshot != "" {
			names = append(names, day.Snapshot)
		}
	}
	there := map[string]bool{}
	if len(names) > 0 {
		if _, there, err = p.db.Present(ctx, nil, names); err != nil {
			return h, err
		}
	}
	for _, day := range days {
		h.Days = append(h.Days, presentDay(cluster.Name, day, there[day.Snapshot]))
	}
	return h, nil
}

// presentDay is one day with its link: to the snapshot that was taken, otherwise to the run, otherwise to what was written down about it.
func presentDay(cluster string, day models.Day, there bool) views.WindowDay {
	v := views.WindowDay{Date: day.Date, Outcome: string(day.Outcome), Note: day.Reason}
	switch taken := day.Outcome == models.DayTaken || day.Outcome == models.DayRetried; {
	case taken && there:
		v.Href = views.Link("snapshots", day.Snapshot)
	case day.Run > 0:
		v.Href = views.Link("runs", runID(day.Run))
	case day.Outcome == models.DayMissed:
		v.Href = views.LinkQuery("/events", "cluster", cluster)
	case taken, day.Outcome == models.DayFailed:
		v.Href = views.LinkQuery("/runs", "cluster", cluster)
	}
	if day.Attempts > 1 {
		v.Note = fmt.Sprintf("Attempts: %d. %s", day.Attempts, v.Note)
	}
	return v
}

// plots draw the sizes of a cluster's last snapshots and how they were taken.
func (p presenter) plots(ctx context.Context, cluster models.Cluster) ([]views.Plot, error) {
	now := p.clock.Now()
	from := now.AddDate(0, 0, -models.HistoryDays)
	taken, err := p.db.History.Taken(ctx, cluster, from)
	if err != nil {
		return nil, err
	}
	taken = taken[max(0, len(taken)-plottedPoints):]
	if len(taken) > 0 {
		from = since(from, taken[0].At.Add(-12*time.Hour), now)
	}
	plot := func(id, title, empty string, scale views.PlotScale, value func(models.Taken) (float64, string)) views.Plot {
		v := views.Plot{ID: "plot-" + id, Title: title, What: "Snapshot", From: from, To: now, Scale: scale, Gap: 36 * time.Hour, Empty: empty}
		if len(taken) == 0 {
			v.Empty = "There is no snapshot from the last days yet."
		}
		for _, t := range taken {
			number, text := value(t)
			if text == "" {
				continue
			}
			point := views.PlotPoint{At: t.At, Value: number, Text: text, Name: t.Snapshot, Other: t.Source != models.SourceAutomatic}
			if !t.Gone {
				point.Href = views.Link("snapshots", t.Snapshot)
			}
			v.Points = append(v.Points, point)
		}
		return v
	}
	return []views.Plot{
		plot("size", "Size", "", views.PlotBytes, func(t models.Taken) (float64, string) { return float64(t.Bytes), views.SizeText(t.Bytes) }),
		plot("stored", "Stored size", "", views.PlotBytes, func(t models.Taken) (float64, string) { return float64(t.Stored), views.SizeText(t.Stored) }),
		plot("duration", "Duration", "How long they took is not known.", views.PlotDuration, func(t models.Taken) (float64, string) {
			if t.Took <= 0 {
				return 0, ""
			}
			return t.Took.Seconds(), views.DurationText(t.Took)
		}),
		plot("rate", "Rate", "How fast they were taken is not known.", views.PlotRate, func(t models.Taken) (float64, string) {
			if t.Rate() <= 0 {
				return 0, ""
			}
			return float64(t.Rate()), views.SizeText(t.Rate()) + "/s"
		}),
	}, nil
}
