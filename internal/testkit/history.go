package testkit

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rekindle/internal/resp"
)

// History is what a server has sent to a replica: an RDB, and the stream behind it, byte by byte.
type History struct {
	ReplicationID string
	From          int64 // the offset of the RDB
	RDB           []byte

	mu     sync.Mutex
	stream []byte
}

// NewHistory asks a server for a full synchronisation, and takes what it sends from then on, until the test ends.
func NewHistory(t testing.TB, s *Server) *History {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	reader, done := bufio.NewReaderSize(conn, 256<<10), make(chan struct{})
	say := func(args ...string) {
		if _, err := conn.Write(resp.AppendCommand(nil, args...)); err != nil {
			t.Fatal(err)
		}
	}
	line := func() string {
		for {
			text, err := reader.ReadString('\n')
			if err != nil {
				t.Fatalf("ask %s for its history: %v", s.Addr, err)
			}
			if text = strings.TrimSpace(text); text != "" {
				return text
			}
		}
	}
	if s.password != "" {
		say("AUTH", s.password)
		line()
	}
	info, err := s.Client().Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range []string{infoField(info, "valkey_version"), infoField(info, "redis_version")} {
		if option != "" { // Valkey 9 writes for an old version otherwise
			say("REPLCONF", "version", option)
			line()
			break
		}
	}
	say("PSYNC", "?", "-1")
	h := &History{}
	words := strings.Fields(line())
	if len(words) != 3 || words[0] != "+FULLRESYNC" {
		t.Fatalf("%s answers PSYNC with %q", s.Addr, words)
	}
	h.ReplicationID = words[1]
	h.From, _ = strconv.ParseInt(words[2], 10, 64)
	length, err := strconv.Atoi(strings.TrimPrefix(line(), "$"))
	if err != nil {
		t.Fatal(err)
	}
	h.RDB = make([]byte, length)
	if _, err := io.ReadFull(reader, h.RDB); err != nil {
		t.Fatal(err)
	}
	say("REPLCONF", "ACK", "0")
	go h.follow(conn, reader, done)
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return h
}

func (h *History) follow(conn net.Conn, reader io.Reader, done chan struct{}) {
	defer close(done)
	buffer := make([]byte, 64<<10)
	for acknowledged := time.Now(); ; {
		n, err := reader.Read(buffer)
		h.mu.Lock()
		h.stream = append(h.stream, buffer[:n]...)
		h.mu.Unlock()
		if err != nil {
			return
		}
		if time.Since(acknowledged) > time.Second { // a replica that says nothing is cut off
			acknowledged = time.Now()
			_, _ = conn.Write(resp.AppendCommand(nil, "REPLCONF", "ACK", "0"))
		}
	}
}

// UpTo waits for the stream up to an offset, and returns it.
func (h *History) UpTo(t testing.TB, offset int64) []byte {
	t.Helper()
	var stream []byte
	WaitFor(t, "the stream up to "+strconv.FormatInt(offset, 10), func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if int64(len(h.stream)) < offset-h.From {
			return false
		}
		stream = h.stream[:offset-h.From]
		return true
	})
	return stream
}
