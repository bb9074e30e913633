package rdb_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"rekindle/internal/rdb"
)

// seen writes down what an observer is told.
type seen struct{ lines []string }

func (s *seen) Key(k *rdb.Observed) {
	typeName, encoding := k.Encoding.Names()
	s.lines = append(s.lines, fmt.Sprintf("%d %s/%s %q of %d, %d bytes, %t", k.Database, typeName, encoding, k.Name, k.Length, k.Bytes, k.Expires))
}

func (s *seen) Library(code []byte) { s.lines = append(s.lines, fmt.Sprintf("library %q", code)) }

func observed(t *testing.T, r io.Reader, options ...rdb.Option) []string {
	t.Helper()
	var s seen
	if _, err := rdb.NewScanner(r, append(options, rdb.Observe(&s))...).Scan(); err != nil {
		t.Fatal(err)
	}
	return s.lines
}

func TestAnObserverIsToldEveryKeyWithTheBeginningOfItsName(t *testing.T) {
	t.Parallel()
	code := "#!lua name=lib\n" + strings.Repeat("-- code\n", 90)
	body := join("REDIS0010", 245, long([]byte(code)), 254, 2, 252, eight)
	want := []string{fmt.Sprintf("library %q", code[:256])}
	for n := range 300 { // short and long lengths, and names that are cut
		name := strings.Repeat("n", n)
		stored := []byte(name)
		switch {
		case n < 64:
			stored = str(name)
		case n < 1<<14:
			stored = append([]byte{0x40 | byte(n>>8), byte(n)}, name...)
		}
		body = join(body, 0, stored, str("value"))
		want = append(want, fmt.Sprintf("2 string/raw %q of %d, %d bytes, %t", name[:min(n, 256)], n, 1+len(stored)+6, n == 0))
	}
	big := bytes.Repeat([]byte("x"), 600<<10) // the buffer moves on meanwhile
	body = join(body, 253, "\x01\x02\x03\x04", 0, str("big"), long(big), 0, "\xC0\x07", "\xC1\x01\x02", 0, lzfString(40, 0, "a", 0xE0, 30, 0), lzfString(3, literally([]byte("abc"))), 11, str("set"), long(intset(2, 1, 2)))
	want = append(want, `2 string/raw "big" of 3, 614410 bytes, true`, `2 string/int "7" of 1, 6 bytes, false`,
		fmt.Sprintf(`2 string/lzf %q of 40, %d bytes, false`, strings.Repeat("a", 40), 1+len(lzfString(40, 0, "a", 0xE0, 30, 0))+len(lzfString(3, literally([]byte("abc"))))), `2 set/intset "set" of 3, 22 bytes, false`)
	data := seal(body)
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(data), "byte by byte": iotest.OneByteReader(bytes.NewReader(data)), "half of it each time": iotest.HalfReader(bytes.NewReader(data))} {
		if got := observed(t, r); !slices.Equal(got, want) {
			t.Errorf("%s it is told\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestNamesAreKeptOutOfTheSummary(t *testing.T) {
	t.Parallel()
	data := file(t, "redis-7.0.rdb")
	for name, options := range map[string][]rdb.Option{"alone": {rdb.Nameless}, "observed": {rdb.Nameless, rdb.Observe(&seen{})}} {
		sum, err := rdb.NewScanner(bytes.NewReader(data), options...).Scan()
		if err != nil || sum.Kinds == "" || strings.Contains(string(sum.Kinds), "=") {
			t.Errorf("%s: %s, %v", name, sum.Kinds, err)
		}
	}
}
