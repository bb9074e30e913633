package slots_test

import (
	"errors"
	"slices"
	"testing"

	"rekindle/internal/slots"
)

func TestSlotOfAKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{ // as CLUSTER KEYSLOT answers
		"": 0, "123456789": 12739, "foo": 12182, "{foo}bar": 12182, "a{foo}bar{x}": 12182, "foo{}{bar}": 8363, "{}": 15257, "foo{{bar}}zap": 4015, "{user1000}.following": 3443,
	} {
		if got := slots.Of([]byte(name)); got != want {
			t.Errorf("slot of %q is %d, want %d", name, got, want)
		}
	}
}

func TestSetsOfSlotsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]slots.Range{"0-16383": {{0, 16383}}, "7": {{7, 7}}, "0-5460,9000,16000-16001": {{0, 5460}, {9000, 9000}, {16000, 16001}}} {
		if got, err := slots.Parse(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v (%v)", text, got, err)
		}
	}
	for text, piece := range map[string]string{"": "", "1,": "", "5-3": "5-3", "0-16384": "0-16384", "-1": "-1", "1,x": "x", "3-": "3-"} {
		_, err := slots.Parse(text)
		if e, is := errors.AsType[*slots.Error](err); !is || e.Piece != piece {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSlotsAreSpreadEvenly(t *testing.T) {
	t.Parallel()
	if got, want := slots.Spread(3), []string{"0-5460", "5461-10922", "10923-16383"}; !slices.Equal(got, want) {
		t.Errorf("three shards have %v, want %v", got, want)
	}
	for shards := 1; shards <= 500; shards++ {
		next := 0
		for _, set := range slots.Spread(shards) {
			ranges, err := slots.Parse(set)
			if err != nil || len(ranges) != 1 || ranges[0].First != next {
				t.Fatalf("%d shards: %q comes where slot %d does (%v)", shards, set, next, err)
			}
			if size := ranges[0].Last - next + 1; size < slots.Count/shards || size > slots.Count/shards+1 {
				t.Errorf("%d shards: one has %d slots", shards, size)
			}
			next = ranges[0].Last + 1
		}
		if next != slots.Count {
			t.Errorf("%d shards end before slot %d", shards, next)
		}
	}
}

func TestAMapFindsTheSetThatHasASlot(t *testing.T) {
	t.Parallel()
	m, err := slots.NewMap([]string{"0-99,300", "100-199", "16383"})
	if err != nil {
		t.Fatal(err)
	}
	for slot, want := range map[int]int{0: 0, 99: 0, 100: 1, 199: 1, 200: -1, 299: -1, 300: 0, 301: -1, 16382: -1, 16383: 2} {
		if got := m.Find(slot); got != want {
			t.Errorf("slot %d is in %d, want %d", slot, got, want)
		}
	}
	if _, err := slots.NewMap([]string{"0-99", "x"}); err == nil {
		t.Error("what is no set of slots is mapped")
	}
}
