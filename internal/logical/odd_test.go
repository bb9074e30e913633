package logical_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rekindle/internal/logical"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
)

// odd is a node that answers as no real one can be made to.
type odd struct {
	version string
	info    string                  // what INFO says besides
	pages   [][]string              // what SCAN answers, page by page
	dumps   map[string]string       // whole replies to DUMP; else "v"
	stream  func(w io.Writer) error // the reply to DUMP of "large"
	refuse  map[string]string       // commands that are answered with an error
}

// start returns where the node listens.
func (o *odd) start(t *testing.T) resp.Options {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.serve(c)
		}
	}()
	return resp.Options{Addr: l.Addr().String()}
}

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

// payload is what DUMP answers for a string.
func payload(value string) string {
	p := append(binary.BigEndian.AppendUint32([]byte{0, 0x80}, uint32(len(value))), value...)
	return bulk(string(rdb.AppendDumpFooter(p, rdb.UpdateCRC(0, p))))
}

func (o *odd) serve(c net.Conn) {
	defer c.Close()
	r := resp.NewReader(c)
	var queued [][]string
	multi := false
	for {
		args, err := r.ReadCommand()
		if err != nil {
			return
		}
		reply := ""
		switch command := strings.ToUpper(args[0]); {
		case o.refuse[command] != "":
			reply = "-" + o.refuse[command] + "\r\n"
		case command == "MULTI":
			multi, queued, reply = true, nil, "+OK\r\n"
		case command == "EXEC":
			multi = false
			if _, err := fmt.Fprintf(c, "*%d\r\n", len(queued)); err != nil {
				return
			}
			for _, args := range queued {
				if o.answer(c, args) != nil {
					return
				}
			}
			continue
		case multi:
			queued, reply = append(queued, args), "+QUEUED\r\n"
		default:
			if o.answer(c, args) != nil {
				return
			}
			continue
		}
		if _, err := io.WriteString(c, reply); err != nil {
			return
		}
	}
}

func (o *odd) answer(c net.Conn, args []string) error {
	reply := "+OK\r\n"
	switch strings.ToUpper(args[0]) {
	case "INFO":
		reply = bulk("redis_version:" + o.version + "\r\n" + o.info + "\r\n")
	case "TIME":
		reply = "*2\r\n$10\r\n1700000000\r\n$6\r\n000000\r\n"
	case "FUNCTION":
		p := rdb.AppendDumpFooter(nil, 0)
		reply = bulk(string(p))
	case "SCAN":
		at, _ := strconv.Atoi(args[1])
		reply = fmt.Sprintf("*2\r\n%s*%d\r\n", bulk(strconv.Itoa((at+1)%len(o.pages))), len(o.pages[at]))
		for _, name := range o.pages[at] {
			reply += bulk(name)
		}
	case "PEXPIRETIME", "PTTL":
		reply = ":-1\r\n"
	case "DUMP":
		if args[1] == "large" && o.stream != nil {
			return o.stream(c)
		}
		reply = payload("v")
		if own, ok := o.dumps[args[1]]; ok {
			reply = own
		}
	}
	_, err := io.WriteString(c, reply)
	return err
}

// names are the keys of an RDB.
type names struct{ all *[]string }

func (n names) Library([]byte) error { return nil }

func (n names) Key(k rdb.Key, _ rdb.Value) error {
	*n.all = append(*n.all, string(k.Name))
	return nil
}

func TestOddAnswers(t *testing.T) {
	t.Parallel()
	p := []byte{0, 1, 'v', 200, 0} // in RDB version 200
	newer := fmt.Appendf(nil, "$13\r\n%s%s\r\n", p, crcOf(p))
	damaged := strings.Replace(payload("value"), "value", "volue", 1)
	tests := map[string]struct {
		node odd
		want []string
		err  error
	}{
		"a key twice on a page":     {odd{pages: [][]string{{"a", "b", "a"}}}, []string{"a", "b"}, nil},
		"a key twice on two pages":  {odd{pages: [][]string{{"a", "b"}, {}, {"b", "c", "a"}}}, []string{"a", "b", "c"}, nil},
		"a key that is gone":        {odd{pages: [][]string{{"a", "b", "c"}}, dumps: map[string]string{"b": "$-1\r\n"}}, []string{"a", "c"}, nil},
		"all keys are gone":         {odd{pages: [][]string{{"a"}}, dumps: map[string]string{"a": "$-1\r\n"}}, nil, nil},
		"without PEXPIRETIME":       {odd{version: "6.2.0", pages: [][]string{{"a", "b"}}}, []string{"a", "b"}, nil},
		"a damaged value":           {odd{pages: [][]string{{"a", "b"}}, dumps: map[string]string{"b": damaged}}, nil, logical.ErrDamaged},
		"a newer value":             {odd{pages: [][]string{{"a", "b"}}, dumps: map[string]string{"b": string(newer)}}, nil, logical.ErrVersion},
		"a newer engine":            {odd{pages: [][]string{{"b", "b"}}, dumps: map[string]string{"b": string(newer)}}, []string{"b"}, nil},
		"a slot that has moved":     {odd{pages: [][]string{{"a", "b"}}, dumps: map[string]string{"b": "-MOVED 1 127.0.0.1:1\r\n"}}, nil, logical.ErrMoved},
		"no transactions":           {odd{pages: [][]string{{"a"}}, refuse: map[string]string{"MULTI": "ERR unknown command 'MULTI'"}}, nil, logical.ErrUntied},
		"no databases in INFO":      {odd{pages: [][]string{{"a"}, {"b"}}, info: "role:master"}, []string{"a", "b"}, nil},
		"no DUMP":                   {odd{pages: [][]string{{"a"}}, refuse: map[string]string{"DUMP": "ERR unknown command 'DUMP'"}}, nil, logical.ErrRefused},
		"loading":                   {odd{pages: [][]string{{"a"}}, refuse: map[string]string{"SCAN": "LOADING Redis is loading"}}, nil, logical.ErrLoading},
		"something else than RESP":  {odd{pages: [][]string{{"a", "b"}}, dumps: map[string]string{"b": ":3\r\n"}}, nil, resp.ErrProtocol},
		"a value that is no value":  {odd{pages: [][]string{{"a", "b"}}, dumps: map[string]string{"b": "$3\r\nabc\r\n"}}, nil, resp.ErrProtocol},
		"functions are not allowed": {odd{pages: [][]string{{"a"}}, refuse: map[string]string{"FUNCTION": "NOPERM no"}}, []string{"a"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.node.version == "" {
				test.node.version = "7.0.15"
			}
			if test.node.info == "" {
				test.node.info = "role:master\r\ndb0:keys=3,expires=0"
			}
			var got []string
			s, err := logical.Open(t.Context(), test.node.start(t), logical.Options{})
			if err == nil {
				defer s.Close()
				_, err = rdb.Visit(s, names{&got})
			}
			if !errors.Is(err, test.err) || err == nil && !slices.Equal(got, test.want) {
				t.Errorf("%q, %v; want %q, %v", got, err, test.want, test.err)
			}
		})
	}
}

// crcOf is the checksum of what stands in an RDB.
func crcOf(p []byte) []byte {
	sum := rdb.UpdateCRC(0, p)
	var out []byte
	for range 8 {
		out = append(out, byte(sum))
		sum >>= 8
	}
	return out
}

// Large values pass through.
func TestMemoryDoesNotDependOnValues(t *testing.T) {
	const size = 64 << 20
	head := append([]byte{0}, 0x80, size>>24, size>>16&0xff, size>>8&0xff, size&0xff)
	piece := bytes.Repeat([]byte("rekindle"), 8<<10)
	sum := rdb.UpdateCRC(0, head)
	for range size / len(piece) {
		sum = rdb.UpdateCRC(sum, piece)
	}
	end := rdb.AppendDumpFooter(nil, sum)
	node := odd{version: "7.0.15", pages: [][]string{{"large"}}, stream: func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "$%d\r\n%s", len(head)+size+len(end), head)
		for i := 0; i < size/len(piece) && err == nil; i++ {
			_, err = w.Write(piece)
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\r\n", end)
		}
		return err
	}}
	from := node.start(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := logical.Open(t.Context(), from, logical.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sum2, err := rdb.NewScanner(s).Scan()
	if err != nil || sum2.Keys != 1 || sum2.Bytes < size {
		t.Fatalf("%+v, %v", sum2, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("%d bytes of memory for a value of %d", used, size)
	}
}
