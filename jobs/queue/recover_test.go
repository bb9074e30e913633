package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"rekindle/internal/testkit"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// cutOff begins a run like a console that is then killed.
func (b *bench) cutOff(run models.Run) {
	b.t.Helper()
	killed, err := b.db.Owners.Enroll(b.t.Context(), "here", time.Minute)
	if err != nil {
		b.t.Fatal(err)
	}
	_, claimed, err := b.db.Runs.Claim(b.t.Context(), killed.ID, func(r models.Run) bool { return r.ID == run.ID })
	if err != nil || !claimed {
		b.t.Fatal(claimed, err)
	}
}

func TestRunsThatWereCutOffAreBegunAgainOrSettledOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	settled := b.kind(queue.Transfer, b.done)
	settled.Recovers = func(models.Run) queue.Recovery {
		return func(ctx context.Context, run models.Run) error {
			return b.fail(ctx, run, queue.Failure{Status: models.RunFailed, Reason: "found in its middle"})
		}
	}
	again, stored := b.rebuild(), b.imports()
	b.cutOff(again)
	b.cutOff(stored)
	away := errors.New("away")
	q, _ := b.start(queue.Kinds{models.RunRebuild: b.kind(queue.Chore, b.done), models.RunImport: settled}, func(c *queue.Config) {
		c.Reachable = func(context.Context) error { return away }
	})
	if run := b.await(again, models.RunSucceeded); run.Attempts != 2 {
		t.Errorf("what can be begun again was begun %d times", run.Attempts)
	}
	if err := q.Recover(t.Context()); !errors.Is(err, away) {
		t.Errorf("recovering while nothing can be looked at: %v", err)
	}
	if run := b.get(stored); run.Status != models.RunRunning {
		t.Errorf("a run of which nothing is known is %s", run.Status)
	}
	away = nil
	for range 2 {
		if err := q.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if run := b.get(stored); run.Status != models.RunFailed || run.Error != "found in its middle" || run.Attempts != 1 {
		t.Errorf("a run that is settled is %s (%s) after %d attempts", run.Status, run.Error, run.Attempts)
	}
}

// A console is frozen for longer than its lease: its runs are another's then, and what it goes on doing in them is cut off.
func TestRunsOfAFrozenConsoleGoOnElsewhere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begun, ended := make(chan struct{}), make(chan error, 1)
	cleared := make(chan uint, 1)
	stored := b.kind(queue.Chore, func(ctx context.Context, _ models.Run) error {
		close(begun)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return ctx.Err()
	})
	stored.Recovers = func(models.Run) queue.Recovery {
		return func(ctx context.Context, run models.Run) error {
			return b.fail(ctx, run, queue.Failure{Status: models.RunFailed, Reason: "found"})
		}
	}
	run := b.rebuild()
	_, frozen := b.start(queue.Kinds{models.RunRebuild: stored}, func(c *queue.Config) {
		c.ClearsAway = func(_ context.Context, run models.Run) { cleared <- run.ID }
	})
	<-begun
	before := frozen.Owner()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_ = frozen.Stop(gone) // it does not renew its lease any more, and cannot give it back
	b.home = "there"
	_, lease := b.start(queue.Kinds{models.RunRebuild: stored}, nil)
	if run := b.await(run, models.RunFailed); run.Error != "found" || run.Owner != lease.Owner() {
		t.Errorf("it failed with %q, settled by %s", run.Error, run.Owner)
	}
	if err := frozen.Hold(t.Context()); !errors.Is(err, models.ErrLeaseLost) || frozen.Owner() != before {
		t.Errorf("the one that was frozen believes in its lease: %v", err)
	}
	testkit.WaitFor(t, "what it did to be cut off", func() bool { return len(ended) > 0 })
	if err := <-ended; !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("what it did was cut off because of %v", err)
	}
	if id := <-cleared; id != run.ID {
		t.Errorf("cleared away was what run %d has left", id)
	}
	if err := lease.Hold(t.Context()); err != nil {
		t.Errorf("the other one has no lease: %v", err)
	}
}
