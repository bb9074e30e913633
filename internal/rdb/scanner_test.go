package rdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"rekindle/internal/rdb"
)

func TestScanCountsWhatRealServersWrote(t *testing.T) {
	t.Parallel()
	usual := map[string]int64{"string": 9, "list": 3, "set": 3, "zset": 2, "hash": 2, "stream": 1}
	withFieldTTLs := maps.Clone(usual)
	withFieldTTLs["hash"] = 4
	cluster := map[string]int64{"string": 3}
	for _, c := range []struct {
		file                     string
		version                  int
		keys, expires, functions int64
		types                    map[string]int64
		auxName, auxValue        string
	}{
		{"redis-6.0.rdb", 9, 20, 2, 0, usual, "redis-ver", "6.0.16"},
		{"redis-7.0.rdb", 10, 20, 2, 1, usual, "redis-ver", "7.0.15"},
		{"redis-7.0-plain.rdb", 10, 20, 2, 1, usual, "redis-bits", "64"},
		{"redis-8.0.rdb", 12, 22, 2, 1, withFieldTTLs, "redis-ver", "8.0.2"},
		{"redis-8.0-cluster.rdb", 12, 3, 1, 0, cluster, "redis-ver", "8.0.2"},
		{"valkey-8.1.rdb", 11, 20, 2, 1, usual, "valkey-ver", "8.1.1"},
		{"valkey-9.1.rdb", 80, 22, 2, 1, withFieldTTLs, "valkey-ver", "9.1.2"},
		{"valkey-9.1-cluster.rdb", 80, 3, 1, 0, cluster, "valkey-ver", "9.1.2"},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			data := file(t, c.file)
			s := rdb.NewScanner(bytes.NewReader(data))
			sum, err := s.Scan()
			if err != nil || !sum.StatsKnown || sum.Unknown != "" || sum.ChecksumDisabled {
				t.Fatalf("Scan: %v, %+v", err, sum)
			}
			if sum.Version != c.version || sum.Keys != c.keys || sum.Expires != c.expires ||
				sum.Functions != c.functions || !maps.Equal(sum.Types, c.types) || sum.Bytes != int64(len(data)) {
				t.Errorf("got %+v, want %+v", sum, c)
			}
			if databases := map[bool]int{true: 4, false: 1}[c.keys > 3]; sum.Databases != databases {
				t.Errorf("%d databases, want %d", sum.Databases, databases)
			}
			if c.keys > 3 && !maps.Equal(sum.DatabaseKeys, map[int]int64{0: c.keys - 1, 3: 1}) {
				t.Errorf("keys of the databases: %v", sum.DatabaseKeys)
			}
			if sum.Aux[c.auxName] != c.auxValue {
				t.Errorf("aux fields: %v", sum.Aux)
			}
			if s.Bytes() != sum.Bytes || s.Keys() != sum.Keys {
				t.Errorf("progress at the end: %d bytes, %d keys", s.Bytes(), s.Keys())
			}
		})
	}
}

// Each case is one object or opcode that today's servers no longer write, or that needs a module.
func TestScanKnowsRareTypes(t *testing.T) {
	t.Parallel()
	const redis, valkey = "REDIS0010", "VALKEY080"
	key := str("k")
	for name, c := range map[string]struct {
		header string
		body   []byte
		kind   string // "" if it is not a key
	}{
		"zset with scores as text":    {redis, join(3, key, 4, str("a"), 1, "7", str("b"), 253, str("c"), 254, str("d"), 255), "zset"},
		"hash as zipmap":              {redis, join(9, key, str("\x01\x01f\x01\x00v\xff")), "hash"},
		"list of ziplists":            {redis, join(14, key, 2, str("zl"), str("zl")), "list"},
		"hash as ziplist":             {redis, join(13, key, str("zl")), "hash"},
		"list as ziplist":             {redis, join(10, key, str("zl")), "list"},
		"list of strings":             {redis, join(1, key, 2, str("a"), 0xC0, 5), "list"},
		"module value":                {redis, join(7, key, 0x81, eight, 1, 3, 2, 0x81, eight, 3, "1234", 4, eight, 5, str("x"), 0), "module"},
		"hash with TTLs of 7.4-rc":    {redis, join(22, key, 2, 0x81, eight, str("f"), str("v"), 0, str("g"), str("w")), "hash"},
		"listpack with TTLs of rc":    {redis, join(23, key, str("lp")), "hash"},
		"hash with TTLs of Valkey 9":  {valkey, join(22, key, 1, str("f"), str("v"), eight), "hash"},
		"stream of Redis 5":           {redis, join(15, key, 1, str(sixteen), str("lp"), 1, 1, 1, 1, str("g"), 1, 1, 1, sixteen, eight, 1, 1, str("me"), eight, 1, sixteen), "stream"},
		"module data beside the keys": {redis, join(247, 0x81, eight, 2, 1, 5, str("x"), 0), ""},
		"functions of 7.0-rc":         {redis, join(246, str("name"), str("LUA"), 1, str("about"), str("code")), ""},
		"functions without about":     {redis, join(246, str("name"), str("LUA"), 0, str("code")), ""},
		"metadata of a key":           {redis, join(243, 1, "spec", 2, 1, 0), ""},
		"slot migration":              {valkey, join(243, str("job"), 2, 1, 2, 3, 4), ""},
		"idle time and frequency":     {redis, join(248, 0x40, 0x50, 249, 3), ""},
		"sizes and slots":             {redis, join(251, 1, 0, 244, 1, 2, 3), ""},
		"long length":                 {redis, join(0, 0x81, 0, 0, 0, 0, 0, 0, 0, 1, "k", 0x80, 0, 0, 0, 1, "v"), "string"},
		"expiry in seconds":           {redis, join(253, "1234", 0, key, str("v")), "string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A key after it shows that exactly its bytes were walked over.
			data := seal(join(c.header, c.body, 2, str("behind"), 1, str("m")))
			sum, err := rdb.NewScanner(bytes.NewReader(data)).Scan()
			want := map[string]int64{"set": 1}
			if c.kind != "" {
				want[c.kind]++
			}
			if err != nil || !sum.StatsKnown || !maps.Equal(sum.Types, want) {
				t.Errorf("got %v, %+v; want types %v", err, sum, want)
			}
		})
	}
}

func TestScanKeepsBackupWhoseTypesItDoesNotKnow(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("x", 700<<10) // more than two buffers
	for name, c := range map[string]struct {
		data    []byte
		unknown string
	}{
		"object type":       {seal(join("REDIS0013", 0, str("k"), str("v"), 26, str("s"), filler)), "unknown object type or opcode 26"},
		"opcode":            {seal(join("REDIS0099", 0, str("k"), str("v"), 242, filler)), "unknown object type or opcode 242"},
		"module of 4.0-rc":  {seal(join("REDIS0008", 0, str("k"), str("v"), 6, filler)), "unknown object type or opcode 6"},
		"without checksum":  {sealUnchecked(join("REDIS0013", 0, str("k"), str("v"), 26, filler)), "unknown object type or opcode 26"},
		"new meaning":       {seal(join("REDIS0099", 0, str("k"), str("v"), 251, 0xC9, filler)), "a string where a number"},
		"seems to end late": {seal(join("REDIS0099", 0, str("k"), str("v"), 0, 0x80, 0xFF, 0xFF, 0xFF, 0xFF, filler)), "end of the data"},
		"seems to end soon": {seal(join("REDIS0099", 0, str("k"), str("v"), 0xFF, filler)), "data behind the end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum, err := rdb.NewScanner(bytes.NewReader(c.data)).Scan()
			if err != nil || sum.StatsKnown || !strings.Contains(sum.Unknown, c.unknown) {
				t.Fatalf("got %v, %+v", err, sum)
			}
			if sum.Bytes != int64(len(c.data)) {
				t.Errorf("%d of %d bytes", sum.Bytes, len(c.data))
			}
		})
	}
}

func TestScanRefusesDamage(t *testing.T) {
	t.Parallel()
	body := join("REDIS0010", 0, str("k"), str("v"))
	whole := seal(body)
	flipped := bytes.Clone(whole)
	flipped[len(body)-1] ^= 1
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":                  {nil, rdb.ErrTruncated},
		"something else":           {[]byte("<!DOCTYPE html>"), rdb.ErrNotRDB},
		"a sign in the version":    {[]byte("REDIS-010 and more"), rdb.ErrNotRDB},
		"no version":               {seal([]byte("REDIS0000")), rdb.ErrNotRDB},
		"ancient, then more":       {join("REDIS0004", 0, str("k"), str("v"), 0xFF, "x"), rdb.ErrTrailing},
		"ancient, cut":             {join("REDIS0004", 0, str("k"), str("v")), rdb.ErrTruncated},
		"a newline behind the end": {append(bytes.Clone(whole), '\n'), rdb.ErrTrailing},
		"half a header":            {whole[:7], rdb.ErrTruncated},
		"a header only":            {whole[:9], rdb.ErrTruncated},
		"cut within a key":         {whole[:len(body)-2], rdb.ErrTruncated},
		"cut between keys":         {whole[:len(body)], rdb.ErrTruncated},
		"no checksum":              {whole[:len(body)+1], rdb.ErrTruncated},
		"half a checksum":          {whole[:len(whole)-1], rdb.ErrTruncated},
		"a flipped bit":            {flipped, rdb.ErrChecksum},
		"more behind the end":      {append(bytes.Clone(whole), 'x'), rdb.ErrCorrupt},
		"an absurd length":         {join("REDIS0010", 0, 0x81, "\xff\xff\xff\xff\xff\xff\xff\xff", "k"), rdb.ErrTruncated},
		"an absurd count":          {join("REDIS0010", 1, str("k"), 0x81, "\xff\xff\xff\xff\xff\xff\xff\xff", str("v")), rdb.ErrTruncated},
		"a bad length byte":        {sealUnchecked(join("REDIS0010", 0, 0x82)), rdb.ErrCorrupt},
		"a bad string encoding":    {sealUnchecked(join("REDIS0010", 0, 0xC4)), rdb.ErrCorrupt},
		"a bad module value":       {sealUnchecked(join("REDIS0010", 7, str("k"), 1, 9)), rdb.ErrCorrupt},
		"an absurd database":       {sealUnchecked(join("REDIS0010", 254, 0x80, 0xFF, 0xFF, 0xFF, 0xFF)), rdb.ErrCorrupt},
		"unknown, then cut":        {join("REDIS0010", 100, "much more to come, but it does not"), rdb.ErrTruncated},
		"unknown, then bits flip":  {append(seal(join("REDIS0010", 100))[:11], "12345678"...), rdb.ErrChecksum},
		"an unchecked one, cut":    {sealUnchecked(body)[:len(body)+5], rdb.ErrTruncated},
		"an unchecked one, longer": {append(sealUnchecked(body), 'x'), rdb.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := rdb.NewScanner(bytes.NewReader(c.data)).Scan(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// The checksum is checked at every length: it makes no difference where the end of the data is in the scanner's buffer.
func TestScanJudgesTheChecksumAtEveryLength(t *testing.T) {
	t.Parallel()
	const around, buffer = 12, 256 << 10
	lengths := map[int]bool{}
	for _, border := range []int{around + 40, buffer / 4, buffer / 2, buffer * 3 / 4, buffer, buffer * 7 / 4, buffer * 2} {
		for n := border - around; n <= border+around; n++ {
			lengths[n] = true
		}
	}
	for n := 4 << 10; n < 2*buffer; n += 16<<10 + 1 {
		lengths[n] = true
	}
	value := bytes.Repeat([]byte("v"), 2*buffer+around)
	for n := range lengths {
		const others = 9 + 1 + 2 + 5 + 9 // header, type, key, the value's length, end
		good := seal(join("REDIS0010", 0, str("k"), long(value[:n-others])))
		bad := bytes.Clone(good)
		bad[n-1] ^= 1
		for how, reader := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "EOF with data": iotest.DataErrReader,
		} {
			if sum, err := rdb.NewScanner(reader(bytes.NewReader(good))).Scan(); err != nil || sum.Keys != 1 || sum.Bytes != int64(n) {
				t.Errorf("%d bytes, %s: %v, %+v", n, how, err, sum)
			}
			if _, err := rdb.NewScanner(reader(bytes.NewReader(bad))).Scan(); !errors.Is(err, rdb.ErrChecksum) {
				t.Errorf("%d bytes with a wrong checksum, %s: %v", n, how, err)
			}
		}
	}
}

// Before version 5 an RDB ended with its end mark.
func TestScanTakesVersionsWithoutChecksum(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"REDIS0001", "REDIS0002", "REDIS0003", "REDIS0004"} {
		data := join(header, 254, 0, 253, "1234", 0, str("k"), long(bytes.Repeat([]byte("v"), 300<<10)), 4, str("h"), 1, str("f"), str("v"), 0xFF)
		for _, options := range [][]rdb.Option{nil, {rdb.Strict}} {
			sum, err := rdb.NewScanner(iotest.HalfReader(bytes.NewReader(data)), options...).Scan()
			if err != nil || !sum.ChecksumDisabled || !sum.StatsKnown || sum.Keys != 2 || sum.Expires != 1 || sum.Bytes != int64(len(data)) {
				t.Errorf("%s: %v, %+v", header, err, sum)
			}
		}
	}
}

func TestScanNamesModules(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{"module-rejson.rdb": {"ReJSON-RL"}, "module-aux-only.rdb": {"ReJSON-RL"}, "db20.rdb": nil} {
		sum, err := rdb.NewScanner(bytes.NewReader(file(t, "foreign/"+name)), rdb.Strict).Scan()
		if err != nil || !sum.StatsKnown || !slices.Equal(sum.Modules, want) {
			t.Errorf("%s: %v, %+v", name, err, sum)
		}
	}
}

func TestScanTakesUncheckedRDB(t *testing.T) {
	t.Parallel()
	sum, err := rdb.NewScanner(bytes.NewReader(sealUnchecked(join("REDIS0010", 0, str("k"), str("v"))))).Scan()
	if err != nil || !sum.ChecksumDisabled || !sum.StatsKnown || sum.Keys != 1 || sum.CRC64 == 0 {
		t.Errorf("got %v, %+v", err, sum)
	}
}

func TestScanRefusesEveryCutAndEveryFlippedBit(t *testing.T) {
	t.Parallel()
	whole := file(t, "valkey-9.1-cluster.rdb")
	for n := range whole {
		if _, err := rdb.NewScanner(bytes.NewReader(whole[:n])).Scan(); err == nil {
			t.Errorf("cut after %d bytes was accepted", n)
		}
	}
	for i := range whole {
		for bit := range 8 {
			bad := bytes.Clone(whole)
			bad[i] ^= 1 << bit
			if _, err := rdb.NewScanner(bytes.NewReader(bad)).Scan(); err == nil {
				t.Errorf("bit %d of byte %d flipped was accepted", bit, i)
			}
		}
	}
}

func TestScanDoesNotDependOnHowBytesArrive(t *testing.T) {
	t.Parallel()
	big := seal(join("REDIS0010", 0, str("k"), 0x80, 0, 0x10, 0, 0, strings.Repeat("v", 1<<20), 0, str("l"), str("w")))
	for name, data := range map[string][]byte{"real": file(t, "redis-8.0.rdb"), "big string": big} {
		want, err := rdb.NewScanner(bytes.NewReader(data)).Scan()
		if err != nil {
			t.Fatal(err)
		}
		for how, r := range map[string]io.Reader{
			"one byte":      iotest.OneByteReader(bytes.NewReader(data)),
			"halves":        iotest.HalfReader(bytes.NewReader(data)),
			"EOF with data": iotest.DataErrReader(bytes.NewReader(data)),
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				got, err := rdb.NewScanner(r).Scan()
				if err != nil || got.Keys != want.Keys || got.CRC64 != want.CRC64 || got.Bytes != want.Bytes {
					t.Errorf("got %v, %+v; want %+v", err, got, want)
				}
			})
		}
	}
}

func TestScanPassesOnReaderErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("cable pulled")
	for name, r := range map[string]io.Reader{
		"at once": iotest.ErrReader(broken),
		"later":   io.MultiReader(bytes.NewReader(file(t, "redis-7.0.rdb")), iotest.ErrReader(broken)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := rdb.NewScanner(r).Scan(); !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := rdb.NewScanner(stuckReader{}).Scan(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

// endless repeats an RDB's middle for ever, or up to a limit.
func endless(header, unit []byte, units int64) io.Reader {
	return io.MultiReader(bytes.NewReader(header), &repeater{unit: unit, left: units * int64(len(unit))})
}

type repeater struct {
	unit []byte
	at   int
	left int64
}

func (r *repeater) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && r.left > 0 {
		c := copy(p[n:min(int64(len(p)), int64(n)+r.left)], r.unit[r.at:])
		r.at = (r.at + c) % len(r.unit)
		n += c
		r.left -= int64(c)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Not parallel: it counts the process's allocations.
func TestScanMemoryStaysAtOneBuffer(t *testing.T) {
	for name, r := range map[string]func() io.Reader{
		"many databases": func() io.Reader {
			return endless(join("REDIS0010"), join(254, 0x40, 0x10, 0, str("k"), str("v")), 1<<16)
		},
		"many aux fields": func() io.Reader {
			return endless(join("REDIS0010"), join(250, str("name"), str("value")), 1<<18)
		},
		"long aux field": func() io.Reader {
			return endless(join("REDIS0010", 250, 0x80, 0x7F, 0xFF, 0xFF, 0xFF), []byte("x"), 4<<20)
		},
		"compressed aux field that claims much": func() io.Reader {
			return endless(join("REDIS0010", 250, 0xC3, 5, 0x80, 0x7F, 0xFF, 0xFF, 0xFF), []byte("x"), 4<<20)
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := r()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := rdb.NewScanner(data).Scan(); err == nil {
				t.Error("accepted")
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 512<<10 {
				t.Errorf("%d bytes allocated", got)
			}
		})
	}
}

// A reader that wraps io.EOF has met an end that it did not expect.
func TestScanTakesOnlyABareEndForTheEnd(t *testing.T) {
	t.Parallel()
	data := file(t, "redis-7.0.rdb")
	torn := fmt.Errorf("the link: %w", io.EOF)
	for name, before := range map[string][]byte{"at once": nil, "within the header": data[:5], "in the midst": data[:len(data)/2], "behind the end": data} {
		r := io.MultiReader(bytes.NewReader(before), iotest.ErrReader(torn))
		if _, err := rdb.NewScanner(r).Scan(); !errors.Is(err, torn) {
			t.Errorf("%s: got %v, want the reader's error", name, err)
		}
	}
}
