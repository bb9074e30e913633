package impact

import (
	"testing"
	"time"
)

func TestCommandsAreCountedWithoutThoseThatMeasure(t *testing.T) {
	t.Parallel()
	w := watch{done: -1}
	for _, c := range []struct {
		at, done int64
		want     float64
	}{
		{100, 5000, -1},   // nothing to compare with
		{200, 5012, 100},  // ten others in 100 ms
		{205, 5016, -1},   // too soon to say
		{210, 5020, -1},   //
		{300, 5118, 1000}, // 106 since 200, of which three samples are six
		{400, 3, -1},      // somebody has reset the statistics
		{500, 5, 0},       // nothing but what measures
		{600, 6, 0},
	} {
		if got := w.rate(c.at, c.done); got != c.want {
			t.Errorf("at %d: %v, want %v", c.at, got, c.want)
		}
	}
}

func TestALongReadingIsDisturbedLessOften(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for _, since := range []time.Duration{0, time.Second, time.Minute, 24 * time.Hour} {
		if p := pause(since); p < last || p > time.Second {
			t.Errorf("after %s: %s", since, p)
		} else {
			last = p
		}
	}
}
