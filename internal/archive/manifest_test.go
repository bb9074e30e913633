package archive_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"rekindle/internal/archive"
)

// exampleManifest is the one in docs/snapshot-format.md: testing with it keeps it right.
func exampleManifest(t testing.TB) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/snapshot-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```json\n")
	text, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("no example in docs/snapshot-format.md")
	}
	return text
}

func TestDocumentedManifestHasEveryField(t *testing.T) {
	t.Parallel()
	m, err := archive.ParseManifest([]byte(exampleManifest(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{m, m.Configuration, m.Parts[0], *m.Moment, m.Moment.Parts[0]} {
		v := reflect.ValueOf(value)
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "SHA256" { // it has the place of XXH128 in what was version 1
				t.Errorf("%s.%s is not in the documented example", v.Type().Name(), v.Type().Field(i).Name)
			}
		}
	}
	if m.Keys() != m.Parts[0].Keys+m.Parts[1].Keys || m.Bytes() != m.Parts[0].Bytes+m.Parts[1].Bytes || m.StoredBytes() <= 0 {
		t.Errorf("sums %d, %d, %d", m.Keys(), m.Bytes(), m.StoredBytes())
	}
	m.Parts[1].Keys = -1
	if m.Keys() != -1 {
		t.Errorf("Keys with an unknown part = %d", m.Keys())
	}
}

// resealed is a manifest of version 2 whose hash is made right again after a change.
func resealed(text string) string { return resealedIn(text, "manifest_sha256") }

func resealedContents(text string) string { return resealedIn(text, "contents_sha256") }

func resealedIn(text, field string) string {
	at := strings.LastIndex(text, `  "`+field+`"`)
	if at < 0 {
		return text
	}
	sum := sha256.Sum256([]byte(text[:at]))
	return fmt.Sprintf("%s  \"%s\": \"%x\"\n}\n", text[:at], field, sum)
}

func TestManifestNoticesAFlipOfAnyBit(t *testing.T) {
	t.Parallel()
	text := []byte(exampleManifest(t))
	for i := range text {
		for _, bit := range []int{i % 8, (i + 3) % 8} { // two bits of each byte, and each of the eight in every value
			text[i] ^= 1 << bit
			if _, err := archive.ParseManifest(text); !errors.Is(err, archive.ErrInvalid) && !errors.Is(err, archive.ErrNewer) {
				t.Errorf("bit %d of byte %d flipped: ParseManifest = %v", bit, i, err)
			}
			text[i] ^= 1 << bit
		}
	}
	if _, err := archive.ParseManifest(text); err != nil {
		t.Error(err)
	}
}

func TestParseManifestRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		old, replacement string
		want             error
	}{
		"a newer format":              {`"format_version": 2`, `"format_version": 3`, archive.ErrNewer},
		"no format":                   {`"format_version": 2`, `"format": 2`, archive.ErrInvalid},
		"format zero":                 {`"format_version": 2`, `"format_version": 0`, archive.ErrInvalid},
		"an older format":             {`"format_version": 2`, `"format_version": 1`, archive.ErrInvalid},
		"no attempt":                  {`"attempt"`, `"attempted"`, archive.ErrInvalid},
		"an attempt that is none":     {`"attempt": "6`, `"attempt": "/`, archive.ErrInvalid},
		"another attempt":             {`"attempt": "6`, `"attempt": "7`, archive.ErrInvalid},
		"two hashes of a plain RDB":   {`"xxh128": "`, `"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "xxh128": "`, archive.ErrInvalid},
		"no hash of a plain RDB":      {`"xxh128"`, `"xxh32"`, archive.ErrInvalid},
		"a cluster's name":            {`"cluster": "orders"`, `"cluster": "../orders"`, archive.ErrInvalid},
		"a snapshot's name":           {`"snapshot": "`, `"snapshot": "/`, archive.ErrInvalid},
		"a source":                    {`"automatic",`, `"magic",`, archive.ErrInvalid},
		"no engine":                   {`"engine": "redis"`, `"engine": ""`, archive.ErrInvalid},
		"an object's name":            {`"part-0001-6c1f0de2b49a8857.rdb.zst"`, `"../part-0001-6c1f0de2b49a8857.rdb.zst"`, archive.ErrInvalid},
		"parts out of order":          {`"number": 1`, `"number": 2`, archive.ErrInvalid},
		"slots":                       {`"0-8191"`, `"0-99999"`, archive.ErrInvalid},
		"no bytes":                    {`"bytes": 755`, `"bytes": -755`, archive.ErrInvalid},
		"keys below unknown":          {`"keys": 2`, `"keys": -2`, archive.ErrInvalid},
		"databases below none":        {`"databases": 1`, `"databases": -1`, archive.ErrInvalid},
		"an RDB version":              {`"rdb_version": 10`, `"rdb_version": 11`, archive.ErrInvalid},
		"an upper-case hash":          {`"crc64": "`, `"crc64": "A`, archive.ErrInvalid},
		"no date":                     {`"created_at": "2026`, `"created_at": "0001`, archive.ErrInvalid},
		"a date that is none":         {`"created_at": "2026`, `"created_at": "soon`, archive.ErrInvalid},
		"a number that is text":       {`"port": 6379`, `"port": "6379"`, archive.ErrInvalid},
		"a port":                      {`"port": 6379`, `"port": 99999`, archive.ErrInvalid},
		"a control character":         {`"source_node": "`, `"source_node": "\u001b[2J`, archive.ErrInvalid},
		"a description of a megabyte": {`"description": "`, `"description": "` + strings.Repeat("x", 1<<20), archive.ErrInvalid},
	} {
		text := strings.Replace(exampleManifest(t), test.old, test.replacement, 1)
		if text == exampleManifest(t) {
			t.Errorf("%s: nothing to replace", name)
		}
		if _, err := archive.ParseManifest([]byte(resealed(text))); !errors.Is(err, test.want) {
			t.Errorf("%s: ParseManifest = %v, want %v", name, err, test.want)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "null": "null", "no JSON": "hello", "an array": "[]", "cut": exampleManifest(t)[:500],
		"something behind": exampleManifest(t) + "{}", "too long": strings.Repeat(" ", 5<<20), "no parts": `{"format_version": 1}`,
	} {
		if _, err := archive.ParseManifest([]byte(text)); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: ParseManifest = %v, want ErrInvalid", name, err)
		}
	}
}

func TestParseManifestSkipsFieldsOfLaterVersions(t *testing.T) {
	t.Parallel()
	text := strings.Replace(exampleManifest(t), `"format_version": 2`, `"format_version": 2, "colour": {"deep": [1, 2]}`, 1)
	if _, err := archive.ParseManifest([]byte(resealed(text))); err != nil {
		t.Error(err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(exampleManifest(f)))
	before, err := os.ReadFile("testdata/format-1/orders/nightly/manifest.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(before)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := archive.ParseManifest([]byte(resealed(string(data)))) // otherwise no change would get past the hash
		if err != nil {
			if !errors.Is(err, archive.ErrInvalid) && !errors.Is(err, archive.ErrNewer) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		for _, p := range m.Parts {
			if key := m.Cluster + "/" + m.Snapshot + "/" + p.Object; strings.Count(key, "/") != 2 || strings.Contains(key, "..") {
				t.Errorf("an object leads to %q", key)
			}
		}
		if m.FormatVersion == 1 {
			return // it can be read, but is never written again
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("it cannot be written again: %v", err)
		}
		back, err := archive.ParseManifest(again)
		if err != nil {
			t.Fatalf("it cannot be read again: %v", err)
		}
		third, err := back.Encode()
		if err != nil || string(third) != string(again) {
			t.Errorf("it changes on its way: %s\n%s", again, third)
		}
	})
}
