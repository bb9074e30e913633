package logical

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With more names than it had room for, in memory and in a file, each name is new once.
func TestEachNameIsNewOnce(t *testing.T) {
	t.Parallel()
	const names = 20000
	for name, memory := range map[string]int64{"in memory": 1 << 30, "in a file": 0, "first in memory": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			s, err := newSeen(folder, memory, 10)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			for round := range 2 {
				for i := range names {
					fresh, err := s.add(fmt.Sprint("name ", i))
					if err != nil {
						t.Fatal(err)
					}
					if fresh != (round == 0) {
						t.Fatalf("name %d in round %d: new is %v", i, round, fresh)
					}
				}
			}
			if _, kept := s.table.(*os.File); kept != (memory < 1<<30) || s.names != names {
				t.Errorf("%d names in %T", s.names, s.table)
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A name whose block is full goes into the next one, also from the last to the first.
func TestFullBlocks(t *testing.T) {
	t.Parallel()
	s, err := newSeen("", 1<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		for i := range perBlock * 3 / 2 {
			h := nameHash{0: 0xff, 1: 0xff, 10: byte(i), 11: byte(i >> 8), 12: 1} // all in the last block
			if fresh, err := s.put(h); err != nil || fresh != (round == 0) {
				t.Fatalf("hash %d in round %d: %v, %v", i, round, fresh, err)
			}
		}
	}
}

func TestSaysWhenNamesCannotBeKept(t *testing.T) {
	t.Parallel()
	if _, err := newSeen(filepath.Join(t.TempDir(), "missing"), 0, 1); !errors.Is(err, ErrSpool) {
		t.Error(err)
	}
}

func TestAsksForFewerKeysWhenTheyAreLarge(t *testing.T) {
	t.Parallel()
	short, long := make([]string, 500), make([]string, 500)
	for i := range long {
		long[i] = strings.Repeat("x", 50<<10)
	}
	for name, test := range map[string]struct {
		names   []string
		largest int64
		want    int
	}{
		"nothing known":       {short, 1 << 20 / firstKeys, firstKeys},
		"small":               {short, 100, batchKeys},
		"medium":              {short, 100 << 10, 10},
		"larger than a batch": {short, 1 << 30, 1},
		"the last ones":       {short[:3], 100, 3},
		"long names":          {long, 100, 2},
	} {
		taking := taking{options: Options{BatchBytes: 1 << 20}, largest: test.largest, exact: true}
		if got := taking.ask(test.names); got != test.want {
			t.Errorf("%s: %d keys instead of %d", name, got, test.want)
		}
	}
}
