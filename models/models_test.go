package models

import (
	"testing"
	"time"
)

// monday is when the fake clocks of most tests begin: 2026-01-05 10:00 UTC.
var monday = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

var testEngine = Engine{"redis", "7.0.15"}

// must lets a test use a result in one line: must(f())(t).
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused fails the test unless err is a refusal with this code and nothing but sentences.
func refused(t testing.TB, err error, code Code) Faults {
	t.Helper()
	faults, ok := AsFaults(err)
	if !ok || !HasCode(err, code) {
		t.Fatalf("want a refusal with the code %s, got %v", code, err)
	}
	for _, f := range faults {
		if f.Code == "" || len(f.Message) < 5 || f.Message[len(f.Message)-1] != '.' {
			t.Errorf("not a fault with a code and a sentence: %+v", f)
		}
	}
	return faults
}
