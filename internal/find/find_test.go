package find_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"rekindle/internal/find"
	"rekindle/internal/rdb"
)

// dump is an RDB with this body.
func dump(body string) []byte {
	data := append([]byte("REDIS0010"), body...)
	data = append(data, 0xFF)
	return binary.LittleEndian.AppendUint64(data, rdb.UpdateCRC(0, data))
}

// pair is a string in an RDB.
func pair(name, value string) string {
	return "\x00" + string(rune(len(name))) + name + string(rune(len(value))) + value
}

func all(t *testing.T, data []byte, q find.Query) []find.Match {
	t.Helper()
	var found []find.Match
	if err := find.Scan(bytes.NewReader(data), q, func(m find.Match) error {
		found = append(found, m)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAKeyIsFoundInEveryDatabaseWithItsExpiry(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_800_000_000_123)
	mortal := string(binary.LittleEndian.AppendUint64([]byte{0xFC}, uint64(at.UnixMilli())))
	data := dump("\xFE\x00" + pair("a", "1") + mortal + pair("cart:7", "apples") + pair("b", "2") + "\xFE\x03" + pair("cart:7", "pears") + pair("cart:8", "apples"))
	found := all(t, data, find.Exact("cart:7"))
	if len(found) != 2 || found[0].Database != 0 || found[1].Database != 3 || !found[0].Expires.Equal(at) || !found[1].Expires.IsZero() {
		t.Fatalf("found %+v", found)
	}
	if found[0].Type != "string" || found[0].Bytes != 7 || found[0].Digest == found[1].Digest {
		t.Errorf("found %+v", found)
	}
	apples := all(t, data, find.Pattern("cart:[78]"))
	if len(apples) != 3 || apples[0].Digest != apples[2].Digest || string(apples[2].Name) != "cart:8" {
		t.Errorf("found %+v", apples)
	}
	if none := all(t, data, find.Exact("cart:*")); len(none) != 0 {
		t.Errorf("an exact name is no pattern: %+v", none)
	}
}

func TestTheSameBytesOfAnotherTypeAreAnotherValue(t *testing.T) {
	t.Parallel()
	found := all(t, dump("\xFE\x00\x01\x04list\x01\x01x\x02\x03set\x01\x01x"), find.Pattern("*"))
	if len(found) != 2 || found[0].Type != "list" || found[1].Type != "set" || found[0].Bytes != found[1].Bytes || found[0].Digest == found[1].Digest {
		t.Errorf("found %+v", found)
	}
}

func TestEveryTypeThatServersWriteIsFound(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../rdb/testdata/redis-7.0.rdb")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]int{}
	for _, m := range all(t, data, find.Pattern("*")) {
		types[m.Type]++
		if m.Bytes <= 0 || (m.Type == "string") != (m.Encoding == "") {
			t.Errorf("%+v", m)
		}
	}
	for _, name := range []string{"string", "list", "hash", "set", "zset", "stream"} {
		if types[name] == 0 {
			t.Errorf("no %s is found: %v", name, types)
		}
	}
}

func TestNamesAreCutAndWhatIsNoTextIsFound(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 300)
	data := dump("\xFE\x00" + pair("\xff\x00", "x") + "\x00\x41\x2c" + long + "\x01v" + "\x00\xC0\x2A\x01v") // the last name is stored as the number 42
	if found := all(t, data, find.Exact("\xff\x00")); len(found) != 1 {
		t.Errorf("found %+v", found)
	}
	if found := all(t, data, find.Exact(long)); len(found) != 1 || len(found[0].Name) != find.MaxName || found[0].Length != 300 {
		t.Errorf("found %+v", found)
	}
	if found := all(t, data, find.Exact(long[1:])); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	if found := all(t, data, find.Exact("42")); len(found) != 1 {
		t.Errorf("found %+v", found)
	}
}

func TestADamagedRDBIsSaidToBe(t *testing.T) {
	t.Parallel()
	data := dump("\xFE\x00" + pair("a", "1"))
	data[15] ^= 1
	if err := find.Scan(bytes.NewReader(data), find.Exact("a"), func(find.Match) error { return nil }); !errors.Is(err, rdb.ErrChecksum) {
		t.Errorf("got %v", err)
	}
	enough := errors.New("enough")
	if err := find.Scan(bytes.NewReader(dump("\xFE\x00"+pair("a", "1"))), find.Exact("a"), func(find.Match) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkScan(b *testing.B) {
	const n = 1_000_000
	var body bytes.Buffer
	body.WriteString("\xFE\x00")
	for i := range n {
		body.WriteString(pair(fmt.Sprintf("session:%016d", i), strings.Repeat("v", 60)))
	}
	data := dump(body.String())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := find.Scan(bytes.NewReader(data), find.Exact("session:absent"), func(find.Match) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "keys/s")
}
