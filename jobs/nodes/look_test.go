package nodes

import (
	"log/slog"
	"testing"

	"rekindle/internal/launch/local"
	"rekindle/models"
)

// Where it is not known whether a node runs, a second one on the same data must not be started.
func TestNodeThatCannotBeLookedForIsNotStartedAgain(t *testing.T) {
	t.Parallel()
	m := New(Config{Operator: Operator{Launcher: local.New(t.TempDir(), nil, local.Options{})}, Logger: slog.New(slog.DiscardHandler)})
	node := models.Node{Name: "no/folder", Role: models.RolePrimary}
	cluster := models.Cluster{Name: "orders", Nodes: []models.Node{node}}
	v := m.see(t.Context(), cluster, node)
	if !v.running || v.answers {
		t.Errorf("it is taken for running: %t, answering: %t", v.running, v.answers)
	}
	if steps := plan(cluster, look{nodes: []seen{v}}); len(steps) > 0 {
		t.Errorf("it would be touched: %v", texts(steps))
	}
}

func TestSupervisedAreClustersThatNoRunHas(t *testing.T) {
	t.Parallel()
	for status, want := range map[models.ClusterStatus]bool{
		models.ClusterAvailable: true, models.ClusterSnapshotting: true, models.ClusterUnreachable: true,
		models.ClusterCreating: false, models.ClusterModifying: false, models.ClusterRebooting: false, models.ClusterDeleting: false,
		models.ClusterCreateFailed: false, models.ClusterRestoreFailed: false,
	} {
		if got := supervised(status); got != want {
			t.Errorf("%s: supervised is %t, want %t", status, got, want)
		}
	}
}
