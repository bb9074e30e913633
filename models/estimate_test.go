package models

import (
	"testing"
	"time"
)

func TestRestoresAreEstimatedByThoseOfTheirSize(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	small := Measured{Bytes: 1 << 10, Took: 400 * time.Millisecond}
	for name, test := range map[string]struct {
		bytes    int64
		restores []Measured
		want     time.Duration
		by       int
	}{
		"nothing was restored": {bytes: mb},
		"an empty snapshot":    {restores: []Measured{small}},
		"one of the same size": {bytes: mb, restores: []Measured{{mb, 3 * time.Second}}, want: 3 * time.Second, by: 1},
		"twice as large":       {bytes: 2 * mb, restores: []Measured{{mb, 3 * time.Second}}, want: 6 * time.Second, by: 1},
		"half as large":        {bytes: mb / 2, restores: []Measured{{mb, 3 * time.Second}}, want: 3 * time.Second, by: 1},
		"those that are far do no harm": {bytes: 1000 * mb, restores: []Measured{small, small, small, {900 * mb, 9 * time.Second}, {1000 * mb, 10 * time.Second}, {1100 * mb, 11 * time.Second},
			{1000 * mb, 10 * time.Second}, {1000 * mb, 10 * time.Second}}, want: 10 * time.Second, by: 5},
		"the middle one counts": {bytes: mb, restores: []Measured{{mb, time.Second}, {mb, time.Hour}, {mb, 2 * time.Second}}, want: 2 * time.Second, by: 3},
	} {
		if got, by := EstimateRestore(test.bytes, test.restores); got != test.want || by != test.by {
			t.Errorf("%s: %s by %d, not %s by %d", name, got, by, test.want, test.by)
		}
	}
}
