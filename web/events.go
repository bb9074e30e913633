package web

import (
	"net/http"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

var eventListing = listing{filters: []string{"cluster", "severity"}, order: "-time",
	sorts: map[string]string{"time": "time", "severity": "severity", "cluster": "cluster"}}

func (s *server) eventList(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	shown, rows := eventListing.read(r)
	events, err := fetch(&shown, rows, func(l models.List) (models.Rows[models.Event], error) { return s.db.Events.List(ctx, l) })
	if err != nil {
		return err
	}
	props := views.EventList{List: shown, Any: shown.Total > 0 || len(shown.Query) > 0}
	if props.Rows, err = s.presentEvents(ctx, events); err != nil {
		return err
	}
	if props.Clusters, err = s.clusterChoices(ctx, models.Event{}, shown.Query.Get("cluster")); err != nil {
		return err
	}
	target, err := s.eventsTarget(ctx, shown.Query.Get("cluster"))
	if err != nil {
		return err
	}
	return s.page(w, r, place{title: "Events", active: views.NavEvents, aws: s.aws(r).events(target)}, func(shell views.Shell) templ.Component {
		return views.EventsPage(shell, props)
	})
}
