package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// rounds is how often a test of `make test` does what it does at random; `make soak` does it as often as ROUNDS says.
func rounds(t *testing.T, everyday int) int {
	t.Helper()
	text := os.Getenv("REKINDLE_SOAK_ROUNDS")
	if text == "" {
		return everyday
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("REKINDLE_SOAK_ROUNDS must be a number from 1, not %q", text)
	}
	return n
}

// randomness is another one each time, and says how to have the same again. REKINDLE_SOAK_SEED sets it.
func randomness(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("REKINDLE_SOAK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("REKINDLE_SOAK_SEED must be a number, not %q", text)
		}
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
