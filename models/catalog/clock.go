package catalog

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rekindle/models"
)

// Clock judges the clock of this host.
type Clock struct{ db *DB }

// Old things are deleted, so a wrong clock would delete young ones. The catalog remembers what the clock last said. If the clock has jumped since,
// nothing is deleted because of its age until the clock agrees again, or an administrator says that it is right.

const (
	clockTolerance   = 5 * time.Minute // by how much setting a clock right may move it
	clockDowntime    = 25 * time.Hour  // how long the host may have been down without anybody having to confirm the clock
	clockAgreesFor   = time.Hour       // how long a clock that has jumped must agree before it is believed again
	witnessTolerance = 15 * time.Minute
	clockKept        = time.Minute // how often it is written down
)

// clockSetting names the setting with what is remembered of this host's clock. Consoles that share a catalog have clocks of their own.
func clockSetting(home string) string {
	if home == models.CatalogHome {
		return "clock"
	}
	return "clock:" + home
}

func (q Clock) setting() string {
	if q.db.host == nil {
		return clockSetting(models.CatalogHome)
	}
	return clockSetting(q.db.host.Home())
}

// clockState is what is remembered from one look at the clock to the next.
type clockState struct {
	Last   time.Time          `json:"last"`            // what it said
	Latest time.Time          `json:"latest"`          // the latest time that it can have been, as far as the clock was believed
	Steady time.Duration      `json:"steady"`          // the host's time since it was started, which nobody can set
	Boot   string             `json:"boot"`            // names that start of the host
	Doubt  *models.ClockDoubt `json:"doubt,omitempty"` //
	Agreed time.Duration      `json:"agreed"`          // for how long, since the doubt
}

// next is the whole rule: what to think of a clock that says now. It has no side effects.
//
// A clock that has jumped ahead is wrong until it comes back to the time that has really passed. A clock that has jumped back deletes too little
// rather than too much, so it is enough that it runs evenly for a while. The witness, if there is one, decides.
func (s clockState) next(now time.Time, steady time.Duration, boot string, witness time.Time) clockState {
	elapsed, unknown := max(0, steady-s.Steady), clockDowntime
	if boot == s.Boot {
		unknown = clockTolerance
	} else {
		elapsed = 0 // nobody knows how long the host was down
	}
	expected, latest := s.Last.Add(elapsed), s.Latest.Add(elapsed)
	ahead, back := now.After(latest.Add(unknown)), now.Before(expected.Add(-clockTolerance))
	agrees := !ahead && !back
	witnessed := !witness.IsZero() && now.Sub(witness).Abs() <= witnessTolerance
	n := clockState{Last: now, Latest: latest, Steady: steady, Boot: boot, Doubt: s.Doubt}
	switch {
	case witnessed:
		n.Latest, n.Doubt = now, nil
	case s.Doubt == nil && agrees:
	case s.Doubt == nil:
		n.Doubt = &models.ClockDoubt{Said: now, Expected: latest, Ahead: ahead}
		if back {
			n.Doubt.Expected = expected
		}
	case agrees && witness.IsZero():
		if n.Agreed = s.Agreed + elapsed; n.Agreed >= clockAgreesFor {
			n.Doubt = nil
		}
	}
	if agrees && now.After(n.Latest) {
		n.Latest = now
	}
	return n
}

// clockWatch is one process's view of the clock.
type clockWatch struct {
	mutex sync.Mutex // of those who look
	state atomic.Pointer[clockState]
	kept  clockState // what was last written down
	open  string     // names this opening of the catalog
}

func newClockWatch() *clockWatch { return &clockWatch{open: "opening " + rand.Text()} }

// Look reads the clock, writes down what it says, and returns what is doubtful about it, if anything. witness is the present time by another clock,
// such as the store's, or zero.
func (q Clock) Look(ctx context.Context, witness time.Time) (*models.ClockDoubt, error) {
	q.db.watch.mutex.Lock()
	defer q.db.watch.mutex.Unlock()
	now := q.db.clock.Now()
	steady, boot := q.steadyTime(now)
	next := q.db.watch.state.Load().next(now.Round(0).UTC(), steady, boot, witness)
	q.db.watch.state.Store(&next)
	kept := q.db.watch.kept
	if (kept.Doubt == nil) == (next.Doubt == nil) && kept.Boot == boot && steady-kept.Steady < clockKept {
		return next.Doubt, nil
	}
	if err := q.keep(ctx, kept, next); err != nil {
		return next.Doubt, err
	}
	q.db.watch.kept = next
	return next.Doubt, nil
}

// Doubt is what was doubtful about the clock when somebody last looked, if anything.
func (q Clock) Doubt() *models.ClockDoubt {
	return q.db.watch.state.Load().Doubt
}

// mayForget tells whether old things may be deleted now. It writes nothing, so it can be called in a transaction.
func (q Clock) mayForget() bool {
	now := q.db.clock.Now()
	steady, boot := q.steadyTime(now)
	return q.db.watch.state.Load().next(now.Round(0).UTC(), steady, boot, time.Time{}).Doubt == nil
}

// Confirm ends the doubt: somebody has checked the clock, and it is right.
func (q Clock) Confirm(ctx context.Context, by string) error {
	q.db.watch.mutex.Lock()
	defer q.db.watch.mutex.Unlock()
	if q.Doubt() == nil {
		return nil
	}
	now := q.db.clock.Now()
	steady, boot := q.steadyTime(now)
	utc := now.Round(0).UTC()
	next := clockState{Last: utc, Latest: utc, Steady: steady, Boot: boot}
	err := q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(tx.Clock.save(ctx, next), tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo,
			Message: fmt.Sprintf("%s has confirmed that the clock is right. Old snapshots and records are deleted again.", by)}))
	})
	if err != nil {
		return err
	}
	q.db.watch.state.Store(&next)
	q.db.watch.kept = next
	return nil
}

// remember reads what was written down, and takes a first look without writing anything. A catalog from before the clock was remembered is as old as
// the last thing that happened in it.
func (q Clock) remember(ctx context.Context) error {
	row, found, err := find[models.Setting](q.db.with(ctx).Where("name = ?", q.setting()))
	if err != nil {
		return fmt.Errorf("read what the clock said: %w", err)
	}
	now := q.db.clock.Now()
	utc := now.Round(0).UTC()
	kept := clockState{Last: utc, Latest: utc}
	if found {
		if err := json.Unmarshal([]byte(row.Value), &kept); err != nil {
			return fmt.Errorf("read what the clock said: %w", err)
		}
	} else if last, happened, err := find[models.Event](q.db.with(ctx).Order("at DESC")); err != nil {
		return fmt.Errorf("look for the last event: %w", err)
	} else if happened {
		kept.Last, kept.Latest = last.At.UTC(), last.At.UTC()
	}
	steady, boot := q.steadyTime(now)
	next := kept.next(utc, steady, boot, time.Time{})
	q.db.watch.kept = kept
	q.db.watch.state.Store(&next)
	return nil
}

// keep writes down what the clock said, and writes an event when a doubt begins or ends.
func (q Clock) keep(ctx context.Context, before, next clockState) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Clock.save(ctx, next); err != nil {
			return err
		}
		switch {
		case before.Doubt == nil && next.Doubt != nil:
			slog.WarnContext(ctx, "the clock has leapt: nothing is deleted for its age", "said", next.Doubt.Said, "expected", next.Doubt.Expected)
			return tx.Events.Add(ctx, models.Event{Severity: models.SeverityError, Message: next.Doubt.Sentence()})
		case before.Doubt != nil && next.Doubt == nil:
			slog.InfoContext(ctx, "the clock is believed again")
			return errors.Join(tx.Clock.forgetFutureWindows(ctx, *before.Doubt, next.Last),
				tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, Message: "The clock is right again. Old snapshots and records are deleted as before."}))
		}
		return nil
	})
}

func (q Clock) save(ctx context.Context, state clockState) error {
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("write what the clock said: %w", err)
	}
	return q.db.Settings.set(ctx, q.setting(), string(text))
}

// forgetFutureWindows removes the marks that a clock running ahead has set: those windows are still to come.
func (q Clock) forgetFutureWindows(ctx context.Context, doubt models.ClockDoubt, now time.Time) error {
	if !doubt.Ahead {
		return nil
	}
	if err := q.db.with(ctx).Where("opens > ?", now.Add(24*time.Hour)).Delete(&models.WindowMark{}).Error; err != nil {
		return fmt.Errorf("forget windows of the future: %w", err)
	}
	return nil
}
