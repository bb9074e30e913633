package models

import (
	"slices"
	"testing"
)

func TestResizedTakesTheYoungestAndNamesTheFree(t *testing.T) {
	t.Parallel()
	cluster := Cluster{Name: "c", Nodes: []Node{{Name: "c-001", Role: RolePrimary}, {Name: "c-002", Role: RoleReplica}, {Name: "c-004", Role: RoleReplica}}}
	for name, test := range map[string]struct {
		replicas    int
		remove      []string
		add         string
		leave, join []string
	}{
		"as many":            {replicas: 2},
		"fewer":              {replicas: 1, leave: []string{"c-004"}},
		"none":               {replicas: 0, leave: []string{"c-004", "c-002"}},
		"a given one":        {replicas: 1, remove: []string{"c-002"}, leave: []string{"c-002"}},
		"more":               {replicas: 4, join: []string{"c-003", "c-005"}},
		"with a given name":  {replicas: 4, add: "extra", join: []string{"extra", "c-003"}},
		"another in a place": {replicas: 2, remove: []string{"c-004"}, leave: []string{"c-004"}, join: []string{"c-003"}},
	} {
		leave, join := ModifySpec{Replicas: &test.replicas, Remove: test.remove, Add: test.add}.Resized(cluster)
		if !slices.Equal(leave, test.leave) || !slices.Equal(join, test.join) {
			t.Errorf("%s: %v leave and %v join, want %v and %v", name, leave, join, test.leave, test.join)
		}
	}
}
