package resp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits on what is read, in bytes, elements and levels. They are far above anything that Rekindle asks
// for (its largest reply is INFO) and far below what could hurt the process.
const (
	maxLine    = 64 << 10 // one line: a simple string, an error, an inline command
	maxValue   = 16 << 20 // all strings of one reply together
	maxItems   = 64 << 10 // all elements of one reply together
	maxDepth   = 8        // arrays within arrays
	maxCommand = 1 << 20  // all arguments of one command together
	maxArgs    = 1024     // arguments of one command

	readerSize = 32 << 10 // buffer of a Reader
	bulkStep   = 64 << 10 // a bulk string's memory grows by this much as its bytes arrive
)

var (
	// ErrProtocol says that the peer does not speak RESP.
	ErrProtocol = errors.New("not a valid Redis protocol message")
	// ErrTooLarge says that the peer announced or sent more than a reply or a command is allowed to have.
	ErrTooLarge = errors.New("message of the Redis protocol is too large")
)

// Reader reads RESP2 values, or commands when it is on the server's side. It is not safe for
// concurrent use.
type Reader struct {
	br *bufio.Reader
}

// NewReader returns a buffered Reader over r.
func NewReader(r io.Reader) *Reader {
	return &Reader{br: bufio.NewReaderSize(r, readerSize)}
}

// Read returns the raw bytes after the last value: first what is buffered, then straight from the source
// (without a copy when p is larger than the buffer). Callers use it to read a payload that is not RESP.
func (r *Reader) Read(p []byte) (int, error) { return r.br.Read(p) }

// Buffered returns how many bytes were read from the source but not yet consumed.
func (r *Reader) Buffered() int { return r.br.Buffered() }

// ReadLine returns the next line without its line end, which may be "\r\n" or "\n". An empty line counts:
// it is the keepalive that a primary sends while it prepares a sync.
// Errors: io.EOF before the first byte, io.ErrUnexpectedEOF within the line, [ErrTooLarge], or the source's.
func (r *Reader) ReadLine() (string, error) {
	var long []byte
	for {
		part, err := r.br.ReadSlice('\n')
		if len(long)+len(part) > maxLine {
			return "", fmt.Errorf("a line of more than %d bytes: %w", maxLine, ErrTooLarge)
		}
		switch {
		case err == nil:
			if long != nil {
				part = append(long, part...)
			}
			return string(bytes.TrimSuffix(part[:len(part)-1], []byte("\r"))), nil
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
		case errors.Is(err, io.EOF) && len(long)+len(part) > 0:
			return "", io.ErrUnexpectedEOF
		default:
			return "", err
		}
	}
}

// ReadValue reads one reply, nested arrays included. An error reply is a Value of [KindError], not an error.
// Errors: io.EOF when the source ended before the value, io.ErrUnexpectedEOF when within, [ErrProtocol],
// [ErrTooLarge], or the source's.
func (r *Reader) ReadValue() (Value, error) {
	b := budget{bytes: maxValue, items: maxItems}
	return r.readValue(&b, 0)
}

// budget is what one value may still use of the limits.
type budget struct{ bytes, items int64 }

func (r *Reader) readValue(b *budget, depth int) (Value, error) {
	line, err := r.ReadLine()
	if err != nil {
		return Value{}, inside(err, depth)
	}
	if line == "" {
		return Value{}, fmt.Errorf("an empty line where a value should be: %w", ErrProtocol)
	}
	v := Value{Kind: line[0], Str: line[1:]}
	switch v.Kind {
	case KindSimple, KindError:
		b.bytes -= int64(len(line))
		if b.bytes < 0 {
			return Value{}, fmt.Errorf("a reply of more than %d bytes: %w", maxValue, ErrTooLarge)
		}
		return v, nil
	case KindInteger:
		v.Str = ""
		if v.Int, err = strconv.ParseInt(line[1:], 10, 64); err != nil {
			return Value{}, fmt.Errorf("integer %.40q: %w", line, ErrProtocol)
		}
		return v, nil
	case KindBulk:
		n, err := length(line, b.bytes)
		if err != nil {
			return Value{}, err
		}
		if n < 0 {
			return Value{Kind: KindBulk, Null: true}, nil
		}
		b.bytes -= n
		v.Str, err = r.readBulk(n)
		return v, err
	case KindArray:
		v.Str = ""
		n, err := length(line, b.items)
		if err != nil {
			return Value{}, err
		}
		if n < 0 {
			return Value{Kind: KindArray, Null: true}, nil
		}
		if depth >= maxDepth {
			return Value{}, fmt.Errorf("arrays nested deeper than %d: %w", maxDepth, ErrTooLarge)
		}
		b.items -= n
		for range n {
			e, err := r.readValue(b, depth+1)
			if err != nil {
				return Value{}, err
			}
			v.Array = append(v.Array, e) // grows with what arrives, not with what was announced
		}
		return v, nil
	default:
		return Value{}, fmt.Errorf("a value that starts with %q: %w", line[0], ErrProtocol)
	}
}

// ReadCommand reads one command as a server does: an array of bulk strings, or a line of words ("PING",
// "REPLCONF ACK 0"). Empty lines and empty arrays, which replicas send as keepalives, are skipped.
// Errors are those of [Reader.ReadValue].
func (r *Reader) ReadCommand() ([]string, error) {
	for {
		line, err := r.ReadLine()
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(line, "*") {
			if words := strings.Fields(line); len(words) > 0 {
				return words, nil
			}
			continue
		}
		n, err := length(line, maxArgs)
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			continue
		}
		args := make([]string, 0, n)
		left := int64(maxCommand)
		for range n {
			head, err := r.ReadLine()
			if err != nil {
				return nil, inside(err, 1)
			}
			if !strings.HasPrefix(head, "$") {
				return nil, fmt.Errorf("a command's argument that starts with %.1q: %w", head, ErrProtocol)
			}
			size, err := length(head, left)
			if err != nil {
				return nil, err
			}
			if size < 0 {
				return nil, fmt.Errorf("a null argument in a command: %w", ErrProtocol)
			}
			left -= size
			arg, err := r.readBulk(size)
			if err != nil {
				return nil, err
			}
			args = append(args, arg)
		}
		return args, nil
	}
}

// readBulk reads n bytes and the line end after them. Memory grows as the bytes arrive: a peer that
// announces 16 MiB and sends nothing costs nothing.
func (r *Reader) readBulk(n int64) (string, error) {
	var text strings.Builder
	for left := n; left > 0; {
		step := min(left, bulkStep)
		text.Grow(int(step))
		if _, err := io.CopyN(&text, r.br, step); err != nil {
			return "", inside(err, 1)
		}
		left -= step
	}
	var end [2]byte
	if _, err := io.ReadFull(r.br, end[:]); err != nil {
		return "", inside(err, 1)
	}
	if end != [2]byte{'\r', '\n'} {
		return "", fmt.Errorf("a string that does not end where it said: %w", ErrProtocol)
	}
	return text.String(), nil
}

// length reads the number of a "$" or "*" line; -1 is null.
func length(line string, limit int64) (int64, error) {
	n, err := strconv.ParseInt(line[1:], 10, 64)
	if errors.Is(err, strconv.ErrRange) || n > limit {
		return 0, fmt.Errorf("length %.40q where at most %d is left: %w", line, limit, ErrTooLarge)
	}
	if err != nil || n < -1 {
		return 0, fmt.Errorf("length %.40q: %w", line, ErrProtocol)
	}
	return n, nil
}

// inside turns io.EOF within a value into io.ErrUnexpectedEOF.
func inside(err error, depth int) error {
	if depth > 0 && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
