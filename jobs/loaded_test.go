package jobs

import (
	"errors"
	"testing"
	"time"

	"rekindle/internal/primary"
	"rekindle/internal/restore"
	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestKeysThatANodeHasNotLoadedOrThatDoNotFitAreNoticed(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	for key, expires := range map[string]time.Duration{"a": 0, "b": 0, "c": time.Hour} {
		if err := server.Client().Set(t.Context(), key, 1, expires).Err(); err != nil {
			t.Fatal(err)
		}
	}
	node := models.Node{Name: "orders-001", Host: server.Host, Port: server.Port}
	roomy, tiny := models.Cluster{Name: "orders"}, models.Cluster{Name: "orders"}
	roomy.NodeType, tiny.NodeType = "cache.t4g.micro", "no such type" // which has no memory
	for name, c := range map[string]struct {
		cluster models.Cluster
		content restore.Content
		fitted  bool
		want    error
		expired int64
	}{
		"all are there":            {roomy, restore.Content{Keys: 3, Mortal: 1}, false, nil, 0},
		"one has expired":          {roomy, restore.Content{Keys: 4, Mortal: 1}, false, nil, 1},
		"one is missing":           {roomy, restore.Content{Keys: 4}, false, primary.ErrCount, 1},
		"two are, one could":       {roomy, restore.Content{Keys: 5, Mortal: 1}, false, primary.ErrCount, 2},
		"there is one more":        {roomy, restore.Content{Keys: 2, Mortal: 1}, false, primary.ErrCount, -1},
		"too large":                {tiny, restore.Content{Keys: 3}, false, primary.ErrTooBig, 0},
		"as large as it was there": {tiny, restore.Content{Keys: 3}, true, nil, 0},
	} {
		got, err := loaded(t.Context(), c.cluster, node, c.content, c.fitted)
		if !errors.Is(err, c.want) || got.Expired != c.expired {
			t.Errorf("%s: %d expired, %v", name, got.Expired, err)
		}
	}
}
