package attached

import (
	"strings"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestASnapshotIsNotWholeWhenSlotsHaveMoved(t *testing.T) {
	t.Parallel()
	nodes := testkit.InClusterMode(t, 3, 0)
	cluster := models.Cluster{Name: "orders", Attachment: &models.Attachment{Access: at(nodes[0].Addr).Access}}
	found, moving, err := lookWhole(t.Context(), cluster)
	if err != nil || len(moving) > 0 {
		t.Fatal(err, moving)
	}
	guard := Guard{cluster, slotsOf(found)}
	if err := guard.Check(t.Context()); err != nil {
		t.Errorf("nothing has moved: %v", err)
	}
	id := nodes[1].Client().Do(t.Context(), "CLUSTER", "MYID").Val()
	other := nodes[0].Client().Do(t.Context(), "CLUSTER", "MYID").Val()
	tell := func(node *testkit.Server, args ...any) {
		t.Helper()
		if err := node.Client().Do(t.Context(), append([]any{"CLUSTER", "SETSLOT", 5}, args...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	tell(nodes[1], "IMPORTING", other)
	if err := guard.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "discarded") {
		t.Errorf("while a slot moves: %v", err)
	}
	for _, node := range nodes {
		tell(node, "NODE", id)
	}
	if err := guard.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "discarded") {
		t.Errorf("when a slot has moved: %v", err)
	}
}
