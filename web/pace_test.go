package web

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

// sender is a body whose next bytes take a while to come.
type sender struct {
	clock    *clockwork.FakeClock
	every    time.Duration
	bytes    int
	deadline time.Time
}

func (s *sender) Close() error { return nil }

func (s *sender) Read(p []byte) (int, error) {
	s.clock.Advance(s.every)
	if s.clock.Now().After(s.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	return min(s.bytes, len(p)), nil
}

func TestAnUploadGoesOnOrIsCutOff(t *testing.T) {
	t.Parallel()
	const never = -1
	for name, one := range map[string]struct {
		every, between time.Duration // what the sender takes, and what the store does
		bytes          int
		reads          int // that succeed until it is cut off
	}{
		"a byte now and then":    {every: time.Minute, bytes: 1, reads: 2},
		"a byte every second":    {every: time.Second, bytes: 1, reads: 120},
		"half of the rate":       {every: time.Second, bytes: uploadRate / 2, reads: 239},
		"the rate":               {every: time.Second, bytes: uploadRate, reads: never},
		"a burst a minute":       {every: time.Minute, bytes: 64 * uploadRate, reads: never},
		"a stall":                {every: uploadIdle + time.Second, bytes: 1 << 20, reads: 0},
		"fast, and a slow store": {every: time.Millisecond, between: 10 * time.Minute, bytes: 1 << 10, reads: never},
	} {
		clock := clockwork.NewFakeClock()
		s := &sender{clock: clock, every: one.every, bytes: one.bytes}
		body := &paced{ReadCloser: s, deadline: func(at time.Time) error { s.deadline = at; return nil }, now: clock.Now, patience: uploadIdle}
		reads, err := 0, error(nil)
		for reads < 1000 {
			if _, err = body.Read(make([]byte, 1<<20)); err != nil {
				break
			}
			reads++
			clock.Advance(one.between)
		}
		if one.reads == never && err != nil || one.reads != never && (reads != one.reads || !errors.Is(err, os.ErrDeadlineExceeded)) {
			t.Errorf("%s: %d reads, %v", name, reads, err)
		}
	}
}
