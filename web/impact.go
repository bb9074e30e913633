package web

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// impact presents what a run cost the nodes that it read. chosen is the number of the part to show; without one, that which cost most is shown.
func (p presenter) impact(ctx context.Context, run models.Run, chosen string) (*views.Impact, error) {
	impact, measured, err := p.db.Impacts.Of(ctx, run)
	if err != nil || !measured || len(impact.Parts) == 0 {
		return nil, err
	}
	shown := costliest(impact)
	if n, err := strconv.Atoi(chosen); err == nil && n >= 1 && n <= len(impact.Parts) {
		shown = n - 1
	}
	part := impact.Parts[shown]
	props := views.Impact{Sentences: costSentences(part), More: impact.More}
	if len(impact.Parts) > 1 {
		for i, one := range impact.Parts {
			href := views.LinkQuery("/runs/"+runID(run.ID), "part", strconv.Itoa(i+1)) + "#impact"
			props.Parts = append(props.Parts, views.ImpactPart{Label: fmt.Sprintf("Part %d: %s", one.Shard, one.Nodes[0].Name), Href: href, Current: i == shown})
		}
	}
	for i, n := range part.Nodes {
		props.Rows = append(props.Rows, impactRows(n)...)
		if len(n.Samples) > 0 {
			props.Plots = append(props.Plots, impactPlots(part, n, i)...)
		}
		for _, s := range n.Samples {
			props.Lagged, props.Waited = props.Lagged || s.Lag > 0, props.Waited || s.Waits > 0
		}
	}
	return &props, nil
}

// impactSentences say on a snapshot's page what its costliest part cost.
func (p presenter) impactSentences(ctx context.Context, snapshot models.Snapshot) ([]string, templ.SafeURL, error) {
	run, known, err := p.db.Runs.Taker(ctx, snapshot)
	if err != nil || !known {
		return nil, "", err
	}
	impact, measured, err := p.db.Impacts.Of(ctx, run)
	if err != nil || !measured || len(impact.Parts) == 0 {
		return nil, "", err
	}
	return costSentences(impact.Parts[costliest(impact)]), views.Link("runs", runID(run.ID)) + "#impact", nil
}

// costliest is the index of the part that cost most, or of the first one.
func costliest(impact models.Impact) int {
	worst, found := impact.Worst()
	for i, p := range impact.Parts {
		if found && p.Shard == worst.Shard && p.Since.Equal(worst.Since) {
			return i
		}
	}
	return 0
}

// costSentences say what the reading of a part cost the node that served it, and its primary if that is another one.
func costSentences(part models.PartImpact) []string {
	var all []string
	for i, n := range part.Nodes {
		if i == 0 {
			if text := servedSentence(part, n); text != "" {
				all = append(all, text)
			}
		} else if ping := pingText(n); ping != "" {
			all = append(all, fmt.Sprintf("The %s %s answered PING %s.", n.Role, n.Name, ping))
		}
		if n.Note != "" {
			all = append(all, n.Name+" was "+strings.Replace(n.Note, "Not measured", "not measured", 1))
		}
	}
	return all
}

// servedSentence is about the node that served.
func servedSentence(part models.PartImpact, n models.NodeImpact) string {
	ping := pingText(n)
	who := fmt.Sprintf("the %s %s", n.Role, n.Name)
	if ping != "" {
		ping = who + " answered PING " + ping
	}
	switch {
	case ping == "":
		return ""
	case part.ByKey:
		return "It was read key by key, so nothing was forked; " + ping + "."
	case !n.Forked:
		return "How long the fork took is not known; " + ping + "."
	}
	text := fmt.Sprintf("The fork took %s; %s", views.LatencyText(n.Fork()), ping)
	if n.CopyOnWrite > 0 {
		text += "; copy-on-write needed " + views.SizeText(n.CopyOnWrite)
	}
	return text + "."
}

// pingText is how fast a node answered: "in 0.3 ms while it was read, at the slowest in 2.1 ms (in 0.2 ms before)".
func pingText(n models.NodeImpact) string {
	before, during := n.Figures(models.PhaseBefore), n.Figures(models.PhaseDuring)
	switch {
	case during.Samples == 0 && before.Samples == 0:
		return ""
	case during.Samples == 0:
		return fmt.Sprintf("in %s before it was read", views.LatencyText(before.Ping))
	}
	text := fmt.Sprintf("in %s while it was read, at the slowest in %s", views.LatencyText(during.Ping), views.LatencyText(during.Worst))
	if before.Samples > 0 {
		text += fmt.Sprintf(" (in %s before)", views.LatencyText(before.Ping))
	}
	return text
}

// impactRows are the figures of a node.
func impactRows(n models.NodeImpact) []views.ImpactRow {
	var rows []views.ImpactRow
	for _, phase := range []struct {
		models.SamplePhase
		name string
	}{{models.PhaseBefore, "Before"}, {models.PhaseDuring, "While it was read"}, {models.PhaseAfter, "After"}} {
		f := n.Figures(phase.SamplePhase)
		if f.Samples == 0 {
			continue
		}
		row := views.ImpactRow{Node: string(n.Role) + " " + n.Name, When: phase.name, Ping: views.LatencyText(f.Ping), Worst: views.LatencyText(f.Worst), Lag: views.SizeText(f.Lag), Waits: views.Count(f.Waits)}
		if f.Rate >= 0 {
			row.Rate = views.Count(int64(f.Rate + .5))
		}
		if f.Memory > 0 {
			row.Memory = views.SizeText(f.Memory)
		}
		rows = append(rows, row)
	}
	return rows
}

// impactPlots draw what was seen at a node. Of the primary beside the node that served, only what its application notices is drawn.
func impactPlots(part models.PartImpact, n models.NodeImpact, nth int) []views.Plot {
	at := func(ms int64) time.Time { return part.Since.Add(time.Duration(ms) * time.Millisecond) }
	zero := at(part.Begun)
	plot := func(id, title string, scale views.PlotScale, value func(models.ImpactSample) (float64, string)) views.Plot {
		first, last := n.Samples[0], n.Samples[len(n.Samples)-1]
		v := views.Plot{ID: fmt.Sprintf("impact-%s-%d", id, nth+1), Title: fmt.Sprintf("%s, %s %s", title, n.Role, n.Name), From: at(first.At), To: at(max(last.At, first.At+1)), Zero: zero,
			Scale: scale, Dense: true, Empty: "The node did not say."}
		if part.Served() {
			v.Span = views.PlotSpan{From: zero, To: at(max(part.Ended, part.Begun)), Text: "While it was read"}
		}
		for _, s := range n.Samples {
			if number, text := value(s); text != "" {
				v.Points = append(v.Points, views.PlotPoint{At: at(s.At), Value: number, Text: text})
			}
		}
		return v
	}
	plots := []views.Plot{
		plot("ping", "PING", views.PlotLatency, func(s models.ImpactSample) (float64, string) {
			d := time.Duration(s.Ping) * time.Microsecond
			return d.Seconds(), views.LatencyText(d)
		}),
		plot("rate", "Commands a second", views.PlotPace, func(s models.ImpactSample) (float64, string) {
			if s.Rate < 0 {
				return 0, ""
			}
			return s.Rate, views.Count(int64(s.Rate + .5))
		}),
	}
	if nth > 0 {
		return plots
	}
	return append(plots, plot("memory", "Memory", views.PlotBytes, func(s models.ImpactSample) (float64, string) {
		if s.Memory == 0 {
			return 0, ""
		}
		return float64(s.Memory), views.SizeText(s.Memory)
	}))
}
