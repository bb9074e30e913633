package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"rekindle/internal/resp"
)

// said is a command as the tests write it.
func said(c *Command) string {
	return fmt.Sprintf("%s %q %q %d: %d-%d db%d open %d", c.Name, c.First[0], c.First[1], c.Args, c.From, c.To, c.Database, c.Open)
}

// scan scans a stream in pieces of random sizes, up to most bytes each.
func scan(t *testing.T, stream string, most int, seed uint64) ([]string, *Scanner, error) {
	t.Helper()
	var found []string
	s := NewScanner(1000, Unknown, func(c *Command) { found = append(found, said(c)) })
	rnd := rand.New(rand.NewPCG(seed, 1))
	for rest := []byte(stream); len(rest) > 0; {
		n := min(len(rest), 1+rnd.IntN(most))
		if _, err := s.Write(rest[:n]); err != nil {
			return found, s, err
		}
		rest = rest[n:]
	}
	return found, s, nil
}

func command(words ...string) string { return string(resp.AppendCommand(nil, words...)) }

func TestScannerFindsCommandsHoweverBytesCome(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 100)
	stream := command("SELECT", "3") + "\n\r\n" + command("set", long, "") + command("PING") + command("multi") + command("INCR", "a") +
		command("EXEC") + "*0\r\n" + command("DEL", "a", "b", "c", "\r\n*1\r\n") + command("MULTI") + command("SELECT", "7")
	want := []string{
		`SELECT "3" "" 2: 1000-1023 db3 open -1`,
		fmt.Sprintf(`SET %q "" 3: 1026-1153 db3 open -1`, long[:64]),
		`PING "" "" 1: 1153-1167 db3 open -1`,
		`MULTI "" "" 1: 1167-1182 db3 open 1167`,
		`INCR "a" "" 2: 1182-1203 db3 open 1167`,
		`EXEC "" "" 1: 1203-1217 db3 open 1167`,
		`DEL "a" "b" 5: 1221-1267 db3 open -1`,
		`MULTI "" "" 1: 1267-1282 db3 open 1267`,
		`SELECT "7" "" 2: 1282-1305 db7 open 1267`,
	}
	for seed := range uint64(50) {
		got, s, err := scan(t, stream, 1+int(seed)*4, seed)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(got, "\n"))
		}
		safe, database := s.Safe()
		if s.Boundary() != 1305 || s.Offset() != 1305 || safe != 1267 || database != 3 {
			t.Errorf("boundary %d, offset %d, safe %d in db %d", s.Boundary(), s.Offset(), safe, database)
		}
	}
}

func TestScannerSaysWhereAStreamIsMalformed(t *testing.T) {
	t.Parallel()
	good := command("PING")
	for bad, at := range map[string]int64{
		"PING\r\n":                      0,
		"*x\r\n":                        1,
		"*\r\n":                         1,
		"*-1\r\n":                       1,
		"*1\n":                          2,
		"*1\r\n:1\r\n":                  4,
		"*1\r\n$-1\r\n":                 5,
		"*1\r\n$3\r\nABCD\r\n":          11,
		"*1\r\n$3\r\nABC\r\r":           12,
		"*1\r\n$9999999999999\r\n":      19,
		"*9999999999\r\n":               12,
		"*1\r\n$1234567890123456789":    23,
		"\r*1\r\n$4\r\nPING\r\n":        1,
		"*2\r\n$1\r\na\r\n*1\r\n$4\r\n": 11,
	} {
		found, s, err := scan(t, good+bad, 5, 1)
		if want := 1000 + int64(len(good)) + at; !errors.Is(err, ErrMalformed) || s.Offset() != want || !strings.Contains(err.Error(), fmt.Sprint(want)) {
			t.Errorf("%q: %v at %d, want %d", bad, err, s.Offset(), want)
		}
		if _, again := s.Write([]byte(good)); !errors.Is(again, ErrMalformed) || len(found) != 1 {
			t.Errorf("%q: goes on with %v; %v", bad, again, found)
		}
	}
}

// FuzzScanner compares a whole stream with the same in pieces, and with a simple parser.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(command("SET", "a", "b")+command("MULTI")+command("DEL", "a")+command("EXEC")), uint8(3))
	f.Add([]byte("\n\r\n*0\r\n*1\r\n$0\r\n\r\n"), uint8(1))
	f.Add([]byte("*3\r\n$3\r\nSET\r\n$100\r\nab"), uint8(7))
	f.Add([]byte(command("SELECT", "99999999999999999999")+"*1x"), uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, most uint8) {
		whole, one, err := scan(t, string(stream), len(stream)+1, 1)
		pieces, many, piecesErr := scan(t, string(stream), int(most)+1, 2)
		if (err == nil) != (piecesErr == nil) || !slices.Equal(whole, pieces) || one.Offset() != many.Offset() || one.Boundary() != many.Boundary() {
			t.Fatalf("%v %v, in pieces %v %v", whole, err, pieces, piecesErr)
		}
		if boundary := one.Boundary() - 1000; boundary > one.Offset()-1000 || boundary < 0 {
			t.Fatalf("boundary %d of %d", boundary, len(stream))
		}
		// What the scanner takes for whole commands another parser must take for as many.
		r := resp.NewReader(bytes.NewReader(stream[:one.Boundary()-1000]))
		for n := 0; ; n++ {
			if _, err := r.ReadCommand(); err != nil {
				if !errors.Is(err, resp.ErrTooLarge) && n != len(whole) {
					t.Fatalf("%d commands (%v), the scanner found %q", n, err, whole)
				}
				return
			}
		}
	})
}

var streams = map[string]func(int) []byte{
	"SmallSETs": func(n int) []byte {
		var b []byte
		for i := range n {
			b = resp.AppendCommand(b, "SET", fmt.Sprintf("key:%012d", i), "xxx")
		}
		return b
	},
	"BigValues": func(n int) []byte {
		var b []byte
		for range n/500 + 1 {
			b = resp.AppendCommand(b, "SET", "key:000000000001", strings.Repeat("x", 64<<10))
		}
		return b
	},
}

// BenchmarkScanner is the parser alone, and with what is gathered for the index.
func BenchmarkScanner(b *testing.B) {
	for name, stream := range streams {
		data := stream(20_000)
		commands := bytes.Count(data, []byte("SET"))
		run := func(b *testing.B, write func([]byte)) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				for rest := data; len(rest) > 0; {
					n := min(len(rest), readSize)
					write(rest[:n])
					rest = rest[n:]
				}
			}
			b.ReportMetric(float64(commands)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mcommands/s")
		}
		b.Run(name, func(b *testing.B) {
			s := NewScanner(0, 0, func(*Command) {})
			run(b, func(p []byte) { _, _ = s.Write(p) })
		})
		b.Run(name+"Gathered", func(b *testing.B) {
			c := newCollector(Resume{}, defaultBurst)
			now := day
			run(b, func(p []byte) { _ = c.add(p, now) })
		})
	}
}
