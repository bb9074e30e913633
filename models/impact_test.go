package models

import (
	"testing"
	"time"
)

func TestWhatWasSeenAtANodeIsSummedUpByPhase(t *testing.T) {
	t.Parallel()
	n := NodeImpact{Samples: []ImpactSample{
		{At: 100, Ping: 200, Rate: -1, Memory: 10},
		{At: 200, Ping: 300, Rate: 1000, Memory: 20},
		{At: 300, Phase: PhaseDuring, Ping: 400, Rate: 500, Memory: 30, Lag: 7},
		{At: 600, Phase: PhaseDuring, Ping: 9000, Rate: 900, Memory: 25, Lag: 3},
		{At: 700, Phase: PhaseDuring, Ping: 300, Rate: -1},
	}}
	for _, c := range []struct {
		phase SamplePhase
		want  PhaseFigures
	}{
		{PhaseBefore, PhaseFigures{Samples: 2, Ping: 200 * time.Microsecond, Worst: 300 * time.Microsecond, Rate: 1000, Memory: 20}},
		{PhaseDuring, PhaseFigures{Samples: 3, Ping: 400 * time.Microsecond, Worst: 9 * time.Millisecond, Rate: 800, Memory: 30, Lag: 7}}, // 100 ms at 500 and 300 ms at 900
		{PhaseAfter, PhaseFigures{Rate: -1}},
	} {
		if got := n.Figures(c.phase); got != c.want {
			t.Errorf("phase %d: %+v, want %+v", c.phase, got, c.want)
		}
	}
}

func TestThePartThatCostMostIsFound(t *testing.T) {
	t.Parallel()
	part := func(shard int, begun, fork, ping int64) PartImpact {
		return PartImpact{Shard: shard, Begun: begun, Nodes: []NodeImpact{{ForkMicros: fork, Samples: []ImpactSample{{Phase: PhaseDuring, Ping: ping}}}}}
	}
	for name, c := range map[string]struct {
		parts []PartImpact
		want  int // 0: none
	}{
		"nothing":              {nil, 0},
		"one that never began": {[]PartImpact{part(1, 0, 5, 5)}, 0},
		"the longest fork":     {[]PartImpact{part(1, 1, 100, 50), part(2, 1, 300, 20), part(3, 1, 0, 200)}, 2},
		"the longest PING":     {[]PartImpact{part(1, 1, 100, 50), part(2, 1, 0, 900)}, 2},
		"one that cost none":   {[]PartImpact{part(1, 1, 0, 0)}, 1},
	} {
		if got, found := (Impact{Parts: c.parts}).Worst(); got.Shard != c.want || found != (c.want > 0) {
			t.Errorf("%s: shard %d, %v", name, got.Shard, found)
		}
	}
}
