package models

import (
	"testing"
)

func TestSuggestedNodeTypeHoldsTheData(t *testing.T) {
	t.Parallel()
	for used, want := range map[int64]string{0: "cache.t4g.micro", 300 << 20: "cache.t4g.micro", 500 << 20: "cache.t4g.small", 4 << 30: "cache.m7g.large", 1 << 62: "cache.r7g.16xlarge"} {
		if got := SuggestNodeType(used); got.Name != want {
			t.Errorf("%d bytes: %s, want %s", used, got.Name, want)
		}
	}
}
