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

var (
	runsCrumb  = views.Crumb{Text: "Activity", Href: "/runs"}
	runListing = listing{filters: []string{"kind", "status", "since", "cluster"}, order: "-started",
		sorts: map[string]string{"started": "started", "kind": "kind", "status": "status", "cluster": "cluster"}}
)

type runPages struct{ *site }

func (h runPages) list(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	shown, rows := runListing.read(r)
	for kind, name := range runKindNames {
		if rows.Equal["kind"] == name {
			rows.Equal["kind"] = string(kind)
		}
	}
	runs, err := fetch(&shown, rows, func(l models.List) (models.Rows[models.Run], error) { return h.db.Runs.List(ctx, l) })
	if err != nil {
		return err
	}
	props := views.RunList{List: shown, Any: shown.Total > 0 || len(shown.Query) > 0}
	for _, kind := range models.RunKinds() {
		props.Kinds = append(props.Kinds, views.Option{Value: runKindName(kind), Label: kind.Label()})
	}
	if props.Clusters, err = h.present.clusterChoices(ctx, models.Run{}, shown.Query.Get("cluster")); err != nil {
		return err
	}
	target, err := h.present.eventsTarget(ctx, shown.Query.Get("cluster"))
	if err != nil {
		return err
	}
	if props.Rows, err = h.present.runs(ctx, runs); err != nil {
		return err
	}
	busy := slices.ContainsFunc(runs, func(run models.Run) bool { return !run.Status.Ended() })
	at := place{title: "Activity", active: views.NavActivity, follow: busy, live: true, aws: h.aws(r).events(target)}
	return h.page(w, r, at, func(shell views.Shell) templ.Component {
		return views.RunsPage(shell, props)
	})
}

// find returns the run whose number is in the address.
func (h runPages) find(r *http.Request) (models.Run, error) {
	return h.findBy(r, r.PathValue("id"))
}

func (h runPages) findBy(r *http.Request, number string) (models.Run, error) {
	id, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return models.Run{}, problem{status: http.StatusNotFound, text: fmt.Sprintf("There is no run %q.", number), back: "/runs", backText: "To the activity"}
	}
	return h.db.Runs.Get(r.Context(), uint(id))
}

func (h runPages) show(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	run, err := h.find(r)
	if err != nil {
		return err
	}
	shown, err := h.present.runs(ctx, []models.Run{run})
	if err != nil {
		return err
	}
	props := views.RunDetail{Run: shown[0], AskedBy: run.RequestedBy}
	if run.RequestedBy == "schedule" || run.RequestedBy == "retention" {
		props.AskedBy = "the " + run.RequestedBy
	}
	if run.Kind == models.RunSnapshot && run.Status == models.RunSucceeded {
		snapshot, err := h.db.Snapshots.Get(ctx, run.SnapshotName)
		if err == nil && snapshot.ServedBy != "" {
			props.Result = fmt.Sprintf("%s in %s, from %s.", views.SizeText(snapshot.Bytes), views.DurationText(snapshot.TakenIn()), servedBy(snapshot))
		} else if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
			return err
		}
	}
	if args, err := run.Carries(); err == nil && args.Store != "" && run.Status == models.RunSucceeded {
		props.Result = run.Stage + "." // how far it has got
	}
	if props.Impact, err = h.present.impact(ctx, run, r.URL.Query().Get("part")); err != nil {
		return err
	}
	if props.Brought, err = h.present.brought(ctx, run); err != nil {
		return err
	}
	if props.Brought != nil {
		props.Result = props.Brought.Result()
	}
	if props.NextTry, err = h.present.nextTry(ctx, run); err != nil {
		return err
	}
	if props.Events, err = h.events(ctx, run); err != nil {
		return err
	}
	target, err := h.present.eventsTarget(ctx, run.ClusterName)
	if err != nil {
		return err
	}
	at := place{title: "Run " + props.ID, active: views.NavActivity, crumbs: []views.Crumb{runsCrumb}, follow: !run.Status.Ended(), live: true, work: views.Work{Runs: shown}, aws: h.aws(r).events(target)}
	return h.page(w, r, at, func(shell views.Shell) templ.Component { return views.RunPage(shell, props) })
}

// events returns the events of what the run works on, from its beginning to its end.
func (h runPages) events(ctx context.Context, run models.Run) ([]views.Event, error) {
	equal := map[string]string{"cluster": run.ClusterName}
	if run.SnapshotName != "" {
		equal["snapshot"] = run.SnapshotName
	}
	found, err := h.db.Events.List(ctx, models.List{Equal: equal, Size: 100})
	if err != nil {
		return nil, err
	}
	var own []models.Event
	for _, e := range found.Rows {
		if !e.At.Before(run.CreatedAt) && (run.EndedAt == nil || e.At.Before(run.EndedAt.Add(time.Second))) {
			own = append(own, e)
		}
	}
	return h.present.events(ctx, own)
}

func (h runPages) cancel(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	run, err := h.find(r)
	if err != nil {
		return err
	}
	next := localPath(form.Get("next"))
	if next == "/" && form.Get("next") != "/" {
		next = "/runs/" + runID(run.ID)
	}
	err = h.db.Runs.Cancel(r.Context(), run.ID)
	if models.HasCode(err, models.CodeRunState) {
		return h.done(w, r, next, "info", "It had ended before it could be cancelled.")
	} else if err != nil {
		return err
	}
	h.jobs.Wake()
	if run.Status == models.RunQueued {
		return h.done(w, r, next, "success", "Cancelled: "+run.Title()+".")
	}
	return h.begun(w, r, next, run.ID, "It is being cancelled: "+run.Title()+".")
}
