package s3

import (
	"strings"
	"testing"
	"time"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
)

// A source that is not read from for 60 s (repl-timeout) cuts the connection, and the snapshot fails for a misleading reason. So a store that stands
// still must be given up before that, with time for the clean-up and some to spare.
func TestDefaultPatienceStaysBelowReplTimeout(t *testing.T) {
	t.Parallel()
	const replTimeout, spare = 60 * time.Second, 10 * time.Second
	s := opened(t, "s3://bucket?region=eu-west-1")
	if total := s.config.Patience + s.config.cleanUpTime(); s.config.Patience <= 0 || total > replTimeout-spare {
		t.Errorf("a store that stands still is given up after %s and cleaned up for %s", s.config.Patience, s.config.cleanUpTime())
	}
	p := newProgress(s.config.Patience)
	if p.idle() > s.config.Patience/2 {
		t.Errorf("one try may stand still for %s, which leaves no time for another one", p.idle())
	}
	// Nothing is read from the source any more when the object is made from its parts: that may take minutes, as AWS says.
	if s.config.Finish < 5*time.Minute {
		t.Errorf("a server has %s to make an object of its parts", s.config.Finish)
	}
}

func opened(t *testing.T, url string) *Store {
	t.Helper()
	c, err := ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPartSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"5MiB": 5 << 20, "64MiB": 64 << 20, "1GiB": 1 << 30} {
		c, err := ParseURL("s3://bucket?part_size=" + text)
		if err != nil || c.PartSize != want {
			t.Errorf("part_size=%s is read as %d, %v", text, c.PartSize, err)
		}
		for _, number := range []int{1, 2, smallParts, smallParts + 1, maxParts} {
			if c.partSize(number) != want {
				t.Errorf("part_size=%s: part %d has %d bytes", text, number, c.partSize(number))
			}
		}
	}
	for _, text := range []string{"0MiB", "4MiB", "1025MiB", "2GiB", "65535GiB", "99999999999GiB", "64", "64MB", "-8MiB", "MiB", "8388608"} {
		if c, err := ParseURL("s3://bucket?part_size=" + text); err == nil || !strings.Contains(err.Error(), "part_size must") {
			t.Errorf("part_size=%s is read as %d, %v", text, c.PartSize, err)
		}
	}
	for size, want := range map[int64]int64{0: maxObject, 8 << 20: 80_000 << 20, 64 << 20: 640_000 << 20, 1 << 30: maxObject} {
		c := Config{PartSize: size}
		if c.largest() != want {
			t.Errorf("with parts of %d MiB an object can have %d GiB", size>>20, c.largest()>>30)
		}
		if text := c.tooLarge().Error(); strings.Contains(text, "part_size=") != (want < maxObject) {
			t.Errorf("with parts of %d MiB: %s", size>>20, text)
		}
	}
	if c, err := ParseURL("s3://bucket"); err != nil || c.partSize(smallParts+1) <= c.partSize(1) {
		t.Errorf("without part_size parts do not grow (%v)", err)
	}
}

func TestPlaceTellsEndpointsApart(t *testing.T) {
	own := opened(t, "s3://bucket/p?region=eu-west-1&endpoint=https://minio.example.com:9000")
	aws := opened(t, "s3://bucket/p?region=eu-west-1")
	for url, want := range map[string]bool{
		"s3://bucket/p?region=eu-west-1&endpoint=https://minio.example.com:9000":                       true,
		"s3://bucket/p?region=us-east-1&path_style=true&endpoint=http://MINIO.example.com:9000/":       true,
		"s3://bucket/p/below?region=eu-west-1&endpoint=https://minio.example.com:9000":                 true,
		"s3://bucket/p?region=eu-west-1&endpoint=https://dr.example.com:9000":                          false,
		"s3://bucket/p?region=eu-west-1&endpoint=https://minio.example.com":                            false,
		"s3://bucket/p?region=eu-west-1":                                                               false,
		"s3://bucket/pp?region=eu-west-1&endpoint=https://minio.example.com:9000":                      false,
		"s3://bucket?region=eu-west-1&endpoint=https://minio.example.com:9000":                         false,
		"s3://other-bucket/p?region=eu-west-1&endpoint=https://minio.example.com:9000":                 false,
		"s3://bucket/p?region=eu-west-1&endpoint=https://minio.example.com:9000/other/root&sse=AES256": false,
	} {
		if other := opened(t, url); store.Within(other, own) != want {
			t.Errorf("%s is taken to lie in %s: %t", other.Place(), own.Place(), !want)
		}
	}
	for url, want := range map[string]bool{
		"s3://bucket/p?region=us-east-1":                                                        true, // a bucket's name is one bucket in all of AWS
		"s3://bucket/p?region=eu-west-1&endpoint=https://s3.eu-west-1.amazonaws.com":            true,
		"s3://bucket/p?region=eu-west-1&endpoint=https://s3.dualstack.eu-west-1.amazonaws.com/": true,
		"s3://bucket/p?region=eu-west-1&endpoint=https://notamazonaws.com":                      false,
	} {
		if other := opened(t, url); store.Within(other, aws) != want {
			t.Errorf("%s is taken to lie in %s: %t", other.Place(), aws.Place(), !want)
		}
	}
	one, two := opened(t, "s3://bucket?region=r&endpoint=http://127.0.0.1:9000"), opened(t, "s3://bucket?region=r&endpoint=http://localhost:9000")
	if !store.Within(one, two) {
		t.Errorf("%s and %s are taken for two", one.Place(), two.Place())
	}
	folder, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if store.Within(folder, own) || store.Within(own, folder) {
		t.Error("a folder is taken for a bucket")
	}
	// The endpoint that the SDK's own variable names counts, too.
	t.Setenv("AWS_ENDPOINT_URL_S3", "https://minio.example.com:9000")
	if other := opened(t, "s3://bucket/p?region=eu-west-1"); !store.Within(other, own) {
		t.Errorf("with AWS_ENDPOINT_URL_S3 the place is %s", other.Place())
	}
}
