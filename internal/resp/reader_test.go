package resp_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"rekindle/internal/resp"
)

func TestReadValue(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]resp.Value{
		"+OK\r\n":                {Kind: resp.KindSimple, Str: "OK"},
		"+OK\n":                  {Kind: resp.KindSimple, Str: "OK"},
		"-ERR no\r\n":            {Kind: resp.KindError, Str: "ERR no"},
		":-42\r\n":               {Kind: resp.KindInteger, Int: -42},
		"$5\r\na\r\nbc\r\n":      {Kind: resp.KindBulk, Str: "a\r\nbc"},
		"$0\r\n\r\n":             {Kind: resp.KindBulk},
		"$-1\r\n":                {Kind: resp.KindBulk, Null: true},
		"*-1\r\n":                {Kind: resp.KindArray, Null: true},
		"*0\r\n":                 {Kind: resp.KindArray},
		"*2\r\n:1\r\n*1\r\n+x\n": {Kind: resp.KindArray, Array: []resp.Value{{Kind: ':', Int: 1}, {Kind: '*', Array: []resp.Value{{Kind: '+', Str: "x"}}}}},
	} {
		for how, r := range map[string]io.Reader{
			"at once": strings.NewReader(in), "byte by byte": iotest.OneByteReader(strings.NewReader(in)),
		} {
			rd := resp.NewReader(r)
			got, err := rd.ReadValue()
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q %s: got %+v, %v", in, how, got, err)
			}
			if _, err := rd.ReadValue(); err != io.EOF {
				t.Errorf("%q %s: behind it: %v", in, how, err)
			}
		}
	}
}

func TestReadValueRefusesNonsense(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{
		"":                               io.EOF,
		"+OK":                            io.ErrUnexpectedEOF,
		"\r\n":                           resp.ErrProtocol,
		"HTTP/1.1 400 Bad\r\n":           resp.ErrProtocol,
		":x\r\n":                         resp.ErrProtocol,
		"$x\r\n":                         resp.ErrProtocol,
		"$-2\r\n":                        resp.ErrProtocol,
		"$3\r\nabcdef":                   resp.ErrProtocol,
		"$3\r\nab":                       io.ErrUnexpectedEOF,
		"$3\r\nabc":                      io.ErrUnexpectedEOF,
		"*2\r\n:1\r\n":                   io.ErrUnexpectedEOF,
		"$99999999999999999999\r\n":      resp.ErrTooLarge,
		"$1099511627776\r\n":             resp.ErrTooLarge,
		"*1099511627776\r\n":             resp.ErrTooLarge,
		strings.Repeat("*1\r\n", 100):    resp.ErrTooLarge,
		"+" + strings.Repeat("x", 1<<20): resp.ErrTooLarge,
		"*60000\r\n" + strings.Repeat("*60000\r\n", 60000):                               resp.ErrTooLarge,
		"*3\r\n" + strings.Repeat("$8000000\r\n"+strings.Repeat("x", 8000000)+"\r\n", 3): resp.ErrTooLarge,
	} {
		if _, err := resp.NewReader(strings.NewReader(in)).ReadValue(); !errors.Is(err, want) {
			t.Errorf("%.40q: got %v, want %v", in, err, want)
		}
	}
}

// Not parallel: it counts the process's allocations.
func TestAnnouncedLengthsCostNothing(t *testing.T) {
	for name, in := range map[string]string{
		"bulk": "$16000000\r\nshort", "array": "*65000\r\n+x\r\n", "command": "*1024\r\n$1000000\r\nshort",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if name == "command" {
			_, _ = resp.NewReader(strings.NewReader(in)).ReadCommand()
		} else {
			_, _ = resp.NewReader(strings.NewReader(in)).ReadValue()
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 256<<10 {
			t.Errorf("%s: %d bytes allocated", name, got)
		}
	}
}

func TestReadCommand(t *testing.T) {
	t.Parallel()
	in := "PING\r\n" + "\n\r\n" + "*0\r\n" + "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n" + "  psync  ?   -1 \n" +
		"*1\r\n$0\r\n\r\n"
	r := resp.NewReader(strings.NewReader(in))
	for _, want := range [][]string{{"PING"}, {"REPLCONF", "ACK", "0"}, {"psync", "?", "-1"}, {""}} {
		got, err := r.ReadCommand()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, err := r.ReadCommand(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestReadCommandRefusesNonsense(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{
		"PING":                 io.ErrUnexpectedEOF,
		"*x\r\n":               resp.ErrProtocol,
		"*2\r\n$4\r\nPING\r\n": io.ErrUnexpectedEOF,
		"*1\r\n+PING\r\n":      resp.ErrProtocol,
		"*1\r\n\r\n":           resp.ErrProtocol,
		"*1\r\n$-1\r\n":        resp.ErrProtocol,
		"*9999\r\n":            resp.ErrTooLarge,
		"*1\r\n$9999999\r\n":   resp.ErrTooLarge,
		"*2\r\n$1048576\r\n" + strings.Repeat("x", 1<<20) + "\r\n$1\r\n": resp.ErrTooLarge,
		strings.Repeat("x", 100<<10):                                     resp.ErrTooLarge,
	} {
		if _, err := resp.NewReader(strings.NewReader(in)).ReadCommand(); !errors.Is(err, want) {
			t.Errorf("%.40q: got %v, want %v", in, err, want)
		}
	}
}

func TestReadGivesWhatIsBehindAReply(t *testing.T) {
	t.Parallel()
	r := resp.NewReader(strings.NewReader("\n+FULLRESYNC x 1\r\n$5\r\nREDIS"))
	for _, want := range []string{"", "+FULLRESYNC x 1", "$5"} {
		if line, err := r.ReadLine(); err != nil || line != want {
			t.Errorf("got %q, %v; want %q", line, err, want)
		}
	}
	if r.Buffered() != 5 {
		t.Errorf("%d bytes buffered", r.Buffered())
	}
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "REDIS" {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestAppendCommand(t *testing.T) {
	t.Parallel()
	got := resp.AppendCommand([]byte("before "), "SET", "k", "a\r\nb")
	if want := "before *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n"; string(got) != want {
		t.Errorf("got %q", got)
	}
}

// FuzzReadValue: whatever arrives, reading ends with a value or a known error; and what was sent as a command is read
// as the same command.
func FuzzReadValue(f *testing.F) {
	for _, seed := range []string{
		"+OK\r\n", "-ERR no\r\n", ":1\r\n", "$3\r\nabc\r\n", "$-1\r\n", "*2\r\n$1\r\na\r\n*1\r\n:2\r\n",
		"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n", "PSYNC ? -1\r\n", "*1\r\n*1\r\n*1\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func(*resp.Reader) error{
			func(r *resp.Reader) error { _, err := r.ReadValue(); return err },
			func(r *resp.Reader) error { _, err := r.ReadCommand(); return err },
		} {
			r := resp.NewReader(bytes.NewReader(data))
			var err error
			for n := 0; err == nil; n++ {
				if err = read(r); n > len(data) {
					t.Fatal("more values than bytes")
				}
			}
			if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, resp.ErrProtocol) && !errors.Is(err, resp.ErrTooLarge) {
				t.Errorf("unknown error %v", err)
			}
		}
		if len(data) <= 1<<19 {
			got, err := resp.NewReader(bytes.NewReader(resp.AppendCommand(nil, "ECHO", string(data)))).ReadCommand()
			if err != nil || !slices.Equal(got, []string{"ECHO", string(data)}) {
				t.Errorf("a command came back as %q, %v", got, err)
			}
		}
	})
}
