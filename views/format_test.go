package views

import "testing"

func TestWhatIsStoredMayBeLargerThanItWas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ part, whole, want int64 }{
		"compressed":                 {part: 29, whole: 100, want: 29},
		"too small to be compressed": {part: 189, whole: 172, want: 109},
		"nothing":                    {part: 0, whole: 0, want: 0},
	} {
		if got := share(c.part, c.whole); got != c.want {
			t.Errorf("%s: %d %%, not %d %%", name, got, c.want)
		}
	}
	if got := percent(189, 172); got != 100 {
		t.Errorf("a progress of %d %%", got)
	}
}
