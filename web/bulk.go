package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// chosenClusters are the clusters that were ticked, or all that match the filters.
type chosenClusters struct {
	clusters []models.Cluster
	skipped  []string   // sentences about those that are left alone
	filters  url.Values // of the list that the person came from, and goes back to
}

// bulkPages do for many clusters, chosen in their list, what clusterPages and takePages do for one: each gets its own run.
type bulkPages struct{ *site }

func (h bulkPages) choose(r *http.Request, from url.Values) (chosenClusters, error) {
	c := chosenClusters{filters: url.Values{}}
	list := models.List{Text: from.Get("q"), Equal: map[string]string{}}
	for _, name := range append([]string{"q"}, clusterListing.filters...) {
		if v := from.Get(name); v != "" {
			c.filters.Set(name, v)
			list.Equal[name] = v
		}
	}
	if from.Get("all") == "on" {
		found, err := h.db.Clusters.List(r.Context(), list)
		c.clusters = found.Rows
		return c, err
	}
	names := slices.Compact(slices.Sorted(slices.Values(from["name"])))
	for _, name := range names {
		if name == "" {
			continue
		}
		cluster, err := h.db.Clusters.Get(r.Context(), name)
		if models.HasCode(err, models.CodeClusterNotFound) {
			c.skipped = append(c.skipped, err.Error())
			continue
		} else if err != nil {
			return c, err
		}
		c.clusters = append(c.clusters, cluster)
	}
	return c, nil
}

// leave removes from the choice the clusters about which why has something to say.
func (c *chosenClusters) leave(why func(models.Cluster) string) {
	c.clusters = slices.DeleteFunc(c.clusters, func(cluster models.Cluster) bool {
		text := why(cluster)
		if text != "" {
			c.skipped = append(c.skipped, text)
		}
		return text != ""
	})
}

func (c chosenClusters) none() bool { return len(c.clusters) == 0 && len(c.skipped) == 0 }

func (c chosenClusters) names() []string {
	names := make([]string, len(c.clusters))
	for i, cluster := range c.clusters {
		names[i] = cluster.Name
	}
	return names
}

func (c chosenClusters) back() string {
	if len(c.filters) == 0 {
		return "/clusters"
	}
	return "/clusters?" + c.filters.Encode()
}

// hidden are the fields by which the next request knows the same choice: exactly the clusters that the page named.
func (c chosenClusters) hidden() []views.Hidden {
	var hidden []views.Hidden
	for _, name := range c.names() {
		hidden = append(hidden, views.Hidden{Name: "name", Value: name})
	}
	for _, name := range slices.Sorted(maps.Keys(c.filters)) {
		hidden = append(hidden, views.Hidden{Name: name, Value: c.filters.Get(name)})
	}
	return hidden
}

func (h bulkPages) deletePage(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	c, err := h.choose(r, asked)
	if err != nil {
		return err
	}
	if c.none() {
		return h.done(w, r, c.back(), "info", "First choose the clusters to delete.")
	}
	c.leave(models.Cluster.NoDeletion)
	return h.askDelete(w, r, c, askedFinal(r), nil)
}

func (h bulkPages) askDelete(w http.ResponseWriter, r *http.Request, c chosenClusters, form url.Values, wrong mistakes) error {
	props, err := h.deletion(r, c)
	if err != nil {
		return err
	}
	props.Fields = views.Fields{Errors: wrong, Values: firstValues(form, "final", "confirm")}
	at := place{title: "Delete", active: views.NavClusters, crumbs: []views.Crumb{clustersCrumb}}
	if props.AWS = h.aws(r).deleteClusters(c.clusters, h.finalEnd(form)); props.AWS == "" {
		at.aws = h.aws(r).clusters()
	}
	draw := func(shell views.Shell) templ.Component { return views.DeleteClustersPage(shell, props) }
	return h.ask(w, r, at, wrong, draw)
}

// finalEnd is the end of the names of final snapshots, or "" when none are asked for.
func (h bulkPages) finalEnd(form url.Values) string {
	if form.Get("final") != "on" {
		return ""
	}
	return strings.TrimPrefix(models.SuggestSnapshotName("x-final", h.clock.Now()), "x")
}

// deletion finds out what goes with the chosen clusters.
func (h bulkPages) deletion(r *http.Request, c chosenClusters) (views.DeleteClusters, error) {
	props := views.DeleteClusters{CancelHref: c.back(), Skipped: c.skipped, Hidden: c.hidden()}
	for _, cluster := range c.clusters {
		left, err := h.db.Clusters.Legacy(r.Context(), cluster)
		if err != nil {
			return props, err
		}
		can := cluster.NoFinalSnapshot() == ""
		doomed := views.DoomedCluster{Name: cluster.Name, Status: string(cluster.Status), Nodes: len(cluster.Nodes), Keys: keysOf(cluster),
			Left: presentLegacy(left), CanFinal: can, CacheOnly: cluster.Cached(), Attached: cluster.Attached()}
		if views.NeverRan(doomed.Status) {
			doomed.Nodes = 0
		}
		props.Clusters = append(props.Clusters, doomed)
	}
	return props, nil
}

func (h bulkPages) delete(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	form.Del("all") // exactly those that the page named go, not those that match by now
	c, err := h.choose(r, form)
	if err != nil {
		return err
	}
	if c.none() {
		return h.done(w, r, c.back(), "info", "First choose the clusters to delete.")
	}
	c.leave(models.Cluster.NoDeletion)
	wrong := mistakes{}
	if phrase := views.DeletePhrase(c.names()); len(c.clusters) == 0 {
		wrong.add("", "None of the chosen clusters can be deleted just now.")
	} else if strings.TrimSpace(form.Get("confirm")) != phrase {
		wrong.add("confirm", fmt.Sprintf("Type “%s” to confirm the deletion.", phrase))
	}
	if len(wrong) > 0 {
		return h.askDelete(w, r, c, form, wrong)
	}
	end := h.finalEnd(form)
	return h.each(w, r, c, "being deleted", func(cluster models.Cluster) error {
		final := ""
		if can := cluster.NoFinalSnapshot() == ""; can && end != "" {
			final = cluster.Name + end
		}
		return h.db.Clusters.Delete(r.Context(), cluster.Name, models.DeleteSpec{FinalSnapshot: final, KeepAutomatic: cluster.Attached(), RequestedBy: visitOf(r).user.Name})
	})
}

// each asks for the same for every chosen cluster.
func (h bulkPages) each(w http.ResponseWriter, r *http.Request, c chosenClusters, doing string, do func(models.Cluster) error) error {
	return h.doEach(w, r, c.back(), "cluster", doing, len(c.clusters), func(i int) error { return do(c.clusters[i]) })
}

// doEach asks for the same for each of several things. If one is refused, the others still get it; the message says both.
func (s *site) doEach(w http.ResponseWriter, r *http.Request, back, what, doing string, n int, do func(i int) error) error {
	var done int
	var refused []string
	for i := range n {
		err := do(i)
		if faults, known := models.AsFaults(err); known {
			refused = append(refused, faults.Error())
		} else if err != nil {
			return err
		} else {
			done++
		}
	}
	kind, text := "success", fmt.Sprintf("%s: %s. The activity shows their progress.", views.Plural(done, what), doing)
	if done > 0 {
		s.jobs.Wake()
	}
	if len(refused) > 0 {
		const named = 3
		kind = "warning"
		text += " Refused for " + views.Plural(len(refused), what) + ": " + strings.Join(refused[:min(len(refused), named)], " ")
	}
	return s.done(w, r, back, kind, text)
}

func (h bulkPages) takePage(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	c, err := h.choose(r, asked)
	if err != nil {
		return err
	}
	if c.none() {
		return h.done(w, r, c.back(), "info", "First choose the clusters to take snapshots of.")
	}
	if !asked.Has("suffix") {
		asked.Set("suffix", strings.TrimPrefix(models.SuggestSnapshotName("", h.clock.Now()), "-"))
	}
	c.leave(models.Cluster.NoSnapshot)
	return h.askTake(w, r, c, asked, nil)
}

func (h bulkPages) askTake(w http.ResponseWriter, r *http.Request, c chosenClusters, form url.Values, wrong mistakes) error {
	props := views.SnapshotClusters{CancelHref: c.back(), Names: c.names(), Skipped: c.skipped, Hidden: c.hidden(),
		Fields: views.Fields{Errors: wrong, Values: firstValues(form, "suffix")}}
	at := place{title: "Take snapshots", active: views.NavClusters, crumbs: []views.Crumb{clustersCrumb}}
	if props.AWS = h.aws(r).snapshotClusters(c.clusters, strings.TrimSpace(form.Get("suffix"))); props.AWS == "" {
		at.aws = h.aws(r).clusters()
	}
	draw := func(shell views.Shell) templ.Component { return views.SnapshotClustersPage(shell, props) }
	return h.ask(w, r, at, wrong, draw)
}

func (h bulkPages) take(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	form.Del("all")
	c, err := h.choose(r, form)
	if err != nil {
		return err
	}
	if c.none() {
		return h.done(w, r, c.back(), "info", "First choose the clusters to take snapshots of.")
	}
	c.leave(models.Cluster.NoSnapshot)
	suffix, wrong := strings.TrimSpace(form.Get("suffix")), mistakes{}
	if len(c.clusters) == 0 {
		wrong.add("", "No snapshot can be taken of any of the chosen clusters just now.")
	} else if suffix == "" {
		wrong.add("suffix", "Enter the end of the snapshots' names.")
	} else if _, problem := models.CheckSnapshotName(c.clusters[0].Name + "-" + suffix); problem != "" {
		wrong.add("suffix", problem)
	}
	if len(wrong) > 0 {
		return h.askTake(w, r, c, form, wrong)
	}
	return h.each(w, r, c, "a snapshot is being taken of each", func(cluster models.Cluster) error {
		_, err := h.db.Snapshots.Request(r.Context(), cluster.Name, cluster.Name+"-"+suffix, false, visitOf(r).user.Name)
		return err
	})
}
