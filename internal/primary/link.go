package primary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"rekindle/internal/resp"
)

const (
	sendBuffer    = 256 << 10 // bytes
	progressEvery = 256 << 10 // bytes
)

// link is the replication link to the target while it is fed. Its context ends with the caller's, and when the target goes away:
// a goroutine listens to the target, so that its death is noticed even while the store is slow.
type link struct {
	conn    *connection
	stall   time.Duration
	ctx     context.Context
	cancel  context.CancelCauseFunc
	acks    chan struct{} // the target has loaded the RDB
	waiting atomic.Bool   // everything was sent: from now on the target must not be silent for long
	done    chan struct{}
	release func() bool
}

func newLink(parent context.Context, conn *connection, stall time.Duration) *link {
	l := &link{conn: conn, stall: stall, acks: make(chan struct{}, 1), done: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(parent)
	l.release = context.AfterFunc(l.ctx, func() { _ = conn.Close() })
	go l.listen()
	return l
}

// close cuts the link and waits until its goroutines have ended.
func (l *link) close() {
	l.cancel(nil)
	_ = l.conn.Close()
	<-l.done
	l.release()
}

// cause returns the reason why the link ended, if it has, and otherwise err.
func (l *link) cause(err error) error {
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	return err
}

// listen reads what the target sends: line ends as signs of life while it loads, REPLCONF ACK once it has loaded.
func (l *link) listen() {
	defer close(l.done)
	reader := resp.NewReader(io.MultiReader(buffered(l.conn.reader), (*patientReader)(l)))
	for {
		args, err := reader.ReadCommand()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fmt.Errorf("no sign of life for %s", l.stall)
			}
			l.cancel(fmt.Errorf("%w: %w; its log may say why", ErrGone, err))
			return
		}
		if len(args) >= 2 && strings.EqualFold(args[0], "REPLCONF") && strings.EqualFold(args[1], "ACK") {
			select {
			case l.acks <- struct{}{}:
			default:
			}
		}
	}
}

// buffered is what the handshake's reader has read beyond the handshake.
func buffered(r *resp.Reader) io.Reader { return io.LimitReader(r, int64(r.Buffered())) }

// patientReader reads from the target. Once everything was sent, it limits the target's silence to the stall time.
type patientReader link

func (p *patientReader) Read(data []byte) (int, error) {
	if p.waiting.Load() {
		_ = p.conn.SetReadDeadline(time.Now().Add(p.stall))
	}
	return p.conn.Read(data)
}

// send answers PSYNC with the dump, which ends at this place of a history. It sends the last bytes only after the length and the hash have been found
// correct.
func (l *link) send(at History, dump Dump, onProgress func(int64)) error {
	if err := l.write(fmt.Appendf(nil, "+FULLRESYNC %s %d\r\n$%d\r\n", at.ReplicationID, at.Offset, dump.Length)); err != nil {
		return err
	}
	source, err := dump.Open(l.ctx)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	sum, err := dump.Digest.New()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHash, err)
	}
	var (
		buf      = make([]byte, sendBuffer)
		kept     = 0 // bytes at the start of buf: read and hashed, not sent
		read     int64
		sent     int64
		reported int64
	)
	for {
		n, err := source.Read(buf[kept:])
		_, _ = sum.Write(buf[kept : kept+n])
		read += int64(n)
		if read > dump.Length {
			return fmt.Errorf("%w: more than %d bytes", ErrHash, dump.Length)
		}
		kept += n
		if ready := kept - held; ready > 0 {
			if err := l.write(buf[:ready]); err != nil {
				return err
			}
			copy(buf, buf[ready:kept])
			kept = held
			if sent += int64(ready); sent-reported >= progressEvery {
				reported = sent
				onProgress(sent)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read the data: %w", err)
		}
	}
	if got := sum.Digest(); read != dump.Length || got != dump.Digest {
		return fmt.Errorf("%w: %d bytes with %s instead of %d with %s", ErrHash, read, got, dump.Length, dump.Digest)
	}
	if err := l.write(buf[:kept]); err != nil {
		return err
	}
	onProgress(read)
	return nil
}

// requestAck makes the target answer as soon as it has loaded, instead of at its next full second. It is part of the history, as all commands are.
func (l *link) requestAck() error { return l.write(resp.AppendCommand(nil, "REPLCONF", "GETACK", "*")) }

// write sends bytes to the target, which must take them within the stall time.
func (l *link) write(data []byte) error {
	_ = l.conn.SetWriteDeadline(time.Now().Add(l.stall))
	_, err := l.conn.Write(data)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: it took no data for %s", ErrGone, l.stall)
	}
	return fmt.Errorf("%w: %w; its log may say why", ErrGone, err)
}

// expectLife limits the target's silence from now on.
func (l *link) expectLife() {
	l.waiting.Store(true)
	_ = l.conn.SetReadDeadline(time.Now().Add(l.stall))
}

// awaitAck waits until the target says that it has loaded everything.
func (l *link) awaitAck() error {
	l.expectLife()
	select {
	case <-l.acks:
		return nil
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}
