package replica_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"rekindle/internal/replica"
	"rekindle/internal/resp"
)

const mark = "0123456789abcdef0123456789abcdef01234567"

// node is a server that does what real ones do too rarely to wait for. It answers the handshake like a very old Redis, then writes the given pieces
// after PSYNC, and keeps the connection open until the client hangs up, or closes it.
type node struct {
	pieces []string
	pause  time.Duration // between the pieces
	hangUp bool
	heard  chan []string // what came before PSYNC
}

func (n *node) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		r := resp.NewReader(nc)
		for {
			args, err := r.ReadCommand()
			if err != nil {
				return
			}
			if n.heard != nil {
				n.heard <- args
			}
			switch args[0] {
			case "INFO":
				info := "server_name:valkey\r\nvalkey_version:9.1.2\r\nrole:slave\r\n"
				_, _ = fmt.Fprintf(nc, "$%d\r\n%s\r\n", len(info), info)
			case "CONFIG":
				_, _ = io.WriteString(nc, "-NOPERM this user has no permissions to run the 'config|get' command\r\n")
			case "CLIENT":
				_, _ = io.WriteString(nc, "-NOPERM this user has no permissions to run the 'client|setname' command\r\n")
			case "REPLCONF":
				_, _ = io.WriteString(nc, "-ERR Unrecognized REPLCONF option: "+args[1]+"\r\n")
			case "PSYNC":
				for _, p := range n.pieces {
					if _, err := io.WriteString(nc, p); err != nil {
						return
					}
					<-time.After(n.pause)
				}
				if !n.hangUp {
					_, _ = r.ReadCommand()
				}
				return
			}
		}
	}()
	return l.Addr().String()
}

// pieces cuts a text into random pieces.
func pieces(text string, seed uint64) (out []string) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	for text != "" {
		n := min(len(text), 1+rnd.IntN(90))
		out = append(out, text[:n])
		text = text[n:]
	}
	return out
}

// The end of the payload must be found however the bytes arrive, without waiting for bytes that never come: the node
// keeps the connection open.
func TestFindsTheEndHoweverBytesArrive(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"nothing":             "",
		"less than a mark":    "REDIS0011",
		"parts of the mark":   mark[:39] + mark[:20] + mark[:39],
		"as long as the mark": strings.Repeat("x", 40),
		"more":                strings.Repeat("some payload ", 99),
	} {
		for seed := range uint64(4) {
			for _, rest := range []string{
				"$EOF:" + mark + "\r\n" + payload + mark,
				fmt.Sprintf("$%d\r\n%s*1\r\n$4\r\nPING\r\n", len(payload), payload), // the stream follows at once
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					n := &node{pieces: pieces("\n\n+FULLRESYNC "+mark+" 77\r\n\n\n"+rest, seed)}
					s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.Options{})
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					got, err := readAll(s)
					if err != nil || got != payload {
						t.Errorf("got %q, %v", got, err)
					}
					if o := s.Origin(); o.Offset != 77 || o.ReplicationID != mark {
						t.Errorf("origin %+v", o)
					}
				})
			}
		}
	}
}

// readAll reads with a large buffer, as the scanner does.
func readAll(r io.Reader) (string, error) {
	var out strings.Builder
	_, err := io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return out.String(), err
}

func TestTellsTheNodeWhatItIs(t *testing.T) {
	t.Parallel()
	n := &node{pieces: []string{"+FULLRESYNC " + mark + " 1\r\n$0\r\n"}, heard: make(chan []string, 20)}
	s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Origin().ReplTimeout; got != time.Minute {
		t.Errorf("of a node that does not tell, repl-timeout is %s", got)
	}
	s.Close()
	close(n.heard)
	var all []string
	for args := range n.heard {
		all = append(all, strings.Join(args, " "))
	}
	want := "INFO server|INFO replication|INFO memory|INFO keyspace|CONFIG GET repl-timeout|CLIENT SETNAME rekindle|REPLCONF version 9.1.2|" +
		"REPLCONF capa eof capa psync2|REPLCONF rdb-only 1|PSYNC ? -1"
	if got := strings.Join(all, "|"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestUnderstandsAnswersToPSYNC(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"loading":            {"-LOADING Redis is loading the dataset in memory\r\n", replica.ErrLoading},
		"no primary":         {"-NOMASTERLINK Can't SYNC while not connected with my master\r\n", replica.ErrNoMasterLink},
		"no primary, of old": {"-ERR Can't SYNC while not connected with my master\r\n", replica.ErrNoMasterLink},
		"no rights":          {"-NOPERM this user has no permissions to run the 'psync' command\r\n", replica.ErrRefused},
		"no such command":    {"-ERR unknown command 'PSYNC', with args beginning with: '?' '-1' \r\n", replica.ErrRefused},
		"something else":     {"+CONTINUE\r\n", resp.ErrProtocol},
		"nonsense":           {"+FULLRESYNC " + mark + " x\r\n", resp.ErrProtocol},
		"no length":          {"+FULLRESYNC " + mark + " 1\r\n$x\r\n", resp.ErrProtocol},
		"a negative length":  {"+FULLRESYNC " + mark + " 1\r\n$-1\r\n", resp.ErrProtocol},
		"a short mark":       {"+FULLRESYNC " + mark + " 1\r\n$EOF:abc\r\n", resp.ErrProtocol},
		"an error instead":   {"+FULLRESYNC " + mark + " 1\r\n-ERR no memory to fork\r\n", resp.Error("ERR no memory to fork")},
		"a hang-up":          {"+FULLRESYNC " + mark + " 1\r\n", io.ErrUnexpectedEOF},
		"a hang-up at once":  {"", io.ErrUnexpectedEOF},
		"an endless line":    {"+" + strings.Repeat(long, 200), resp.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &node{pieces: []string{c.answer}, hangUp: true}
			_, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.Options{})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestBrokenOffPayloadIsNoCleanEnd(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"marked, without the mark":   "$EOF:" + mark + "\r\n" + strings.Repeat("x", 500),
		"marked, half the mark":      "$EOF:" + mark + "\r\n" + strings.Repeat("x", 500) + mark[:39],
		"marked, nothing":            "$EOF:" + mark + "\r\n",
		"with a length, less":        "$501\r\n" + strings.Repeat("x", 500),
		"with a length, but nothing": "$501\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &node{pieces: []string{"+FULLRESYNC " + mark + " 1\r\n" + payload}, hangUp: true}
			s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := io.ReadAll(s); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSilentNodeIsGivenUp(t *testing.T) {
	t.Parallel()
	begun := "+FULLRESYNC " + mark + " 1\r\n"
	for name, c := range map[string]struct {
		answer string
		o      replica.Options
	}{
		"before it begins":      {"\n", replica.Options{StartTimeout: 100 * time.Millisecond}},
		"before the payload":    {begun, replica.Options{IdleTimeout: 100 * time.Millisecond}},
		"within the payload":    {begun + "$EOF:" + mark + "\r\n" + strings.Repeat("x", 99), replica.Options{IdleTimeout: 100 * time.Millisecond}},
		"with a short patience": {begun + "$500\r\n" + strings.Repeat("x", 99), replica.Options{IdleTimeout: 10 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &node{pieces: []string{c.answer}}
			s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, c.o)
			if err == nil {
				defer s.Close()
				_, err = io.Copy(io.Discard, s)
			}
			// Whether the connection's deadline or the one for the whole beginning comes first depends on the machine.
			if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A slow node that never sends the 128 KiB that a reader prefers to wait for still gets through, and does not count as idle.
func TestTricklingNodeGetsThrough(t *testing.T) {
	t.Parallel()
	payload := strings.Repeat("0123456789", 60)
	text := "+FULLRESYNC " + mark + " 1\r\n$EOF:" + mark + "\r\n" + payload + mark
	n := &node{pieces: pieces(text, 5), pause: 30 * time.Millisecond}
	s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.Options{IdleTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := readAll(s); err != nil || got != payload {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// The last bytes before a hang-up are the end only when all of them are the mark.
func TestWhatOnlyBeginsLikeTheMarkIsNoEnd(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{
		"its first half":             mark[:20],
		"its first half, then other": mark[:20] + strings.Repeat("y", 20),
		"all but its last byte":      mark[:39] + "x",
		"all but its first byte":     "x" + mark[1:],
		"the mark, then another":     mark + "x",
	} {
		for _, before := range []string{"", strings.Repeat("x", 500)} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				n := &node{pieces: []string{"+FULLRESYNC " + mark + " 1\r\n$EOF:" + mark + "\r\n" + before + last}, hangUp: true}
				s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if got, err := readAll(s); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("got %d bytes, %v; want ErrUnexpectedEOF", len(got), err)
				}
			})
		}
	}
}

func TestOnlyAFullSynchronisationIsTakenForOne(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"+CONTINUE " + mark + " 1", "+fullresync " + mark + " 1", "FULLRESYNC " + mark + " 1", "+FULLRESYNC " + mark, "+FULLRESYNC " + mark + " 1 2"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			n := &node{pieces: []string{answer + "\r\n$3\r\nabc"}, hangUp: true}
			s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.Options{})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, resp.ErrProtocol) {
				t.Errorf("got %v, want ErrProtocol", err)
			}
		})
	}
}
