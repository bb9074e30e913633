package web

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// rebootPages restart nodes, after asking.
type rebootPages struct{ *site }

func (h rebootPages) rebootPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	chosen := nodeNames(cluster)
	if asked := r.URL.Query(); asked.Has("choose") { // boxes were ticked or unticked
		chosen = asked["nodes"]
	}
	return h.askReboot(w, r, cluster, chosen, nil)
}

func nodeNames(cluster models.Cluster) []string {
	names := make([]string, len(cluster.Nodes))
	for i, n := range cluster.Nodes {
		names[i] = n.Name
	}
	return names
}

func (h rebootPages) askReboot(w http.ResponseWriter, r *http.Request, cluster models.Cluster, chosen []string, wrong mistakes) error {
	props := views.RebootCluster{ID: cluster.Name, Status: string(cluster.Status), CacheOnly: cluster.Cached(), Fields: views.Fields{Errors: wrong}}
	for _, n := range cluster.Nodes {
		node := views.RebootNode{Name: n.Name, Role: string(n.Role), Chosen: slices.Contains(chosen, n.Name)}
		if props.Nodes = append(props.Nodes, node); node.Chosen {
			props.Chosen = append(props.Chosen, n.Name)
		}
	}
	props.Refusal = cluster.NoReboot()
	if props.AWS = h.aws(r).cluster(awsTargetOf(cluster)); len(props.Chosen) > 0 && !cluster.Attached() {
		props.AWS = h.aws(r).reboot(cluster, props.Chosen)
	}
	return h.ask(w, r, underCluster(cluster, "Reboot"), wrong, func(shell views.Shell) templ.Component { return views.RebootClusterPage(shell, props) })
}

func (h rebootPages) reboot(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	chosen, wrong := form["nodes"], mistakes{}
	if len(chosen) == 0 { // for package models this means all of them
		wrong.add("nodes", "Choose the nodes that are to be restarted.")
	}
	if len(wrong) == 0 {
		err := h.db.Changes.Reboot(r.Context(), cluster.Name, chosen, visitOf(r).user.Name)
		if err == nil {
			h.jobs.Wake()
			return h.begun(w, r, clusterAddress(cluster.Name), 0, fmt.Sprintf("%s of %s: the restart has been requested.", views.Plural(len(chosen), "node"), cluster.Name))
		} else if err := wrong.refusal(err, []string{"nodes"}); err != nil {
			return err
		}
	}
	return h.askReboot(w, r, cluster, chosen, wrong)
}
