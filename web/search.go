package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// foundOf is how many things of a kind a search shows.
const foundOf = 6

// searchPages finds things by their names, from every page.
type searchPages struct{ *site }

func (h searchPages) show(w http.ResponseWriter, r *http.Request) error {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	props := views.Search{Text: text}
	if text != "" {
		for _, look := range []func(context.Context, string) (views.FoundGroup, error){h.clusters, h.snapshots, h.runs} {
			group, err := look(r.Context(), text)
			if err != nil {
				return err
			}
			props.Groups = append(props.Groups, group)
		}
	}
	label := "Pages"
	if text == "" {
		label = "Go to"
	}
	props.Groups = append(props.Groups, views.FoundGroup{Label: label, Found: views.Destinations(text)})
	return h.page(w, r, place{title: "Search"}, func(shell views.Shell) templ.Component { return views.SearchPage(shell, props) })
}

// found makes a group of what was found. What has exactly the name that was looked for comes first.
func found[T any](label, path, text string, rows models.Rows[T], of func(T) views.Found) views.FoundGroup {
	group := views.FoundGroup{Label: label, More: rows.Total - len(rows.Rows), All: views.LinkQuery(path, "q", text)}
	for _, row := range rows.Rows {
		group.Found = append(group.Found, of(row))
	}
	slices.SortStableFunc(group.Found, func(a, b views.Found) int {
		switch exact := strings.EqualFold(a.Name, text); {
		case exact == strings.EqualFold(b.Name, text):
			return 0
		case exact:
			return -1
		}
		return 1
	})
	return group
}

func (h searchPages) clusters(ctx context.Context, text string) (views.FoundGroup, error) {
	rows, err := h.db.Clusters.List(ctx, models.List{Text: text, Page: 1, Size: foundOf})
	return found("Clusters", "/clusters", text, rows, func(c models.Cluster) views.Found {
		return views.Found{Icon: "database", Name: c.Name, Note: views.EngineText(c.Engine, c.ShownVersion()), Status: string(c.Status), Href: views.Link("clusters", c.Name)}
	}), err
}

func (h searchPages) snapshots(ctx context.Context, text string) (views.FoundGroup, error) {
	rows, err := h.db.Snapshots.List(ctx, models.List{Text: text, Page: 1, Size: foundOf, Sort: "created", Desc: true})
	return found("Snapshots", "/snapshots", text, rows, func(s models.Snapshot) views.Found {
		return views.Found{Icon: "camera", Name: s.Name, Note: "of " + s.ClusterName + ", " + views.MinuteText(s.CreatedAt), Status: string(s.Status), Href: views.Link("snapshots", s.Name)}
	}), err
}

func (h searchPages) runs(ctx context.Context, text string) (views.FoundGroup, error) {
	rows, err := h.db.Runs.List(ctx, models.List{Text: text, Page: 1, Size: foundOf})
	return found("Activity", "/runs", text, rows, func(run models.Run) views.Found {
		return views.Found{Icon: "activity", Name: run.Title(), Note: views.MinuteText(run.CreatedAt), Status: string(run.Status), Href: views.Link("runs", runID(run.ID))}
	}), err
}
