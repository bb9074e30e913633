package models

import (
	"testing"
	"time"
)

func TestAnAlarmIsToldOnceAndRepeatedQuietly(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	at := func(h float64) time.Time { return noon.Add(time.Duration(h * float64(time.Hour))) }
	alarm := func(c Condition, since float64) Alarm { return Alarm{ID: 7, Condition: c, Since: at(since)} }
	told := func(since, when float64) Telling {
		return Telling{ChannelID: 3, AlarmID: 7, Since: at(since), At: at(when)}
	}
	never := -1.0
	for name, test := range map[string]struct {
		alarm    Alarm
		was      Telling
		repeat   int
		happened bool
		now      float64
		phase    Phase
		again    float64
	}{
		"it begins":                                  {alarm(ConditionFailed, 0), Telling{}, 24, true, 0, PhaseBegins, never},
		"one that lasts begins":                      {alarm(ConditionUnreachable, 0), Telling{}, 24, true, 0, PhaseBegins, 24},
		"it happens again soon":                      {alarm(ConditionFailed, 0), told(0, 0), 24, true, 1, "", never},
		"it happens again after a day":               {alarm(ConditionFailed, 0), told(0, 0), 24, true, 24, PhaseLasts, never},
		"it does not last, so nobody is reminded":    {alarm(ConditionFailed, 0), told(0, 0), 24, false, 48, "", never},
		"one that lasts is looked at too early":      {alarm(ConditionUnreachable, 0), told(0, 0), 24, false, 23, "", 24},
		"one that lasts is reminded of":              {alarm(ConditionUnreachable, 0), told(0, 0), 24, false, 24, PhaseLasts, 48},
		"the channel wants no repetition":            {alarm(ConditionUnreachable, 0), told(0, 0), 0, true, 99, "", never},
		"it is over and comes back at once":          {alarm(ConditionUnreachable, 0.5), told(0, 0), 24, true, 0.5, "", 1},
		"it came back and stays":                     {alarm(ConditionUnreachable, 0.5), told(0, 0), 24, false, 1, PhaseBegins, 25},
		"it comes back the next night":               {alarm(ConditionFailed, 23), told(0, 0), 24, true, 23, PhaseBegins, never},
		"without repetition it is told when it does": {alarm(ConditionFailed, 23), told(0, 0), 0, true, 23, PhaseBegins, never},
		"the clock was set back":                     {alarm(ConditionFailed, 0), told(0, 50), 24, true, 0, PhaseBegins, never},
	} {
		phase, then := Channel{ID: 3, RepeatHours: test.repeat}.Tell(test.alarm, test.was, test.happened, at(test.now))
		if phase != test.phase {
			t.Errorf("%s: the phase is %q, want %q", name, phase, test.phase)
		}
		switch {
		case (then.AgainAt == nil) != (test.again == never), then.AgainAt != nil && !then.AgainAt.Equal(at(test.again)):
			t.Errorf("%s: it is looked at again at %v, want %v h", name, then.AgainAt, test.again)
		case phase != "" && (!then.At.Equal(at(test.now)) || !then.Told(test.alarm)):
			t.Errorf("%s: what was told is remembered as %+v", name, then)
		case phase == "" && !then.At.Equal(test.was.At):
			t.Errorf("%s: nothing was told, but it is remembered as %+v", name, then)
		case then.ChannelID != 3 || then.AlarmID != 7:
			t.Errorf("%s: %+v", name, then)
		}
	}
}

func TestEveryConditionHasItsWords(t *testing.T) {
	t.Parallel()
	for _, c := range Conditions() {
		e := Event{ClusterName: "orders", SnapshotName: "orders-1", Place: "The disk"}
		a := Alarm{Condition: c, Subject: c.Subject(e)}
		if c.Label() == "" || a.Subject == "" {
			t.Errorf("%s has the label %q and is about %q", c, c.Label(), a.Subject)
		}
		begins, ends := a.Title(PhaseBegins), a.Title(PhaseEnds)
		for _, title := range []string{begins, ends} {
			if title == "" || contains(title, "%!") || contains(title, "%s") {
				t.Errorf("%s is told as %q", c, title)
			}
		}
		if begins == ends || a.Title(PhaseLasts) != "Still: "+begins {
			t.Errorf("%s: %q, %q, %q", c, begins, a.Title(PhaseLasts), ends)
		}
	}
}

func TestDeliveriesAreTriedAgainAndThenGivenUp(t *testing.T) {
	t.Parallel()
	var total time.Duration
	attempts := 1
	for ; ; attempts++ {
		pause, again := RetryDelivery(attempts)
		if !again {
			break
		}
		if pause <= 0 {
			t.Fatalf("after %d attempts it waits %s", attempts, pause)
		}
		total += pause
	}
	if attempts != 6 || total < 8*time.Hour {
		t.Errorf("there are %d attempts in %s", attempts, total)
	}
}
