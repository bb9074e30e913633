package find

import (
	"math/rand/v2"
	"testing"
)

// FuzzNamesInPieces compares names that come in pieces with the same as a whole.
func FuzzNamesInPieces(f *testing.F) {
	for _, pattern := range []string{"*", "cart:*", "h?llo", "h[^e]llo", "*a*b*c", "**", "", "k", `x\`, "[abc", "a*"} {
		f.Add(pattern, "cart:1", uint8(1))
		f.Add(pattern, "hallo", uint8(2))
		f.Add(pattern, "xxaxbxc", uint8(3))
		f.Add(pattern, "", uint8(3))
		f.Add(pattern, pattern, uint8(3))
	}
	f.Fuzz(func(t *testing.T, pattern, name string, most uint8) {
		if len(pattern) > 300 || len(name) > 300 {
			t.Skip("long ones only take time")
		}
		rnd := rand.New(rand.NewPCG(uint64(most), uint64(len(name))))
		var n naming
		for _, q := range []Query{Exact(pattern), Pattern(pattern)} {
			n.begin(&q, int64(len(name)))
			for rest := []byte(name); len(rest) > 0; {
				piece := min(len(rest), 1+rnd.IntN(int(most)+1))
				n.piece(rest[:piece])
				rest = rest[piece:]
			}
			if got, want := n.matches(), q.Matches([]byte(name)); got != want {
				t.Errorf("%q, a pattern: %t, matches %q in pieces: %t", pattern, q.glob, name, got)
			}
		}
	})
}
