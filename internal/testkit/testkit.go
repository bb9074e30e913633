// Package testkit gives tests real servers, data of every kind to put into them, and a way to
// tell whether two servers hold the same data.
//
// A test that needs Redis says
//
//	source := testkit.Redis(t)
//	testkit.Fill(t, source.Client(), 1000)
//	... copy it somewhere ...
//	if testkit.Fingerprint(t, source.Client()) != testkit.Fingerprint(t, target.Client()) { ... }
//
// The servers are real redis-server processes on free ports of 127.0.0.1. They end with the test,
// even when the test binary itself is killed. Nothing here is ever skipped: a machine without
// redis-server fails the test and says what to do.
//
// Only tests import this package.
package testkit

import (
	"testing"
	"time"
)

const (
	patience = 2 * time.Minute

	// Each check costs something, such as a query under the race detector. So the longer the wait, the rarer the checks.
	firstRest = 5 * time.Millisecond
	lastRest  = 50 * time.Millisecond
)

// WaitFor returns as soon as cond is true, and fails the test if that takes more than two minutes, which is long: a busy machine gets there too.
// what names the awaited thing in the failure. It is the only loop that waits for things that happen
// in other processes; cond is called in the test's goroutine, at first every 5 ms, then less often, down to every 50 ms.
func WaitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	WaitUpTo(t, patience, what, cond)
}

// WaitUpTo is WaitFor for what takes longer than most.
func WaitUpTo(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	if !poll(limit, cond) {
		t.Fatalf("waited %s in vain for: %s", limit, what)
	}
}

// poll calls cond until it is true (then it returns true) or the time is over.
func poll(limit time.Duration, cond func() bool) bool {
	if cond() {
		return true
	}
	began := time.Now()
	for {
		waited := time.Since(began)
		if waited >= limit {
			return cond()
		}
		time.Sleep(min(max(waited/10, firstRest), lastRest, limit-waited))
		if cond() {
			return true
		}
	}
}
