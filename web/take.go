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

// sourceTimeout is how long the nodes may take to describe themselves while somebody waits for the page.
const sourceTimeout = 8 * time.Second

type takePages struct{ *site }

// takePage asks for a manual snapshot: of the cluster in the path, or of one to be chosen.
func (h takePages) takePage(w http.ResponseWriter, r *http.Request) error {
	form := url.Values{"cluster": {r.PathValue("id")}, "name": {r.URL.Query().Get("name")}}
	if form.Get("cluster") == "" {
		form.Set("cluster", r.URL.Query().Get("cluster"))
	}
	if fromHTMX(r) && r.URL.Query().Get("show") == "" {
		form.Del("name") // another cluster was chosen, so it needs another name; otherwise only the command follows the name
	}
	if id := r.PathValue("id"); id != "" {
		if _, err := h.db.Clusters.Get(r.Context(), id); err != nil {
			return err
		}
	}
	return h.askTake(w, r, form, nil)
}

// askTake shows the form, and where the snapshot would be taken from right now.
func (h takePages) askTake(w http.ResponseWriter, r *http.Request, form url.Values, wrong mistakes) error {
	ctx := r.Context()
	id := form.Get("cluster")
	props := views.TakeSnapshot{Action: r.URL.Path, Cluster: r.PathValue("id"), CancelHref: "/snapshots"}
	at := place{title: "Take a snapshot", active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb}}
	if props.Cluster != "" {
		props.CancelHref = clusterAddress(id)
		at.active, at.crumbs = views.NavClusters, []views.Crumb{clustersCrumb, {Text: id, Href: clusterAddress(id)}}
	} else {
		var err error
		if props.Clusters, err = h.backupChoices(ctx); err != nil {
			return err
		}
	}
	name := form.Get("name")
	target := awsTarget{Grouped: true}
	if id != "" {
		cluster, err := h.db.Clusters.Get(ctx, id)
		if err == nil {
			target = awsTargetOf(cluster)
			props.Source = h.source(ctx, cluster)
			if name == "" && wrong == nil {
				name = models.SuggestSnapshotName(cluster.Name, h.clock.Now())
			}
		} else if !models.HasCode(err, models.CodeClusterNotFound) {
			return err
		}
	}
	props.AWS = h.aws(r).createSnapshot(target, name)
	props.Fields = views.Fields{Errors: wrong, Values: map[string]string{"cluster": id, "name": name, "override": form.Get("override")}}
	draw := func(shell views.Shell) templ.Component { return views.TakeSnapshotPage(shell, props) }
	return h.ask(w, r, at, wrong, draw)
}

// source finds out where a snapshot of the cluster would be taken from.
func (h takePages) source(ctx context.Context, cluster models.Cluster) *views.TakeSource {
	if why := cluster.NoSnapshot(); why != "" {
		return &views.TakeSource{Problem: why}
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	found, err := h.jobs.SnapshotSource(ctx, cluster)
	if err != nil {
		h.log.WarnContext(ctx, "no snapshot source", "cluster", cluster.Name, "error", err)
		return &views.TakeSource{Problem: err.Error()}
	}
	return &views.TakeSource{Node: found.Node.Name, Role: string(found.Node.Role), LagBytes: found.LagBytes,
		UsedMemory: found.UsedMemory, FreeMemory: found.Available, ByKey: cluster.ReadByKey(), AtMost: cluster.Attached(), Fits: found.Fits, Elsewhere: found.Elsewhere}
}

func (h takePages) take(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	fromCluster := r.PathValue("id") != ""
	if fromCluster {
		form.Set("cluster", r.PathValue("id"))
	}
	id, name, override, wrong := form.Get("cluster"), form.Get("name"), form.Get("override") == "on", mistakes{}
	if id == "" {
		wrong.add("cluster", "Choose the cluster to take a snapshot of.")
	} else if cluster, err := h.db.Clusters.Get(r.Context(), id); err == nil {
		if cluster.NoSnapshot() == "" {
			if source := h.source(r.Context(), cluster); source.Problem != "" {
				wrong.add("", source.Problem)
			} else if !source.Fits && !override {
				wrong.add("override", "Too little memory is free for this. Tick the box to take the snapshot anyway.")
			}
		}
	} else if fromCluster || !models.HasCode(err, models.CodeClusterNotFound) {
		return err
	}
	if _, problem := models.CheckSnapshotName(name); problem != "" {
		wrong.add("name", problem)
	}
	if len(wrong) == 0 {
		run, err := h.db.Snapshots.Request(r.Context(), id, name, override, visitOf(r).user.Name)
		if err == nil {
			h.jobs.Wake()
			to := snapshotAddress(run.SnapshotName)
			if fromCluster {
				to = clusterAddress(id)
			}
			return h.begun(w, r, to, run.ID, fmt.Sprintf("The snapshot %s of %s is being taken.", run.SnapshotName, id))
		}
		fields := []string{"name", "override"}
		if !fromCluster {
			fields = append(fields, "cluster")
		}
		if err := wrong.refusal(err, fields); err != nil {
			return err
		}
	}
	form.Set("name", strings.TrimSpace(name))
	return h.askTake(w, r, form, wrong)
}

// backupChoices are the clusters of which a snapshot can be taken.
func (h takePages) backupChoices(ctx context.Context) (views.Choices, error) {
	found, err := h.db.Clusters.List(ctx, models.List{Size: maxChoices})
	if err != nil {
		return views.Choices{}, err
	}
	choices := views.Choices{Typed: found.Total > maxChoices}
	for _, c := range found.Rows {
		if c.Cached() {
			continue // that is never possible
		}
		option := views.Option{Value: c.Name, Label: c.Name}
		if c.NoSnapshot() != "" {
			if choices.Typed {
				continue
			}
			option.Label, option.Disabled = c.Name+" · "+string(c.Status), true
			if c.Status == models.ClusterAvailable {
				option.Label = c.Name + " · " + c.NodeType + " cannot be backed up"
			}
		}
		choices.Options = append(choices.Options, option)
	}
	if choices.Typed {
		choices.Options = choices.Options[:min(len(choices.Options), maxSuggestions)]
	}
	return choices, nil
}
