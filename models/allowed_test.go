package models

import (
	"strings"
	"testing"
)

func TestWhatMayBeDoneInWhichState(t *testing.T) {
	t.Parallel()
	states := []ClusterStatus{ClusterCreating, ClusterAvailable, ClusterModifying, ClusterMigrating, ClusterSnapshotting, ClusterRebooting, ClusterDeleting,
		ClusterRestoreFailed, ClusterCreateFailed, ClusterUnreachable}
	inStep := []Node{{Name: "orders-001", Role: RolePrimary}, {Name: "orders-002", Role: RoleReplica, State: "available"}}
	for name, test := range map[string]struct {
		why   func(Cluster) string
		nodes []Node
		may   []ClusterStatus
	}{
		"a snapshot":                     {Cluster.NoSnapshot, nil, []ClusterStatus{ClusterAvailable}},
		"a snapshot, a replica in step":  {Cluster.NoSnapshot, inStep, []ClusterStatus{ClusterAvailable, ClusterUnreachable}},
		"a final snapshot":               {Cluster.NoFinalSnapshot, inStep, []ClusterStatus{ClusterAvailable}},
		"a deletion":                     {Cluster.NoDeletion, nil, []ClusterStatus{ClusterAvailable, ClusterMigrating, ClusterRestoreFailed, ClusterCreateFailed, ClusterUnreachable}},
		"a restart":                      {Cluster.NoReboot, nil, []ClusterStatus{ClusterAvailable}},
		"a change of nodes":              {Cluster.NoChangeOfNodes, nil, []ClusterStatus{ClusterAvailable}},
		"a failover":                     {Cluster.NoFailover, inStep, []ClusterStatus{ClusterAvailable}},
		"a failover without any replica": {Cluster.NoFailover, inStep[:1], nil},
	} {
		may := strings.Builder{}
		for _, state := range states {
			why := test.why(Cluster{Name: "orders", Configuration: Configuration{Engine: "redis", NodeType: "cache.t4g.micro"}, Status: state, Nodes: test.nodes})
			if why == "" {
				may.WriteString(string(state) + ",")
			} else if !strings.HasSuffix(why, ".") {
				t.Errorf("%s of a cluster that is %s: %q is no sentence", name, state, why)
			}
		}
		want := strings.Builder{}
		for _, state := range test.may {
			want.WriteString(string(state) + ",")
		}
		if may.String() != want.String() {
			t.Errorf("%s may be had of clusters that are %s, want %s", name, may.String(), want.String())
		}
	}
}

func TestWhatCannotBeBackedUpNeverCan(t *testing.T) {
	t.Parallel()
	for name, configuration := range map[string]Configuration{"tiny": {Engine: "redis", NodeType: "cache.t1.micro"}, "sessions": {Engine: EngineMemcached, NodeType: "cache.t4g.micro"}} {
		c := Cluster{Name: name, Configuration: configuration, Status: ClusterAvailable}
		for _, why := range []string{c.Unprotected(), c.NoSnapshot(), c.NoFinalSnapshot()} {
			if !strings.Contains(why, "cannot be backed up") || !strings.Contains(why, c.Name) {
				t.Errorf("%s: %q", c.Name, why)
			}
		}
		if why := c.NoDeletion(); why != "" {
			t.Errorf("%s cannot be deleted: %s", c.Name, why)
		}
	}
}

func TestSnapshotsInUseAreNotDeleted(t *testing.T) {
	t.Parallel()
	for state, may := range map[SnapshotStatus]bool{SnapshotCreating: false, SnapshotAvailable: true, SnapshotRestoring: false, SnapshotCopying: false,
		SnapshotDeleting: false, SnapshotFailed: true} {
		if why := (Snapshot{Name: "one", Status: state}).NoDeletion(); (why == "") != may {
			t.Errorf("one that is %s: %q", state, why)
		}
	}
}

func TestWhatAFileDeclaresIsChangedThere(t *testing.T) {
	t.Parallel()
	c := Cluster{Name: "orders", Kind: KindAttached, Declared: "/etc/clusters.yaml", Status: ClusterAvailable, WindowChosen: true,
		Configuration: Configuration{Engine: "redis", SnapshotWindow: Window{Start: 180, Length: 60}}}
	const want = "The cluster orders comes from the clusters file /etc/clusters.yaml: change it there, and send the console SIGHUP."
	days, text, node := 3, "other", "orders-001"
	c.Nodes = []Node{{Name: node, Role: RolePrimary}}
	for name, why := range map[string]string{"deletion": c.NoDeletion(), "final snapshot": c.NoFinalSnapshot(), "access": c.Elsewhere("admin")} {
		if why != want {
			t.Errorf("%s: %q", name, why)
		}
	}
	for name, spec := range map[string]ModifySpec{"retention": {Retention: &days}, "window": {Window: &Window{Start: 60, Length: 60}}, "no window": {Window: &Window{}}, "description": {Description: &text}} {
		spec.RequestedBy = "admin"
		if faults, _ := spec.Columns(c, c.CreatedAt); faults.Error() != want || faults.Code() != CodeClusterState {
			t.Errorf("%s by somebody: %v", name, faults)
		}
		spec.RequestedBy = ByClustersFile
		if faults, _ := spec.Columns(c, c.CreatedAt); len(faults) > 0 {
			t.Errorf("%s by the file: %v", name, faults)
		}
	}
	is := ModifySpec{RequestedBy: "admin", Retention: &c.RetentionLimit, Window: &c.SnapshotWindow, Description: &c.Description}
	if faults, set := is.Columns(c, c.CreatedAt); len(faults) > 0 || len(set) != 1 {
		t.Errorf("what is so already: %v, %v", faults, set)
	}
	other := ModifySpec{RequestedBy: "admin", Attributes: func(a *Attributes) { a.SnapshottingNode = node }}
	if faults, _ := other.Columns(c, c.CreatedAt); len(faults) > 0 {
		t.Errorf("what no file says: %v", faults)
	}
	if why := c.NoSnapshot(); why != "" {
		t.Errorf("a snapshot: %s", why)
	}
	c.Declared = ""
	if why := c.NoDeletion() + c.NoFinalSnapshot() + c.Elsewhere("admin"); why != "" {
		t.Errorf("of no file: %s", why)
	}
}
