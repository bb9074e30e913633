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
		if !slices.Equal(leave, test.leave) || !slices.Equal(namesOf(join), test.join) {
			t.Errorf("%s: %v leave and %v join, want %v and %v", name, leave, join, test.leave, test.join)
		}
	}
}

func namesOf(nodes []NewNode) (names []string) {
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names
}

func TestShardsAreResizedAlike(t *testing.T) {
	t.Parallel()
	cluster := Cluster{Name: "c", Configuration: Configuration{ClusterMode: true, Replicas: 1}, Nodes: []Node{
		{Name: "c-0001-001", Shard: 1, Role: RolePrimary}, {Name: "c-0001-002", Shard: 1, Role: RoleReplica},
		{Name: "c-0002-001", Shard: 2, Role: RoleReplica}, {Name: "c-0002-003", Shard: 2, Role: RolePrimary}}}
	for replicas, want := range map[int]struct {
		leave []string
		join  []NewNode
	}{
		0: {leave: []string{"c-0001-002", "c-0002-001"}},
		1: {},
		3: {join: []NewNode{{"c-0001-003", 1}, {"c-0001-004", 1}, {"c-0002-002", 2}, {"c-0002-004", 2}}},
	} {
		if leave, join := (ModifySpec{Replicas: &replicas}).Resized(cluster); !slices.Equal(leave, want.leave) || !slices.Equal(join, want.join) {
			t.Errorf("%d replicas: %v leave and %v join, want %v and %v", replicas, leave, join, want.leave, want.join)
		}
	}
	for name, test := range map[string]struct {
		spec ModifySpec
		code Code
	}{
		"one of one shard":  {ModifySpec{Remove: []string{"c-0001-002"}}, CodeCombination},
		"a primary":         {ModifySpec{Remove: []string{"c-0002-003"}}, CodeCombination},
		"one of no shard":   {ModifySpec{Remove: []string{"c-0003-001"}}, CodeNodeNotFound},
		"a name of its own": {ModifySpec{Add: "extra"}, CodeCombination},
	} {
		if err := test.spec.Count(cluster); !HasCode(err, test.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	spec := ModifySpec{Remove: []string{"c-0001-002", "c-0002-001"}}
	if err := spec.Count(cluster); err != nil || *spec.Replicas != 0 {
		t.Errorf("one of each shard: %v, %v", spec.Replicas, err)
	}
}
