package web

import (
	"net/http"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

var eventListing = listing{filters: []string{"cluster", "severity"}, order: "-time", days: true,
	sorts: map[string]string{"time": "time", "severity": "severity", "cluster": "cluster"}}

type eventPages struct{ *site }

func (h eventPages) list(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	shown, rows := eventListing.read(r)
	events, err := fetch(&shown, rows, func(l models.List) (models.Rows[models.Event], error) { return h.db.Events.List(ctx, l) })
	if err != nil {
		return err
	}
	props := views.EventList{List: shown, Any: shown.Total > 0 || len(shown.Query) > 0}
	if props.Rows, err = h.present.events(ctx, events); err != nil {
		return err
	}
	if props.Clusters, err = h.present.clusterChoices(ctx, models.Event{}, shown.Query.Get("cluster")); err != nil {
		return err
	}
	target, err := h.present.eventsTarget(ctx, shown.Query.Get("cluster"))
	if err != nil {
		return err
	}
	return h.page(w, r, place{title: "Events", active: views.NavEvents, live: true, aws: h.aws(r).events(target)}, func(shell views.Shell) templ.Component {
		return views.EventsPage(shell, props)
	})
}
