package models

import (
	"math"
	"testing"
	"time"
)

func TestRequestsOfAJournalCostWhatTheStoreCharges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		shards, days, verify int
		promise              time.Duration
		want                 Requests
		cost                 float64
	}{
		"ten seconds":          {1, 7, 30, 10 * time.Second, Requests{259_200, 3 * 259_200, 720}, 1.2996 + 0.31104},
		"three shards":         {3, 7, 30, 10 * time.Second, Requests{777_600, 3 * 777_600, 720}, 3.8916 + 0.93312},
		"verified each day":    {1, 7, 1, 10 * time.Second, Requests{259_200, 9 * 259_200, 720}, 1.2996 + 0.93312},
		"never verified again": {1, 35, 0, 10 * time.Second, Requests{259_200, 3 * 259_200, 720}, 1.2996 + 0.31104},
		"ten minutes":          {1, 1, 30, MaxPromise, Requests{4320, 3 * 4320, 720}, 0.0252 + 0.005184},
		"two seconds":          {1, 1, 30, MinPromise, Requests{1_296_000, 3 * 1_296_000, 720}, 6.4836 + 1.5552},
	} {
		got := RequestsOfJournal(test.shards, JournalPlan{Days: test.days, Promise: test.promise}, test.verify)
		if cost := DefaultRequestPrices.Cost(got); got != test.want || math.Abs(cost-test.cost) > 1e-6 {
			t.Errorf("%s: %+v for %f, want %+v for %f", name, got, cost, test.want, test.cost)
		}
	}
}

func TestRequestPricesAreNumbersThatCanBe(t *testing.T) {
	t.Parallel()
	for _, good := range []RequestPrices{{}, DefaultRequestPrices, {1000, 1000}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, bad := range []RequestPrices{{Put: -1}, {Get: -0.1}, {Put: 1001}, {Get: math.NaN()}, {Put: math.Inf(1)}} {
		if bad.Check() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
