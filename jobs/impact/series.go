package impact

import "rekindle/models"

// kept is how many samples of a node are kept at most.
const kept = 60

// series are the samples of one node. When there are too many, those that are closest together are merged, so that a reading of hours takes no more
// room than one of seconds.
type series struct {
	samples []models.ImpactSample
	starts  []int64 // when what is merged in each sample began
	step    int64   // samples within this many milliseconds are merged; 0: none are
}

// add appends a sample, which is later than all others.
func (s *series) add(sample models.ImpactSample) {
	last := len(s.samples) - 1
	if last >= 0 && s.joins(last, sample) {
		s.samples[last] = s.merged(last, sample)
		return
	}
	s.samples, s.starts = append(s.samples, sample), append(s.starts, sample.At)
	for len(s.samples) > kept {
		s.coarsen()
	}
}

// coarsen doubles the step.
func (s *series) coarsen() {
	old := s.samples
	s.step = max(100, 2*s.step)
	starts := s.starts
	s.samples, s.starts = make([]models.ImpactSample, 0, kept+1), make([]int64, 0, kept+1)
	for i, sample := range old {
		if last := len(s.samples) - 1; last >= 0 && s.joins(last, sample) {
			s.samples[last] = s.merged(last, sample)
		} else {
			s.samples, s.starts = append(s.samples, sample), append(s.starts, starts[i])
		}
	}
}

// joins tells whether a sample belongs to the one before. What was seen before, during and after the reading is never mixed.
func (s *series) joins(last int, sample models.ImpactSample) bool {
	return sample.Phase == s.samples[last].Phase && sample.At-s.starts[last] < s.step
}

// merged is the worst of two samples that follow each other, and their mean rate.
func (s *series) merged(i int, b models.ImpactSample) models.ImpactSample {
	a, since := s.samples[i], int64(0)
	if i > 0 {
		since = s.samples[i-1].At
	}
	m := models.ImpactSample{At: b.At, Phase: b.Phase, Ping: max(a.Ping, b.Ping), Memory: max(a.Memory, b.Memory), Lag: max(a.Lag, b.Lag), Waits: max(a.Waits, b.Waits)}
	switch before, after := float64(a.At-since), float64(b.At-a.At); {
	case a.Rate < 0:
		m.Rate = b.Rate
	case b.Rate < 0 || before+after <= 0:
		m.Rate = a.Rate
	default:
		m.Rate = (a.Rate*before + b.Rate*after) / (before + after)
	}
	return m
}
