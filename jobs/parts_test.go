package jobs

import (
	"sync"
	"testing"

	"rekindle/jobs/queue"
	"rekindle/models"
)

func of(done, total int64) func() models.Progress {
	return func() models.Progress { return models.Progress{BytesDone: done, BytesTotal: total} }
}

// The first host may report before the others have begun.
func TestHostsReportWhileOthersAreAdded(t *testing.T) {
	t.Parallel()
	const hosts = 500
	all := newStrands(&queue.Report{}, hosts)
	var taken sync.WaitGroup
	for range hosts {
		one := all.strand()
		taken.Go(func() { one.Step(reading, readingBack, "Reading", of(1, 2)) })
	}
	taken.Wait()
	if sum := all.sum(reading); sum.BytesDone != hosts || sum.BytesTotal != 2*hosts {
		t.Errorf("the sum is %+v", sum)
	}
}

// Each step of a snapshot has its own sum over all hosts, whichever step each host is at.
func TestStepsAtSeveralHostsAreSummedApart(t *testing.T) {
	t.Parallel()
	all := newStrands(&queue.Report{}, 3)
	one, two := all.strand(), all.strand() // the first host has two shards
	expect := func(when string, step int, done, total int64) {
		t.Helper()
		if sum := all.sum(step); sum.BytesDone != done || sum.BytesTotal != total {
			t.Errorf("%s: %d of %d, not %d of %d", when, sum.BytesDone, sum.BytesTotal, done, total)
		}
	}
	one.Step(reading, readingBack, "", of(40, 100))
	expect("the second host has not begun", reading, 40, 300)
	two.Step(reading, readingBack, "", of(10, 100))
	two.Stage("Waiting for another node", nil)
	expect("what came from a node that failed does not count", reading, 40, 300)
	two.Step(reading, readingBack, "", of(200, 200))
	one.Step(reading, readingBack, "", of(100, 100))
	one.Step(readingBack, readingBack, "", of(5, 30))
	expect("one part is being read back", reading, 300, 450)
	one.Stage("Waiting until a node has what was written before", nil)
	two.Step(readingBack, readingBack, "", of(60, 60))
	one.Step(reading, readingBack, "", of(100, 100))
	expect("all three are being read", reading, 400, 400)
	one.Step(readingBack, readingBack, "", of(0, 30))
	expect("the last one is being read back", readingBack, 65, 120)
}
