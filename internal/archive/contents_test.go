package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rekindle/internal/archive"
	"rekindle/internal/contents"
	"rekindle/internal/rdb"
	"rekindle/internal/store"
)

var update = flag.Bool("update", false, "write the sample of what is in a snapshot")

const contentsSample = "testdata/contents-1.json"

// described is a committed snapshot of two parts, with what is in it beside it.
func described(t *testing.T, names bool) (*archive.Archive, archive.Manifest, string) {
	t.Helper()
	a, _, folder := setUp(t)
	into := archive.NewGathering(names)
	var parts []archive.Part
	for i, data := range twoShards(t) {
		part, err := a.WritePart(t.Context(), attempt, i+1, "", bytes.NewReader(data), nil, archive.Into(into))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	m := manifestOf(parts...)
	if err := a.WriteContents(t.Context(), m, into); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Commit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return a, m, filepath.Join(folder, ref.Cluster, ref.Snapshot, m.At().Contents())
}

// twoShards are what a server wrote, and keys with prefixes and with names that are no text.
func twoShards(t *testing.T) [][]byte {
	t.Helper()
	data, err := os.ReadFile("../rdb/testdata/redis-7.0.rdb")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("REDIS0010")
	for _, name := range []string{"cart:1", "cart:2", "cart:item:7", "session-99", "\xff\x00", "\u202eevil", "<b>bold</b>:1"} {
		body = append(append(append(body, 0, byte(len(name))), name...), "\x05value"...)
	}
	body = append(body, "\x00\x41\x2c"+strings.Repeat("n", 300)+"\x01v\xff"...) // a name of 300 bytes
	return [][]byte{data, binary.LittleEndian.AppendUint64(body, rdb.UpdateCRC(0, body))}
}

func TestContentsAreGatheredWhilePartsAreWrittenVerifiedAndImported(t *testing.T) {
	t.Parallel()
	a, m, _ := described(t, true)
	written, err := a.Contents(t.Context(), m.At(), m.Parts)
	if err != nil {
		t.Fatal(err)
	}
	if all, expires := written.Total(); all.Keys != m.Keys() || expires != m.Parts[0].Expires+m.Parts[1].Expires || len(written.Prefixes) == 0 || len(written.Functions) == 0 {
		t.Errorf("written: %+v, %d expire, of %d; %+v", all, expires, m.Keys(), written)
	}
	verified := archive.NewGathering(true)
	for _, part := range m.Parts {
		if err := a.VerifyPart(t.Context(), ref, part, nil, archive.Into(verified)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.AddContents(t.Context(), m, verified); err != nil {
		t.Fatal(err)
	}
	if again, err := a.Contents(t.Context(), m.At(), m.Parts); err != nil || !reflect.DeepEqual(again, written) {
		t.Errorf("verified: %+v, %v\nwritten: %+v", again, err, written)
	}

	imported, _, _ := setUp(t)
	into := archive.NewGathering(true)
	var parts []archive.Part
	for i, data := range twoShards(t) {
		part, _, err := imported.ImportPart(t.Context(), attempt, i+1, io.NopCloser(bytes.NewReader(data)), nil, archive.Into(into))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	if err := imported.WriteContents(t.Context(), manifestOf(parts...), into); err != nil {
		t.Fatal(err)
	}
	if again, err := imported.Contents(t.Context(), attempt, parts); err != nil || !reflect.DeepEqual(again, written) {
		t.Errorf("imported: %+v, %v\nwritten: %+v", again, err, written)
	}
}

func TestContentsWithoutNamesHaveNoneInTheStore(t *testing.T) {
	t.Parallel()
	_, m, object := described(t, false)
	text, err := os.ReadFile(object)
	if err != nil || strings.Contains(string(text), "cart") || strings.Contains(string(text), "bigzset") {
		t.Errorf("%s, %v", text, err)
	}
	for _, part := range m.Parts {
		if strings.Contains(part.Kinds, "=") {
			t.Errorf("the manifest names keys: %s", part.Kinds)
		}
	}
}

func TestDamagedContentsAreNoticedAndHarmless(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, object string)
		want  error
	}{
		"lost":    {func(t *testing.T, object string) { must(t, os.Remove(object)) }, archive.ErrMissing},
		"flipped": {change(func(text string) string { return strings.Replace(text, "0", "1", 1) }), archive.ErrInvalid},
		"cut":     {change(func(text string) string { return text[:len(text)/2] }), archive.ErrInvalid},
		"empty":   {change(func(string) string { return "" }), archive.ErrInvalid},
		"newer": {change(func(text string) string {
			return strings.Replace(text, `"format_version": 1`, `"format_version": 2`, 1)
		}), archive.ErrNewer},
		"huge": {change(func(text string) string { return text + strings.Repeat(" ", 5<<20) }), archive.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, m, object := described(t, true)
			test.spoil(t, object)
			if got, err := a.Contents(t.Context(), m.At(), m.Parts); !errors.Is(err, test.want) || !reflect.DeepEqual(got, contents.Contents{}) {
				t.Errorf("Contents = %+v, %v", got, err)
			}
			if _, err := a.Manifest(t.Context(), ref); err != nil {
				t.Error(err)
			}
			for _, part := range m.Parts {
				if err := a.VerifyPart(t.Context(), ref, part, nil); err != nil {
					t.Error(err)
				}
			}
			must(t, a.Remove(t.Context(), m.At(), true))
			wantEmpty(t, a.Store())
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func change(by func(string) string) func(*testing.T, string) {
	return func(t *testing.T, object string) {
		text, err := os.ReadFile(object)
		must(t, err)
		must(t, os.WriteFile(object, []byte(by(string(text))), 0o600))
	}
}

func TestContentsOfOtherDataAreRefused(t *testing.T) {
	t.Parallel()
	a, m, _ := described(t, true)
	other := m.Parts[:1]
	if _, err := a.Contents(t.Context(), m.At(), other); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("read for other parts: %v", err)
	}
	into := archive.NewGathering(true)
	for range 2 {
		must(t, a.VerifyPart(t.Context(), ref, m.Parts[0], nil, archive.Into(into)))
	}
	must(t, a.VerifyPart(t.Context(), ref, m.Parts[1], nil, archive.Into(into)))
	if err := a.AddContents(t.Context(), m, into); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("a part that was gathered twice: %v", err)
	}
	if err := a.AddContents(t.Context(), m, archive.NewGathering(true)); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("nothing was gathered: %v", err)
	}
}

func TestContentsOfASnapshotThatIsRemovedMeanwhileAreNotLeftBehind(t *testing.T) {
	t.Parallel()
	a, m, _ := described(t, true)
	into := archive.NewGathering(true)
	for _, part := range m.Parts {
		must(t, a.VerifyPart(t.Context(), ref, part, nil, archive.Into(into)))
	}
	removing := archive.New(&overtaken{Store: a.Store(), before: func(ctx context.Context) error { return a.Remove(ctx, m.At(), true) }})
	must(t, removing.AddContents(t.Context(), m, into))
	wantEmpty(t, a.Store())
}

// overtaken is a store in which something happens before the first Put.
type overtaken struct {
	store.Store
	before func(context.Context) error
}

func (s *overtaken) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if err := s.before(ctx); err != nil {
		return store.Object{}, err
	}
	return s.Store.Put(ctx, key, r)
}

// TestContentsOfFormatVersion1AreRead reads the committed sample, which every later version must read.
func TestContentsOfFormatVersion1AreRead(t *testing.T) {
	t.Parallel()
	a, m, object := described(t, true)
	if *update {
		text, err := os.ReadFile(object)
		must(t, err)
		must(t, os.WriteFile(contentsSample, text, 0o600))
	}
	text, err := os.ReadFile(contentsSample)
	must(t, err)
	fresh, err := a.Contents(t.Context(), m.At(), m.Parts)
	must(t, err)
	must(t, os.WriteFile(object, text, 0o600))
	got, err := a.Contents(t.Context(), m.At(), m.Parts)
	if err != nil || !reflect.DeepEqual(got, fresh) {
		t.Errorf("the sample has %+v, %v\nnow it would be %+v", got, err, fresh)
	}
}

func TestDocumentedContentsHaveEveryField(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/snapshot-format.md")
	must(t, err)
	_, after, _ := strings.Cut(string(page), "\n## Contents")
	_, after, _ = strings.Cut(after, "```json\n")
	text, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("no example in docs/snapshot-format.md")
	}
	at := archive.Attempt{Ref: archive.Ref{Cluster: "orders", Snapshot: "automatic.orders-2026-07-01-03-00"}, ID: "6c1f0de2b49a8857"}
	m, err := archive.ParseManifest([]byte(exampleManifest(t)))
	must(t, err)
	a, _, folder := setUp(t)
	object := filepath.Join(folder, at.Cluster, at.Snapshot, at.Contents())
	must(t, os.MkdirAll(filepath.Dir(object), 0o700))
	if *update {
		text = resealedContents(text)
		must(t, os.WriteFile("../../docs/snapshot-format.md", []byte(strings.Replace(string(page), strings.SplitN(after, "```", 2)[0], text, 1)), 0o644))
	}
	must(t, os.WriteFile(object, []byte(text), 0o600))
	got, err := a.Contents(t.Context(), m.At(), m.Parts)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{got, got.Holdings[0], got.Expiries[0], got.Functions[0], got.Biggest[0], got.Prefixes[0], got.Unlisted} {
		v := reflect.ValueOf(value)
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Unknown" && name != "Database" && name != "AtMost" {
				t.Errorf("%s.%s is not in the documented example", v.Type().Name(), name)
			}
		}
	}
	if all, expires := got.Total(); all.Keys != m.Keys() || expires != m.Parts[0].Expires+m.Parts[1].Expires {
		t.Errorf("%+v, %d expire, in the documented example", all, expires)
	}
}

// FuzzContents: whatever lies in the place of what is in a snapshot, it is refused with a known error, or can be written again and says the same.
func FuzzContents(f *testing.F) {
	text, err := os.ReadFile(contentsSample)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format_version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, text := range []string{string(data), resealedContents(string(data))} {
			got, err := archive.ParseContents([]byte(text))
			if err != nil {
				if !errors.Is(err, archive.ErrInvalid) && !errors.Is(err, archive.ErrNewer) {
					t.Error(err)
				}
				continue
			}
			again, err := json.Marshal(got)
			var back contents.Contents
			if err != nil || json.Unmarshal(again, &back) != nil || back.Check() != nil {
				t.Errorf("read, and written again as %s: %v", again, err)
			}
		}
	})
}
