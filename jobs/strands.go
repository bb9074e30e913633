package jobs

import (
	"fmt"
	"sync"

	"rekindle/jobs/queue"
	"rekindle/models"
)

// The two steps of each part, see [vault.Draft.Take]. Those of all parts are shown as two: the second begins when all of them have been read.
const (
	reading     = 1
	readingBack = 2
)

// strands add up the progress at several hosts.
type strands struct {
	mu     sync.Mutex
	report *queue.Report
	all    []*strand
	shards int
	begun  [readingBack + 1]int // how many parts have come to a step
}

// strand is the work at one host.
type strand struct {
	*strands
	ended   [readingBack + 1]models.Progress // of the parts whose step has ended
	step    int                              // of the present part; 0: none
	measure func() models.Progress
}

func newStrands(report *queue.Report, shards int) *strands {
	return &strands{report: report, shards: shards}
}

func (s *strands) strand() *strand {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := &strand{strands: s}
	s.all = append(s.all, one)
	return one
}

// Stage notes that a host is waited for. What was read in vain, because the node failed, no longer counts.
func (s *strand) Stage(string, func() models.Progress) { s.enter(0, nil) }

// Step notes what happens at one host, and shows the sum over all hosts.
func (s *strand) Step(number, _ int, _ string, measure func() models.Progress) {
	s.enter(number, measure)
}

func (s *strand) enter(step int, measure func() models.Progress) {
	s.mu.Lock()
	if s.step == readingBack || s.step == reading && step == readingBack {
		s.ended[s.step] = plus(s.ended[s.step], s.measure())
	} else if s.step == reading {
		s.begun[reading]--
	}
	if step > 0 {
		s.begun[step]++
	}
	s.step, s.measure = step, measure
	shown, text := reading, fmt.Sprintf("Reading %d shards from %d hosts", s.shards, len(s.all)) // others may still be added
	if s.begun[readingBack] == s.shards {
		shown, text = readingBack, "Reading back what was stored"
	}
	s.mu.Unlock()
	s.report.Step(shown, readingBack, text, func() models.Progress { return s.sum(shown) })
}

// sum is how far all parts have come with a step. Those that have not begun are taken to be as large as the others.
func (s *strands) sum(step int) models.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum models.Progress
	for _, one := range s.all {
		sum = plus(sum, one.ended[step])
		if one.step == step {
			sum = plus(sum, one.measure())
		}
	}
	if begun := s.begun[step]; begun > 0 && begun < s.shards {
		more := float64(s.shards) / float64(begun)
		sum.BytesTotal, sum.KeysTotal = int64(float64(sum.BytesTotal)*more), int64(float64(sum.KeysTotal)*more)
	}
	return sum
}

func plus(a, b models.Progress) models.Progress {
	return models.Progress{BytesDone: a.BytesDone + b.BytesDone, BytesTotal: a.BytesTotal + b.BytesTotal, KeysDone: a.KeysDone + b.KeysDone, KeysTotal: a.KeysTotal + b.KeysTotal}
}
