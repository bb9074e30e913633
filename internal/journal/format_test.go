package journal

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/digest"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

var update = flag.Bool("update", false, "write testdata/format-1 anew")

const sample = "testdata/format-1"

// TestTheSampleIsWritten makes the committed sample of format version 1: a recording that began behind a failover, in two segments, of which the first one
// ends within a command. It stays as it is, also when what is written today differs.
func TestTheSampleIsWritten(t *testing.T) {
	if !*update {
		return // it is there, and changes only on purpose
	}
	if err := os.RemoveAll(sample); err != nil {
		t.Fatal(err)
	}
	st, err := dir.Open(sample)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(filepath.Join(sample, ".tmp"))
	link := newWire(1400)
	link.previous = id2
	r := record(t, link, st, RecorderOptions{Burst: 2})
	sadd := command("SADD", "tags", "red", "green", "blue")
	for _, stream := range []string{
		command("SELECT", "0") + command("SET", "greeting", "hello") + command("SET", "farewell", "bye"),
		command("MULTI") + command("INCR", "visits") + command("HSET", "user:7", "name", "customer 7") + command("EXEC") + command("ping") + command("REPLCONF", "GETACK", "*"),
		command("SELECT", "1") + command("SET", "scratch", "x") + command("FLUSHDB") + command("SELECT", "0"),
		command("SET", "a", "1") + command("SET", "b", "2") + command("UNLINK", "a", "b", "c"),
		sadd[:20],
	} {
		link.send(stream)
		r.pass(time.Second)
	}
	r.pass(6 * time.Second)
	r.await(1)
	link.send(sadd[20:] + command("INCR", "visits"))
	r.stop()
	_ = r.end()
}

// theSample is a store with the committed sample in it.
func theSample(t *testing.T) (*dir.Store, string, []Segment) {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(sample)); err != nil {
		t.Fatal(err)
	}
	st, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return st, root, listed(t, st)
}

func TestTheSampleOfFormatVersion1IsRead(t *testing.T) {
	t.Parallel()
	st, _, found := theSample(t)
	if len(found) != 2 {
		t.Fatal(found)
	}
	for _, s := range found {
		if _, err := Verify(t.Context(), st, s); err != nil {
			t.Error(err)
		}
	}
	got, err := bytesOf(t, st, found, found[0].From, found[1].To)
	if hash := digestOf(got); err != nil || hash != "xxh128:64453c488ce403c5d2a1e64eaea9ac50" {
		t.Errorf("the bytes are %s, %v", hash, err)
	}
	offset, exactly, err := SafePlace(t.Context(), st, found, runA, day.Add(2*time.Second))
	if err != nil || !exactly.Equal(day.Add(2*time.Second)) || !strings.HasSuffix(got[:offset-found[0].From], "$6\r\nSELECT\r\n$1\r\n0\r\n") {
		t.Errorf("%d at %s, %v", offset, exactly, err)
	}
}

func digestOf(text string) digest.Digest {
	hash := digest.New()
	_, _ = io.WriteString(hash, text)
	return hash.Digest()
}

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/journal-format.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is the one of a language on the page that has this part.
func block(t *testing.T, language, part string) string {
	t.Helper()
	for _, piece := range strings.Split(page(t), "```"+language+"\n")[1:] {
		if text, _, _ := strings.Cut(piece, "```"); strings.Contains(text, part) {
			return text
		}
	}
	t.Fatalf("docs/journal-format.md has no block with %q", part)
	return ""
}

// The documented index is that of the sample's first segment, and has every field.
func TestDocumentedIndexIsThatOfTheSample(t *testing.T) {
	t.Parallel()
	st, _, found := theSample(t)
	x, err := ReadIndex(t.Context(), st, found[0])
	if err != nil {
		t.Fatal(err)
	}
	var documented, stored any
	text, err := json.Marshal(x)
	if err := errors.Join(err, json.Unmarshal(text, &stored), json.Unmarshal([]byte(block(t, "json", "format_version")), &documented)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(documented, stored) {
		t.Errorf("the page says\n%v\nthe sample has\n%v\n%s", documented, stored, text)
	}
	if !strings.Contains(page(t), found[0].Key) {
		t.Errorf("the page does not show the key %s", found[0].Key)
	}
	for _, value := range []any{x, x.Safe, x.Marks[0], x.Counts[0], x.Events[0]} {
		v := reflect.ValueOf(value)
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Database" && name != "Keys" {
				t.Errorf("%s.%s is not in the sample", v.Type().Name(), name)
			}
		}
	}
}

// Whoever loses Rekindle needs zstd and redis-cli. What the page says is pasted into a shell, in the folder of the sample.
func TestDocumentedCommandsBringTheSampleBack(t *testing.T) {
	t.Parallel()
	_, root, found := theSample(t)
	server := testkit.Redis(t)
	pasted := func(part string) string {
		t.Helper()
		text := strings.ReplaceAll(block(t, "sh", part), "6379", strconv.Itoa(server.Port))
		cmd := exec.Command("bash", "-euc", text)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", text, err, out)
		}
		return string(out)
	}
	var x Index
	said := pasted("tail -c +9")
	first, _, _ := strings.Cut(said, "\n")
	if err := json.Unmarshal([]byte(first), &x); err != nil || x.Segment(found[0].Size) != found[0] || !strings.Contains(said, "\n"+x.Digest.Hex(digest.XXH128)) {
		t.Errorf("%v: %s", err, said)
	}
	if out := pasted("--pipe"); !strings.Contains(out, "errors: 0") {
		t.Error(out)
	}
	client := server.Client()
	if got := client.MGet(t.Context(), "greeting", "farewell", "visits", "a").Val(); fmt.Sprint(got) != "[hello bye 2 <nil>]" {
		t.Errorf("%v", got)
	}
	if got := client.HGetAll(t.Context(), "user:7").Val(); !maps.Equal(got, map[string]string{"name": "customer 7"}) {
		t.Errorf("%v", got)
	}
	if got := client.SMembers(t.Context(), "tags").Val(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"blue", "green", "red"}) {
		t.Errorf("%v", got)
	}
	if n := client.DBSize(t.Context()).Val(); n != 5 {
		t.Errorf("%d keys", n)
	}
}
