package catalog

import (
	"strings"
	"testing"

	"rekindle/models"
)

func TestAStateThatMustNotFollowIsRefused(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := launched(t, db, spec("orders"))
	if moved, err := db.Clusters.move(t.Context(), cluster.ID, models.ClusterModifying, "", models.ClusterAvailable, models.ClusterCreateFailed); moved || err == nil || !strings.Contains(err.Error(), `no way from the state "create-failed" to "modifying"`) {
		t.Errorf("moved %t, %v", moved, err)
	}
	expectCluster(t, db, "orders", models.ClusterAvailable)
}
