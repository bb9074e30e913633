package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
)

// TestWhatThisServerDoes reports, for the table of `make test-s3`, how the server was found to behave. However that is, the console must have noticed
// it.
func TestWhatThisServerDoes(t *testing.T) {
	if os.Getenv("REKINDLE_S3_SERVER") == "" {
		t.Skip("for make test-s3")
	}
	for _, checksums := range []s3.Checksums{s3.CRC64NVME, s3.Compatible} {
		c := configOf(shared(t))
		c.Checksums, c.Patience = checksums, ample
		s := open(t, c)
		said := "works"
		if err := s.Check(t.Context()); err != nil {
			t.Logf("%s: Check = %v", checksums, err)
			said = "refused by the check"
			if _, err := s.Put(t.Context(), key, only{bytes.NewReader(random(middle))}); err == nil {
				t.Errorf("%s: the Check fails, and a Put in parts goes well", checksums)
			}
		} else if _, err := s.Put(t.Context(), key, only{bytes.NewReader(random(middle))}); err != nil {
			t.Errorf("%s: the Check goes well, and a Put in parts fails: %v", checksums, err)
		}
		d, err := s.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wrong := "refused"
		if strings.Contains(strings.Join(d.Warnings, " "), "checksum is wrong") {
			wrong = "taken"
		}
		if said != "works" {
			wrong = "-"
		}
		fmt.Printf("FACT checksums=%s|%s\n", checksums, said)
		fmt.Printf("FACT wrong %s|%s\n", checksums, wrong)
		if checksums == s3.CRC64NVME && said == "works" || checksums == s3.Compatible {
			fmt.Printf("FACT conditional|%s\n", map[bool]string{true: "yes", false: "no"}[s.Exclusive(t.Context())])
		}
	}
	s := open(t, configOf(shared(t)))
	leaveUpload(t, s)
	swept := "all"
	if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); errors.Is(err, store.ErrCannotSweep) {
		swept = "cannot"
	} else if err != nil {
		t.Errorf("Sweep = %v", err)
	} else if n != 1 {
		swept = "none"
	}
	fmt.Printf("FACT sweep|%s\n", swept)
}
