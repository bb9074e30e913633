package impact

import (
	"math"
	"testing"

	"rekindle/models"
)

// phaseAt is that of a reading from the third second to the hundredth.
func phaseAt(at int64) models.SamplePhase {
	switch {
	case at < 3000:
		return models.PhaseBefore
	case at < 100_000:
		return models.PhaseDuring
	}
	return models.PhaseAfter
}

// However long a reading takes, as much is kept of it; and of what is merged, what hurt most.
func TestALongReadingTakesNoMoreRoomThanAShortOne(t *testing.T) {
	t.Parallel()
	for _, last := range []int64{1_000, 60_000, 3_600_000, 24 * 3_600_000} {
		var s series
		var commands float64
		pings, lags, waits := map[models.SamplePhase]int64{}, map[models.SamplePhase]int64{}, map[models.SamplePhase]int64{}
		const every = 250
		for at := int64(every); at <= last; at += every {
			phase := phaseAt(at)
			sample := models.ImpactSample{At: at, Phase: phase, Ping: 100 + at*7919%100_003, Rate: float64(at % 10_000), Memory: at, Lag: at % 1_000_003, Waits: at % 1_009}
			commands += sample.Rate * every / 1000
			pings[phase], lags[phase], waits[phase] = max(pings[phase], sample.Ping), max(lags[phase], sample.Lag), max(waits[phase], sample.Waits)
			s.add(sample)
		}
		if len(s.samples) > kept || last >= 60_000 && len(s.samples) < kept/3 {
			t.Errorf("%d ms: %d samples are kept", last, len(s.samples))
		}
		n := models.NodeImpact{Samples: s.samples}
		for phase, ping := range pings {
			if f := n.Figures(phase); f.Worst.Microseconds() != ping || f.Lag != lags[phase] || f.Waits != waits[phase] {
				t.Errorf("%d ms, phase %d: the worst are %d, %d and %d, want %d, %d and %d", last, phase, f.Worst.Microseconds(), f.Lag, f.Waits, ping, lags[phase], waits[phase])
			}
		}
		var sum float64
		since := int64(0)
		for i, sample := range s.samples {
			if sample.At <= since || sample.Phase != phaseAt(sample.At) || i > 0 && sample.Phase < s.samples[i-1].Phase {
				t.Fatalf("%d ms: %+v after %d", last, sample, since)
			}
			sum += sample.Rate * float64(sample.At-since) / 1000
			since = sample.At
		}
		if math.Abs(sum-commands) > commands/1e6 {
			t.Errorf("%d ms: %f commands, want %f", last, sum, commands)
		}
		if since != last {
			t.Errorf("the last sample is of %d, want %d", since, last)
		}
	}
}

// A rate that is not known leaves the one that is.
func TestRatesThatAreNotKnownDoNotCount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, second, want float64 }{{-1, 5, 5}, {5, -1, 5}, {-1, -1, -1}, {4, 8, 6}} {
		s := series{step: 1000}
		s.add(models.ImpactSample{At: 100, Rate: c.first})
		s.add(models.ImpactSample{At: 200, Rate: c.second})
		if len(s.samples) != 1 || s.samples[0].Rate != c.want {
			t.Errorf("%v and %v: %+v", c.first, c.second, s.samples)
		}
	}
}
