package queue

import (
	"context"
	"sync"
	"time"

	"rekindle/models"
)

// reportEvery is how often progress is written down and a request to cancel is looked for.
const reportEvery = 500 * time.Millisecond

// Stager is told what goes on: see [Report.Stage].
type Stager interface {
	Stage(text string, measure func() models.Progress)
}

// Report writes a run's progress into the catalog while it goes on, and cancels it when somebody asked for that.
type Report struct {
	mu       sync.Mutex
	progress models.Progress
	measure  func() models.Progress // refreshes the numbers; nil when there are none
	done     chan struct{}
	ended    sync.WaitGroup
}

func (q *Queue) startReport(ctx context.Context, run models.Run, cancel context.CancelCauseFunc) *Report {
	r := &Report{done: make(chan struct{})}
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

// Stage says in a sentence what goes on from here, and where the numbers come from. The numbers stay as they are when measure is nil.
func (r *Report) Stage(text string, measure func() models.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.measure != nil {
		r.progress = r.measure()
	}
	r.progress.Stage, r.measure = text, measure
}

func (r *Report) now() models.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.measure != nil {
		stage := r.progress.Stage
		r.progress = r.measure()
		r.progress.Stage = stage
	}
	return r.progress
}

func (r *Report) finish() {
	close(r.done)
	r.ended.Wait()
}
