package models

import (
	"math"
	"slices"
	"time"
)

// Measured is how long a restore of this many bytes took here.
type Measured struct {
	Bytes int64 // of the snapshot as plain RDBs
	Took  time.Duration
}

// nearest is how many restores an estimate goes by.
const nearest = 5

// EstimateRestore says how long a restore of this many bytes will take, by the restores here that were nearest in size, and by how many it goes; none:
// nobody knows. A larger one takes as much longer as it is larger. A smaller one takes no longer, and may be quicker.
func EstimateRestore(bytes int64, restores []Measured) (about time.Duration, by int) {
	if bytes <= 0 || len(restores) == 0 {
		return 0, 0
	}
	far := func(m Measured) float64 { return math.Abs(math.Log(float64(max(m.Bytes, 1)) / float64(bytes))) }
	near := slices.Clone(restores)
	slices.SortStableFunc(near, func(a, b Measured) int {
		switch fa, fb := far(a), far(b); {
		case fa < fb:
			return -1
		case fa > fb:
			return 1
		}
		return 0
	})
	near = near[:min(nearest, len(near))]
	times := make([]time.Duration, len(near))
	for i, m := range near {
		times[i] = time.Duration(float64(m.Took) * max(1, float64(bytes)/float64(max(m.Bytes, 1))))
	}
	slices.Sort(times)
	return times[len(times)/2], len(times)
}
