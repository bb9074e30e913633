package logical

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/words"
)

const (
	pieceSize = 64 << 10
	nameShown = 64 // bytes of a key's name in a message
	// oldestVersion is that of the oldest RDB that has values as they are stored today.
	oldestVersion = 9
)

// node is the connection to the node.
type node struct {
	conn  *resp.Conn
	ctx   context.Context
	stop  func() bool // detaches from ctx
	idle  time.Duration
	piece []byte
}

func newNode(ctx context.Context, conn *resp.Conn, idle time.Duration) *node {
	return &node{conn: conn, ctx: ctx, idle: idle, piece: make([]byte, pieceSize), stop: context.AfterFunc(ctx, func() { conn.Close() })}
}

func (n *node) close() {
	n.stop()
	n.conn.Close()
}

// write sends commands.
func (n *node) write(batch []byte) error {
	_ = n.conn.NetConn().SetWriteDeadline(time.Now().Add(n.idle)) // fails on a closed connection, as the writing will
	_, err := n.conn.NetConn().Write(batch)
	return err
}

// awaits gives the node the time for one more piece.
func (n *node) awaits() { _ = n.conn.NetConn().SetReadDeadline(time.Now().Add(n.idle)) }

// line reads the line that a reply begins with. An error reply is an error.
func (n *node) line() (string, error) {
	n.awaits()
	line, err := n.conn.Reader().ReadLine()
	switch {
	case errors.Is(err, io.EOF):
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	case line == "":
		return "", fmt.Errorf("an empty line where a reply should be: %w", resp.ErrProtocol)
	case line[0] == resp.KindError:
		return "", resp.Error(line[1:])
	}
	return line, nil
}

// number reads a line of this kind that has a number.
func (n *node) number(kind byte) (int64, error) {
	line, err := n.line()
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseInt(line[1:], 10, 64)
	if line[0] != kind || err != nil {
		return 0, fmt.Errorf("the reply %.40q: %w", line, resp.ErrProtocol)
	}
	return number, nil
}

// expect reads a line that can only be this one.
func (n *node) expect(want string) error {
	line, err := n.line()
	if err == nil && line != want {
		return fmt.Errorf("the reply %.40q instead of %q: %w", line, want, resp.ErrProtocol)
	}
	return err
}

// dump reads the answer to DUMP or FUNCTION DUMP: what stands in an RDB, then the version of RDB and the CRC64 of all before. found is called when
// there is an answer, with the writer that gets what stands in an RDB. It returns the version; 0: there is no such key.
func (n *node) dump(found func() (io.Writer, error)) (version int, size int64, err error) {
	size, err = n.number(resp.KindBulk)
	if err != nil || size < 0 {
		return 0, 0, err
	}
	if size < rdb.DumpFooterSize {
		return 0, 0, fmt.Errorf("a value of %d bytes: %w", size, resp.ErrProtocol)
	}
	w, err := found()
	if err != nil {
		return 0, 0, err
	}
	var sum uint64
	for left := size - rdb.DumpFooterSize; left > 0; {
		piece := n.piece[:min(left, pieceSize)]
		if err := n.full(piece); err != nil {
			return 0, 0, err
		}
		sum = rdb.UpdateCRC(sum, piece)
		if _, err := w.Write(piece); err != nil {
			return 0, 0, err
		}
		left -= int64(len(piece))
	}
	var end [rdb.DumpFooterSize + 2]byte
	if err := n.full(end[:]); err != nil {
		return 0, 0, err
	}
	if sum = rdb.UpdateCRC(sum, end[:2]); sum != binary.LittleEndian.Uint64(end[2:]) || string(end[rdb.DumpFooterSize:]) != "\r\n" {
		return 0, 0, ErrDamaged
	}
	return int(binary.LittleEndian.Uint16(end[:])), size, nil
}

func (n *node) full(p []byte) error {
	n.awaits()
	_, err := io.ReadFull(n.conn.Reader(), p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// failure says why the connection failed.
func (n *node) failure(err error) error {
	switch {
	case n.ctx.Err() != nil:
		return context.Cause(n.ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the node fell silent: %w", err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE): // what a killed node leaves instead of an end
		return fmt.Errorf("the node closed the connection: %w (%w)", io.ErrUnexpectedEOF, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the node closed the connection: %w", err)
	case errors.Is(err, net.ErrClosed):
		return fmt.Errorf("the stream was closed: %w", err)
	}
	return err
}

// shown is a name for messages.
func shown(name string) string { return words.QuoteKey(name[:min(len(name), nameShown)]) }
