package models

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// example is a run's arguments as every catalog so far has them in its rows.
func example[T Arguments](kind RunKind, text string, want T) func(t *testing.T) RunKind {
	return func(t *testing.T) RunKind {
		t.Helper()
		run := Run{Kind: kind, Options: text}
		if got, err := Args[T](run); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read %+v (%v)", kind, got, err)
		}
		if err := run.Tell(want); err != nil || run.Options != text {
			t.Errorf("%s: written %s (%v)", kind, run.Options, err)
		}
		for _, other := range []Arguments{SnapshotArgs{}, CopyArgs{}, NoArgs{}} {
			if err := run.Tell(other); slices.Contains(other.kinds(), kind) == (err != nil) {
				t.Errorf("a %s is told %T (%v)", kind, other, err)
			}
		}
		return kind
	}
}

// None of these texts may ever be changed.
func TestArgumentsAreReadAndWrittenAsEver(t *testing.T) {
	t.Parallel()
	opens, closes := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	seen := map[RunKind]bool{}
	for _, check := range []func(*testing.T) RunKind{
		example(RunSnapshot, `{"override":true,"window_opens":"2026-11-22T03:00:00Z","window_closes":"2026-11-22T04:00:00Z","unreachable":"It is away."}`,
			SnapshotArgs{Override: true, WindowOpens: &opens, WindowCloses: &closes, Unreachable: "It is away."}),
		example(RunSnapshot, `{"of_cluster":true,"compare":true}`, SnapshotArgs{OfCluster: true, Compare: true}),
		example(RunSnapshot, `{}`, SnapshotArgs{}),
		example(RunRestore, `{"refill":true,"unreachable":"All nodes had died."}`, RestoreArgs{Refill: true, Before: "All nodes had died."}),
		example(RunRestore, `{"deadlines":"drop"}`, RestoreArgs{Deadlines: DeadlinesDropped}),
		example(RunRestore, `{}`, RestoreArgs{}),
		example(RunStraight, `{"cluster":"orders","cluster_id":3,"moment":"2026-11-27T10:41:07Z","places":[{"shard":2,"run":"00000000000000aa","offset":7}],"base":"one"}`, StraightArgs{"orders", 3,
			time.Date(2026, 11, 27, 10, 41, 7, 0, time.UTC), []RecoverFrom{{2, "00000000000000aa", 7}}, "one"}),
		example(RunFill, `{"existing":"replace","safety":"before"}`, FillArgs{Existing: ExistingReplace, Safety: "before"}),
		example(RunFill, `{"existing":"none","deadlines":"shift"}`, FillArgs{Existing: ExistingNone, Deadlines: DeadlinesShifted}),
		example(RunBringBack, `{"rehearse":true,"deadlines":"drop"}`, BringBackArgs{Rehearse: true, Deadlines: DeadlinesDropped}),
		example(RunBringBack, `{"replace":true,"safety":"before"}`, BringBackArgs{Replace: true, Safety: "before"}),
		example(RunModify, `{"remove_nodes":["orders-003","orders-002"]}`, ModifyArgs{[]string{"orders-003", "orders-002"}}),
		example(RunReboot, `{"reboot_nodes":["orders-002"]}`, RebootArgs{[]string{"orders-002"}}),
		example(RunFailover, `{"from":"orders-001"}`, FailoverArgs{"orders-001"}),
		example(RunMigrate, `{"source":"db1.example:6379"}`, MigrateArgs{"db1.example:6379"}),
		example(RunCompleteMigration, `{"force":true}`, CompleteArgs{true}),
		example(RunCompleteMigration, `{}`, CompleteArgs{}),
		example(RunDelete, `{"final_snapshot":"last"}`, DeleteArgs{FinalSnapshot: "last"}),
		example(RunDelete, `{"keep_automatic":true}`, DeleteArgs{KeepAutomatic: true}),
		example(RunDelete, `{}`, DeleteArgs{}),
		example(RunCopy, `{"source":"one","target":"two"}`, CopyArgs{Source: "one", Target: "two"}),
		example(RunCopy, `{"source":"one","target":"two","store":"dir:/far","written":["orders/two"]}`, CopyArgs{"one", "two", "dir:/far", []string{"orders/two"}}),
		example(RunExport, `{"source":"one","target":"out","store":"s3://b","written":["out-0001.rdb"]}`, CopyArgs{"one", "out", "s3://b", []string{"out-0001.rdb"}}),
		example(RunImport, `{"target":"one","sources":["s3://b/x.rdb"]}`, ImportArgs{Target: "one", Sources: []string{"s3://b/x.rdb"}}),
		example(RunImport, `{"target":"one","upload":true}`, ImportArgs{Target: "one", Upload: true}),
		example(RunDrill, `{"window_closes":"2026-11-22T04:00:00Z"}`, DrillArgs{&closes}),
		example(RunDrill, `{}`, DrillArgs{}),
		example(RunRecover, `{"target":"back","moment":"2026-11-27T10:41:07Z","places":[{"shard":2,"run":"00000000000000aa","offset":7}],"base":"one"}`, RecoverArgs{"back",
			time.Date(2026, 11, 27, 10, 41, 7, 0, time.UTC), []RecoverFrom{{2, "00000000000000aa", 7}}, "one"}),
		example(RunFind, `{"pattern":true,"keep":1000}`, FindArgs{Pattern: true, Keep: 1000}),
		example(RunFind, `{"keep":50,"journal":{"only":true,"since":"2026-11-27T10:41:07Z"}}`, FindArgs{Keep: 50, Journal: &FindJournal{Only: true, Since: time.Date(2026, 11, 27, 10, 41, 7, 0, time.UTC)}}),
		example(RunFind, `{"keep":50}`, FindArgs{Keep: 50}),
		example(RunFind, `{"keep":50,"token":"t"}`, FindArgs{Keep: 50, Token: "t"}),
		example(RunCreate, `{}`, NoArgs{}),
		example(RunDeleteSnapshot, `{}`, NoArgs{}),
		example(RunVerify, `{}`, NoArgs{}),
		example(RunCompare, `{}`, NoArgs{}),
		example(RunRebuild, `{}`, NoArgs{}),
	} {
		seen[check(t)] = true
	}
	for _, kind := range RunKinds() {
		if !seen[kind] {
			t.Errorf("there is no example of a %s", kind)
		}
	}
}

func TestArgumentsOfAnotherKindAreRefused(t *testing.T) {
	t.Parallel()
	run := Run{ID: 7, Kind: RunImport, Options: `{"target":"one","sources":["s3://b/x.rdb"]}`}
	if args, err := Args[CopyArgs](run); err == nil || args.Target != "" || !strings.Contains(err.Error(), "run 7") {
		t.Errorf("%+v, %v", args, err)
	}
	if args, err := run.Carries(); err != nil || args.Target != "" {
		t.Errorf("an import carries %+v (%v)", args, err)
	}
	for _, kind := range []RunKind{RunCopy, RunExport} {
		if _, err := (Run{Kind: kind, Options: "?"}).Carries(); err == nil {
			t.Errorf("a %s whose row cannot be read carries something", kind)
		}
	}
}
