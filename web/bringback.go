package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/views"
)

// bringPages bring keys of a snapshot back into a running cluster: asked for, rehearsed, and then done.
type bringPages struct{ *site }

var (
	bringFields   = []string{"names", "pattern", "database", "cluster", "existing", "deadlines", "as", "strip", "prefix"}
	confirmFields = []string{"safety", "safety_name", "confirm"}
)

func (h bringPages) keysPage(w http.ResponseWriter, r *http.Request) error {
	snapshot, err := h.restorable(r)
	if err != nil {
		return err
	}
	form := url.Values{"cluster": {orPlaceholder(r.URL.Query().Get("cluster"), snapshot.ClusterName)}, "existing": {"skip"}, "deadlines": {""}}
	if id := r.URL.Query().Get("run"); id != "" {
		if err := h.fillIn(r, id, form); err != nil {
			return err
		}
	}
	if id := r.URL.Query().Get("found"); id != "" {
		if err := h.fillFound(r, id, snapshot, form); err != nil {
			return err
		}
	}
	return h.askKeys(w, r, snapshot, form, nil)
}

// fillIn fills the form in as it was for a run. Names stay out if they are hidden.
func (h bringPages) fillIn(r *http.Request, id string, form url.Values) error {
	run, err := h.runOf(r, id)
	if err != nil {
		return err
	}
	spec, err := h.db.BringBacks.Spec(r.Context(), run)
	if err != nil {
		return err
	}
	hide, err := h.db.Settings.HidesKeyNames(r.Context())
	if err != nil {
		return err
	}
	form.Set("cluster", spec.Cluster)
	form.Set("deadlines", string(spec.Deadlines))
	if spec.Replace {
		form.Set("existing", "replace")
	}
	if spec.Choice.Database >= 0 {
		form.Set("database", strconv.Itoa(spec.Choice.Database))
	}
	if hide {
		return nil
	}
	var names []string
	for _, name := range spec.Choice.Names {
		names = append(names, words.KeyName(string(name)))
	}
	form.Set("names", strings.Join(names, "\n"))
	for field, value := range map[string][]byte{"pattern": spec.Choice.Pattern, "as": spec.Choice.As, "strip": spec.Choice.Strip, "prefix": spec.Choice.Prefix} {
		form.Set(field, visibleName(string(value), false))
	}
	return nil
}

// fillFound fills in the key that a search has found. Of a name that is cut it is a pattern.
func (h bringPages) fillFound(r *http.Request, id string, snapshot models.Snapshot, form url.Values) error {
	key, err := findPages(h).foundBy(r, id, r.URL.Query().Get("key"))
	if err != nil {
		return err
	} else if key.in.SnapshotID != snapshot.ID {
		return nil // it was another one of that name
	}
	form.Set("database", strconv.Itoa(key.Database))
	if len(key.Name) < key.Length {
		form.Set("pattern", words.KeyName(models.BeginsWith(string(key.Name))))
		return nil
	}
	form.Set("names", words.KeyName(string(key.Name)))
	return nil
}

func (h bringPages) askKeys(w http.ResponseWriter, r *http.Request, snapshot models.Snapshot, form url.Values, wrong mistakes) error {
	names, err := h.db.Clusters.FindNames(r.Context(), "", false, maxChoices+1)
	if err != nil {
		return err
	}
	props := views.BringBack{Snapshot: snapshot.Name, Keys: snapshot.Keys, Deadlines: h.deadlinesIn(snapshot)}
	props.Clusters = views.Choices{Typed: len(names) > maxChoices, Options: clusterOptions(names, "")}
	props.Fields = views.Fields{Errors: wrong, Values: firstValues(form, bringFields...)}
	at := place{title: "Bring keys back", active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb, {Text: snapshot.Name, Href: snapshotAddress(snapshot.Name)}}}
	return h.ask(w, r, at, wrong, func(shell views.Shell) templ.Component { return views.BringBackPage(shell, props) })
}

// bringSpec reads the form.
func bringSpec(form url.Values, snapshot string, wrong mistakes) models.BringBackSpec {
	choice := models.KeyChoice{Names: models.NamesOf(form.Get("names")), Pattern: bytesIn(form, "pattern"), Database: -1,
		As: bytesIn(form, "as"), Strip: bytesIn(form, "strip"), Prefix: bytesIn(form, "prefix")}
	if text := strings.TrimSpace(form.Get("database")); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			wrong.add("database", "Enter the number of a database, or leave it empty for all of them.")
		}
		choice.Database = n
	}
	existing := form.Get("existing")
	if existing != "skip" && existing != "replace" {
		wrong.add("existing", "Choose what becomes of keys that the cluster has.")
	}
	return models.BringBackSpec{Snapshot: snapshot, Cluster: strings.TrimSpace(form.Get("cluster")), Choice: choice, Replace: existing == "replace",
		Deadlines: models.Deadlines(form.Get("deadlines")), Rehearse: true}
}

// bytesIn is a name, or a piece of one, that was typed.
func bytesIn(form url.Values, field string) []byte { return []byte(words.ReadKeyName(form.Get(field))) }

// rehearse begins a rehearsal.
func (h bringPages) rehearse(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	snapshot, err := h.restorable(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	spec := bringSpec(form, snapshot.Name, wrong)
	spec.RequestedBy = visitOf(r).user.Name
	if len(wrong) == 0 {
		run, err := h.db.BringBacks.Request(r.Context(), spec)
		if err == nil {
			h.jobs.Wake()
			return h.begun(w, r, "/runs/"+runID(run.ID), run.ID, "It is being rehearsed. Nothing is written.")
		}
		if err := wrong.refusal(err, bringFields); err != nil {
			return err
		}
	} else if _, _, err := h.db.BringBacks.Check(r.Context(), spec); err != nil {
		if err := wrong.refusal(err, bringFields); err != nil {
			return err
		}
	}
	return h.askKeys(w, r, snapshot, form, wrong)
}

// runOf is the run with this number, if it is one that brings keys back.
func (h bringPages) runOf(r *http.Request, id string) (models.Run, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	none := problem{status: http.StatusNotFound, text: fmt.Sprintf("There is no run %.20q that brings keys back.", id), back: "/runs", backText: "To the activity"}
	if err != nil {
		return models.Run{}, none
	}
	run, err := h.db.Runs.Get(r.Context(), uint(n))
	if models.HasCode(err, models.CodeRunNotFound) || err == nil && run.Kind != models.RunBringBack {
		return run, none
	}
	return run, err
}

// rehearsed is a rehearsal that has ended well.
func (h bringPages) rehearsed(r *http.Request) (models.Run, models.BringBackSpec, models.Brought, error) {
	run, err := h.runOf(r, r.PathValue("id"))
	if err != nil {
		return run, models.BringBackSpec{}, models.Brought{}, err
	}
	spec, err := h.db.BringBacks.Spec(r.Context(), run)
	if err != nil {
		return run, spec, models.Brought{}, err
	}
	_, outcome, known, err := h.db.BringBacks.Of(r.Context(), run)
	if err == nil && (!known || !spec.Rehearse || run.Status != models.RunSucceeded) {
		err = problem{status: http.StatusConflict, title: "This was no rehearsal that has ended well", text: "Rehearse first which keys are brought back.", back: "/runs/" + runID(run.ID), backText: "To the run"}
	}
	return run, spec, outcome, err
}

func (h bringPages) confirmPage(w http.ResponseWriter, r *http.Request) error {
	run, spec, outcome, err := h.rehearsed(r)
	if err != nil {
		return err
	}
	form := url.Values{"safety_name": {models.SuggestSafetyName(spec.Cluster, h.clock.Now())}}
	if outcome.Replaced > 0 {
		form.Set("safety", "on")
	}
	return h.askConfirm(w, r, run, spec, outcome, form, nil)
}

func (h bringPages) askConfirm(w http.ResponseWriter, r *http.Request, run models.Run, spec models.BringBackSpec, outcome models.Brought, form url.Values, wrong mistakes) error {
	props := views.ConfirmBringBack{Run: runID(run.ID), Snapshot: spec.Snapshot, Cluster: spec.Cluster, Brought: views.BroughtBack{Added: outcome.Added, Replaced: outcome.Replaced}}
	if cluster, err := h.db.Clusters.Get(r.Context(), spec.Cluster); models.HasCode(err, models.CodeClusterNotFound) {
		props.Refusal = fmt.Sprintf("There is no cluster %s any more.", spec.Cluster)
	} else if err != nil {
		return err
	} else {
		props.Refusal = cluster.NoBringBack()
	}
	props.Fields = views.Fields{Errors: wrong, Values: firstValues(form, confirmFields...)}
	at := place{title: "Bring keys back", active: views.NavActivity, crumbs: []views.Crumb{runsCrumb, {Text: "Run " + props.Run, Href: "/runs/" + props.Run}}}
	return h.ask(w, r, at, wrong, func(shell views.Shell) templ.Component { return views.ConfirmBringBackPage(shell, props) })
}

// bring begins what was rehearsed.
func (h bringPages) bring(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	run, spec, outcome, err := h.rehearsed(r)
	if err != nil {
		return err
	}
	spec.Rehearse, spec.RequestedBy = false, visitOf(r).user.Name
	wrong := mistakes{}
	if form.Get("safety") == "on" {
		if spec.Safety = strings.TrimSpace(form.Get("safety_name")); spec.Safety == "" {
			wrong.add("safety_name", "Enter a name for the snapshot that is taken first, or do not ask for one.")
		}
	}
	if outcome.Replaced > 0 && strings.TrimSpace(form.Get("confirm")) != spec.Cluster {
		wrong.add("confirm", fmt.Sprintf("Type the name %.80s to confirm that keys of it are to be replaced.", spec.Cluster))
	}
	if len(wrong) == 0 {
		begun, err := h.db.BringBacks.Request(r.Context(), spec)
		if err == nil {
			h.jobs.Wake()
			text := fmt.Sprintf("Keys are being brought back into %s.", spec.Cluster)
			if spec.Safety != "" {
				text = fmt.Sprintf("Keys will be brought back into %s once its snapshot %s is good.", spec.Cluster, strings.ToLower(spec.Safety))
			}
			return h.begun(w, r, "/runs/"+runID(begun.ID), begun.ID, text)
		}
		if err := wrong.refusal(err, confirmFields); err != nil {
			return err
		}
	}
	return h.askConfirm(w, r, run, spec, outcome, form, wrong)
}

// brought is what became of the keys that a run brings back; nil for any other run.
func (p presenter) brought(ctx context.Context, run models.Run) (*views.BroughtBack, error) {
	if run.Kind != models.RunBringBack {
		return nil, nil
	}
	args, err := models.Args[models.BringBackArgs](run)
	if err != nil {
		return nil, err
	}
	_, out, known, err := p.db.BringBacks.Of(ctx, run)
	if err != nil || !known {
		return nil, err
	}
	hide, err := p.db.Settings.HidesKeyNames(ctx)
	if err != nil {
		return nil, err
	}
	shown := &views.BroughtBack{Rehearsal: args.Rehearse, Cluster: run.ClusterName, Ended: run.Status == models.RunSucceeded, Chosen: out.Chosen, Added: out.Added, Replaced: out.Replaced,
		Skipped: out.Skipped, Expired: out.Expired, Alike: out.Alike, Bytes: out.Bytes, Missing: out.Missing, Hidden: hide,
		Change: string(views.LinkQuery(string(views.Link("snapshots", run.SnapshotName, "keys")), "run", runID(run.ID)))}
	if out.Written() > 0 {
		shown.Confirm = string(views.Link("runs", runID(run.ID), "bring-back"))
	}
	for _, k := range out.Keys {
		key := views.BroughtKey{Name: visibleName(string(k.Name), k.Length > len(k.Name)), Database: k.Database, Type: k.Type, Fate: k.Fate, Alike: k.Alike}
		if k.Length > len(k.Name) {
			key.Cut = int64(k.Length)
		}
		if hide {
			key.Name = ""
		}
		shown.Keys = append(shown.Keys, key)
	}
	return shown, nil
}
