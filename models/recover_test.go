package models

import (
	"strings"
	"testing"
	"time"
)

func TestMomentsAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 27, 10, 41, 7, 0, time.UTC)
	for _, text := range []string{"2026-11-27T10:41:07Z", "2026-11-27 10:41:07", " 2026-11-27  10:41:07 UTC ", "2026-11-27T10:41:07", "2026-11-27T11:41:07+01:00", "2026-11-27 11:41:07+01:00"} {
		if got, is := ParseMoment(text); !is || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %v, %v", text, got, is)
		}
	}
	if got, is := ParseMoment("2026-11-27 10:41:07.25"); !is || got.Nanosecond() != 250_000_000 {
		t.Errorf("a part of a second is %v, %v", got, is)
	}
	for _, text := range []string{"", "now", "10:41", "27.11.2026 10:41", "2026-11-27", "2026-13-27 10:41:07"} {
		if got, is := ParseMoment(text); is {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestWhatCannotBeRecoveredToIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for what, test := range map[string]struct {
		spec RecoverSpec
		want string
	}{
		"a moment":         {RecoverSpec{Name: "Back", Moment: now.Add(-time.Hour)}, ""},
		"now":              {RecoverSpec{Name: "back", Moment: now}, ""},
		"none":             {RecoverSpec{Name: "back"}, "Say to which moment"},
		"the future":       {RecoverSpec{Name: "back", Moment: now.Add(time.Second)}, "now it is 2026-11-27 12:00:00 UTC"},
		"before computers": {RecoverSpec{Name: "back", Moment: now.AddDate(-100, 0, 0)}, "Nothing was recorded"},
		"no name":          {RecoverSpec{Moment: now}, "Enter a snapshot name"},
		"no place":         {RecoverSpec{Name: "back", Moment: now, Places: []RecoverFrom{{Shard: 1}}}, "Shard 1 is asked for at no place"},
		"two places":       {RecoverSpec{Name: "back", Moment: now, Places: []RecoverFrom{{1, "a", 2}, {1, "a", 3}}}, "at no place, or at two"},
	} {
		faults := test.spec.Check(now)
		if text := faults.Error(); (test.want == "") != (len(faults) == 0) || !strings.Contains(text, test.want) {
			t.Errorf("%s: %q, want %q", what, text, test.want)
		}
		if test.want == "" && test.spec.Name != "back" {
			t.Errorf("%s: the name is %q", what, test.spec.Name)
		}
	}
}

func TestARecoveredSnapshotSaysWhereItComesFrom(t *testing.T) {
	t.Parallel()
	second := time.Date(2026, 11, 27, 10, 41, 7, 0, time.UTC)
	for want, cut := range map[string]Cut{
		"Recovered to 2026-11-27 10:41:07 UTC, exact to 1 ms: replayed from daily and 14,032 commands, the last of which came 3 ms before.":                                                       {second, second.Add(-3 * time.Millisecond), 0, 1, "daily", 14032},
		"Recovered to 2026-11-27 10:41:07 UTC, exact to 1 ms: replayed from daily and 1 command, the last of which came 9 s before.":                                                              {second, second.Add(-9 * time.Second), 0, 1, "daily", 1},
		"Recovered to 2026-11-27 10:41:07.25 UTC, exact to 250 ms: replayed from daily and 1 command, the last of which came 9.2 s before.":                                                       {second.Add(250 * time.Millisecond), second.Add(-9 * time.Second), 0, 1, "daily", 1},
		"Recovered to 2026-11-27 10:41:07 UTC, exact to 1 ms: replayed from daily, behind which nothing had been written.":                                                                        {second, second.Add(-9 * time.Second), 0, 1, "daily", 0},
		"Recovered to 2026-11-27 10:41:07 UTC, exact to 1 ms: replayed from daily and 2 commands, the last of which came 0 ms before. The last commands of its 3 shards are at most 12 ms apart.": {second, second, 12 * time.Millisecond, 3, "daily", 2},
	} {
		s := Snapshot{Origin: cut.Origin()}
		if s.Origin != want || !s.Recovered() || s.Copied() || s.Foreign() {
			t.Errorf("%q, want %q", s.Origin, want)
		}
	}
}
