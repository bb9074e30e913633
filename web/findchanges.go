package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// shownJournalChanges is how many changes the page of a search shows; the others have a page of their own.
const shownJournalChanges = 50

// readFindJournal reads where in a journal is looked; nil: nowhere.
func readFindJournal(form url.Values, wrong mistakes) *models.FindJournal {
	where := form.Get("where")
	if where != "journal" && where != "both" {
		return nil
	}
	return &models.FindJournal{Only: where == "journal", Since: readSecond(form, "since", wrong), Until: readSecond(form, "until", wrong)}
}

// readSecond reads a second in UTC; zero if there is none.
func readSecond(form url.Values, field string, wrong mistakes) time.Time {
	text := strings.TrimSpace(form.Get(field))
	at, is := models.ParseMoment(text)
	if text != "" && !is {
		wrong.add(field, "Write it like 2026-11-27 10:41:07: the date and the time in UTC, to the second.")
	}
	return at.Truncate(time.Second)
}

// findPlaceOf is where a search looked, as the form has it; "" in snapshots only.
func findPlaceOf(run models.Run) string {
	args, err := models.Args[models.FindArgs](run)
	switch {
	case err != nil || args.Journal == nil:
		return ""
	case args.Journal.Only:
		return "journal"
	}
	return "both"
}

// foundChanges is what a search has found in a journal, from a place on.
func (h findPages) foundChanges(ctx context.Context, run models.Run, args models.FindArgs, from, limit int) (views.FoundChanges, error) {
	if args.Journal == nil {
		return views.FoundChanges{}, nil
	}
	v := views.FoundChanges{Looked: true, Only: args.Journal.Only, Since: args.Journal.Since, Until: args.Journal.Until}
	stream, begun, err := h.db.Finds.Stream(ctx, run.ID)
	if err != nil || !begun {
		return v, err
	}
	v.Begun, v.Done, v.Count, v.Kept, v.More = true, stream.Done, stream.Changes, stream.Kept, stream.Kept > limit
	holes, err := h.db.Finds.Holes(ctx, run.ID)
	if err != nil {
		return v, err
	}
	for _, hole := range holes {
		v.Holes = append(v.Holes, views.JournalHole{Shard: hole.Shard, Begin: orZero(hole.Begin), End: orZero(hole.End), Reason: hole.Reason})
	}
	v.Others = stream.Holes - len(holes)
	changes, err := h.db.Finds.Changes(ctx, run.ID, from, limit)
	if err != nil || len(changes) == 0 {
		return v, err
	}
	window, err := h.windowOf(ctx, run)
	if err != nil {
		return v, err
	}
	for _, c := range changes {
		v.Rows = append(v.Rows, changeRow(run.ClusterName, window, c))
		v.Deletes = v.Deletes || c.Kind == models.ChangeDeleted || c.Sweeps()
	}
	return v, nil
}

// windowOf is the recovery window of the cluster that a search was about; none if it is no longer there.
func (h findPages) windowOf(ctx context.Context, run models.Run) (models.RecoveryWindow, error) {
	cluster, err := h.db.Clusters.Get(ctx, run.ClusterName)
	if models.HasCode(err, models.CodeClusterNotFound) || err == nil && cluster.ID != run.ClusterID {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return h.db.Journal.Window(ctx, cluster)
}

func changeRow(cluster string, window models.RecoveryWindow, c models.FoundChange) views.ChangeRow {
	row := views.ChangeRow{At: c.At, Text: c.Text(visibleName(string(c.Other), false)), Name: visibleName(string(c.Name), c.Length > len(c.Name)), Command: c.Command, Argument: c.Word, Bytes: c.Bytes, Database: "not known",
		Shard: c.Shard, Expires: orZero(c.ExpiresAt)}
	if len(c.Name) > 0 && c.Length > len(c.Name) {
		row.Cut = c.Length
	}
	switch {
	case c.Kind == models.ChangeFlushedAll || c.Kind == models.ChangeTrimmed:
		row.Database = "all"
	case c.Database >= 0:
		row.Database = fmt.Sprint(c.Database)
	}
	if window.Contains(c.At) {
		row.Before = views.RecoverAddress(cluster, c.At, fmt.Sprintf("%d:%s:%d", c.Shard, c.Run, c.Before))
		row.After = views.RecoverAddress(cluster, c.At, fmt.Sprintf("%d:%s:%d", c.Shard, c.Run, c.After))
	}
	return row
}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// changes lists all changes that a search has kept, by pages.
func (h findPages) changes(w http.ResponseWriter, r *http.Request) error {
	run, _, args, err := h.search(r)
	if err != nil {
		return err
	}
	if args.Journal == nil {
		return problem{status: http.StatusNotFound, text: "That search does not look in a journal.", back: findAddress(run.ID), backText: "To what was found"}
	}
	stream, _, err := h.db.Finds.Stream(r.Context(), run.ID)
	if err != nil {
		return err
	}
	shown, _ := findListing.read(r)
	shown.Total = stream.Kept
	shown.Page = min(shown.Page, max(1, shown.Pages()))
	runs, err := h.present.runs(r.Context(), []models.Run{run})
	if err != nil {
		return err
	}
	props := views.FindResult{Run: runs[0], Pattern: args.Pattern, Cluster: run.ClusterName, List: shown}
	if props.Changes, err = h.foundChanges(r.Context(), run, args, (shown.Page-1)*shown.Size, shown.Size); err != nil {
		return err
	}
	props.Changes.More = false
	at := place{title: "Changes", active: views.NavSnapshots, crumbs: []views.Crumb{findCrumb, {Text: "What was found", Href: findAddress(run.ID)}}}
	return h.page(w, r, at, func(shell views.Shell) templ.Component { return views.FoundChangesPage(shell, props) })
}
