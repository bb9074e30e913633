package jobs

import (
	"context"
	"sync"
	"time"

	"rekindle/models"
)

// reportEvery is how often progress is written down and a request to cancel is looked for.
const reportEvery = 500 * time.Millisecond

// report writes a run's progress into the catalog while it goes on, and cancels it when somebody asked for that.
type report struct {
	mu       sync.Mutex
	progress models.Progress
	measure  func() models.Progress // refreshes the numbers; nil when there are none
	done     chan struct{}
	ended    sync.WaitGroup
}

func (m *Manager) startReport(ctx context.Context, run models.Run, cancel context.CancelCauseFunc) *report {
	r := &report{done: make(chan struct{})}
	clean := context.WithoutCancel(ctx)
	r.ended.Go(func() {
		ticker := time.NewTicker(reportEvery)
		defer ticker.Stop()
		var last models.Progress
		write := func() {
			now := r.now()
			if now == last {
				return // not a write to the catalog for nothing
			}
			if err := m.DB.Runs.ReportProgress(clean, run, now); err != nil {
				m.Logger.Error("report progress", "run", run.ID, "error", err)
			}
			last = now
		}
		for {
			write()
			if asked, err := m.DB.Runs.CancelRequested(clean, run.ID); err != nil {
				m.Logger.Error("look for a request to cancel", "run", run.ID, "error", err)
			} else if asked {
				cancel(errCancelled)
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

// stage says in a sentence what is going on from here, and where the numbers come from; the numbers stay as they are when measure is nil.
func (r *report) stage(text string, measure func() models.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.measure != nil {
		r.progress = r.measure()
	}
	r.progress.Stage, r.measure = text, measure
}

func (r *report) now() models.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.measure != nil {
		stage := r.progress.Stage
		r.progress = r.measure()
		r.progress.Stage = stage
	}
	return r.progress
}

func (r *report) end() {
	close(r.done)
	r.ended.Wait()
}
