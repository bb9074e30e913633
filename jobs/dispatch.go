package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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
			if !transfer(run) {
				return chores.Load() < int64(m.Chores) && m.verifyMayRun(run, transfers)
			}
			return slot && m.hostAllows(run) && !m.awaitsImport(run)
		}
		tenure := m.tenure.Load()
		run, claimed, err := m.begin(func() (models.Run, bool, error) { return m.DB.ClaimRun(m.run, tenure.id, allowed) })
		if slot && !(claimed && transfer(run)) {
			m.freeSlot()
		}
		switch {
		case err != nil && m.run.Err() == nil:
			m.Logger.Error("claim run", "error", err)
			m.pause(m.run, time.Second)
		case claimed:
			release := m.freeSlot
			if !transfer(run) {
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

// transfer tells whether a run moves data, and so needs memory and bandwidth.
func transfer(run models.Run) bool {
	switch run.Kind {
	case models.RunCopy, models.RunExport, models.RunImport:
		return true
	}
	return run.Kind == models.RunSnapshot || run.Kind == models.RunRestore || (run.Kind == models.RunDelete && run.SnapshotName != "")
}

// hostAllows keeps the number of forks on one host within the limit.
func (m *Manager) hostAllows(run models.Run) bool {
	if run.Kind != models.RunSnapshot {
		return true
	}
	cluster, err := m.DB.ClusterByID(m.run, run.ClusterID)
	if err != nil || len(cluster.Nodes) == 0 {
		return true // it will fail with a reason when it begins
	}
	n, err := m.DB.SnapshotsOnHost(m.run, cluster.Nodes[0].Host)
	return err == nil && n < m.SnapshotsPerHost
}

// awaitsImport tells whether a restore waits for the snapshot that it is to be made of: its files are being imported.
func (m *Manager) awaitsImport(run models.Run) bool {
	if run.Kind != models.RunRestore {
		return false
	}
	importing, err := m.DB.Importing(m.run, run.SnapshotName)
	return err != nil || importing
}

// pause waits for real time to pass: it paces I/O and decides nothing. It tells whether ctx is still alive.
func (m *Manager) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

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
	if transfer(run) {
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
	switch run.Kind {
	case models.RunSnapshot:
		return m.snapshot(ctx, run, report)
	case models.RunCreate, models.RunRestore:
		return m.create(ctx, run, report)
	case models.RunModify:
		return m.modify(ctx, run, report)
	case models.RunReboot:
		return m.reboot(ctx, run, report)
	case models.RunFailover:
		return m.failOver(ctx, run, report)
	case models.RunDelete:
		return m.delete(ctx, run, report)
	case models.RunDeleteSnapshot:
		return m.deleteSnapshot(ctx, run, report)
	case models.RunCopy:
		return m.copySnapshot(ctx, run, report)
	case models.RunExport:
		return m.export(ctx, run, report)
	case models.RunImport:
		return m.importSnapshot(ctx, run, report)
	case models.RunVerify:
		return m.verify(ctx, run, report)
	case models.RunRebuild:
		return m.rebuild(ctx, run, report)
	}
	return fmt.Errorf("unknown kind of run %q", run.Kind)
}

// maxBegins is how often a run is begun again after the console was killed in its middle, for it may be what kills it.
const maxBegins = 10

var errTooOften = errors.New("it was begun several times and the console ended each time in its middle")

// removes tells whether something of a run that has failed is removed from the store or from a host.
func removes(run models.Run, err error) bool {
	switch run.Kind {
	case models.RunSnapshot, models.RunCreate, models.RunRestore:
		return true
	case models.RunCopy, models.RunImport, models.RunExport:
		return !elsewhere(run)
	case models.RunDelete:
		return errors.Is(err, errFinalSnapshot)
	}
	return false
}

// settle writes down how a run that did not succeed ended. Bodies settle their success themselves.
func (m *Manager) settle(ctx context.Context, run models.Run, err error) error {
	if err == nil {
		return nil
	}
	status, reason := models.RunFailed, sentence(err)
	if errors.Is(err, errCancelled) {
		status, reason = models.RunCancelled, "It was cancelled."
	}
	// What can simply be begun again is, when the console is stopped: only a snapshot's moment cannot be had again.
	if errors.Is(err, errStopping) && run.Kind != models.RunSnapshot && !uploaded(run) {
		return m.DB.Requeue(ctx, run)
	}
	if removes(run, err) {
		if err := m.DB.GiveUp(ctx, run, status, reason); err != nil {
			return err
		}
	}
	switch run.Kind {
	case models.RunSnapshot:
		return errors.Join(m.discard(ctx, run), m.DB.FailRun(ctx, run, status, reason))
	case models.RunCreate, models.RunRestore:
		m.suspect(ctx, run, err)
		return errors.Join(m.wipe(ctx, run), m.DB.FailRun(ctx, run, status, reason))
	case models.RunCopy, models.RunExport, models.RunImport:
		return m.settleMove(ctx, run, err, status, reason)
	case models.RunVerify:
		return m.DB.FailRun(ctx, run, status, reason)
	case models.RunModify, models.RunReboot, models.RunFailover:
		return m.DB.FailRun(ctx, run, status, reason)
	case models.RunDelete:
		if errors.Is(err, errFinalSnapshot) {
			return errors.Join(m.discard(ctx, run), m.DB.AbandonDelete(ctx, run, reason))
		}
		return m.DB.FailRun(ctx, run, status, reason)
	case models.RunDeleteSnapshot:
		return m.settleRemoval(ctx, run, status, reason)
	default:
		return m.DB.FailRun(ctx, run, status, reason)
	}
}
