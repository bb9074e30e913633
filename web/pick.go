package web

import (
	"context"
	"slices"

	"rekindle/views"
)

// maxChoices is how many clusters a form lists to choose from. If there are more, people find them by typing, with as many suggestions as fit under a
// field.
const (
	maxChoices     = 100
	maxSuggestions = 20
)

// clusterChoices are the clusters that occur in rows of a kind, for a filter of the list of those rows. The name is typed if there are too many to
// list.
func (p presenter) clusterChoices(ctx context.Context, kind any, chosen string) (choices views.Choices, err error) {
	names, err := p.db.Clusters.FindNames(ctx, "", false, maxChoices+1)
	if err != nil {
		return choices, err
	}
	if len(names) > maxChoices {
		return views.Choices{Typed: true, Options: clusterOptions(names[:maxSuggestions], "")}, nil
	}
	names, err = p.db.Clusters.Names(ctx, kind)
	return views.Choices{Options: clusterOptions(names, chosen)}, err
}

// clusterOptions are the clusters to choose from in a filter, with the one in use first.
func clusterOptions(names []string, chosen string) []views.Option {
	if chosen != "" && !slices.Contains(names, chosen) {
		names = append(names, chosen)
	}
	slices.Sort(names)
	options := make([]views.Option, 0, len(names))
	for _, name := range slices.Compact(names) {
		options = append(options, views.Option{Value: name, Label: name})
	}
	return options
}
