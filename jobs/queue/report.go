package queue

import (
	"context"
	"sync"
	"time"

	"rekindle/models"
)

// reportEvery is how often progress is written down and a request to cancel is looked for.
const reportEvery = 500 * time.Millisecond

// Stager is told what goes on: see [Report.Stage] and [Report.Step].
type Stager interface {
	Stage(text string, measure func() models.Progress)
	Step(number, of int, text string, measure func() models.Progress)
}

// Report writes a run's progress into the catalog while it goes on, and cancels it when somebody asked for that.
type Report struct {
	clock    func() time.Time
	mu       sync.Mutex
	progress models.Progress
	measure  func() models.Progress // refreshes the numbers; nil when there are none
	done     chan struct{}
	ended    sync.WaitGroup
	trail    *trail // nil: no trace is made
}

func (q *Queue) startReport(ctx context.Context, run models.Run, cancel context.CancelCauseFunc, trail *trail) *Report {
	r := &Report{clock: q.DB.Now, done: make(chan struct{}), trail: trail}
	clean := context.WithoutCancel(ctx)
	r.ended.Go(func() {
		ticker := time.NewTicker(reportEvery)
		defer ticker.Stop()
		var last models.Progress
		write := func() {
			now := r.now()
			if now == last {
				return // do not write to the catalog for nothing
			}
			if err := q.DB.Runs.ReportProgress(clean, run, now); err != nil {
				q.Logger.Error("report progress", "run", run.ID, "error", err)
			}
			last = now
		}
		for {
			write()
			if asked, err := q.DB.Runs.CancelRequested(clean, run.ID); err != nil {
				q.Logger.Error("look for a request to cancel", "run", run.ID, "error", err)
			} else if asked {
				cancel(ErrCancelled)
			}
			select {
			case <-ticker.C:
			case <-r.done:
				write()
				return
			}
		}
	})
	return r
}

// Stage says in a sentence what goes on from here, and where the numbers come from. When measure is nil, the numbers stay as they are, but no longer
// count as those of what goes on.
func (r *Report) Stage(text string, measure func() models.Progress) { r.Step(0, 0, text, measure) }

// Step is Stage for one of several steps with numbers of their own. Whoever says the same step again goes on with it.
func (r *Report) Step(number, of int, text string, measure func() models.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	if r.trail != nil {
		r.trail.enter(text)
	}
	goesOn := number > 0 && number == r.progress.Step && of == r.progress.Steps && r.measure != nil && measure != nil
	r.progress.Stage, r.progress.Step, r.progress.Steps, r.measure = text, number, of, measure
	if !goesOn {
		r.progress.StepSince = time.Time{}
	}
}

func (r *Report) now() models.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.progress
}

// refresh reads the numbers. Those that have fallen belong to something that was begun again.
func (r *Report) refresh() {
	if r.measure == nil {
		return
	}
	before := r.progress
	r.progress = r.measure()
	r.progress.Stage, r.progress.Step, r.progress.Steps = before.Stage, before.Step, before.Steps
	r.progress.StepSince, r.progress.StepFrom = before.StepSince, before.StepFrom
	if r.clock != nil && (before.StepSince.IsZero() || r.progress.BytesDone < before.StepFrom) {
		r.progress.StepSince, r.progress.StepFrom = r.clock(), r.progress.BytesDone
	}
}

// Part is where one of several parts reports, each of which has the same steps: the second part's first step comes after the first part's last. While
// nobody knows how many parts there are, their steps have no numbers.
func Part(report Stager, index, parts int) Stager { return partOf{report, index, parts} }

type partOf struct {
	Stager
	index, parts int
}

func (p partOf) Step(number, of int, text string, measure func() models.Progress) {
	if p.parts == 0 {
		p.Stager.Stage(text, measure)
		return
	}
	p.Stager.Step(p.index*of+number, p.parts*of, text, measure)
}

func (r *Report) finish() {
	close(r.done)
	r.ended.Wait()
}
