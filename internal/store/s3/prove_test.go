package s3_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
)

const middle = 6 << 20 // two parts

func noChecksums(h http.Header) {
	for name := range h {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-checksum-") {
			h.Del(name)
		}
	}
}

// behindProxy returns a store behind a proxy that changes what the server answers to an operation ("" for all).
func behindProxy(t *testing.T, checksums s3.Checksums, on string, edit func(http.Header)) (*s3.Store, s3.Config) {
	t.Helper()
	c := configOf(shared(t))
	c.Checksums = checksums
	proxy := testkit.Faulty(t, c.Endpoint)
	proxy.Add(testkit.Fault{On: on, Do: testkit.EditAnswer, Edit: edit})
	behind := c
	behind.Endpoint = proxy.Endpoint
	return openChecked(t, shared(t), behind), c
}

// A server, or a proxy in front of it, that keeps no checksum proves nothing: an object without one must not count as whole.
func TestObjectWithoutAChecksumIsNotProved(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(http.Header){
		"none":          noChecksums,
		"of its parts":  func(h http.Header) { h.Set("X-Amz-Checksum-Type", "COMPOSITE") },
		"another kinds": func(h http.Header) { noChecksums(h); h.Set("X-Amz-Checksum-Crc32", "AAAAAA==") },
	} {
		for _, on := range []string{"", "HeadObject"} {
			s, c := behindProxy(t, s3.CRC64NVME, on, edit)
			for _, size := range []int{small, middle} {
				_, err := s.Put(t.Context(), key, bytes.NewReader(random(size)))
				if !errors.Is(err, store.ErrUnsafe) || !strings.Contains(err.Error(), "checksums=compatible") {
					t.Errorf("%s at %q: Put of %d bytes = %v", name, on, size, err)
				}
				if stored(t, c, key) != nil {
					t.Errorf("%s at %q: the object is left", name, on)
				}
			}
			if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnsafe) {
				t.Errorf("%s at %q: Check = %v", name, on, err)
			}
		}
	}
}

// One answer that was changed on its way does not make a good object bad.
func TestOneWrongAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(http.Header){
		"a checksum": func(h http.Header) { h.Set("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=") },
		"none":       noChecksums,
	} {
		s, proxy, c := faulty(t, shared(t), ample)
		for _, size := range []int{small, middle} {
			proxy.Add(testkit.Fault{On: "HeadObject", Times: 1, Do: testkit.EditAnswer, Edit: edit})
			data := random(size)
			if _, err := s.Put(t.Context(), key, bytes.NewReader(data)); err != nil || !bytes.Equal(stored(t, c, key), data) {
				t.Errorf("%s: Put of %d bytes = %v", name, size, err)
			}
		}
	}
}

// Doing what the error says helps.
func TestCompatibleNeedsNoCRC(t *testing.T) {
	t.Parallel()
	s, c := behindProxy(t, s3.Compatible, "", noChecksums)
	for _, size := range []int{small, middle, large} {
		data := random(size)
		if _, err := s.Put(t.Context(), key, bytes.NewReader(data)); err != nil || !bytes.Equal(stored(t, c, key), data) {
			t.Errorf("Put of %d bytes = %v", size, err)
		}
	}
}

func TestCompatibleComparesTheMD5(t *testing.T) {
	t.Parallel()
	const other, otherParts = `"00000000000000000000000000000000"`, `"00000000000000000000000000000000-2"`
	set := func(etag, encryption string) func(http.Header) {
		return func(h http.Header) {
			h.Set("Etag", etag)
			if encryption != "" {
				h.Set("X-Amz-Server-Side-Encryption", encryption)
			}
		}
	}
	for name, test := range map[string]struct {
		size int
		edit func(http.Header)
		bad  bool
	}{
		"another MD5":                   {small, set(other, ""), true},
		"another MD5 of parts":          {middle, set(otherParts, ""), true},
		"other parts":                   {middle, set(`"00000000000000000000000000000000-3"`, ""), true},
		"SSE-S3, where it is the MD5":   {small, set(other, "AES256"), true},
		"KMS, where it is none":         {small, set(other, "aws:kms"), false},
		"KMS and parts":                 {middle, set(otherParts, "aws:kms:dsse"), false},
		"no MD5":                        {small, set(`"0xAF8"`, ""), false},
		"no MD5 of parts":               {middle, set(`"some-thing-2"`, ""), false},
		"an MD5, but not of the parts'": {middle, set(other, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := behindProxy(t, s3.Compatible, "HeadObject", test.edit)
			_, err := s.Put(t.Context(), key, bytes.NewReader(random(test.size)))
			if test.bad != errors.Is(err, store.ErrUnsafe) || !test.bad && err != nil {
				t.Errorf("Put = %v", err)
			}
			if left := stored(t, c, key); (left != nil) == test.bad {
				t.Errorf("%d bytes are left", len(left))
			}
		})
	}
}

// An object that was replaced before it could be looked at is only as good as what the server said when it accepted it.
func TestObjectThatIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	for _, size := range []int{small, middle} {
		s, _ := behindProxy(t, s3.CRC64NVME, "HeadObject", func(h http.Header) { h.Set("X-Amz-Meta-Rekindle-Upload", "SOMEBODYELSE") })
		if _, err := s.Put(t.Context(), key, bytes.NewReader(random(size))); err != nil {
			t.Errorf("Put of %d bytes = %v", size, err)
		}
	}
	s, _ := behindProxy(t, s3.CRC64NVME, "", func(h http.Header) {
		noChecksums(h)
		h.Set("X-Amz-Meta-Rekindle-Upload", "SOMEBODYELSE")
	})
	if _, err := s.Put(t.Context(), key, bytes.NewReader(random(small))); err == nil {
		t.Error("an object of which nothing is known counts as stored")
	}
}

// Some servers only accept parts of one size: the number of parts shows in the ETag.
func TestPartsOfOneSize(t *testing.T) {
	t.Parallel()
	c := configOf(shared(t))
	c.PartSize, c.Checksums = 6<<20, s3.Compatible
	s := openChecked(t, shared(t), c)
	for size, parts := range map[int]string{6<<20 - 1: "", 6 << 20: "-1", 6<<20 + 1: "-2", 12 << 20: "-2", 12<<20 + 1: "-3"} {
		data := random(size)
		if _, err := s.Put(t.Context(), key, only{bytes.NewReader(data)}); err != nil || !bytes.Equal(stored(t, c, key), data) {
			t.Errorf("Put of %d bytes = %v", size, err)
		}
		head, err := shared(t).Client().HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(c.Bucket), Key: aws.String(c.Prefix + "/" + key)})
		if err != nil {
			t.Fatal(err)
		}
		if _, got, _ := strings.Cut(strings.Trim(aws.ToString(head.ETag), `"`), "-"); got != strings.TrimPrefix(parts, "-") {
			t.Errorf("%d bytes went in %q parts, want %q", size, got, parts)
		}
	}
}
