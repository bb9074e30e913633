package s3_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
)

func readBack(t *testing.T, s *s3.Store) ([]byte, error) {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return io.ReadAll(r)
}

// A bit that is flipped on the way must not look like a damaged object, nor like a good one.
func TestFlippedBitInWhatIsRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		checksums s3.Checksums
		size      int
		faults    []testkit.Fault
		unseen    bool
	}{
		"first byte":           {s3.CRC64NVME, small, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.FlipAnswer}}, false},
		"last byte":            {s3.CRC64NVME, small, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.FlipAnswer, After: small - 1}}, false},
		"in parts":             {s3.CRC64NVME, large, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.FlipAnswer, After: 6 << 20}}, false},
		"before a cut":         {s3.CRC64NVME, large, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.CutAnswer, After: 3 << 20}, {On: "GetObject", Times: 1, Do: testkit.FlipAnswer, After: 100}}, false},
		"compatible":           {s3.Compatible, small, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.FlipAnswer, After: 100}}, false},
		"compatible, in parts": {s3.Compatible, large, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.FlipAnswer, After: 100}}, true},
		"no checksum to go by": {s3.CRC64NVME, small, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.EditAnswer, Edit: noChecksums}}, true},
		"a checksum of checksums": {s3.CRC64NVME, small, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.EditAnswer, Edit: func(h http.Header) {
			h.Set("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=")
			h.Set("X-Amz-Checksum-Type", "COMPOSITE")
		}}}, true},
		"an ETag that is no MD5": {s3.Compatible, small, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.EditAnswer, Edit: func(h http.Header) { h.Set("Etag", `"0xAF8"`) }}}, true},
		"an MD5 of what KMS made": {s3.Compatible, small, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.EditAnswer, Edit: func(h http.Header) {
			h.Set("Etag", `"00000000000000000000000000000000"`)
			h.Set("X-Amz-Server-Side-Encryption", "aws:kms")
		}}}, true},
		"somebody else's object": {s3.Compatible, small, []testkit.Fault{{On: "GetObject", Times: 1, Do: testkit.EditAnswer, Edit: func(h http.Header) {
			h.Set("Etag", `"00000000000000000000000000000000"`)
			noMetadata(h)
		}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := configOf(shared(t))
			c.Checksums, c.Patience = test.checksums, ample
			proxy := testkit.Faulty(t, c.Endpoint)
			c.Endpoint = proxy.Endpoint
			s := openChecked(t, shared(t), c)
			data := random(test.size)
			if _, err := s.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			proxy.Add(test.faults...)
			if _, err := readBack(t, s); errors.Is(err, store.ErrTransit) == test.unseen || test.unseen && err != nil {
				t.Errorf("reading = %v", err)
			}
			if got, err := readBack(t, s); err != nil || !bytes.Equal(got, data) {
				t.Errorf("reading again = %d bytes, %v", len(got), err)
			}
		})
	}
}

// A reader that knows the object's length does not ask for its end.
func TestFlippedBitIsSaidWithTheLastByte(t *testing.T) {
	t.Parallel()
	s, proxy, _ := faulty(t, shared(t), ample)
	if _, err := s.Put(t.Context(), key, bytes.NewReader(random(small))); err != nil {
		t.Fatal(err)
	}
	proxy.Add(testkit.Fault{On: "GetObject", Times: 1, Do: testkit.FlipAnswer})
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for read := 0; err == nil; {
		n := 0
		if n, err = r.Read(make([]byte, 100)); read+n > small {
			t.Fatal("more bytes than there are")
		}
		if read += n; read == small && !errors.Is(err, store.ErrTransit) {
			t.Fatalf("with the last byte: %v", err)
		}
	}
	if n, again := r.Read(make([]byte, 1)); n != 0 || again != err {
		t.Errorf("afterwards: %d, %v", n, again)
	}
}
