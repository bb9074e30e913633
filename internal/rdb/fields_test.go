package rdb_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"rekindle/internal/rdb"
)

// rewriter keeps the values that it is told of as they are after a change, and for an engine.
type rewriter struct {
	change rdb.FieldDeadlines
	target rdb.Target
	types  []byte
	values [][]byte
}

func (w *rewriter) Library([]byte) error { return nil }

func (w *rewriter) Key(_ rdb.Key, value rdb.Value) error {
	value = value.WithFields(w.change).For(w.target)
	var out sink
	n, err := value.WriteTo(&out)
	if err == nil && n != int64(len(out)) {
		err = errors.New("counted wrong")
	}
	w.types, w.values = append(w.types, value.Type()), append(w.values, out)
	return err
}

// sink is a value that was written.
type sink []byte

func (s *sink) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

func (s *sink) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || int(at)+len(p) > len(*s) {
		return 0, errors.New("written where nothing was")
	}
	return copy((*s)[at:], p), nil
}

// rewritten is the value of an RDB's first key after a change, with its type before it.
func rewritten(t *testing.T, r io.Reader, change rdb.FieldDeadlines) ([]byte, error) {
	t.Helper()
	w := rewriter{change: change}
	_, err := rdb.Visit(r, &w)
	if len(w.types) == 0 {
		return nil, err
	}
	return append([]byte{w.types[0]}, w.values[0]...), err
}

const (
	noon = 1_700_000_000_000 // ms
	hour = 3_600_000
	last = 1<<48 - 1
)

// at is a time as an element of a listpack.
func at(ms uint64) []byte { return join(0xF4, little(ms, 8)) }

// far is a time as a length.
func far(ms uint64) []byte { return join(0x81, big(ms)) }

func big(n uint64) []byte {
	out := little(n, 8)
	for i := range 4 {
		out[i], out[7-i] = out[7-i], out[i]
	}
	return out
}

// blob is a string object of at least 64 bytes with the shortest length.
func blob(text []byte) []byte { return join(0x40|len(text)>>8, len(text)&0xFF, text) }

func TestDeadlinesOfFieldsAreMovedAndDropped(t *testing.T) {
	t.Parallel()
	value := string(bytes.Repeat([]byte("v"), 50))
	pack := func(times ...any) []byte {
		return listpack("f", value, times[0], "g", 7, times[1], "h", "x", times[2])
	}
	later, drop := rdb.FieldDeadlines{Later: time.Hour}, rdb.FieldDeadlines{Drop: true}
	packed := pack(at(noon), at(noon+5), 0)
	nothing := join(4, far(3), str("f"), str(value), str("g"), str("7"), str("h"), str("x"))
	table := join(str("f"), lzfString(len(value), literally([]byte(value))), 0, str("g"), join(0xC0, 7))
	for name, c := range map[string]struct {
		header string
		change rdb.FieldDeadlines
		from   []byte // with the type, without the key
		want   []byte
	}{
		"packed, kept":               {"REDIS0012", rdb.FieldDeadlines{}, join(25, little(noon, 8), long(packed)), join(25, little(noon, 8), long(packed))},
		"packed, later":              {"REDIS0012", later, join(25, little(noon, 8), long(packed)), join(25, little(noon+hour, 8), blob(pack(at(noon+hour), at(noon+5+hour), 0)))},
		"packed, earlier":            {"REDIS0012", rdb.FieldDeadlines{Later: -time.Hour}, join(25, little(noon, 8), long(packed)), join(25, little(noon-hour, 8), blob(pack(at(noon-hour), at(noon+5-hour), 0)))},
		"packed, before time":        {"REDIS0012", rdb.FieldDeadlines{Later: -100 * 365 * 24 * time.Hour}, join(25, little(noon, 8), long(packed)), join(25, little(1<<31, 8), blob(pack(at(1<<31), at(1<<31), 0)))},
		"packed, beyond time":        {"REDIS0012", later, join(25, little(last-9, 8), long(pack(at(last-9), at(last), 0))), join(25, little(last, 8), blob(pack(at(last), at(last), 0)))},
		"packed, dropped":            {"REDIS0012", drop, join(25, little(noon, 8), long(packed)), nothing},
		"packed, none, later":        {"REDIS0012", later, join(25, little(last+1, 8), long(pack(0, 0, 0))), join(25, little(last+1, 8), blob(pack(0, 0, 0)))},
		"packed, small times, later": {"REDIS0012", later, join(25, little(1, 8), long(pack(1, []byte{0xC1, 4}, at(noon)))), join(25, little(1, 8), blob(pack(1, []byte{0xC1, 4}, at(noon+hour))))},
		"packed, small times, none":  {"REDIS0012", drop, join(25, little(1, 8), long(pack(1, []byte{0xC1, 4}, []byte{0xF1, 0, 8}))), nothing},
		"packed, compressed, later":  {"REDIS0012", later, join(25, little(noon, 8), lzfString(len(packed), literally(packed))), join(25, little(noon+hour, 8), blob(pack(at(noon+hour), at(noon+5+hour), 0)))},
		"packed of rc, later":        {"REDIS0012", later, join(23, long(packed)), join(23, blob(pack(at(noon+hour), at(noon+5+hour), 0)))},
		"packed of rc, dropped":      {"REDIS0012", drop, join(23, long(packed)), nothing},
		"not packed, kept":           {"REDIS0012", rdb.FieldDeadlines{}, join(24, little(noon, 8), 2, 1, table), join(24, little(noon, 8), 2, 1, table)},
		"not packed, later":          {"REDIS0012", later, join(24, little(noon, 8), 2, 6, table), join(24, little(noon+hour, 8), 2, 6, table)},
		"not packed, beyond time":    {"REDIS0012", later, join(24, little(last-9, 8), 2, 10, table), join(24, little(last, 8), 2, 1, table)},
		"not packed, dropped":        {"REDIS0012", drop, join(24, little(noon, 8), 2, far(5), table), join(4, 2, str("f"), lzfString(len(value), literally([]byte(value))), str("g"), join(0xC0, 7))},
		"not packed, of rc, later":   {"REDIS0012", later, join(22, 2, far(noon), table), join(22, 2, far(noon+hour), table)},
		"not packed, of rc, dropped": {"REDIS0012", drop, join(22, 1, far(noon), str("f"), str("v")), join(4, 1, str("f"), str("v"))},
		"of Valkey, kept":            {"VALKEY080", rdb.FieldDeadlines{}, join(22, 1, str("f"), str("v"), eight), join(22, 1, str("f"), str("v"), eight)},
		"of Valkey, later": {"VALKEY080", later, join(22, 3, str("f"), str("v"), little(noon, 8), str("g"), str("w"), little(1<<64-1, 8), str("h"), str("x"), little(1<<63-2, 8)),
			join(22, 3, str("f"), str("v"), little(noon+hour, 8), str("g"), str("w"), little(1<<64-1, 8), str("h"), str("x"), little(1<<63-2, 8))},
		"of Valkey, dropped":    {"VALKEY080", drop, join(22, 2, str("f"), str("v"), little(noon, 8), str("g"), str("w"), little(1<<64-1, 8)), join(4, 2, str("f"), str("v"), str("g"), str("w"))},
		"without any, later":    {"REDIS0012", later, join(4, 1, str("f"), str("v")), join(4, 1, str("f"), str("v"))},
		"without any, dropped":  {"REDIS0012", drop, join(16, str(string(listpack("f", 1)))), join(16, str(string(listpack("f", 1))))},
		"another type, dropped": {"VALKEY080", drop, join(0, str("v")), join(0, str("v"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := seal(join(c.header, int(c.from[0]), str("key"), c.from[1:], 0, str("behind"), str("it")))
			got, err := rewritten(t, bytes.NewReader(data), c.change)
			if err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("%v\n%x, want\n%x", err, got, c.want)
			}
			if slow, err := rewritten(t, iotest.OneByteReader(bytes.NewReader(data)), c.change); err != nil || !bytes.Equal(slow, c.want) {
				t.Errorf("byte by byte: %v\n%x", err, slow)
			}
			again := seal(join(c.header, int(got[0]), str("key"), got[1:]))
			if sum, err := rdb.NewScanner(bytes.NewReader(again), rdb.Strict).Scan(); err != nil || !sum.StatsKnown {
				t.Errorf("what was written does not stand a strict scan: %s (%v)", sum.Unknown, err)
			}
		})
	}
}

func TestFieldsOfADamagedHashAreNotChanged(t *testing.T) {
	t.Parallel()
	for name, value := range map[string][]byte{
		"out of order":           join(25, str("k"), little(noon, 8), long(listpack("f", "v", at(noon+1), "g", "w", at(noon)))),
		"no number":              join(25, str("k"), little(noon, 8), long(listpack("f", "v", "soon"))),
		"not by three":           join(25, str("k"), little(noon, 8), long(listpack("f", "v"))),
		"empty":                  join(24, str("k"), little(noon, 8), 0),
		"beyond time":            join(24, str("k"), little(noon, 8), 1, far(last), str("f"), str("v")),
		"a length that is wrong": join(23, str("k"), str("lp")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, change := range []rdb.FieldDeadlines{{Drop: true}, {Later: time.Hour}} {
				if _, err := rewritten(t, bytes.NewReader(seal(join("REDIS0012", value))), change); !errors.Is(err, rdb.ErrUnknown) {
					t.Errorf("%+v: %v", change, err)
				}
			}
		})
	}
}

func TestALargePackedHashIsChangedPieceByPiece(t *testing.T) {
	t.Parallel()
	var from, want []any
	for i := range uint64(30_000) { // more than the header of a listpack can count
		from, want = append(from, "field", "value", at(noon+i)), append(want, "field", "value", at(noon+i+hour))
	}
	text := string(append([]byte{0xF0}, join(little(700<<10, 4), bytes.Repeat([]byte("x"), 700<<10))...))
	pack := func(elements []any) []byte {
		whole := listpack(elements...)
		tail := join([]byte{0x81, 'f', 2}, text, backwards(len(text)), []byte{0, 1, 0xFF})
		whole = append(whole[:len(whole)-1], tail...)
		return change(change(whole, 0, little(uint64(len(whole)), 4)), 4, []byte{0xFF, 0xFF})
	}
	for name, stored := range map[string][]byte{"plain": long(pack(from)), "compressed": lzfString(len(pack(from)), literally(pack(from)))} {
		data := seal(join("REDIS0012", 25, str("k"), little(noon, 8), stored))
		got, err := rewritten(t, bytes.NewReader(data), rdb.FieldDeadlines{Later: time.Hour})
		if err != nil || !bytes.Equal(got, join(25, little(noon+hour, 8), long(pack(want)))) {
			t.Errorf("%s: %v, %d bytes", name, err, len(got))
		}
		full := errors.New("full")
		w := failing{after: 100 << 10, err: full}
		if _, err := rdb.Visit(bytes.NewReader(data), &w); !errors.Is(err, full) {
			t.Errorf("%s: a writer that fails: %v", name, err)
		}
	}
}

// backwards is the length after an element of more than 16383 and less than 2 million bytes.
func backwards(n int) []byte {
	return []byte{byte(n >> 14), byte(n>>7)&0x7F | 0x80, byte(n)&0x7F | 0x80}
}

// failing takes some bytes of a value and then no more.
type failing struct {
	after int
	err   error
}

func (f *failing) Library([]byte) error { return nil }

func (f *failing) Key(_ rdb.Key, value rdb.Value) error {
	_, err := value.WithFields(rdb.FieldDeadlines{Later: time.Hour}).WriteTo(f)
	return err
}

func (f *failing) WriteAt(p []byte, _ int64) (int, error) { return f.Write(p) }

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, f.err
	}
	return len(p), nil
}
