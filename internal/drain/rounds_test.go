package drain_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"rekindle/internal/drain"
)

// One of three takes until the others have had three turns. It is never done twice at once, and Rounds waits for it.
func TestRoundsKeepNobodyWaitingForOneThatTakesLong(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	times, inside := map[uint]int{}, map[uint]bool{}
	slow := make(chan struct{})
	drain.Rounds(ctx, time.Millisecond, 3, func(context.Context) []uint { return []uint{1, 2, 3} }, func(n uint) uint { return n }, func(_ context.Context, n uint) {
		mu.Lock()
		if inside[n] {
			t.Errorf("%d is done twice at once", n)
		}
		inside[n] = true
		times[n]++
		if times[2] == 3 && n == 2 {
			close(slow)
			cancel()
		}
		mu.Unlock()
		if n == 1 {
			<-slow
		}
		mu.Lock()
		inside[n] = false
		mu.Unlock()
	})
	if times[1] != 1 || times[2] < 3 || inside[1] || inside[2] || inside[3] {
		t.Errorf("done %v times, and still going on are %v", times, inside)
	}
}

func TestRoundsDoNoMoreAtATimeThanTheyMay(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	now, most, done := 0, 0, 0
	drain.Rounds(ctx, time.Millisecond, 2, func(context.Context) []uint { return []uint{1, 2, 3, 4, 5, 6} }, func(n uint) uint { return n }, func(context.Context, uint) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-time.After(time.Millisecond)
		mu.Lock()
		now--
		if done++; done == 30 {
			cancel()
		}
		mu.Unlock()
	})
	if most > 2 {
		t.Errorf("%d were done at a time", most)
	}
}

// While some wait for their turn, nothing is listed: there are many of them where listing costs most.
func TestRoundsListNothingWhileSomeWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const atOnce, many = 2, 20
	var mu sync.Mutex
	listed, begun := 0, 0
	drain.Rounds(ctx, time.Nanosecond, atOnce, func(context.Context) []int {
		mu.Lock()
		defer mu.Unlock()
		if begun < listed-atOnce { // the last to begin may not be counted yet
			t.Errorf("%d have begun of %d that were listed, and it lists again", begun, listed)
		}
		fresh := make([]int, many)
		for i := range fresh {
			fresh[i] = listed + i
		}
		listed += many
		return fresh
	}, func(n int) uint { return uint(n) }, func(context.Context, int) {
		mu.Lock()
		defer mu.Unlock()
		if begun++; begun == 5*many {
			cancel()
		}
	})
}
