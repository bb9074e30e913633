package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"rekindle/models"
)

// Calls makes each request of the API act once.
type Calls struct{ db *DB }

// moments is how far apart honest requests with the same signature can be.
const moments = 2 * time.Second

// How long the rows are kept. A client gives up far earlier, and a signature is worthless a quarter of an hour after its time.
const (
	invocationsKept = 24 * time.Hour
	signaturesKept  = 40 * time.Minute
)

// errInvoked says that the invocation has acted before. It must not be a duplicate-key error, after which those who pick ports try again.
var errInvoked = errors.New("this request has already been carried out")

type invocationKey struct{}

// invocation is the mark that the next transaction leaves.
type invocation struct {
	number  string
	written bool
}

// Once calls fn so that it acts once, however often it is called with this number: it acts in its first transaction. If that has happened before,
// nothing is done. With an empty number it always acts.
func (q Calls) Once(ctx context.Context, number string, fn func(ctx context.Context) error) error {
	if number == "" {
		return fn(ctx)
	}
	_, found, err := find[models.Invocation](q.db.with(ctx).Where("number = ?", number))
	if err != nil {
		return fmt.Errorf("look for an earlier request: %w", err)
	} else if found {
		return nil
	}
	err = fn(context.WithValue(ctx, invocationKey{}, &invocation{number: number}))
	if errors.Is(err, errInvoked) {
		return nil // the same request at the same time
	}
	return err
}

// markInvocation writes the mark, in the first transaction that runs under the invocation.
func markInvocation(ctx context.Context, tx *DB) (*invocation, error) {
	mark, _ := ctx.Value(invocationKey{}).(*invocation)
	if mark == nil || mark.written {
		return nil, nil
	}
	now := tx.Now()
	if tx.Clock.mayForget() {
		if err := tx.with(ctx).Where("at < ?", now.Add(-invocationsKept)).Delete(&models.Invocation{}).Error; err != nil {
			return nil, fmt.Errorf("forget old requests: %w", err)
		}
	}
	err := tx.with(ctx).Create(&models.Invocation{Number: mark.number, At: now}).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return nil, errInvoked
	} else if err != nil {
		return nil, fmt.Errorf("note the request: %w", err)
	}
	mark.written = true
	return mark, nil
}

// Admit decides whether a signed request may be answered, and notes it. The second request with a signature may be a copy. But clients sign whole
// seconds, and not the number of the invocation, so within moments an honest client can come twice with one signature: with the next attempt of an
// invocation, which acts once, or with another invocation that asks for the same. The latter is worked on, and its answer depends on the state that
// the first one left. Every change names what it makes, changes or removes, so a stranger who copies it within these moments gets no more out of it
// than the sender asked for. A request that is word for word as before is a copy; so is a change without a number, which cannot be told apart; and so
// is everything that comes later. look says that the request changes nothing.
func (q Calls) Admit(ctx context.Context, s models.Signature, look bool) (bool, error) {
	admitted := false
	err := q.db.transaction(ctx, func(tx *DB) error {
		s.At = tx.Now()
		if tx.Clock.mayForget() {
			// A time in the future comes from a clock that was set back.
			old := tx.with(ctx).Where("at < ? OR at > ?", s.At.Add(-signaturesKept), s.At.Add(signaturesKept)).Delete(&models.Signature{})
			if old.Error != nil {
				return fmt.Errorf("forget old signatures: %w", old.Error)
			}
		}
		var seen []models.Signature
		if err := tx.with(ctx).Where("signature = ?", s.Signature).Order("id").Find(&seen).Error; err != nil {
			return fmt.Errorf("look for a signature: %w", err)
		}
		for _, earlier := range seen {
			nameless := s.Invocation == ""
			copied := !nameless && earlier.Invocation == s.Invocation && earlier.Attempt == s.Attempt
			if copied || nameless && !look || s.At.Sub(seen[0].At) > moments {
				return nil
			}
		}
		if err := tx.with(ctx).Create(&s).Error; err != nil {
			return fmt.Errorf("note a signature: %w", err)
		}
		admitted = true
		return nil
	})
	if look && Trouble(err) != "" {
		return true, nil // a copy of it could do no more than look once more
	}
	return admitted, err
}
