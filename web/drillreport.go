package web

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

var drillListing = listing{filters: views.DrillReportFilters, order: "cluster", sorts: map[string]string{"cluster": "cluster"}}

// drillDays is the span of a report, in days, unless it is given.
const drillDays = 30

// drillSpan reads the days that a report is about, both of which are in it, in UTC. What is wrong is replaced by the usual days.
func (h drillPages) drillSpan(rows models.List) (models.DrillSpan, mistakes) {
	wrong := mistakes{}
	day := func(name string, usual time.Time) time.Time {
		text := rows.Equal[name]
		if text == "" {
			return usual
		}
		parsed, err := time.Parse(time.DateOnly, text)
		if err != nil || parsed.Year() < 1970 || parsed.Year() > 9998 {
			wrong.add(name, fmt.Sprintf("The day must look like %s, not %q.", usual.Format(time.DateOnly), cut(text, 40)))
			return usual
		}
		return parsed
	}
	to := day("to", h.clock.Now().UTC().Truncate(24*time.Hour))
	from := day("from", to.AddDate(0, 0, -drillDays+1))
	if from.After(to) {
		wrong.add("from", "The first day must not be after the last one. Exchange them.")
		from = to.AddDate(0, 0, -drillDays+1)
	}
	return models.DrillSpan{From: from, To: to.AddDate(0, 0, 1)}, wrong
}

// report says of all clusters how they were drilled in a span of time.
func (h drillPages) report(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	shown, rows := drillListing.read(r)
	span, wrong := h.drillSpan(rows)
	clusters, err := fetch(&shown, rows, func(l models.List) (models.Rows[models.DrilledCluster], error) {
		return h.db.Drills.Report(ctx, span, l)
	})
	if err != nil {
		return err
	}
	totals, err := h.db.Drills.Totals(ctx, span)
	if err != nil {
		return err
	}
	props := views.DrillReport{List: shown, From: span.From, To: span.To.AddDate(0, 0, -1), Passed: totals.Passed, Failed: totals.Failed, Undone: totals.Undone,
		Any: shown.Total > 0 || len(shown.Query) > 0, Wrong: wrong.text()}
	if props.Rows, err = h.present.drilled(ctx, clusters); err != nil {
		return err
	}
	at := place{title: "Restore drills", active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb}}
	return h.ask(w, r, at, wrong, func(shell views.Shell) templ.Component { return views.DrillReportPage(shell, props) })
}

func (p presenter) drilled(ctx context.Context, clusters []models.DrilledCluster) ([]views.DrilledCluster, error) {
	var names []string
	for _, c := range clusters {
		if c.Last != nil {
			names = append(names, c.Last.SnapshotName)
		}
	}
	_, snapshots, err := p.db.Present(ctx, nil, names)
	if err != nil {
		return nil, err
	}
	rows := make([]views.DrilledCluster, len(clusters))
	for i, c := range clusters {
		rows[i] = views.DrilledCluster{Cluster: c.Cluster, Exists: c.Exists, Plan: presentDrillPlan(c.Plan), Passed: c.Totals.Passed, Failed: c.Totals.Failed, Undone: c.Totals.Undone}
		if c.Last != nil {
			last := presentDrill(*c.Last)
			rows[i].Last, rows[i].Snapshot, rows[i].SnapshotExists = &last, c.Last.SnapshotName, snapshots[c.Last.SnapshotName]
		}
	}
	return rows, nil
}

// csvBatch is how many clusters, and how many drills of one, are in memory at a time.
const csvBatch = 200

// drillColumns are the columns of the report for a spreadsheet. Columns may be added at the end.
var drillColumns = []string{"cluster", "cluster_exists", "drills_are_held", "window_utc", "outcome", "reason", "snapshot", "started_at", "ended_at", "requested_by", "engine", "engine_version", "host",
	"load_seconds", "keys_expected", "keys_loaded", "keys_expired", "keys_compared", "keys_differing", "run"}

// reportCSV is the report for a spreadsheet: a row for each drill in the span, and one for each cluster without any. It is sent as it is read; a failure
// after the beginning breaks the connection, so that nobody takes a part for the whole.
func (h drillPages) reportCSV(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	_, rows := drillListing.read(r)
	span, wrong := h.drillSpan(rows)
	if text := wrong.text(); text != "" {
		return problem{status: http.StatusUnprocessableEntity, title: "No such days", text: text, back: "/drills", backText: "To the report"}
	}
	if err := h.db.Check(ctx); err != nil {
		return err // while the answer can still be an error
	}
	header := w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8")
	header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="restore-drills-%s-%s.csv"`, span.From.Format(time.DateOnly), span.To.AddDate(0, 0, -1).Format(time.DateOnly)))
	header.Set("Cache-Control", "private, no-store")
	out := csv.NewWriter(w)
	err := out.Write(drillColumns)
	if err == nil {
		err = h.writeDrills(ctx, span, rows, out)
	}
	out.Flush()
	if err = errors.Join(err, out.Error()); err != nil {
		if ctx.Err() == nil {
			h.log.ErrorContext(ctx, "report on drills", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (h drillPages) writeDrills(ctx context.Context, span models.DrillSpan, list models.List, out *csv.Writer) error {
	for after := ""; ; {
		clusters, err := h.db.Drills.ReportAfter(ctx, span, list, after, csvBatch)
		if err != nil || len(clusters) == 0 {
			return err
		}
		for _, c := range clusters {
			if err := h.writeCluster(ctx, span, c, out); err != nil {
				return err
			}
		}
		after = clusters[len(clusters)-1].Cluster
	}
}

func (h drillPages) writeCluster(ctx context.Context, span models.DrillSpan, c models.DrilledCluster, out *csv.Writer) error {
	every := string(c.Plan.Every)
	if every == "" {
		every = "never"
	}
	begin := []string{c.Cluster, strconv.FormatBool(c.Exists), every, c.Plan.Window.String()}
	if c.Last == nil {
		return out.Write(cells(append(begin, string(models.NotDrilled), "", "", "", "", "", "", "", "", "", "", "", "", "", "", "")))
	}
	for after := uint(0); ; {
		drills, err := h.db.Drills.In(ctx, span, c.Cluster, after, csvBatch)
		if err != nil || len(drills) == 0 {
			return err
		}
		for _, d := range drills {
			if err := out.Write(cells(append(begin[:len(begin):len(begin)], drillCells(d)...))); err != nil {
				return err
			}
		}
		after = drills[len(drills)-1].ID
	}
}

// drillCells are the columns of a drill, from its outcome on.
func drillCells(d models.Drill) []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	expected := ""
	if d.Expected >= 0 {
		expected = number(d.Expected)
	}
	return []string{string(d.Outcome), d.Reason, d.SnapshotName, d.StartedAt.UTC().Format(time.RFC3339), d.EndedAt.UTC().Format(time.RFC3339), d.RequestedBy, d.Engine, d.EngineVersion, d.Host,
		strconv.FormatFloat(d.LoadedIn.Seconds(), 'f', 3, 64), expected, number(d.Keys), number(d.Expired), number(d.Sampled), number(d.Differing), runID(d.RunID)}
}

// cells makes texts harmless that a spreadsheet would take for formulas.
func cells(row []string) []string {
	for i, cell := range row {
		if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
			row[i] = "'" + cell
		}
	}
	return row
}
