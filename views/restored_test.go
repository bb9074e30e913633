package views

import (
	"strings"
	"testing"
)

func TestKeysAreComparedWithThoseOfTheSnapshot(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		keys, of int64
		want     string
	}{
		"all":          {1500, 1500, "It has all 1,500 keys"},
		"some expired": {1400, 1500, "the others have expired or were deleted since"},
		"some written": {1600, 1500, "the others were written since"},
		"not counted":  {-1, 1500, "were counted while they were loaded"},
		"of files":     {10, -1, "were counted while they were loaded"},
		"none":         {0, 0, "The snapshot has no keys."},
	} {
		p := Cluster{Keys: test.keys, Restored: &Restored{Keys: test.of}}
		if got := p.keysText(); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
