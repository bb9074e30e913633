package jobs

import (
	"reflect"
	"testing"

	"rekindle/jobs/queue"
	"rekindle/jobs/vault"
	"rekindle/models"
)

func TestEveryKindOfRunHasACompleteJob(t *testing.T) {
	t.Parallel()
	kinds := (&Manager{vault: &vault.Vault{}}).kinds()
	if len(kinds) != len(models.RunKinds()) {
		t.Errorf("there are jobs for %d kinds of runs, and %d kinds", len(kinds), len(models.RunKinds()))
	}
	q := queue.New(queue.Config{Kinds: kinds})
	for _, kind := range append(models.RunKinds(), "of tomorrow") {
		row := reflect.ValueOf(q.Kind(models.Run{Kind: kind}))
		for i := range row.NumField() {
			if row.Field(i).IsNil() {
				t.Errorf("%s has no %s", kind, row.Type().Field(i).Name)
			}
		}
	}
}

// What is spread over a table is easily changed in one line: this is what an operator relies on, kind by kind.
func TestHowEachKindOfRunIsWeighedAndRecovered(t *testing.T) {
	t.Parallel()
	q := queue.New(queue.Config{Kinds: (&Manager{vault: &vault.Vault{}}).kinds()})
	for name, test := range map[string]struct {
		run                     models.Run
		moves, again, recovered bool
	}{
		"a snapshot":                       {models.Run{Kind: models.RunSnapshot}, true, false, true},
		"a restore":                        {models.Run{Kind: models.RunRestore, SnapshotName: "one"}, true, true, false},
		"a restore of a moment":            {models.Run{Kind: models.RunStraight, Options: `{}`}, true, true, false},
		"keys brought back":                {models.Run{Kind: models.RunBringBack, Options: `{}`}, true, false, true},
		"keys brought back, a rehearsal":   {models.Run{Kind: models.RunBringBack, Options: `{"rehearse":true}`}, true, true, false},
		"a new cluster":                    {models.Run{Kind: models.RunCreate}, false, true, false},
		"a change":                         {models.Run{Kind: models.RunModify}, false, true, false},
		"a restart":                        {models.Run{Kind: models.RunReboot}, false, true, false},
		"a failover":                       {models.Run{Kind: models.RunFailover}, false, true, false},
		"a deletion":                       {models.Run{Kind: models.RunDelete}, false, true, false},
		"a deletion with a snapshot":       {models.Run{Kind: models.RunDelete, SnapshotName: "last"}, true, true, false},
		"a deletion whose snapshot failed": {models.Run{Kind: models.RunDelete, SnapshotName: "last", GivenUp: models.RunFailed}, true, true, true},
		"the removal of a snapshot":        {models.Run{Kind: models.RunDeleteSnapshot}, false, true, false},
		"a copy":                           {models.Run{Kind: models.RunCopy, Options: `{}`}, true, true, true},
		"a copy to another store":          {models.Run{Kind: models.RunCopy, Options: `{"store":"dir:/far"}`}, true, true, false},
		"an export":                        {models.Run{Kind: models.RunExport, Options: `{"store":"dir:/far"}`}, true, true, false},
		"an import":                        {models.Run{Kind: models.RunImport, Options: `{}`}, true, true, true},
		"an upload":                        {models.Run{Kind: models.RunImport, Options: `{"upload":true}`}, true, false, true},
		"a verification":                   {models.Run{Kind: models.RunVerify}, false, true, false},
		"a recovery":                       {models.Run{Kind: models.RunRecover}, true, true, false},
		"a recovery that was given up":     {models.Run{Kind: models.RunRecover, GivenUp: models.RunFailed}, true, true, true},
		"a rebuild of the catalog":         {models.Run{Kind: models.RunRebuild}, false, true, false},
		"what only a newer console can do": {models.Run{Kind: "of tomorrow"}, false, true, false},
	} {
		kind := q.Kind(test.run)
		if moves, again, recovered := kind.Weighs(test.run) == queue.Transfer, kind.Again(test.run), kind.Recovers(test.run) != nil; moves != test.moves || again != test.again || recovered != test.recovered {
			t.Errorf("%s: moves data %v, begun again when stopped %v, settled by the store when cut off %v", name, moves, again, recovered)
		}
	}
}
