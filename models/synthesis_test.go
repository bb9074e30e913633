package models

import (
	"strings"
	"testing"
	"time"
)

func TestHowADailySnapshotIsMade(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 3, 5, 0, 0, time.UTC)
	plan := JournalPlan{Kept: true, Synthetic: true}
	ago := func(verdict Verdict, age time.Duration) JournalComparison {
		return JournalComparison{Verdict: verdict, ComparedAt: now.Add(-age)}
	}
	seen := ago(VerdictDiffers, time.Hour)
	seen.SeenAt = &now
	for name, test := range map[string]struct {
		plan JournalPlan
		last JournalComparison
		want DailyWay
	}{
		"not wanted":                        {JournalPlan{Kept: true}, ago(VerdictSame, time.Hour), OfCluster},
		"turned off":                        {JournalPlan{Synthetic: true}, ago(VerdictSame, time.Hour), OfCluster},
		"the first time":                    {plan, JournalComparison{}, ToBeCompared},
		"the day after":                     {plan, ago(VerdictSame, 24*time.Hour), OfJournal},
		"the sixth day":                     {plan, ago(VerdictSame, 6*24*time.Hour+time.Hour), OfJournal},
		"a week later, some minutes before": {plan, ago(VerdictSame, 7*24*time.Hour-10*time.Minute), ToBeCompared},
		"long ago":                          {plan, ago(VerdictSame, 100*24*time.Hour), ToBeCompared},
		"the clock was wrong":               {plan, ago(VerdictSame, -time.Hour), ToBeCompared},
		"not found out":                     {plan, ago(VerdictNone, time.Hour), ToBeCompared},
		"they differ":                       {plan, ago(VerdictDiffers, 100*24*time.Hour), OfCluster},
		"somebody has looked":               {plan, seen, ToBeCompared},
	} {
		if got := test.plan.Daily(test.last, now); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAComparisonSaysWhatCameOut(t *testing.T) {
	t.Parallel()
	c := JournalComparison{SnapshotName: "new", Base: "old", Verdict: VerdictSame}
	if e := c.Event("orders"); e.Severity != SeverityInfo || len(e.Ends) != 1 || e.Raises != "" || c.Sentence() != "Compared with what the journal makes of old at the same place: the same." {
		t.Errorf("%+v, %s", e, c.Sentence())
	}
	c.Verdict, c.Reason = VerdictDiffers, "In shard 1, something is wrong."
	if e := c.Event("orders"); e.Severity != SeverityError || e.Raises != ConditionDiffers || !strings.Contains(e.Message, "is not what the journal makes of old at the same place. In shard 1, something is wrong.") || !c.Stops() {
		t.Errorf("%+v", e)
	}
	if ConditionDiffers.chosen() != ConditionDamaged || !ConditionDiffers.Lasts() {
		t.Error("the alarm is not chosen with failed verifications, or does not last")
	}
	c.Verdict = VerdictNone
	if text := c.Sentence(); text != "It could not be compared with what the journal makes at the same place. In shard 1, something is wrong." {
		t.Error(text)
	}
}

func TestASyntheticSnapshotSaysWhereItComesFrom(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 10, 3, 5, 7, 0, time.UTC)
	cut := Cut{Asked: at, Last: at.Add(-2 * time.Second), Shards: 1, Base: "yesterday", Commands: 3}
	s := Snapshot{Origin: cut.SyntheticOrigin()}
	if s.Origin != "Made from the journal, as of 2026-03-10 03:05:07 UTC, exact to 1 ms: replayed from yesterday and 3 commands, the last of which came 2 s before." {
		t.Error(s.Origin)
	}
	if !s.Synthetic() || !s.Replayed() || s.Recovered() || s.Copied() || s.Foreign() || (Snapshot{Origin: cut.Origin()}).Synthetic() {
		t.Errorf("it is taken for something else: %s", s.Origin)
	}
}
