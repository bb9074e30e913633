package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

var (
	clustersCrumb  = views.Crumb{Text: "Clusters", Href: "/clusters"}
	clusterListing = listing{filters: []string{"status", "standing", "engine"}, order: "name",
		sorts: map[string]string{"name": "name", "status": "status", "engine": "engine", "node_type": "node_type", "nodes": "nodes", "newest": "newest", "memory": "memory"}}
)

// clusterAddress is the address of a cluster's page.
func clusterAddress(id string) string { return "/clusters/" + url.PathEscape(id) }

// underCluster is the place of a page that asks before something is done to a cluster.
func underCluster(cluster models.Cluster, title string) place {
	return place{title: title, active: views.NavClusters, crumbs: []views.Crumb{clustersCrumb, {Text: cluster.Name, Href: clusterAddress(cluster.Name)}}}
}

// clusterPages list and show clusters, and delete single ones.
type clusterPages struct{ *site }

func (h clusterPages) list(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	shown, rows := clusterListing.read(r)
	clusters, err := fetch(&shown, rows, func(l models.List) (models.Rows[models.Cluster], error) { return h.db.Clusters.List(ctx, l) })
	if err != nil {
		return err
	}
	names := make([]string, len(clusters))
	for i, c := range clusters {
		names[i] = c.Name
	}
	newest, err := h.db.Snapshots.Newest(ctx, names...)
	if err != nil {
		return err
	}
	props := views.Clusters{List: shown, Any: shown.Total > 0, File: presentClustersFile(h.jobs.Declared())}
	if !props.Any {
		all, err := h.db.Clusters.List(ctx, models.List{Size: 1})
		if err != nil {
			return err
		}
		props.Any = all.Total > 0
	}
	busy := false
	for _, c := range clusters {
		can := c.NoSnapshot() == ""
		latest := newest[c.Name]
		props.Rows = append(props.Rows, views.ClusterRow{
			ID: c.Name, Description: c.Description, Status: string(c.Status), Notice: c.StatusReason, Kind: c.Kind, Engine: c.Engine, EngineVersion: c.EngineVersion,
			NodeType: c.NodeType, Nodes: len(c.Nodes), Schedule: presentSchedule(c, latest), Newest: latest.CreatedAt, NewestName: latest.Name,
			UsedMemory: usedMemory(c), MaxMemory: maxMemory(c), CanSnapshot: can, CacheOnly: c.Cached(), Declared: c.Declared != "",
		})
		busy = busy || c.Status.InMotion()
	}
	return h.page(w, r, place{title: "Clusters", active: views.NavClusters, follow: busy, live: true, aws: h.aws(r).clusters()}, func(shell views.Shell) templ.Component {
		return views.ClustersPage(shell, props)
	})
}

// inTab is how many snapshots and events a cluster's page shows; the lists have all.
const inTab = 20

func (h clusterPages) show(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	cluster, err := h.db.Clusters.Get(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	newest, err := h.db.Snapshots.Newest(ctx, cluster.Name)
	if err != nil {
		return err
	}
	props := presentCluster(cluster)
	if err := h.presentOrigin(ctx, cluster, &props); err != nil {
		return err
	}
	if props.Schedule, err = h.present.schedule(ctx, cluster, newest[cluster.Name]); err != nil {
		return err
	}
	if props.Drills, err = h.present.drillPlan(ctx, cluster); err != nil {
		return err
	}
	if props.Journal, err = h.present.journalLine(ctx, cluster); err != nil {
		return err
	}
	if good, found := newest[cluster.Name]; found {
		row := presentSnapshot(good, around{})
		props.Newest = &row
	}
	if err := h.presentPast(ctx, cluster, newest[cluster.Name], r.URL.Query().Get("tab"), &props); err != nil {
		return err
	}
	var active bool
	if props.Running, active, err = h.present.currentRuns(ctx, about{cluster: cluster.Name}); err != nil {
		return err
	}
	props.Tab = r.URL.Query().Get("tab")
	if err := h.fillTab(ctx, &props); err != nil {
		return err
	}
	if props.Tab == "connect" && h.mayShow(w, r, clusterAddress(cluster.Name)) == "password" && cluster.NoPassword() == "" {
		props.Password = cluster.Password.Reveal()
		showsSecret(w)
	}
	if !cluster.Attached() && !cluster.Cached() && cluster.UserGroup == "" {
		props.PasswordCommand = h.aws(r).changePassword(awsTargetOf(cluster), cluster.Password != "")
	}
	// Its state may change without a run that belongs to it, as when it is found unreachable; only running work is followed, and data that is moving in.
	at := place{title: cluster.Name, active: views.NavClusters, crumbs: []views.Crumb{clustersCrumb}, work: props.Running,
		follow: (active || cluster.Migrating()) && props.Password == "", live: props.Password == ""} // following would take the password away again
	switch target := awsTargetOf(cluster); props.Tab {
	case "snapshots", "history":
		at.aws = h.aws(r).snapshots(target, "", "")
	case "events":
		at.aws = h.aws(r).events(target)
	default:
		at.aws = h.aws(r).cluster(target)
	}
	return h.page(w, r, at, func(shell views.Shell) templ.Component { return views.ClusterPage(shell, props) })
}

// showPassword shows the cluster's password once, and writes down who asked for it.
func (h clusterPages) showPassword(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("id")
	if err := h.db.Clusters.ShowPassword(r.Context(), name, visitOf(r).user.Name); err != nil {
		return err
	}
	return h.showOnce(w, r, clusterAddress(name), "password", clusterAddress(name)+"?tab=connect")
}

func presentCluster(c models.Cluster) views.Cluster {
	props := views.Cluster{
		ID: c.Name, Description: c.Description, Kind: c.Kind, Status: string(c.Status), StatusReason: c.StatusReason,
		Engine: c.Engine, Version: c.EngineVersion, NodeType: c.NodeType, ClusterMode: c.ClusterMode, Shards: c.ShardCount, Replicas: c.Replicas,
		AuthEnabled: c.AuthEnabled(), UserGroup: c.UserGroup, PasswordKnown: c.NoPassword() == "", OldPassword: c.OldPassword != "", UsedMemory: usedMemory(c), MaxMemory: maxMemory(c), Keys: keysOf(c), CreatedAt: c.CreatedAt,
		Nodes: presentNodes(c.Nodes), NodeCount: len(c.Nodes), CacheOnly: c.Cached(), Reach: presentReach(c), Declared: c.Declared, Elsewhere: c.Elsewhere(""),
		Encrypted: c.TransitEncryption, AtRest: c.Attributes.AtRest, Certificate: c.CA != "" && c.TransitEncryption,
		CanReboot: c.NoReboot() == "", CanFailOver: c.NoFailover() == "", CanMigrate: c.NoMigration() == "", Migration: presentMigration(c),
	}
	props.StatusReason = strings.TrimSpace(props.StatusReason + " " + c.Unserved())
	props.Refusal = c.NoSnapshot()
	props.CanSnapshot = props.Refusal == ""
	if props.NeverRan() {
		props.Nodes, props.NodeCount = nil, 0 // they were removed; only their names and ports are left
	} else if first, found := firstNode(c); found {
		props.Host, props.Port = first.Endpoint().Host, first.Port
	}
	return props
}

// presentOrigin says which snapshot the cluster was restored from, and what became of that snapshot.
func (h clusterPages) presentOrigin(ctx context.Context, c models.Cluster, props *views.Cluster) error {
	if c.RestoredFrom == "" {
		return nil
	}
	props.RestoredFrom = c.RestoredFrom
	snapshot, err := h.db.Snapshots.Get(ctx, c.RestoredFrom)
	if models.HasCode(err, models.CodeSnapshotNotFound) {
		return nil
	}
	props.SourceExists, props.SourceUsable = err == nil, snapshot.Usable()
	if err != nil {
		return err
	}
	of, straight, err := h.db.Runs.Straight(ctx, c.ID)
	if straight {
		props.Moment = of.Moment
	}
	if err == nil && c.Status == models.ClusterAvailable && h.clock.Since(c.CreatedAt) < restoredLately {
		if props.Restored, err = h.presentRestored(ctx, c, snapshot); err == nil && straight {
			props.Restored.Keys, props.Restored.Moment = -1, of.Moment // the journal has changed how many there are
		}
	}
	return err
}

// restoredLately is for how long a restored cluster's page says what to do now.
const restoredLately = 24 * time.Hour

// presentRestored says what the cluster has of the snapshot, and where the applications of the cluster before it go.
func (h clusterPages) presentRestored(ctx context.Context, c models.Cluster, snapshot models.Snapshot) (*views.Restored, error) {
	v := &views.Restored{Snapshot: snapshot.Name, Keys: snapshot.Keys}
	if snapshot.ClusterName == c.Name {
		return v, nil
	}
	before, err := h.db.Clusters.Get(ctx, snapshot.ClusterName)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return v, nil
	}
	if first, found := firstNode(before); err == nil && found {
		v.Before, v.BeforeEndpoint = before.Name, net.JoinHostPort(first.Endpoint().Host, strconv.Itoa(first.Port))
	}
	return v, err
}

// presentPast says what became of the cluster's last windows and what its snapshots cost; on the tab about that also how they grew.
func (h clusterPages) presentPast(ctx context.Context, cluster models.Cluster, newest models.Snapshot, tab string, props *views.Cluster) (err error) {
	if props.CacheOnly || props.NeverRan() {
		return nil
	}
	if props.History, err = h.present.history(ctx, cluster); err != nil {
		return err
	}
	if props.Cost, err = h.present.clusterCost(ctx, cluster, newest); err != nil || tab != "history" {
		return err
	}
	props.History.Plots, err = h.present.plots(ctx, cluster)
	return err
}

// fillTab reads what the chosen tab shows. The number of snapshots is on the tab itself.
func (h clusterPages) fillTab(ctx context.Context, props *views.Cluster) error {
	own := models.List{Equal: map[string]string{"cluster": props.ID}, Size: inTab}
	snapshots, err := h.db.Snapshots.List(ctx, own)
	if err != nil {
		return err
	}
	props.SnapshotCount = snapshots.Total
	switch props.Tab {
	case "snapshots":
		props.Snapshots, _, err = h.present.snapshots(ctx, snapshots.Rows)
	case "events":
		var events models.Rows[models.Event]
		events, err = h.db.Events.List(ctx, own)
		if err == nil {
			props.EventCount = events.Total
			props.Events, err = h.present.events(ctx, events.Rows)
		}
	case "connect", "history":
		if props.NeverRan() || props.Tab == "history" && props.CacheOnly {
			props.Tab = "nodes"
		}
	default:
		props.Tab = "nodes"
	}
	return err
}

func (h clusterPages) deletePage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := elsewhere(cluster, r); err != nil {
		return err
	}
	// While the boxes and fields are being filled in, the page is requested again with them, so that the command keeps up.
	return h.askDelete(w, r, cluster, askedFinal(r), nil)
}

// askedFinal is what has been filled in so far on a page that asks before it deletes. At first the final snapshot is ticked. The person has to type
// the name.
func askedFinal(r *http.Request) url.Values {
	asked := r.URL.Query()
	if !asked.Has("confirm") && !asked.Has("final") && !asked.Has("final_name") {
		asked.Set("final", "on")
	}
	asked.Del("confirm")
	return asked
}

func presentLegacy(l models.Legacy) views.Legacy {
	left := views.Legacy{Automatic: l.Automatic, Manual: l.Manual, Useless: l.Useless, Earlier: l.Earlier}
	if l.Newest != nil {
		left.Newest, left.NewestAt = l.Newest.Name, l.Newest.CreatedAt
	}
	return left
}

// askDelete shows what goes and what stays, and asks for the name.
func (h clusterPages) askDelete(w http.ResponseWriter, r *http.Request, cluster models.Cluster, form url.Values, wrong mistakes) error {
	ctx := r.Context()
	props := views.DeleteCluster{Action: r.URL.Path, ID: cluster.Name, Status: string(cluster.Status), Kind: cluster.Kind, Nodes: len(cluster.Nodes), Keys: keysOf(cluster), CacheOnly: cluster.Cached()}
	left, err := h.db.Clusters.Legacy(ctx, cluster)
	if err != nil {
		return err
	}
	props.Left = presentLegacy(left)
	props.NoFinalReason = cluster.NoFinalSnapshot()
	props.CanFinal = props.NoFinalReason == ""
	final := form.Get("final_name")
	if final == "" && !form.Has("final_name") {
		final = models.SuggestSnapshotName(cluster.Name+"-final", h.clock.Now())
	}
	props.Fields = views.Fields{Errors: wrong, Values: map[string]string{
		"final": form.Get("final"), "final_name": final, "confirm": form.Get("confirm"), "keep_automatic": form.Get("keep_automatic"),
	}}
	if form.Get("final") == "" || !props.CanFinal {
		final = ""
	} else {
		final = orPlaceholder(strings.TrimSpace(final), "NAME")
	}
	if !props.Removes() { // the API keeps the automatic snapshots of an attached cluster
		props.AWS = h.aws(r).deleteCluster(awsTargetOf(cluster), final)
	}
	title := "Delete"
	if cluster.Attached() {
		title = "Detach"
	}
	return h.ask(w, r, underCluster(cluster, title), wrong, func(shell views.Shell) templ.Component { return views.DeleteClusterPage(shell, props) })
}

func (h clusterPages) delete(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := elsewhere(cluster, r); err != nil {
		return err
	}
	wrong := mistakes{}
	final := ""
	if form.Get("final") == "on" {
		// Without a name, package models would take no final snapshot at all.
		if final = strings.TrimSpace(form.Get("final_name")); final == "" {
			wrong.add("final_name", "Enter a name for the final snapshot, or do not ask for one.")
		}
	}
	doing, keep := "deleted", false
	if cluster.Attached() {
		doing, keep = "detached", form.Get("keep_automatic") != "off"
	}
	if strings.TrimSpace(form.Get("confirm")) != cluster.Name {
		wrong.add("confirm", fmt.Sprintf("Type the name %s to confirm that it is to be %s.", cluster.Name, doing))
	}
	if len(wrong) == 0 {
		err := h.db.Clusters.Delete(r.Context(), cluster.Name, models.DeleteSpec{FinalSnapshot: final, KeepAutomatic: keep, RequestedBy: visitOf(r).user.Name})
		if models.HasCode(err, models.CodeClusterNotFound) {
			return err
		} else if err == nil {
			h.jobs.Wake()
			text := fmt.Sprintf("The cluster %s is being %s.", cluster.Name, doing)
			if final != "" {
				text = fmt.Sprintf("The cluster %s will be %s once the final snapshot %s is good.", cluster.Name, doing, strings.ToLower(final))
			}
			return h.begun(w, r, "/clusters", 0, text)
		} else if err := wrong.refusal(err, []string{"confirm", "final_name"}); err != nil {
			return err
		}
	}
	return h.askDelete(w, r, cluster, form, wrong)
}

// suggest completes the name of a cluster while it is being typed.
func (h clusterPages) suggest(w http.ResponseWriter, r *http.Request) error {
	names, err := h.db.Clusters.FindNames(r.Context(), r.URL.Query().Get("cluster"), false, maxSuggestions)
	if err != nil {
		return err
	}
	return write(w, r, http.StatusOK, views.Suggestions(clusterOptions(names, "")))
}
