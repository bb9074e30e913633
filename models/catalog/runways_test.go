package catalog

import (
	"testing"

	"rekindle/models"
)

func TestEachKindOfRunFailsInItsOwnWords(t *testing.T) {
	t.Parallel()
	for kind, want := range map[models.RunKind][2]string{
		models.RunSnapshot: {"The snapshot one of orders failed. It broke.", "The snapshot one of orders was cancelled."},
		models.RunRestore:  {"The cluster orders could not be restored from one. It broke.", "The cluster orders was not restored from one. It was cancelled."},
		models.RunStraight: {"The cluster orders could not be restored straight from pay as it was at 2026-11-27 10:41:07 UTC. It broke.",
			"The cluster orders was not restored straight from pay as it was at 2026-11-27 10:41:07 UTC. It was cancelled."},
		models.RunFill:              {"The snapshot one was not restored completely into orders. It broke.", "The snapshot one was not restored into orders. It was cancelled."},
		models.RunBringBack:         {"Keys of the snapshot one were not all brought back into orders. It broke.", "Keys of the snapshot one were no longer brought back into orders. It was cancelled."},
		models.RunCreate:            {"The cluster orders could not be created. It broke."},
		models.RunModify:            {"The cluster orders could not be modified. It broke."},
		models.RunReboot:            {"Nodes of the cluster orders could not be restarted. It broke."},
		models.RunFailover:          {"The failover of the cluster orders did not succeed. It broke."},
		models.RunMigrate:           {"The migration into orders did not begin. It broke."},
		models.RunCompleteMigration: {"The migration into orders was not completed, and goes on. It broke."},
		models.RunDelete:            {"It broke."},
		models.RunDeleteSnapshot:    {"It broke."},
		models.RunCopy:              {"The copy of the snapshot one to two failed. It broke.", "The copy of the snapshot one to two was cancelled."},
		models.RunExport:            {"The export of the snapshot one failed. It broke.", "The export of the snapshot one was cancelled."},
		models.RunImport:            {"The import of the snapshot one failed. It broke.", "The import of the snapshot one was cancelled."},
		models.RunVerify:            {"The snapshot one could not be verified. It broke.", ""},
		models.RunRecover:           {"The recovery of orders as the snapshot one failed. It broke.", "The recovery of orders as the snapshot one was cancelled."},
		models.RunRebuild:           {"It broke."},
		"of tomorrow":               {"It broke."},
	} {
		run := models.Run{Kind: kind, Status: models.RunRunning, ClusterName: "orders", SnapshotName: "one", Options: `{"source":"one","target":"two","cluster":"pay","moment":"2026-11-27T10:41:07Z"}`}
		e := endingOf(run, models.RunFailed, "It broke.")
		if e.event.Message != want[0] || e.event.Severity != models.SeverityError {
			t.Errorf("a failed %s: %s %q", kind, e.event.Severity, e.event.Message)
		}
		if !run.Cancellable() {
			continue
		}
		e = endingOf(run, models.RunCancelled, "It was cancelled.")
		if e.event.Message != want[1] || e.event.Severity != models.SeverityInfo {
			t.Errorf("a cancelled %s: %s %q", kind, e.event.Severity, e.event.Message)
		}
	}
}

func TestEveryKindOfRunHasAWay(t *testing.T) {
	t.Parallel()
	for _, kind := range models.RunKinds() {
		if way := runWays[kind]; way.home == nil || way.frees == nil {
			t.Errorf("nothing says where a %s is done, or what its end lets go", kind)
		}
	}
}
