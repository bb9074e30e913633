package queue

import (
	"context"
	"fmt"

	"rekindle/models"
	"rekindle/models/catalog"
)

// Kind is what a console does about the runs of one kind. What people and the catalog's rules know about them is in models.
type Kind struct {
	Weighs   func(models.Run) Weight
	May      func(ctx context.Context, run models.Run, moving int) bool       // whether it may begin now, while so many others move data
	Does     func(ctx context.Context, run models.Run, report *Report) error  // the work itself; it settles its own success
	Again    func(models.Run) bool                                            // whether it is begun again when the console was stopped in the middle of it
	Removes  func(run models.Run, err error) bool                             // whether what it left in the store or on a host is removed when it has failed
	Settles  func(ctx context.Context, run models.Run, failure Failure) error // settles one that did not succeed
	Recovers func(models.Run) Recovery                                        // settles one that was cut off; nil: it is begun again
}

// Weight is how much of the console a run takes. [Config] limits how many of each weight go on at once.
type Weight int

const (
	Chore    Weight = iota // hardly anything
	Transfer               // it moves data, which needs memory: one of the slots for that
)

// With makes a [Kind]'s Does from a body that takes arguments of type A.
func With[A models.Arguments](does func(context.Context, models.Run, A, *Report) error) func(context.Context, models.Run, *Report) error {
	return func(ctx context.Context, run models.Run, report *Report) error {
		args, err := models.Args[A](run)
		if err != nil {
			return err
		}
		return does(ctx, run, args, report)
	}
}

// Failure is how an unsuccessful run ended.
type Failure struct {
	Err    error // nil when another console worked on it
	Status models.RunStatus
	Reason string // a sentence
}

// Settle settles a run that leaves nothing behind.
func (f Failure) Settle(ctx context.Context, db *catalog.DB, run models.Run) error {
	return db.Settle.Fail(ctx, run, f.Status, f.Reason)
}

// Recovery settles, by what is in the store, a run that was cut off.
type Recovery = func(context.Context, models.Run) error

// Kinds is the table: it has every kind of run.
type Kinds map[models.RunKind]Kind

// Kind returns what is done about a run. A run of a kind that only a newer console knows fails.
func (q *Queue) Kind(run models.Run) Kind {
	if k, known := q.Kinds[run.Kind]; known {
		return k
	}
	return Kind{
		Weighs: func(models.Run) Weight { return Chore },
		May:    func(context.Context, models.Run, int) bool { return true },
		Does: func(context.Context, models.Run, *Report) error {
			return fmt.Errorf("unknown kind of run %q", run.Kind)
		},
		Again:   func(models.Run) bool { return true },
		Removes: func(models.Run, error) bool { return false },
		Settles: func(ctx context.Context, run models.Run, f Failure) error {
			return f.Settle(ctx, q.DB, run)
		},
		Recovers: func(models.Run) Recovery { return nil },
	}
}
