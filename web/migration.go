package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/views"
)

// migrationPages are the pages that move the data of running servers into clusters.
type migrationPages struct{ *site }

func (h migrationPages) migrationPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if cluster.Migrating() {
		return h.askEnd(w, r, cluster, r.FormValue("force") == "on", nil)
	}
	return h.askStart(w, r, cluster, "", "", nil)
}

// migrate does what the pressed button stands for.
func (h migrationPages) migrate(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	switch action := r.FormValue("action"); action {
	case "complete", "force":
		return h.end(w, r, cluster, action == "force")
	default:
		return h.start(w, r, cluster, strings.TrimSpace(r.FormValue("source")), action == "test")
	}
}

// start begins a migration, or only tests it.
func (h migrationPages) start(w http.ResponseWriter, r *http.Request, cluster models.Cluster, source string, test bool) error {
	found, err := h.jobs.TestMigration(r.Context(), cluster.Name, source)
	if err == nil && test {
		return h.askStart(w, r, cluster, source, foundText(source, found), nil)
	}
	if err == nil {
		err = h.db.Migrations.Start(r.Context(), cluster.Name, source, visitOf(r).user.Name)
	}
	if err == nil {
		h.jobs.Wake()
		return h.begun(w, r, clusterAddress(cluster.Name), 0, fmt.Sprintf("The cluster %s is about to follow %s.", cluster.Name, source))
	}
	wrong := mistakes{}
	if err := wrong.refusal(err, []string{"source"}); err != nil {
		return err
	}
	return h.askStart(w, r, cluster, source, "", wrong)
}

// foundText describes a source whose data can be moved.
func foundText(source string, s models.MigrationSource) string {
	if s.Keys == 0 {
		return fmt.Sprintf("Nothing is in the way. But %s, %s, holds no keys. Is it the right one?", source, s.Engine)
	}
	return fmt.Sprintf("Nothing is in the way: %s is %s with %s, %s.", source, s.Engine, words.Plural(s.Keys, "key"), words.Size(s.Used))
}

func (h migrationPages) end(w http.ResponseWriter, r *http.Request, cluster models.Cluster, force bool) error {
	err := h.db.Migrations.Complete(r.Context(), cluster.Name, force, visitOf(r).user.Name)
	if err == nil {
		h.jobs.Wake()
		text := "The migration into %s is being completed."
		if force {
			text = "The migration into %s is being given up."
		}
		return h.begun(w, r, clusterAddress(cluster.Name), 0, fmt.Sprintf(text, cluster.Name))
	}
	wrong := mistakes{}
	if err := wrong.refusal(err, nil); err != nil {
		return err
	}
	return h.askEnd(w, r, cluster, force, wrong)
}

func (h migrationPages) askStart(w http.ResponseWriter, r *http.Request, cluster models.Cluster, source, found string, wrong mistakes) error {
	props := views.MigrateCluster{ID: cluster.Name, Status: string(cluster.Status), Refusal: cluster.NoMigration(), Found: found,
		AWS: h.aws(r).startMigration(cluster.Name, source), Fields: views.Fields{Errors: wrong, Values: map[string]string{"source": source}}}
	return h.ask(w, r, underCluster(cluster, "Move data in"), wrong, func(shell views.Shell) templ.Component { return views.MigrateClusterPage(shell, props) })
}

func (h migrationPages) askEnd(w http.ResponseWriter, r *http.Request, cluster models.Cluster, force bool, wrong mistakes) error {
	props := views.EndMigration{ID: cluster.Name, Status: string(cluster.Status), Refusal: cluster.NoCompletion(), Force: force,
		AWS: h.aws(r).completeMigration(cluster.Name, force), Fields: views.Fields{Errors: wrong}}
	if m := presentMigration(cluster); m != nil {
		props.Migration = *m
	}
	return h.ask(w, r, underCluster(cluster, "End the migration"), wrong, func(shell views.Shell) templ.Component { return views.EndMigrationPage(shell, props) })
}

// presentMigration returns how far a cluster's migration is; nil if the cluster is not migrating.
func presentMigration(c models.Cluster) *views.Migration {
	if !c.Migrating() {
		return nil
	}
	m := &views.Migration{Source: c.Migration.Source, Copied: c.Migration.Copied, CanEnd: c.NoCompletion() == ""}
	if c.Migration.Since != nil {
		m.Since = *c.Migration.Since
	}
	for _, n := range c.Primaries() {
		m.Link, m.Down = linkText(n)
	}
	return m
}

// linkText describes a node's link to its source. The node's lag is how many bytes it is behind, or still has to copy.
func linkText(n models.Node) (text string, down bool) {
	switch {
	case n.State == "loading" && n.LagBytes > 0:
		return "the data is being copied, " + words.Size(n.LagBytes) + " left", false
	case n.State == "loading":
		return "the data is being copied", false
	case n.State != "available":
		return fmt.Sprintf("not known: the node %s is %s", n.Name, n.State), true
	case n.LagBytes < 0:
		return "down: the source does not answer, or refuses to replicate", true
	case n.LagBytes == 0:
		return "up, and in step", false
	}
	return "up, " + words.Size(n.LagBytes) + " behind", false
}
