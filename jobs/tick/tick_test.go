package tick_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/jobs/tick"
)

func TestATickComesAtOnceThenInItsTimeAndWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	scheduler, err := tick.New(clock)
	if err != nil {
		t.Fatal(err)
	}
	var looks, asks atomic.Int32
	err = scheduler.Add(t.Context(),
		tick.Tick{Name: "look", Every: time.Hour, Do: func(context.Context) { looks.Add(1) }},
		tick.Tick{Name: "ask", Every: 1e6 * time.Hour, Do: func(context.Context) { asks.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	if looks.Load() != 0 {
		t.Error("it ticks before it was started")
	}
	scheduler.Start()
	testkit.WaitFor(t, "both to come at once", func() bool { return looks.Load() == 1 && asks.Load() == 1 })
	testkit.WaitFor(t, "the one whose time comes", func() bool {
		clock.Advance(time.Hour)
		return looks.Load() > 1
	})
	for _, name := range []string{"ask", "nothing of this name"} {
		if err := scheduler.Now(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	testkit.WaitFor(t, "the one that was asked for", func() bool { return asks.Load() == 2 })
	if err := scheduler.Stop(); err != nil {
		t.Error(err)
	}
}
