package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// recoverPages make a snapshot, or a new cluster, of a cluster as it was at a moment.
type recoverPages struct{ *site }

// momentLayout is how a moment is written in the form.
const momentLayout = "2006-01-02 15:04:05.999"

// recoverPage asks for the moment. Links may have it in their address, with exact places in the streams of shards.
func (h recoverPages) recoverPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	query := r.URL.Query()
	form := url.Values{"moment": {query.Get("moment")}, "name": {query.Get("name")}, "place": query["place"], "into": {intoSnapshot}}
	if err := h.fillLike(r, cluster, form); err != nil {
		return err
	}
	if moment, is := models.ParseMoment(form.Get("moment")); is {
		form.Set("moment", moment.Format(momentLayout))
	}
	if form.Get("name") == "" {
		form.Set("name", models.SuggestSnapshotName(cluster.Name+"-recovered", h.clock.Now()))
	}
	return h.askRecover(w, r, cluster, form, nil)
}

func (h recoverPages) askRecover(w http.ResponseWriter, r *http.Request, cluster models.Cluster, form url.Values, wrong mistakes) error {
	window, err := h.db.Journal.Window(r.Context(), cluster)
	if err != nil {
		return err
	}
	props := views.RecoverForm{Cluster: cluster.Name, Places: form["place"], Oldest: window.Oldest(), Newest: window.Newest(),
		Fields: views.Fields{Values: firstValues(form, "moment", "into", "name", "id", "node_type", "replicas", "override"), Errors: wrong}}
	for _, t := range models.NodeTypes() {
		props.NodeTypes = append(props.NodeTypes, views.NodeType{Name: t.Name, Memory: t.Memory, NoSnapshots: t.NoSnapshots})
	}
	if moment, is := models.ParseMoment(form.Get("moment")); is {
		command := fmt.Sprintf("rekindle recover %s \\\n  --to %s \\\n  ", cluster.Name, moment.Format(time.RFC3339Nano))
		props.Command = command + fmt.Sprintf("--as %s --wait", shellQuote(orPlaceholder(strings.TrimSpace(form.Get("name")), "NAME")))
		props.CommandInto = command + strings.Join(likeFlags(cluster, form), " ") + " --wait"
	}
	return h.ask(w, r, underCluster(cluster, "Recover to a moment"), wrong, func(shell views.Shell) templ.Component { return views.RecoverPage(shell, props) })
}

// recover queues the recovery.
func (h recoverPages) recover(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	if form.Get("into") == intoCluster {
		return h.straight(w, r, cluster, form)
	}
	wrong := mistakes{}
	spec := models.RecoverSpec{Cluster: cluster.Name, Name: form.Get("name"), RequestedBy: visitOf(r).user.Name}
	spec.Moment = readMoment(form, wrong)
	spec.Places = readPlaces(form, wrong)
	if len(wrong) == 0 {
		run, err := h.db.Recoveries.Request(r.Context(), spec)
		if err == nil {
			h.jobs.Wake()
			text := fmt.Sprintf("The snapshot %s of %s as it was at %s UTC is being made.", run.SnapshotName, cluster.Name, spec.Moment.UTC().Format(momentLayout))
			return h.begun(w, r, snapshotAddress(run.SnapshotName), run.ID, text)
		}
		if err := wrong.refusal(err, []string{"moment", "name"}); err != nil {
			return err
		}
	}
	return h.askRecover(w, r, cluster, form, wrong)
}

// readMoment reads a moment that somebody has typed, in UTC.
func readMoment(form url.Values, wrong mistakes) time.Time {
	text := strings.TrimSpace(form.Get("moment"))
	moment, is := models.ParseMoment(text)
	if text != "" && !is { // nothing at all is refused by the rules
		wrong.add("moment", "Write it like 2026-11-27 10:41:07: the date and the time in UTC, to the second.")
	}
	return moment
}

// readPlaces reads exact places in the streams of shards, "shard:run:offset", which only links have.
func readPlaces(form url.Values, wrong mistakes) (places []models.RecoverFrom) {
	for _, text := range form["place"] {
		shard, rest, _ := strings.Cut(text, ":")
		run, offset, _ := strings.Cut(rest, ":")
		number, err := strconv.Atoi(shard)
		at, failed := strconv.ParseInt(offset, 10, 64)
		if err != nil || failed != nil {
			wrong.add("", "The link to this page is damaged. Type the moment instead.")
			form.Del("place")
			return nil
		}
		places = append(places, models.RecoverFrom{Shard: number, Run: run, Offset: at})
	}
	return places
}
