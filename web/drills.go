package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// drillPages have snapshots loaded into nodes that exist only for this, and show what came out.
type drillPages struct{ *site }

// drill has a snapshot loaded.
func (h drillPages) drill(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	run, err := h.db.Drills.Request(r.Context(), name, visitOf(r).user.Name)
	if models.HasCode(err, models.CodeSnapshotState) {
		return h.done(w, r, snapshotAddress(name), "info", err.Error())
	} else if err != nil {
		return err
	}
	h.jobs.Wake()
	text := fmt.Sprintf("A restore drill of the snapshot %s is held as soon as nothing else moves data and there is memory for it. The snapshot can be used meanwhile.", name)
	return h.begun(w, r, snapshotAddress(name), run.ID, text)
}

// lastDrill is the last drill of a snapshot; nil if there was none.
func (p presenter) lastDrill(ctx context.Context, snapshot models.Snapshot) (*views.Drill, error) {
	last, held, err := p.db.Drills.Last(ctx, snapshot.ID)
	if err != nil || !held {
		return nil, err
	}
	shown := presentDrill(last)
	return &shown, nil
}

func presentDrill(d models.Drill) views.Drill {
	return views.Drill{Run: runID(d.RunID), Outcome: string(d.Outcome), Finding: d.Finding(), At: d.EndedAt, Host: d.Host}
}

// drillPlan is when the drills of a cluster are held.
func (p presenter) drillPlan(ctx context.Context, cluster models.Cluster) (views.DrillPlan, error) {
	plan, err := p.db.Drills.Plan(ctx, cluster)
	return presentDrillPlan(plan), err
}

func presentDrillPlan(plan models.DrillPlan) views.DrillPlan {
	return views.DrillPlan{Every: string(plan.Every), On: plan.On(), Window: plan.Window.String(), Next: plan.DueAt}
}

// The fields of the form of a plan, and which of them has the day.
var (
	planFields = []string{"every", "weekday", "month_day", "window_start", "window_length"}
	dayField   = map[models.Cadence]string{models.Weekly: "weekday", models.Monthly: "month_day"}
)

// planned is the cluster whose plan may be changed here.
func (h drillPages) planned(r *http.Request) (models.Cluster, error) {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return cluster, err
	}
	return cluster, elsewhere(cluster, r)
}

func (h drillPages) planPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.planned(r)
	if err != nil {
		return err
	}
	plan, err := h.db.Drills.Plan(r.Context(), cluster)
	if err != nil {
		return err
	}
	form := url.Values{"every": {string(plan.Every)}}
	if plan.Day != 0 {
		form.Set(dayField[plan.Every], strconv.Itoa(plan.Day))
	}
	setWindow(form, plan.Window)
	return h.askPlan(w, r, cluster, form, nil)
}

func (h drillPages) askPlan(w http.ResponseWriter, r *http.Request, cluster models.Cluster, form url.Values, wrong mistakes) error {
	plan, err := h.present.drillPlan(r.Context(), cluster)
	if err != nil {
		return err
	}
	props := views.DrillPlanForm{ID: cluster.Name, Plan: plan, Fields: views.Fields{Values: firstValues(form, planFields...), Errors: wrong}}
	return h.ask(w, r, underCluster(cluster, "Restore drills"), wrong, func(shell views.Shell) templ.Component { return views.DrillPlanPage(shell, props) })
}

// savePlan changes when the drills of a cluster are held. Without drills the window does not matter.
func (h drillPages) savePlan(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.planned(r)
	if err != nil {
		return err
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	plan := models.DrillPlan{Every: models.Cadence(form.Get("every"))}
	if plan.Every != models.Never {
		plan.Window = readWindow(form, wrong)
		if field := dayField[plan.Every]; form.Get(field) != "" {
			plan.Day = wholeNumber(form, field, "day", "1 to 28", wrong)
		}
	}
	if len(wrong) == 0 {
		err := h.db.Drills.SavePlan(r.Context(), cluster.Name, plan, visitOf(r).user.Name)
		if err == nil {
			text := fmt.Sprintf("No restore drills of %s are held by the schedule.", cluster.Name)
			if plan.Every != models.Never {
				text = fmt.Sprintf("Restore drills of %s are held %s, in the window %s UTC.", cluster.Name, plan.When(), plan.Window)
			}
			return h.done(w, r, clusterAddress(cluster.Name), "success", text)
		} else if err := wrong.refusal(err, planFields); err != nil {
			return err
		}
	}
	return h.askPlan(w, r, cluster, form, wrong)
}
