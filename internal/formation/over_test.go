package formation

import (
	"context"
	"testing"
	"time"
)

// stopped is a context whose deadline has passed, and which does not know it yet.
type stopped struct{ context.Context }

func (stopped) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestTimeIsUpWhenTheDeadlineHasPassed(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, done := context.WithTimeout(t.Context(), time.Hour)
	defer done()
	for name, test := range map[string]struct {
		ctx  context.Context
		want bool
	}{
		"without a deadline":     {t.Context(), false},
		"with one that comes":    {late, false},
		"cancelled":              {ended, true},
		"a moment after it came": {stopped{t.Context()}, true},
	} {
		if got := over(test.ctx); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
