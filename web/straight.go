package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"rekindle/models"
	"rekindle/views"
)

// What a moment becomes, as the form has it.
const (
	intoSnapshot = "snapshot"
	intoCluster  = "cluster"
)

// fillLike fills the form in for a new cluster like the one whose moment it is made of, as far as the address says nothing.
func (h recoverPages) fillLike(r *http.Request, cluster models.Cluster, form url.Values) (err error) {
	like, query := cluster.Like(models.Engine{}), r.URL.Query()
	if query.Get("into") == intoCluster {
		form.Set("into", intoCluster)
	}
	id := query.Get("id")
	if id == "" {
		if id, err = h.suggestName(r.Context(), cluster.Name); err != nil {
			return err
		}
	}
	form.Set("id", id)
	form.Set("node_type", orPlaceholder(query.Get("node_type"), like.NodeType))
	form.Set("replicas", orPlaceholder(query.Get("replicas"), strconv.Itoa(like.Replicas)))
	return nil
}

// shortFor says that the host has too little memory for what the snapshot before the moment has, in a cluster with so many replicas; "": it has enough, or
// nobody knows.
func (h recoverPages) shortFor(ctx context.Context, from models.StraightFrom, replicas int) (string, error) {
	bases, err := h.db.Recoveries.Bases(ctx, from.Cluster, from.Moment, 1)
	if err != nil || len(bases) == 0 {
		return "", err
	}
	data := bases[0].UsedMemory * int64(1+replicas)
	_, available, err := h.jobs.HostMemory(ctx)
	if err != nil || data <= available {
		return "", nil
	}
	return fmt.Sprintf("The data needs %s on all nodes together, and this host has %s free. Choose fewer replicas, or tick the box to go on all the same.", views.SizeText(data), views.SizeText(available)), nil
}

// likeFlags are the flags of rekindle recover for a new cluster: only those that make it unlike the other one.
func likeFlags(cluster models.Cluster, form url.Values) []string {
	like := cluster.Like(models.Engine{})
	flags := []string{"--into " + shellQuote(orPlaceholder(strings.TrimSpace(form.Get("id")), "NAME"))}
	if nodeType := form.Get("node_type"); nodeType != "" && nodeType != like.NodeType {
		flags = append(flags, "--node-type "+shellQuote(nodeType))
	}
	if replicas := strings.TrimSpace(form.Get("replicas")); replicas != "" && replicas != strconv.Itoa(like.Replicas) {
		flags = append(flags, "--replicas "+shellQuote(replicas))
	}
	return flags
}

// straightFields are those of the form that a refusal may be about.
var straightFields = []string{"moment", "id", "node_type", "replicas"}

// straight queues a restore that makes a new cluster of the moment.
func (h recoverPages) straight(w http.ResponseWriter, r *http.Request, cluster models.Cluster, form url.Values) error {
	wrong := mistakes{}
	from := models.StraightFrom{Cluster: cluster.Name, Moment: readMoment(form, wrong), Places: readPlaces(form, wrong)}
	replicas := wholeNumber(form, "replicas", "number of replicas", fmt.Sprintf("0 to %d", models.MaxReplicas), wrong)
	if short, err := h.shortFor(r.Context(), from, replicas); err != nil {
		return err
	} else if short != "" && form.Get("override") != "on" {
		wrong.add("override", short)
	}
	if len(wrong) == 0 {
		engine, err := h.db.Engines.Find(r.Context(), cluster.Engine, cluster.EngineVersion)
		if _, refused := models.AsFaults(err); refused {
			engine, err = h.db.Engines.Find(r.Context(), cluster.Engine, "") // the newest one loads what an older one wrote
		}
		if err == nil {
			spec := cluster.Like(engine)
			spec.Name, spec.NodeType, spec.Replicas, spec.Straight, spec.RequestedBy = form.Get("id"), form.Get("node_type"), replicas, &from, visitOf(r).user.Name
			_, err = h.db.Clusters.Create(r.Context(), spec)
			if err == nil {
				h.jobs.Wake()
				name := strings.ToLower(strings.TrimSpace(spec.Name))
				text := fmt.Sprintf("The cluster %s is being made of %s as it was at %s UTC.", name, cluster.Name, from.Moment.UTC().Format(momentLayout))
				return h.begun(w, r, clusterAddress(name), 0, text)
			}
		}
		if err := wrong.refusal(err, straightFields); err != nil {
			return err
		}
	}
	return h.askRecover(w, r, cluster, form, wrong)
}
