package web

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// This file restarts nodes, and tries out what happens when a primary is lost. Both ask first.

func (s *server) rebootPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := s.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	chosen := nodeNames(cluster)
	if asked := r.URL.Query(); asked.Has("choose") { // boxes were ticked or unticked
		chosen = asked["nodes"]
	}
	return s.askReboot(w, r, cluster, chosen, nil)
}

func nodeNames(cluster models.Cluster) []string {
	names := make([]string, len(cluster.Nodes))
	for i, n := range cluster.Nodes {
		names[i] = n.Name
	}
	return names
}

func (s *server) askReboot(w http.ResponseWriter, r *http.Request, cluster models.Cluster, chosen []string, wrong mistakes) error {
	props := views.RebootCluster{ID: cluster.Name, Status: string(cluster.Status), CacheOnly: cluster.Cached(), Fields: views.Fields{Errors: wrong}}
	for _, n := range cluster.Nodes {
		node := views.RebootNode{Name: n.Name, Role: string(n.Role), Chosen: slices.Contains(chosen, n.Name)}
		if props.Nodes = append(props.Nodes, node); node.Chosen {
			props.Chosen = append(props.Chosen, n.Name)
		}
	}
	props.Refusal = cluster.NoReboot()
	if props.AWS = s.aws(r).cluster(awsTargetOf(cluster)); len(props.Chosen) > 0 {
		props.AWS = s.aws(r).reboot(cluster, props.Chosen)
	}
	return s.confirm(w, r, cluster, "Reboot", wrong, func(shell views.Shell) templ.Component { return views.RebootClusterPage(shell, props) })
}

// confirm shows a page that asks before something is done to a cluster.
func (s *server) confirm(w http.ResponseWriter, r *http.Request, cluster models.Cluster, title string, wrong mistakes, draw func(views.Shell) templ.Component) error {
	at := place{title: title, active: views.NavClusters, crumbs: []views.Crumb{clustersCrumb, {Text: cluster.Name, Href: clusterAddress(cluster.Name)}}}
	if len(wrong) > 0 {
		return s.again(w, r, at, draw)
	}
	return s.page(w, r, at, draw)
}

func (s *server) reboot(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	cluster, err := s.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	chosen, wrong := form["nodes"], mistakes{}
	if len(chosen) == 0 { // to package models this means all of them
		wrong.add("nodes", "Choose the nodes that are to be restarted.")
	}
	if len(wrong) == 0 {
		err := s.db.Changes.Reboot(r.Context(), cluster.Name, chosen, visitOf(r).user.Name)
		if err == nil {
			s.jobs.Wake()
			return s.done(w, r, clusterAddress(cluster.Name), "success", fmt.Sprintf("%s of %s: the restart has been asked for.", views.Plural(len(chosen), "node"), cluster.Name))
		} else if err := wrong.refusal(err, []string{"nodes"}); err != nil {
			return err
		}
	}
	return s.askReboot(w, r, cluster, chosen, wrong)
}

// failover is the cluster in the address, if a replica could take over in it.
func (s *server) failover(r *http.Request) (models.Cluster, error) {
	cluster, err := s.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err == nil && !cluster.HasReplica() {
		text := fmt.Sprintf("The cluster %s has no replica that could take over. Modify it to have one.", cluster.Name)
		if !cluster.Grouped {
			text = fmt.Sprintf("The cluster %s is a cache cluster, which has no replicas that could take over.", cluster.Name)
		}
		err = problem{status: http.StatusConflict, title: "There is nobody to take over", text: text, back: clusterAddress(cluster.Name), backText: "To the cluster"}
	}
	return cluster, err
}

func (s *server) failoverPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := s.failover(r)
	if err != nil {
		return err
	}
	return s.askFailover(w, r, cluster, nil)
}

func (s *server) askFailover(w http.ResponseWriter, r *http.Request, cluster models.Cluster, wrong mistakes) error {
	props := views.FailoverCluster{ID: cluster.Name, Status: string(cluster.Status), AWS: s.aws(r).failOver(cluster.Name), Fields: views.Fields{Errors: wrong}}
	for _, n := range cluster.Nodes {
		switch n.Role {
		case models.RolePrimary:
			props.Primary, props.Endpoint = n.Name, n.Address()
		case models.RoleReplica:
			props.Replicas = append(props.Replicas, n.Name)
		}
	}
	props.Refusal = cluster.NoFailover()
	return s.confirm(w, r, cluster, "Test failover", wrong, func(shell views.Shell) templ.Component { return views.FailoverClusterPage(shell, props) })
}

func (s *server) failOver(w http.ResponseWriter, r *http.Request) error {
	cluster, err := s.failover(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	err = s.db.Changes.FailOver(r.Context(), cluster.Name, 1, visitOf(r).user.Name)
	if err == nil {
		s.jobs.Wake()
		return s.done(w, r, clusterAddress(cluster.Name), "success", fmt.Sprintf("A replica of %s is taking over.", cluster.Name))
	} else if err := wrong.refusal(err, nil); err != nil {
		return err
	}
	return s.askFailover(w, r, cluster, wrong)
}
