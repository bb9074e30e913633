package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"rekindle/internal/drain"
	"rekindle/models"
)

// SettleTimeout bounds the clean-up after a run. The clean-up has a context of its own, because the run's may have ended.
const SettleTimeout = 2 * time.Minute

// execute carries out one run and settles it, whatever happens.
func (q *Queue) execute(tenure *tenure, run models.Run) {
	ctx, cancel := tenure.within(q.loops.Context())
	defer cancel(nil)
	_ = q.conduct(ctx, cancel, run, func(report *Report) error { return q.carryOut(ctx, run, report) })
}

// conduct does the work of a run, with its progress written down, and settles it. It returns how the run ended.
func (q *Queue) conduct(ctx context.Context, cancel context.CancelCauseFunc, run models.Run, body func(*Report) error) error {
	logger := q.Logger.With("run", run.ID, "kind", run.Kind, "cluster", run.ClusterName, "snapshot", run.SnapshotName)
	logger.Info("run begins")
	defer q.working.Delete(run.ID)
	begun := q.DB.Now()
	trail := q.newTrail(ctx, run)
	report := q.startReport(ctx, run, cancel, trail)
	if q.Kind(run).Weighs(run) == Transfer {
		q.moving.Add(1)
		defer q.moving.Add(-1)
	}
	err := guarded(func() error { return body(report) })
	report.finish()
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	clean, done := context.WithTimeout(context.WithoutCancel(ctx), SettleTimeout)
	defer done()
	switch settled := q.Settle(clean, run, err); {
	case errors.Is(settled, models.ErrRunEnded):
		logger.Warn("run has been taken over by another console, or has ended", "error", err)
		if q.Kind(run).Recovers(run) != nil {
			q.ClearsAway(clean, run)
		}
	case settled != nil:
		logger.Error("run could not be settled; tried again in a minute", "error", settled)
	}
	trail.end(err, report.progress)
	if q.Ended != nil {
		q.Ended(run, q.DB.Now().Sub(begun), err)
	}
	switch {
	case err == nil:
		logger.Info("run succeeded")
	case errors.Is(err, ErrCancelled), errors.Is(err, drain.ErrStopping):
		logger.Info("run cut off", "cause", context.Cause(ctx))
	default:
		logger.Error("run failed", "error", err)
	}
	return err
}

// carryOut calls the body of the run's kind.
func (q *Queue) carryOut(ctx context.Context, run models.Run, report *Report) error {
	if run.Attempts > maxBegins {
		return ErrTooOften
	}
	return q.Kind(run).Does(ctx, run, report)
}

// maxBegins limits how often a run is begun again after the console was killed in the middle of it: the run may be what kills the console.
const maxBegins = 10

// Settle writes down how a run that did not succeed ended. Bodies settle their success themselves.
func (q *Queue) Settle(ctx context.Context, run models.Run, err error) error {
	if err == nil {
		return nil
	}
	kind := q.Kind(run)
	if errors.Is(err, drain.ErrStopping) && kind.Again(run) {
		return q.DB.Runs.Requeue(ctx, run)
	}
	f := Failure{err, models.RunFailed, q.Sentence(err)}
	if errors.Is(err, ErrCancelled) {
		f.Status, f.Reason = models.RunCancelled, "It was cancelled."
	}
	if kind.Removes(run, err) {
		if err := q.DB.Runs.GiveUp(ctx, run, f.Status, f.Reason); err != nil {
			return err
		}
	}
	return kind.Settles(ctx, run, f)
}

// guarded turns a panic into a failure of this run, not of the console.
func guarded(body func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return body()
}
