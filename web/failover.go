package web

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// failoverPages try out what happens when a primary is lost.
type failoverPages struct{ *site }

// failover returns the cluster in the address, if a replica could take over in it.
func (h failoverPages) failover(r *http.Request) (models.Cluster, error) {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
	case cluster.Attached():
		err = problem{status: http.StatusConflict, title: "No failover can be tested", text: cluster.NoFailover(), back: clusterAddress(cluster.Name), backText: "To the cluster"}
	case !cluster.HasReplica():
		text := fmt.Sprintf("The cluster %s has no replica that could take over. Modify it to have one.", cluster.Name)
		if !cluster.Grouped {
			text = fmt.Sprintf("The cluster %s is a cache cluster, which has no replicas that could take over.", cluster.Name)
		}
		err = problem{status: http.StatusConflict, title: "No replica can take over", text: text, back: clusterAddress(cluster.Name), backText: "To the cluster"}
	}
	return cluster, err
}

func (h failoverPages) failoverPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.failover(r)
	if err != nil {
		return err
	}
	return h.askFailover(w, r, cluster, nil)
}

// shardOf is the shard that a request is about; the first one if it names none.
func shardOf(r *http.Request, cluster models.Cluster) models.Shard {
	shards := cluster.Shards()
	named := r.FormValue("shard")
	if i := slices.IndexFunc(shards, func(s models.Shard) bool { return s.ID() == named }); i >= 0 {
		return shards[i]
	}
	return shards[0]
}

func (h failoverPages) askFailover(w http.ResponseWriter, r *http.Request, cluster models.Cluster, wrong mistakes) error {
	shard := shardOf(r, cluster)
	props := views.FailoverCluster{ID: cluster.Name, Status: string(cluster.Status), Sharded: cluster.ClusterMode, Shard: shard.ID(), AWS: h.aws(r).failOver(cluster.Name, shard), Fields: views.Fields{Errors: wrong}}
	for _, s := range cluster.Shards() {
		props.Shards = append(props.Shards, s.ID())
	}
	for _, n := range shard.Nodes {
		switch n.Role {
		case models.RolePrimary:
			props.Primary, props.Endpoint = n.Name, n.Endpoint().String()
		case models.RoleReplica:
			props.Replicas = append(props.Replicas, n.Name)
		}
	}
	props.Refusal = cluster.NoFailover()
	return h.ask(w, r, underCluster(cluster, "Test failover"), wrong, func(shell views.Shell) templ.Component { return views.FailoverClusterPage(shell, props) })
}

func (h failoverPages) failOver(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.failover(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	err = h.db.Changes.FailOver(r.Context(), cluster.Name, shardOf(r, cluster).Number, visitOf(r).user.Name)
	if err == nil {
		h.jobs.Wake()
		return h.begun(w, r, clusterAddress(cluster.Name), 0, fmt.Sprintf("A replica of %s is taking over.", cluster.Name))
	} else if err := wrong.refusal(err, nil); err != nil {
		return err
	}
	return h.askFailover(w, r, cluster, wrong)
}
