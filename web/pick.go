package web

import (
	"context"
	"net/http"

	"rekindle/models"
	"rekindle/views"
)

// maxChoices is how many clusters a form lists to choose from. Among more they are found by typing, with as many suggestions as fit under a field.
const (
	maxChoices     = 100
	maxSuggestions = 20
)

// clusterChoices are the clusters that occur in rows of a kind, for a filter of the list of those; typed when they are too many to be listed.
func (s *server) clusterChoices(ctx context.Context, kind any, chosen string) (choices views.Choices, err error) {
	names, err := s.db.Clusters.FindNames(ctx, "", false, maxChoices+1)
	if err != nil {
		return choices, err
	}
	if len(names) > maxChoices {
		return views.Choices{Typed: true, Options: clusterOptions(names[:maxSuggestions], "")}, nil
	}
	names, err = s.db.Clusters.Names(ctx, kind)
	return views.Choices{Options: clusterOptions(names, chosen)}, err
}

// suggestClusters completes the name of a cluster while it is typed.
func (s *server) suggestClusters(w http.ResponseWriter, r *http.Request) error {
	names, err := s.db.Clusters.FindNames(r.Context(), r.URL.Query().Get("cluster"), false, maxSuggestions)
	if err != nil {
		return err
	}
	return write(w, r, http.StatusOK, views.Suggestions(clusterOptions(names, "")))
}

// backupChoices are the clusters of which a snapshot can be taken.
func (s *server) backupChoices(ctx context.Context) (views.Choices, error) {
	found, err := s.db.Clusters.List(ctx, models.List{Size: maxChoices})
	if err != nil {
		return views.Choices{}, err
	}
	choices := views.Choices{Typed: found.Total > maxChoices}
	for _, c := range found.Rows {
		if c.Cached() {
			continue // it never can
		}
		option := views.Option{Value: c.Name, Label: c.Name}
		if c.NoSnapshot() != "" {
			if choices.Typed {
				continue
			}
			option.Label, option.Disabled = c.Name+" · "+string(c.Status), true
			if c.Status == models.ClusterAvailable {
				option.Label = c.Name + " · " + c.NodeType + " cannot be backed up"
			}
		}
		choices.Options = append(choices.Options, option)
	}
	if choices.Typed {
		choices.Options = choices.Options[:min(len(choices.Options), maxSuggestions)]
	}
	return choices, nil
}
