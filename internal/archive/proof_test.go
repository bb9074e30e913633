package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"rekindle/internal/digest"
	"rekindle/internal/store/dir"
)

// A compressor that writes something else than it was given, as far as the proof can tell: one more byte went in than came out.
func TestWhatDoesNotDecompressToWhatWentInIsNotStored(t *testing.T) {
	t.Parallel()
	st, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := writer{src: bytes.NewReader([]byte("REDIS0010\xff\x00\x00\x00\x00\x00\x00\x00\x00")), progress: new(Progress),
		plain: newPipe(), stored: newPipe(), plainHash: digest.New(), storedHash: sha256.New()}
	w.plainHash.Write([]byte{0})
	if _, _, err := w.run(t.Context(), st, "orders/nightly/part-0001.rdb.zst"); !errors.Is(err, ErrDamaged) {
		t.Errorf("run = %v, want ErrDamaged", err)
	}
	for object, err := range st.List(t.Context(), "") {
		t.Errorf("in the store: %+v, %v", object, err)
	}
}
