package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// fillPages restore a snapshot into an existing cluster.
type fillPages struct{ *site }

func (h fillPages) fillPage(w http.ResponseWriter, r *http.Request) error {
	snapshot, err := h.restorable(r)
	if err != nil {
		return err
	}
	return h.askFill(w, r, snapshot, url.Values{"cluster": {r.URL.Query().Get("cluster")}, "existing": {r.URL.Query().Get("existing")}, "deadlines": {r.URL.Query().Get("deadlines")}, "safety": {"on"}}, nil)
}

// askFill asks for a cluster and, once there is one, what should happen to its keys.
func (h fillPages) askFill(w http.ResponseWriter, r *http.Request, snapshot models.Snapshot, form url.Values, wrong mistakes) error {
	props := views.FillCluster{Snapshot: snapshot.Name, Keys: snapshot.Keys, Bytes: snapshot.Bytes, Deadlines: h.deadlinesIn(snapshot),
		Logical: notPointInTime(snapshot)}
	id := strings.TrimSpace(form.Get("cluster"))
	if id != "" {
		cluster, err := h.db.Clusters.Get(r.Context(), id)
		switch {
		case models.HasCode(err, models.CodeClusterNotFound):
			wrong = mistakes{"cluster": fmt.Sprintf("There is no cluster %.80s.", id)}
		case err != nil:
			return err
		case !cluster.Attached():
			wrong = mistakes{"cluster": cluster.NoFill()}
		default:
			props.Target = &views.FillTarget{ID: cluster.Name, Status: string(cluster.Status), Refusal: cluster.NoFill(), Topology: views.TopologyText(cluster.Attachment.Topology, cluster.Attachment.PrimaryName, cluster.ShardCount, len(cluster.Nodes)), Keys: keysOf(cluster), Used: usedMemory(cluster)}
			if !form.Has("safety_name") {
				form.Set("safety_name", models.SuggestSnapshotName(cluster.Name+"-before-restore", h.clock.Now()))
			}
		}
	}
	if props.Target == nil {
		if err := h.attachedChoices(r, &props); err != nil {
			return err
		}
		if id == "" {
			form.Set("cluster", snapshot.ClusterName)
		}
	}
	props.Fields = views.Fields{Errors: wrong, Values: firstValues(form, "cluster", "existing", "deadlines", "safety", "safety_name", "confirm")}
	at := place{title: "Restore into a cluster", active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb, {Text: snapshot.Name, Href: snapshotAddress(snapshot.Name)}}}
	return h.ask(w, r, at, wrong, func(shell views.Shell) templ.Component { return views.FillClusterPage(shell, props) })
}

// deadlinesIn says what of a snapshot has deadlines, and how much of it has expired since.
func (s *site) deadlinesIn(snapshot models.Snapshot) views.Deadlines {
	d := views.Deadlines{Keys: mortalKeys(snapshot), Fields: s.db.Fills.FieldsExpire(snapshot)}
	d.Least, d.Most, d.Known = s.db.Fills.Expired(snapshot)
	return d
}

// mortalKeys is how many keys of a snapshot have a deadline; -1: unknown.
func mortalKeys(snapshot models.Snapshot) int64 {
	var sum int64
	for _, part := range snapshot.Parts {
		if part.Expires < 0 {
			return -1
		}
		sum += part.Expires
	}
	return sum
}

// attachedChoices are the clusters that a snapshot can be restored into.
func (h fillPages) attachedChoices(r *http.Request, props *views.FillCluster) error {
	names, err := h.db.Attachments.Names(r.Context(), maxChoices+1)
	if err != nil {
		return err
	}
	props.Clusters = views.Choices{Typed: len(names) > maxChoices, Options: clusterOptions(names, "")}
	return nil
}

func (h fillPages) fill(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	snapshot, err := h.restorable(r)
	if err != nil {
		return err
	}
	spec := models.FillSpec{Snapshot: snapshot.Name, Cluster: strings.TrimSpace(form.Get("cluster")), Existing: models.Existing(form.Get("existing")), Deadlines: models.Deadlines(form.Get("deadlines")), RequestedBy: visitOf(r).user.Name}
	wrong := mistakes{}
	if form.Get("safety") == "on" && spec.Existing != models.ExistingNone {
		if spec.Safety = strings.TrimSpace(form.Get("safety_name")); spec.Safety == "" { // otherwise none would be taken
			wrong.add("safety_name", "Enter a name for the snapshot that is taken first, or do not ask for one.")
		}
	}
	if spec.Existing != models.ExistingNone && strings.TrimSpace(form.Get("confirm")) != spec.Cluster {
		wrong.add("confirm", fmt.Sprintf("Type the name %.80s to confirm that this is to be written into it.", spec.Cluster))
	}
	if _, _, err := h.db.Fills.Check(r.Context(), spec); err != nil {
		if err := wrong.refusal(err, []string{"existing", "deadlines"}); err != nil {
			return err
		}
	}
	if len(wrong) == 0 {
		run, err := h.db.Fills.Request(r.Context(), spec)
		if err == nil {
			h.jobs.Wake()
			text := fmt.Sprintf("The snapshot %s is being restored into %s.", snapshot.Name, spec.Cluster)
			if spec.Safety != "" {
				text = fmt.Sprintf("The snapshot %s will be restored into %s once its own snapshot %s is good.", snapshot.Name, spec.Cluster, strings.ToLower(spec.Safety))
			}
			return h.begun(w, r, clusterAddress(spec.Cluster), run.ID, text)
		}
		if err := wrong.refusal(err, []string{"existing", "deadlines", "safety_name"}); err != nil {
			return err
		}
	}
	return h.askFill(w, r, snapshot, form, wrong)
}
