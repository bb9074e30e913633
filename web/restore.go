package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"rekindle/models"
	"rekindle/views"
)

// restorePages pre-fill the form from a snapshot; the form does the rest.
type restorePages struct {
	*site
	forms formPages
}

func (h restorePages) restorePage(w http.ResponseWriter, r *http.Request) error {
	snapshot, err := h.restorable(r)
	if err != nil {
		return err
	}
	engines, err := h.jobs.Engines(r.Context())
	if err != nil {
		return fmt.Errorf("list engines: %w", err)
	}
	nodeType := snapshot.NodeType
	if nodeType == "" { // of an attached cluster, whose nodes have no type
		nodeType = models.SuggestNodeType(snapshot.UsedMemory).Name
	}
	form := url.Values{}
	for name, value := range map[string]string{
		"description": snapshot.Description, "node_type": nodeType, "replicas": strconv.Itoa(min(snapshot.Replicas, models.MaxReplicas)), "copies": "1", "auth": "none",
	} {
		form.Set(name, value)
	}
	form.Set("shards", strconv.Itoa(min(max(snapshot.ShardCount, 1), models.MaxShards)))
	if snapshot.ClusterMode {
		form.Set("cluster_mode", "on")
	}
	if snapshot.TransitEncryption {
		form.Set("encrypted", "on")
	}
	if snapshot.AuthEnabled {
		form.Set("auth", "generated") // the old password is not in the snapshot
	}
	engine := likeliestEngine(engines, snapshot, h.jobs.CannotTake)
	form.Set("engine", engine.Name+"/"+engine.Version)
	setSchedule(form, snapshot.RetentionLimit, snapshot.SnapshotWindow, true)
	id, err := h.suggestName(r.Context(), snapshot.ClusterName)
	if err != nil {
		return err
	}
	form.Set("id", id)
	f := readClusterForm(modeRestore, form)
	f.snapshot, f.spec.Snapshot = snapshot, snapshot.Name
	return h.forms.show(w, r, f)
}

// restorable returns the snapshot in the address, if it can be restored now.
func (s *site) restorable(r *http.Request) (models.Snapshot, error) {
	snapshot, err := s.db.Snapshots.Get(r.Context(), r.PathValue("name"))
	if why := snapshot.NoRestore(); err == nil && why != "" {
		err = problem{status: http.StatusConflict, title: "This snapshot cannot be restored", text: why, back: snapshotAddress(snapshot.Name), backText: "To the snapshot"}
	}
	return snapshot, err
}

// likeliestEngine is the installed engine of the snapshot's own version, else one of the same kind, else any, of those that can take the snapshot.
func likeliestEngine(engines []models.Engine, snapshot models.Snapshot, cannot engineCheck) models.Engine {
	var best models.Engine
	for _, e := range engines {
		if cannot(e, snapshot, models.DeadlinesKept) != "" {
			continue
		}
		switch {
		case e == snapshot.EngineName():
			return e
		case best == models.Engine{} || best.Name != snapshot.Engine && e.Name == snapshot.Engine:
			best = e
		}
	}
	return best
}

// engineCheck says why an engine cannot take a snapshot with these deadlines; "" if it can.
type engineCheck func(engine models.Engine, snapshot models.Snapshot, deadlines models.Deadlines) string

// engineOptions offers the installed engines. With a snapshot to be restored, those that cannot take it say why and cannot be chosen.
func engineOptions(engines []models.Engine, snapshot models.Snapshot, cannot engineCheck) (options []views.Option, usable bool) {
	for _, e := range engines {
		o := views.Option{Value: e.Name + "/" + e.Version, Label: views.EngineText(e.Name, e.Version)}
		if snapshot.Name != "" {
			why := cannot(e, snapshot, models.DeadlinesKept)
			switch {
			case why == "":
			case cannot(e, snapshot, models.DeadlinesDropped) == "":
				o.Label += " (only without deadlines)"
			default:
				o.Label, o.Disabled = shorten(o.Label+" cannot load this snapshot"+why, maxReason), true
			}
		}
		options, usable = append(options, o), usable || !o.Disabled
	}
	return options, usable
}

// maxReason is how long an option with its reason may be, in bytes: names of keys may be in it.
const maxReason = 240

// shorten cuts a text that is too long, and shows that.
func shorten(text string, n int) string {
	if short := cut(text, n); short != text {
		return short + "…"
	}
	return text
}

// suggestName is this name of a cluster if that is free again, else one like it.
func (s *site) suggestName(ctx context.Context, base string) (string, error) {
	for n := 1; n <= 50; n++ {
		name := base
		switch {
		case n == 2:
			name = cut(base, 31) + "-restored"
		case n > 2:
			name = cut(base, 28) + "-restored-" + strconv.Itoa(n-1)
		}
		_, err := s.db.Clusters.Get(ctx, name)
		if models.HasCode(err, models.CodeClusterNotFound) {
			if _, problem := models.CheckName("cluster id", name); problem == "" {
				return name, nil
			}
		} else if err != nil {
			return "", err
		}
	}
	return "", nil // the person has to think of one
}

func (h restorePages) read(r *http.Request) (clusterForm, error) {
	form, err := readForm(r)
	if err != nil {
		return clusterForm{}, err
	}
	f := readClusterForm(modeRestore, form)
	f.snapshot, err = h.restorable(r)
	f.spec.Snapshot = f.snapshot.Name
	return f, err
}

func (h restorePages) restore(w http.ResponseWriter, r *http.Request) error {
	f, err := h.read(r)
	if err != nil {
		return err
	}
	return h.forms.createFrom(w, r, f)
}

func (h restorePages) restoreSummary(w http.ResponseWriter, r *http.Request) error {
	f, err := h.read(r)
	if err != nil {
		return err
	}
	return h.forms.showSummary(w, r, f)
}
