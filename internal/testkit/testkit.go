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
	tick     = 5 * time.Millisecond
	patience = 30 * time.Second
)

// WaitFor returns as soon as cond is true and fails the test when it is not within 30 seconds.
// What names the awaited thing in the failure. It is the one waiting loop for things that happen
// in foreign processes; cond is called in the test's goroutine, about every 5 ms.
func WaitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !poll(patience, cond) {
		t.Fatalf("waited %s in vain for: %s", patience, what)
	}
}

// poll calls cond until it is true (then it returns true) or the time is over.
func poll(limit time.Duration, cond func() bool) bool {
	if cond() {
		return true
	}
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if cond() {
				return true
			}
		case <-deadline.C:
			return cond()
		}
	}
}
