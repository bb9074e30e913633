package vault

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/models"
)

// Sweeper cleans up in the store after a console that was killed or lost its lease. The queue finds the runs.
//
// The store may be away, so this is done beside the loops. Until the store answers, a run that was cut off stays as it is, its cluster stays
// snapshotting, and a tick tries again.
type Sweeper struct {
	kit
	keeper   *Keeper
	recorder *Recorder
	clocks   *clocks
	remains  *remains

	begun  time.Time     // when this console began, by the clock that dates what is in stores
	tidied atomic.Bool   // what earlier consoles had half written is gone from the store
	looked chan struct{} // closed when that was tried once
	swept  time.Time     // when the store was last swept, by the catalog's clock; only the sweep's tick uses it
	noted  atomic.Bool   // a warning said that the store has more than the catalog
}

// Looked is closed when the store was tidied for the first time, or could not be. Nothing moves data before that.
func (s *Sweeper) Looked() <-chan struct{} { return s.looked }

// tidyTimeout bounds how long snapshots and restores wait at the start for the store to be tidied.
const tidyTimeout = time.Minute

// tidyMargin is how far the clocks of the store and of the console may differ.
const tidyMargin = 5 * time.Minute

// Recover is the tick that tidies the store once after a start, and settles the runs that need the store for it. Ticks never overlap.
func (s *Sweeper) Recover(ctx context.Context) {
	if !s.tidied.Load() {
		s.tidy(ctx)
	}
	if err := s.GoOn(ctx); err != nil && ctx.Err() == nil {
		s.Logger.Error("settle runs that were cut off; tried again in a minute", "error", err)
	}
}

// tidy removes from the store what earlier consoles had half written. At the start nothing there is this console's own. If the store was away then,
// only what is certainly older than this console is touched later.
func (s *Sweeper) tidy(ctx context.Context) {
	before := s.begun.Add(-tidyMargin)
	select {
	case <-s.looked:
		if !s.clocks.agree(ctx) {
			return // this console's own things could look older than that
		}
	default:
		if alone, err := s.Lease.Alone(ctx); err != nil || alone { // otherwise another console's uploads could be older than this look
			before = time.Now()
		}
		defer s.Wake()
		defer close(s.looked)
		limited, cancel := context.WithTimeout(ctx, tidyTimeout)
		defer cancel()
		ctx = limited
	}
	switch _, err := s.Store.Sweep(ctx, before); {
	case errors.Is(err, store.ErrCannotSweep):
		s.Logger.Warn("sweep store", "error", err)
	case err != nil:
		if s.Life.Err() == nil {
			s.Logger.Error("sweep store; tried again in a minute", "error", err)
		}
		return
	}
	s.tidied.Store(true)
	s.health.judge(ctx)
}

// hourly is the tick of the sweep: once an hour, and as soon as a store that was away is back.
func (s *Sweeper) hourly(ctx context.Context) {
	now := s.DB.Now()
	if age := now.Sub(s.swept); age >= 0 && age < time.Hour {
		return
	}
	if err := s.health.Present(ctx); err != nil {
		if ctx.Err() == nil {
			s.Logger.Error("sweep store; tried again in a minute", "error", err)
		}
		return
	}
	s.swept = now
	s.sweep(ctx)
}

// sweep removes what belongs to no snapshot, here and elsewhere.
func (s *Sweeper) sweep(ctx context.Context) {
	s.SweepStore(ctx)
	s.TakeBack(ctx)
}

// TakeBack takes back from other stores what could not be taken back when the runs ended.
func (s *Sweeper) TakeBack(ctx context.Context) { s.remains.takeBackLater(ctx) }

// SweepStore removes half-written objects of a killed console, and parts without a manifest whose run has ended. Records of clusters that have
// vanished from the store are written again by their tick.
func (s *Sweeper) SweepStore(ctx context.Context) {
	if s.clocks.agree(ctx) {
		if _, err := s.Store.Sweep(ctx, time.Now().Add(-24*time.Hour)); err != nil && ctx.Err() == nil {
			s.Logger.Error("sweep store", "error", err)
		}
	}
	some, recorded, whole := make([]archive.Entry, 0, sweepBatch), make(map[string]bool), true
	for entry, err := range s.archive.ListWith(ctx, func(cluster string) { recorded[cluster] = true }) {
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			s.Logger.Error("list store", "error", err)
			whole = false
			break // what was listed before is still swept
		}
		if some = append(some, entry); len(some) < sweepBatch {
			continue
		}
		if err := s.sweepSome(ctx, some); err != nil {
			s.Logger.Error("sweep store", "error", err)
			return
		}
		some = some[:0]
	}
	err := s.sweepSome(ctx, some)
	if err == nil && whole {
		err = s.recorder.missing(ctx, recorded)
	}
	if err != nil && ctx.Err() == nil {
		s.Logger.Error("sweep store", "error", err)
	}
}

// sweepBatch is how many snapshots of the store are looked up together. Nearly all of them are whole, and need nothing.
const sweepBatch = 500

// sweepSome looks up what was listed. So the list is never newer than what the catalog says about it.
func (s *Sweeper) sweepSome(ctx context.Context, some []archive.Entry) error {
	if len(some) == 0 {
		return nil
	}
	names := make([]string, len(some))
	for i, entry := range some {
		names[i] = entry.Snapshot
	}
	states, err := s.DB.Snapshots.States(ctx, names)
	if err != nil {
		return err
	}
	for _, entry := range some {
		row, known := states[entry.Snapshot]
		if !known {
			s.noteUnknown(ctx, entry) // somebody else's, or one that a rebuilt catalog will know: never touched
		} else if row.ClusterName == entry.Cluster && useless(row) {
			if err := s.sweepUseless(ctx, entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepUseless removes what the store has of a failed snapshot, if it is still of no use: some time has passed since it was looked up.
func (s *Sweeper) sweepUseless(ctx context.Context, entry archive.Entry) error {
	row, err := s.DB.Snapshots.Get(ctx, entry.Snapshot)
	switch {
	case models.HasCode(err, models.CodeSnapshotNotFound):
		return nil // the next sweep deals with it
	case err != nil:
		return err
	case row.ClusterName != entry.Cluster || !useless(row):
		return nil
	case entry.Committed && row.CompletedAt != nil:
		if s.keeper.whole(ctx, row) { // its removal failed while the store could not be asked how far it had come
			if err := s.DB.Snapshots.Reinstate(ctx, row); err != nil {
				s.Logger.Error("reinstate snapshot", "snapshot", row.Name, "error", err)
			}
		}
		return nil
	}
	// This includes its own manifest, if that was written although the snapshot was said to have failed.
	if err := s.keeper.remove(ctx, row); err != nil {
		s.Logger.Error("remove what is left of a failed snapshot", "snapshot", entry.Snapshot, "error", err)
	}
	return nil
}

// noteUnknown says, once in a console's life, that the store has a snapshot that the catalog does not know: somebody who has lost the database should
// hear how to get it back.
func (s *Sweeper) noteUnknown(ctx context.Context, entry archive.Entry) {
	if !entry.Committed || s.noted.Load() {
		return
	}
	if _, err := s.archive.Manifest(ctx, entry.Ref); err != nil { // deleted meanwhile, or nothing that a rebuild could use
		return
	}
	if !s.noted.Swap(true) {
		s.event(ctx, models.SeverityWarning, entry.Cluster, fmt.Sprintf("The store has snapshots that the catalog does not know, such as %s of %s. "+
			"Rebuild the catalog under Settings to list them.", entry.Snapshot, entry.Cluster))
	}
}
