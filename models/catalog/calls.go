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

// moments is how long honest requests with one signature can be apart.
const moments = 2 * time.Second

// The rows are kept so long. A client gives up far earlier, and a signature is worth nothing a quarter of an hour after its time.
const (
	invocationsKept = 24 * time.Hour
	signaturesKept  = 40 * time.Minute
)

// errInvoked tells that the invocation has acted before. It is never a duplicated key, which those who pick ports try again.
var errInvoked = errors.New("this request has acted already")

type invocationKey struct{}

// invocation is the mark that the next transaction leaves.
type invocation struct {
	number  string
	written bool
}

// Once calls fn so that it acts once, however often it is called with this number: the first transaction of fn is where it acts. When that
// has happened before, it does nothing. An empty number means always.
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

// markInvocation leaves the row, in the first transaction that runs under the invocation.
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

// Admit decides whether a signed request may be answered, and notes it. The second one with a signature may be a copy. But clients sign whole
// seconds and not the number of the invocation, so within moments an honest client can come twice with one signature: with the next attempt of
// an invocation, which acts once, or with another invocation that asks for the same. That one is worked on, and its answer goes by the state
// that the first one has left: every change names what it makes, changes or removes, so a stranger who copies it within these moments gets
// no more out of it than the sender has asked for. What comes word for word as before is a copy; so is a change without a number, by which
// nobody could tell; and everything is that comes later. look tells that nothing is changed.
func (q Calls) Admit(ctx context.Context, s models.Signature, look bool) (bool, error) {
	admitted := false
	err := q.db.transaction(ctx, func(tx *DB) error {
		s.At = tx.Now()
		if tx.Clock.mayForget() {
			// A time in the future is from a clock that was set back.
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
