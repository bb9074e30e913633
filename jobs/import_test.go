package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jonboulle/clockwork"
	"github.com/klauspost/compress/zstd"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// Not parallel: it counts what the process allocates.
func TestHostileFilesAreRefusedAndLeaveNothing(t *testing.T) {
	c := newConsole(t, clockwork.NewRealClock())
	good := fakeRDB("REDIS0010", oneKey...)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-12] ^= 0x40
	unsummed := bytes.Clone(good)
	clear(unsummed[len(unsummed)-8:])
	wide := append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xA8}, bytes.Repeat([]byte{0xFF}, 100)...) // a window of 2 GiB
	for name, test := range map[string]struct {
		file   []byte
		reason string
	}{
		"nothing":                       {nil, "ends too early"},
		"a picture":                     {[]byte("\x89PNG\r\n\x1a\n0000000000000000"), "not an RDB file"},
		"only the header":               {[]byte("REDIS0010"), "ends too early"},
		"cut in the middle":             {good[:len(good)-12], "ends too early"},
		"cut in the checksum":           {good[:len(good)-3], "ends too early"},
		"a flipped bit":                 {flipped, "damaged"},
		"something behind the end":      {append(bytes.Clone(good), "more"...), "continues after its end"},
		"two files in one":              {append(bytes.Clone(good), good...), "damaged"},
		"a version to come":             {fakeRDB("REDIS0050", oneKey...), "version 50"},
		"a version of Valkey to come":   {fakeRDB("VALKEY099", oneKey...), "version 99"},
		"an absurd length, right CRC":   {fakeRDB("REDIS0010", 0xFE, 0x00, 0x00, 0x01, 'k', 0x81, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF), "damaged"},
		"an absurd count, right CRC":    {fakeRDB("REDIS0010", 0xFE, 0x00, 0x01, 0x01, 'k', 0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF), "damaged"},
		"a length of LZF, right CRC":    {fakeRDB("REDIS0010", 0xFE, 0x00, 0x00, 0x01, 'k', 0xC3, 0x81, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01), "damaged"},
		"deep modules, right CRC":       {fakeRDB("REDIS0010", append([]byte{0xFE, 0x00, 0x07, 0x01, 'k', 0x01}, bytes.Repeat([]byte{0x02}, 5000)...)...), "damaged"},
		"unknown type, no checksum":     {append(append([]byte("REDIS0010"), 0xF0, 0x01, 0xFF), make([]byte, 8)...), "damaged"},
		"a window of gigabytes":         {wide, "needs too much memory"},
		"LZF of a tebibyte":             {fakeRDB("REDIS0010", 0xFE, 0x00, 0x00, 0x01, 'k', 0xC3, 0x02, 0x81, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 'a'), "damaged"},
		"a listpack of garbage":         {fakeRDB("REDIS0010", 0xFE, 0x00, 0x10, 0x01, 'k', 0x04, 'j', 'u', 'n', 'k'), "damaged"},
		"a set of none":                 {fakeRDB("REDIS0010", 0xFE, 0x00, 0x02, 0x01, 'k', 0x00), "damaged"},
		"an expiry of no key":           {fakeRDB("REDIS0010", append(slices.Clone(oneKey), 0xFC, 1, 2, 3, 4, 5, 6, 7, 8)...), "damaged"},
		"database 2^31":                 {fakeRDB("REDIS0010", append([]byte{0xFE, 0x80, 0x80, 0x00, 0x00, 0x00}, oneKey[2:]...)...), "damaged"},
		"cut zstd":                      {packed(good)[:len(packed(good))-6], "damaged"},
		"zstd of something else":        {packed([]byte("hello, world, this is no RDB")), "not an RDB file"},
		"zstd with garbage behind":      {append(packed(good), "garbage, more of it"...), "damaged"},
		"frames that are all skippable": {bytes.Repeat([]byte{0x50, 0x2A, 0x4D, 0x18, 0x00, 0x00, 0x00, 0x00}, 1000), "not an RDB file"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		err := c.upload("elsewhere", "hostile", test.file)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if took > 10*time.Second {
			t.Errorf("%s: it took %s", name, took)
		}
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 48 {
			t.Errorf("%s: %d MiB were allocated", name, got)
		}
		if err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: %v, want a sentence with %q", name, err, test.reason)
		}
		if _, err := c.db.Snapshots.Get(t.Context(), "hostile"); !models.HasCode(err, models.CodeSnapshotNotFound) {
			t.Errorf("%s: the refused upload left a row (%v)", name, err)
		}
		if files := c.stored(); len(files) != 0 {
			t.Errorf("%s: the store has %v", name, files)
		}
	}
	for name, file := range map[string][]byte{"good": good, "unsummed": unsummed, "packed": packed(good)} {
		if err := c.upload("elsewhere", name, file); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if s := mustSnapshot(c, name); s.Keys != 1 || s.Engine != "redis" || s.EngineVersion != "7.0" {
			t.Errorf("%s has %d keys of %s", name, s.Keys, s.EngineName())
		}
	}
	if s := mustSnapshot(c, "unsummed"); !strings.Contains(s.Origin, "no checksum") {
		t.Errorf("an RDB without a checksum: %q", s.Origin)
	}
}

// A bomb takes the time of the gigabyte that it may become; that it takes no memory is tested in package archive.
func TestBombIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	var bomb bytes.Buffer
	w, err := zstd.NewWriter(&bomb, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(append([]byte("REDIS0010"), 0xFE, 0x00, 0x00, 0x01, 'k', 0x81, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF))
	zeros := make([]byte, 1<<20)
	for range 1200 {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	if err := c.upload("elsewhere", "bomb", bomb.Bytes()); err == nil || !strings.Contains(err.Error(), "out of all proportion") {
		t.Errorf("a bomb: %v", err)
	}
	if _, err := c.db.Snapshots.Get(t.Context(), "bomb"); !models.HasCode(err, models.CodeSnapshotNotFound) {
		t.Errorf("the refused bomb left a row (%v)", err)
	}
	if files := c.stored(); len(files) != 0 {
		t.Errorf("the store has %v", files)
	}
}

func TestImportSaysWhyAnObjectCannotBeRead(t *testing.T) {
	t.Parallel()
	server := testkit.S3(t)
	server.Bucket("exports")
	c := newConsole(t, clockwork.NewRealClock())
	c.stop()
	c.open = func(ctx context.Context, url string) (store.Store, error) {
		config, err := s3.ParseURL(url)
		if err != nil {
			return nil, err
		}
		config.Credentials, config.Patience = server.Credentials(), time.Second
		if config.Prefix == "wrong-keys" {
			config.Credentials = credentials.NewStaticCredentialsProvider(testkit.S3AccessKey, "not-the-secret", "")
		}
		return s3.Open(ctx, config)
	}
	c.start()
	at := "&path_style=true&endpoint=" + server.Endpoint
	n := 0
	for url, want := range map[string]string{
		"s3://exports/none.rdb?region=" + testkit.S3Region + at:                      "There is no file",
		"s3://nowhere/dump.rdb?region=" + testkit.S3Region + at:                      "is in a bucket that does not exist",
		"s3://exports/dump.rdb?region=eu-west-3" + at:                                "Correct region=",
		"s3://exports/wrong-keys/dump.rdb?region=" + testkit.S3Region + at:           "does not accept the console's credentials",
		"s3://exports/dump.rdb?region=r&path_style=true&endpoint=http://127.0.0.1:1": "does not answer",
	} {
		n++
		run := c.awaitRun(c.must(c.db.Copies.Import(t.Context(), models.ImportSpec{Cluster: "elsewhere", Name: fmt.Sprintf("x%d", n), Sources: []string{url}})))
		if run.Status != models.RunFailed || !strings.Contains(run.Error, want) {
			t.Errorf("%s: %s %q, want %q", url, run.Status, run.Error, want)
		}
	}
}

// A key is what it is: nothing in it is decoded, so that never another file is taken than the one that was named.
func TestKeysOfImportedFilesAreLiteral(t *testing.T) {
	t.Parallel()
	server := testkit.S3(t)
	server.Bucket("exports")
	c := newConsole(t, clockwork.NewRealClock())
	c.stop()
	c.open = func(ctx context.Context, url string) (store.Store, error) {
		if folder, ok := strings.CutPrefix(url, "dir:"); ok {
			return dir.Open(folder)
		}
		config, err := s3.ParseURL(url)
		if err != nil {
			return nil, err
		}
		config.Credentials, config.Patience = server.Credentials(), 30*time.Second
		return s3.Open(ctx, config)
	}
	c.start()
	keys := []string{"bA.rdb", "b%41.rdb", "b%2541.rdb", "100%.rdb", "a b.rdb", "a+b.rdb", "a%20b.rdb", "ä 日本/ü.rdb", "ä 日本/%C3%BC.rdb", "100%/x.rdb", "who?/what?.rdb", "a#b/c#d.rdb", "a&b=c.rdb"}
	folder := t.TempDir()
	n := 0
	for i, key := range keys {
		// Each has another number of keys.
		body := []byte{0xFE, 0x00}
		for k := range i + 1 {
			body = append(body, 0x00, 0x01, byte('a'+k), 0x01, 'v')
		}
		data := fakeRDB("REDIS0010", body...)
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(key)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, key), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Client().PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("exports"), Key: aws.String(key), Body: bytes.NewReader(data)}); err != nil {
			t.Fatal(err)
		}
	}
	way := "region=" + testkit.S3Region + "&path_style=true&endpoint=" + server.Endpoint
	for i, key := range keys {
		for _, source := range []string{"dir:" + filepath.Join(folder, key), models.S3Address{Bucket: "exports", Key: key, Options: way}.String()} {
			n++
			name := fmt.Sprintf("x%d", n)
			run := c.awaitRun(c.must(c.db.Copies.Import(t.Context(), models.ImportSpec{Cluster: fmt.Sprintf("c%d", n), Name: name, Sources: []string{source}})))
			if run.Status != models.RunSucceeded {
				t.Errorf("%s: %s %s", source, run.Status, run.Error)
			} else if s := mustSnapshot(c, name); s.Keys != int64(i+1) {
				t.Errorf("%s: another file, of %d keys instead of %d", source, s.Keys, i+1)
			}
		}
	}
	// And on the way out: what is exported lies under the very prefix that was named.
	for _, prefix := range []string{"100%", "b%41/a b+c", "ä"} {
		c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "x1", Name: "out", Store: models.S3Address{Bucket: "exports", Key: prefix, Options: way}.String()})))
		if _, err := server.Client().HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("exports"), Key: aws.String(prefix + "/out-0001.rdb")}); err != nil {
			t.Errorf("exported to %q: %v", prefix, err)
		}
		c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "x1", Name: "out", Store: "dir:" + filepath.Join(folder, "out", prefix)})))
		if _, err := os.Stat(filepath.Join(folder, "out", prefix, "out-0001.rdb")); err != nil {
			t.Errorf("exported to %q: %v", prefix, err)
		}
	}
}
