package queue

import (
	"testing"
	"time"

	"rekindle/models"
)

// Each step has numbers of its own, which begin when it begins; those of the step before do not count as its.
func TestStepsAreMeasuredApart(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r := &Report{clock: func() time.Time { return now }}
	expect := func(when, stage string, step int, since time.Time, from, done int64) {
		t.Helper()
		p := r.now()
		if p.Stage != stage || p.Step != step || !p.StepSince.Equal(since) || p.StepFrom != from || p.BytesDone != done {
			t.Errorf("%s: %+v", when, p)
		}
	}
	var done int64
	measure := func() models.Progress { return models.Progress{BytesDone: done, BytesTotal: 1000} }
	r.Stage("Waiting", nil)
	expect("nothing is measured", "Waiting", 0, time.Time{}, 0, 0)
	r.Step(1, 2, "Reading", measure)
	expect("the first step begins", "Reading", 1, now, 0, 0)
	begun := now
	now, done = now.Add(10*time.Second), 700
	r.Step(1, 2, "Reading on", measure)
	expect("the same step goes on", "Reading on", 1, begun, 0, 700)
	done = 1000
	r.Stage("Waiting", nil)
	expect("in between", "Waiting", 0, time.Time{}, 0, 1000)
	done = 300
	r.Step(2, 2, "Reading back", measure)
	expect("the second begins where others have been", "Reading back", 2, now, 300, 300)
	now, done = now.Add(time.Second), 100
	expect("it was begun again", "Reading back", 2, now, 100, 100)
}

func TestPartsCountTheirSteps(t *testing.T) {
	t.Parallel()
	r := &Report{}
	measure := func() models.Progress { return models.Progress{} }
	for _, one := range []struct{ index, parts, number, step, steps int }{{0, 1, 1, 1, 2}, {0, 1, 2, 2, 2}, {2, 3, 1, 5, 6}, {2, 3, 2, 6, 6}, {0, 0, 2, 0, 0}} {
		Part(r, one.index, one.parts).Step(one.number, 2, "", measure)
		if p := r.now(); p.Step != one.step || p.Steps != one.steps {
			t.Errorf("%+v: step %d of %d", one, p.Step, p.Steps)
		}
	}
}
