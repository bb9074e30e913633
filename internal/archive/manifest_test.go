package archive_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"rekindle/internal/archive"
)

// exampleManifest is the one in docs/snapshot-format.md: so it is true, and it stays true.
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
	for _, value := range []any{m, m.Configuration, m.Parts[0]} {
		v := reflect.ValueOf(value)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
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

func TestParseManifestRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		old, replacement string
		want             error
	}{
		"a newer format":              {`"format_version": 1`, `"format_version": 2`, archive.ErrNewer},
		"no format":                   {`"format_version": 1`, `"format": 1`, archive.ErrInvalid},
		"format zero":                 {`"format_version": 1`, `"format_version": 0`, archive.ErrInvalid},
		"a cluster's name":            {`"cluster": "orders"`, `"cluster": "../orders"`, archive.ErrInvalid},
		"a snapshot's name":           {`"snapshot": "`, `"snapshot": "/`, archive.ErrInvalid},
		"a source":                    {`"automatic",`, `"magic",`, archive.ErrInvalid},
		"no engine":                   {`"engine": "redis"`, `"engine": ""`, archive.ErrInvalid},
		"an object's name":            {`"part-0001.rdb.zst"`, `"../part-0001.rdb.zst"`, archive.ErrInvalid},
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
		if _, err := archive.ParseManifest([]byte(text)); !errors.Is(err, test.want) {
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
	text := strings.Replace(exampleManifest(t), `"format_version": 1`, `"format_version": 1, "colour": {"deep": [1, 2]}`, 1)
	if _, err := archive.ParseManifest([]byte(text)); err != nil {
		t.Error(err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(exampleManifest(f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := archive.ParseManifest(data)
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
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("it cannot be written again: %v", err)
		}
		back, err := archive.ParseManifest(again)
		if err != nil {
			t.Fatalf("it cannot be read again: %v", err)
		}
		third, err := json.Marshal(back)
		if err != nil || string(third) != string(again) {
			t.Errorf("it changes on its way: %s\n%s", again, third)
		}
	})
}
