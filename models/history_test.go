package models

import (
	"testing"
	"time"
)

func TestHistoryHasOneCellADay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	cluster := Cluster{ID: 7, Name: "orders", Configuration: Configuration{RetentionLimit: 35, SnapshotWindow: Window{Start: 3 * 60, Length: 60}}}
	opens := func(daysAgo int) time.Time { return time.Date(2026, 11, 22-daysAgo, 3, 0, 0, 0, time.UTC) }
	run := func(id uint, opened time.Time, status RunStatus, reason string) Run {
		r := Run{ID: id, Kind: RunSnapshot, ClusterID: 7, Status: status, SnapshotName: "s", Error: reason}
		if err := r.Tell(SnapshotArgs{WindowOpens: &opened}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	earlier := run(90, opens(1), RunFailed, "An earlier cluster of that name.")
	earlier.ClusterID = 6
	marks := []WindowMark{
		{Opens: opens(0), Outcome: MarkQueued, Attempts: 1}, {Opens: opens(1), Outcome: MarkQueued, Attempts: 1}, {Opens: opens(2), Outcome: MarkQueued, Attempts: 3},
		{Opens: opens(3), Outcome: MarkFailed, Attempts: 3}, {Opens: opens(4), Outcome: MarkMissed}, {Opens: opens(5), Outcome: MarkQueued, Attempts: 1},
		{Opens: opens(6), Outcome: MarkQueued, Attempts: 1}, {Opens: opens(34), Outcome: MarkMissed}, {Opens: opens(35), Outcome: MarkMissed},
		{Opens: opens(7).Add(8 * time.Hour), Outcome: MarkQueued, Attempts: 1}, {Opens: opens(7), Outcome: MarkMissed},
	}
	runs := []Run{
		run(1, opens(0), RunRunning, ""), run(2, opens(1), RunSucceeded, ""), earlier,
		run(3, opens(2), RunFailed, "The disk is full."), run(4, opens(2), RunSucceeded, ""), run(5, opens(3), RunFailed, "The disk is full."),
		run(6, opens(5), RunCancelled, "It was cancelled."), run(8, opens(7).Add(8*time.Hour), RunSucceeded, ""),
	}
	days := History(now, cluster, marks, runs)
	if len(days) != 35 || !days[34].Date.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
		t.Fatalf("%d days until %s", len(days), days[len(days)-1].Date)
	}
	for daysAgo, want := range map[int]Day{
		0: {Outcome: DayBusy, Run: 1}, 1: {Outcome: DayTaken, Run: 2}, 2: {Outcome: DayRetried, Run: 4}, 3: {Outcome: DayFailed, Run: 5, Reason: "The disk is full."},
		4: {Outcome: DayMissed}, 5: {Outcome: DayFailed, Run: 6, Reason: "It was cancelled."}, 6: {Outcome: DayTaken},
		7: {Outcome: DayTaken, Run: 8}, // the later window of a day on which the schedule was changed
		8: {Outcome: DayIdle}, 34: {Outcome: DayMissed},
	} {
		got := days[34-daysAgo]
		if got.Outcome != want.Outcome || got.Run != want.Run || got.Reason != want.Reason {
			t.Errorf("%d days ago: %+v, want %+v", daysAgo, got, want)
		}
	}
	before := History(opens(0).Add(-time.Hour), cluster, marks[1:], nil)
	if last := before[34]; last.Outcome != DayAhead || !last.Opens.Equal(opens(0)) {
		t.Errorf("before the window: %+v", last)
	}
	cluster.RetentionLimit = 0
	if last := History(opens(0).Add(-time.Hour), cluster, nil, nil)[34]; last.Outcome != DayIdle {
		t.Errorf("without a schedule: %+v", last)
	}
}

func TestTheRateOfASnapshot(t *testing.T) {
	t.Parallel()
	if got := (Taken{Bytes: 3000, Took: 2 * time.Second}).Rate(); got != 1500 {
		t.Errorf("3,000 bytes in 2 s are %d a second", got)
	}
	if got := (Taken{Bytes: 3000}).Rate(); got != 0 {
		t.Errorf("in an unknown time: %d", got)
	}
}
