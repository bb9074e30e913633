package journal

import (
	"bytes"
	"os"
	"testing"
)

// FuzzDecode reads anything as a segment: it is one whose bytes are right, or an error.
func FuzzDecode(f *testing.F) {
	for _, s := range files(f, sample) {
		data, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		x, plain, err := decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		if int64(len(plain)) != x.Bytes || digestOf(string(plain)) != x.Digest && x.Digest.Hex("xxh128") != "" {
			t.Fatalf("%d bytes of %+v", len(plain), x)
		}
		_ = checkPlaces(x, plain) // whatever it says
		if _, err := ParseKey(x.Segment(int64(len(data))).Key, int64(len(data))); err != nil {
			t.Fatal(err)
		}
	})
}
