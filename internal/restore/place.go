package restore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
)

// place is the connection to one node that is asked one thing at a time.
type place struct {
	command
	conn     *resp.Conn
	addr     string
	database int
}

// send sends what was written, and a value between it and what follows, unless that is nil. It returns the first line of the answer.
func (p *place) send(ctx context.Context, value *spool, after ...string) (string, error) {
	w := lasting{p.conn.NetConn()}
	err := func() error {
		if value != nil {
			if err := p.value(value, w); err != nil {
				return err
			}
		}
		for _, word := range after {
			p.word(word)
		}
		_, err := w.Write(p.bytes)
		return err
	}()
	p.bytes = p.bytes[:0]
	// A node that refuses a large value may answer, and close the connection, before it has read all of it.
	_ = p.conn.NetConn().SetReadDeadline(time.Now().Add(silence))
	if err != nil {
		_ = p.conn.NetConn().SetReadDeadline(time.Now().Add(lastWords))
	}
	line, answered := p.conn.Reader().ReadLine()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case answered == nil:
		return line, nil
	case err == nil:
		err = answered
	}
	return "", fmt.Errorf("%s: %w: %w", p.addr, ErrGone, err)
}

// do sends a short command whose answer is one line.
func (p *place) do(ctx context.Context, words ...string) error {
	p.begin(len(words))
	line, err := p.send(ctx, nil, words...)
	if err == nil && strings.HasPrefix(line, "-") {
		err = fmt.Errorf("%s at %s: %w", words[0], p.addr, meaning(line[1:]))
	}
	return err
}

// choose selects a database.
func (p *place) choose(ctx context.Context, database int) error {
	if database == p.database {
		return nil
	}
	p.database = -1 // unknown
	if err := p.do(ctx, "SELECT", strconv.Itoa(database)); err != nil {
		return err
	}
	p.database = database
	return nil
}

// restore writes a key. The answer is that of the node, as one line.
func (p *place) restore(ctx context.Context, name []byte, expires time.Time, value *spool, modifiers []string) (string, error) {
	p.begin(4 + len(modifiers))
	p.word("RESTORE")
	p.blob(name)
	p.word(deadline(expires))
	return p.send(ctx, value, modifiers...)
}

// dump asks for a key, and tells whether it is there, and whether its value is stored as this one is. The answer is an error of the node, or "".
func (p *place) dump(ctx context.Context, name []byte, value *spool) (there, alike bool, answer string, err error) {
	p.begin(2)
	p.word("DUMP")
	p.blob(name)
	line, err := p.send(ctx, nil)
	if err != nil || strings.HasPrefix(line, "-") {
		return false, false, line, err
	}
	size, err := strconv.ParseInt(strings.TrimPrefix(line, "$"), 10, 64)
	if err != nil || !strings.HasPrefix(line, "$") {
		return false, false, "", fmt.Errorf("%s answers DUMP with %q", p.addr, line)
	}
	if size < 0 {
		return false, false, "", nil
	}
	alike = size == value.size()+rdb.DumpFooterSize
	if alike {
		alike, err = p.same(io.MultiReader(bytes.NewReader(value.head), value.aside()))
		size -= value.size()
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, answering{p}, size+2)
	}
	if err != nil {
		if ctx.Err() != nil {
			return false, false, "", context.Cause(ctx)
		}
		return false, false, "", fmt.Errorf("%s: %w: %w", p.addr, ErrGone, err)
	}
	return true, alike, "", nil
}

// same reads as many bytes of the answer as want has, and tells whether they are those.
func (p *place) same(want io.Reader) (bool, error) {
	alike := true
	expected, got := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, end := io.ReadFull(want, expected)
		if _, err := io.ReadFull(answering{p}, got[:n]); err != nil {
			return false, err
		}
		alike = alike && bytes.Equal(expected[:n], got[:n])
		switch end {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return alike, nil
		default:
			return false, fmt.Errorf("%w: %w", ErrSpool, end)
		}
	}
}

// answering reads an answer that may take its time, but not for ever.
type answering struct{ *place }

func (a answering) Read(p []byte) (int, error) {
	_ = a.conn.NetConn().SetReadDeadline(time.Now().Add(silence))
	return a.conn.Reader().Read(p)
}

// redirected reads where a node of a cluster in cluster mode sends its clients, if it does.
func redirected(answer, from string) (to string, slot int, once, is bool) {
	fields := strings.Fields(answer)
	if len(fields) != 3 || fields[0] != "-MOVED" && fields[0] != "-ASK" {
		return "", 0, false, false
	}
	slot, err := strconv.Atoi(fields[1])
	to = fields[2]
	if strings.HasPrefix(to, ":") { // the node does not know its own address
		to = from[:strings.LastIndexByte(from, ':')] + to
	}
	return to, slot, fields[0] == "-ASK", err == nil && slot >= 0
}
