package jobs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"rekindle/internal/drain"
	"rekindle/models"
)

// settleTimeout bounds the clean-up after a run, which never happens on the run's own context: that one may have ended.
const settleTimeout = 2 * time.Minute

// pollEvery is how long a run waits that another console has queued.
const pollEvery = time.Second

// dispatch claims runs as long as there are any and the limits allow, then waits to be woken.
func (m *Manager) dispatch() {
	var running sync.WaitGroup
	defer running.Wait()
	var chores atomic.Int64
	for m.run.Err() == nil {
		transfers := len(m.slots)
		slot := m.trySlot() // before a run is chosen: an upload may want the last one too
		allowed := func(run models.Run) bool {
			job := jobOf(run)
			room := slot
			if !job.moves(run) {
				room = chores.Load() < int64(m.Chores)
			}
			return room && job.may(m, run, transfers)
		}
		tenure := m.tenure.Load()
		run, claimed, err := m.begin(func() (models.Run, bool, error) { return m.DB.Runs.Claim(m.run, tenure.id, allowed) })
		if slot && !(claimed && jobOf(run).moves(run)) {
			m.freeSlot()
		}
		switch {
		case err != nil && m.run.Err() == nil:
			m.Logger.Error("claim run", "error", err)
			m.pause(m.run, time.Second)
		case claimed:
			release := m.freeSlot
			if !jobOf(run).moves(run) {
				chores.Add(1)
				release = func() { chores.Add(-1) }
			}
			running.Go(func() {
				defer m.Wake()
				defer release()
				m.execute(tenure, run)
			})
		default:
			select {
			case <-m.wake:
			case <-time.After(pollEvery): // another console may have queued one, or the catalog may be younger than this look
			case <-m.run.Done():
			}
		}
	}
}

// begin takes a run, and makes known that it is worked on: in one step, for who looks for runs that are not.
func (m *Manager) begin(claim func() (models.Run, bool, error)) (models.Run, bool, error) {
	m.claiming.Lock()
	defer m.claiming.Unlock()
	run, claimed, err := claim()
	if claimed {
		m.working.Store(run.ID, true)
	}
	return run, claimed, err
}

// hostAllows keeps the number of forks on one host within the limit.
func (m *Manager) hostAllows(run models.Run, _ int) bool {
	cluster, err := m.DB.Clusters.ByID(m.run, run.ClusterID)
	if err != nil || len(cluster.Nodes) == 0 {
		return true // it will fail with a reason when it begins
	}
	n, err := m.DB.Runs.SnapshotsOnHost(m.run, cluster.Nodes[0].Host)
	return err == nil && n < m.SnapshotsPerHost
}

// importIsThere tells whether a restore need not wait for the snapshot that it is to be made of: its files may be being imported.
func (m *Manager) importIsThere(run models.Run, _ int) bool {
	importing, err := m.DB.Copies.Importing(m.run, run.SnapshotName)
	return err == nil && !importing
}

// pause waits for real time to pass: it paces I/O and decides nothing. It tells whether ctx is still alive.
func (m *Manager) pause(ctx context.Context, d time.Duration) bool { return drain.Pause(ctx, d) }

// execute carries out one run and settles it, whatever happens.
func (m *Manager) execute(tenure *tenure, run models.Run) {
	ctx, cancel := context.WithCancelCause(tenure.ctx)
	defer cancel(nil)
	_ = m.conduct(ctx, cancel, run, func(report *report) error { return m.carryOut(ctx, run, report) })
}

// conduct does what a run is about, with its progress written down, and settles it. It returns how the run ended.
func (m *Manager) conduct(ctx context.Context, cancel context.CancelCauseFunc, run models.Run, body func(*report) error) error {
	logger := m.Logger.With("run", run.ID, "kind", run.Kind, "cluster", run.ClusterName, "snapshot", run.SnapshotName)
	logger.Info("run begins")
	defer m.working.Delete(run.ID)
	report := m.startReport(ctx, run, cancel)
	if jobOf(run).moves(run) {
		m.moving.Add(1)
		defer m.moving.Add(-1)
	}
	err := guarded(func() error { return body(report) })
	report.end()
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	clean, done := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer done()
	switch settled := m.settle(clean, run, err); {
	case errors.Is(settled, models.ErrRunEnded):
		logger.Warn("run belongs to another console by now, or has ended", "error", err)
		m.clearAway(clean, run)
	case settled != nil:
		logger.Error("run could not be settled; tried again in a minute", "error", settled)
	}
	switch {
	case err == nil:
		logger.Info("run succeeded")
	case errors.Is(err, errCancelled), errors.Is(err, errStopping):
		logger.Info("run cut off", "cause", context.Cause(ctx))
	default:
		logger.Error("run failed", "error", err)
	}
	return err
}

// carryOut calls the body of the run's kind.
func (m *Manager) carryOut(ctx context.Context, run models.Run, report *report) error {
	if run.Attempts > maxBegins {
		return errTooOften
	}
	return jobOf(run).does(m, ctx, run, report)
}

// maxBegins is how often a run is begun again after the console was killed in its middle, for it may be what kills it.
const maxBegins = 10

var errTooOften = errors.New("it was begun several times and the console ended each time in its middle")

// settle writes down how a run that did not succeed ended. Bodies settle their success themselves.
func (m *Manager) settle(ctx context.Context, run models.Run, err error) error {
	if err == nil {
		return nil
	}
	job := jobOf(run)
	if errors.Is(err, errStopping) && job.again(run) {
		return m.DB.Runs.Requeue(ctx, run)
	}
	f := failure{err, models.RunFailed, sentence(err)}
	if errors.Is(err, errCancelled) {
		f.status, f.reason = models.RunCancelled, "It was cancelled."
	}
	if job.removes(run, err) {
		if err := m.DB.Runs.GiveUp(ctx, run, f.status, f.reason); err != nil {
			return err
		}
	}
	return job.settles(m, ctx, run, f)
}
