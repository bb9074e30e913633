package jobs

import (
	"sync"
	"testing"

	"rekindle/jobs/queue"
	"rekindle/models"
)

// The first host may report before the others have begun.
func TestHostsReportWhileOthersAreAdded(t *testing.T) {
	t.Parallel()
	const hosts = 500
	all := newStrands(&queue.Report{}, hosts)
	var taken sync.WaitGroup
	for range hosts {
		one := all.strand()
		taken.Go(func() {
			one.Stage("Reading", func() models.Progress { return models.Progress{BytesDone: 1, BytesTotal: 2} })
		})
	}
	taken.Wait()
	if sum := all.sum(); sum.BytesDone != hosts || sum.BytesTotal != 2*hosts {
		t.Errorf("the sum is %+v", sum)
	}
}
