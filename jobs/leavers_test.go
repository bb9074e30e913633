package jobs

import (
	"slices"
	"testing"

	"rekindle/models"
)

func TestThoseThatLeaveAreNeverThePrimaryAndNoMoreThanWanted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		primary  int
		nodes    []int
		replicas int // that are wanted
		remove   []int
		want     []int
	}{
		"none":                                  {1, []int{1, 2, 3}, 2, nil, nil},
		"those that were to":                    {1, []int{1, 2, 3}, 0, []int{3, 2}, []int{2, 3}},
		"one that has gone already":             {1, []int{1, 2}, 1, []int{3}, nil},
		"another for the primary":               {3, []int{1, 2, 3}, 1, []int{3}, []int{2}},
		"another for the primary, of the rest":  {3, []int{1, 2, 3}, 0, []int{3, 2}, []int{2, 1}},
		"no other, when begun again":            {3, []int{1, 3}, 1, []int{3}, nil},
		"no other beside a primary that stays":  {2, []int{1, 2, 3}, 0, []int{3}, []int{3}},
		"no other, where there are few already": {2, []int{2, 3}, 2, []int{2}, nil},
	} {
		shard := models.Shard{Number: 1}
		for _, n := range test.nodes {
			role := models.RoleReplica
			if n == test.primary {
				role = models.RolePrimary
			}
			shard.Nodes = append(shard.Nodes, models.Node{Name: models.NodeName("orders", n), Role: role})
		}
		names := func(numbers []int) (names []string) {
			for _, n := range numbers {
				names = append(names, models.NodeName("orders", n))
			}
			return names
		}
		if got := leavers(shard, test.replicas, names(test.remove)); !slices.Equal(got, names(test.want)) {
			t.Errorf("%s: %v leave, want %v", name, got, names(test.want))
		}
	}
}
