package restore

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"rekindle/internal/resp"
)

const (
	// A batch is sent when it reaches batchBytes or batchCommands.
	batchBytes    = 64 << 10
	batchCommands = 256
	// batchesAhead is how many batches may be under way without an answer.
	batchesAhead = 16
	// silence is how long a node may neither read nor answer. A script, or a large value, can keep it busy for a while.
	silence = 2 * time.Minute
	// lastWords is how long a node that accepts nothing more may need to say why.
	lastWords = time.Second
	// nameKept is how much of a key's name is kept for messages.
	nameKept = 64
)

// errLane says that a lane has failed. The lane knows the reason.
var errLane = errors.New("the node has failed")

// lane is the connection to one node: commands go out in batches, answers come back in order. S is what is known of a command until it is answered.
type lane[S any] struct {
	conn     *resp.Conn
	addr     string
	database int
	answer   func(S) error // reads the answer to a command; an error ends the lane

	command
	sent    []S
	waiting chan batch[S] // batches that have not been answered
	free    chan []S      // batches that have been, for reuse
	done    chan struct{}

	mu      sync.Mutex
	failure error
}

// start has the answers read, each by answer.
func (l *lane[S]) start(conn *resp.Conn, addr string, answer func(S) error) {
	l.conn, l.addr, l.answer = conn, addr, answer
	l.waiting, l.free, l.done = make(chan batch[S], batchesAhead), make(chan []S, batchesAhead+2), make(chan struct{})
	go l.listen()
}

// batch is a number of commands that were sent together.
type batch[S any] struct {
	sent     []S
	answered chan struct{} // closed when they, and all before them, have been answered; nil: nobody waits for that
}

// value writes a value as a dump.
func (l *lane[S]) value(s *spool) error {
	err := l.command.value(s, lasting{l.conn.NetConn()})
	if err != nil && !errors.Is(err, ErrSpool) {
		return l.unsent(err)
	}
	return err
}

// choose selects a database.
func (l *lane[S]) choose(database int, s S) error {
	if database == l.database {
		return nil
	}
	l.database = database
	l.begin(2)
	l.word("SELECT")
	l.word(strconv.Itoa(database))
	return l.end(s)
}

// end ends a command, and sends the batch if it is large enough.
func (l *lane[S]) end(s S) error {
	l.sent = append(l.sent, s)
	if len(l.bytes) >= batchBytes || len(l.sent) >= batchCommands {
		return l.flush()
	}
	return nil
}

// flush sends the batch.
func (l *lane[S]) flush() error {
	if err := l.write(); err != nil {
		return err
	}
	if len(l.sent) == 0 {
		return nil
	}
	return l.expect(batch[S]{sent: l.sent})
}

// expect has the answers to a batch read.
func (l *lane[S]) expect(b batch[S]) error {
	select {
	case l.waiting <- b:
	case <-l.done:
		return errLane
	}
	select {
	case l.sent = <-l.free:
	default:
		l.sent = make([]S, 0, batchCommands)
	}
	return nil
}

func (l *lane[S]) write() error {
	_, err := lasting{l.conn.NetConn()}.Write(l.bytes)
	l.bytes = l.bytes[:0]
	if err != nil {
		return l.unsent(err)
	}
	return nil
}

// unsent looks for the reason why a node does not accept what it is sent: it may have answered before it closed the connection.
func (l *lane[S]) unsent(err error) error {
	var cut S
	_ = l.expect(batch[S]{sent: append(l.sent, cut)})
	time.AfterFunc(lastWords, func() { _ = l.fail(fmt.Errorf("send keys to %s: %w: %w", l.addr, ErrGone, err)) })
	<-l.done
	return errLane
}

// settle waits until all batches have been answered, and returns why the lane has failed.
func (l *lane[S]) settle() error {
	answered := make(chan struct{})
	if l.expect(batch[S]{answered: answered}) == nil {
		select {
		case <-answered:
		case <-l.done:
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// fail ends the lane; the first reason counts.
func (l *lane[S]) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = err
	}
	l.conn.Close()
	return errLane
}

// close ends the lane and waits until nobody reads any more.
func (l *lane[S]) close() {
	_ = l.fail(resp.ErrClosed)
	close(l.waiting)
	<-l.done
}

// listen reads the answers.
func (l *lane[S]) listen() {
	defer close(l.done)
	for b := range l.waiting {
		for _, s := range b.sent {
			_ = l.conn.NetConn().SetReadDeadline(time.Now().Add(silence))
			if err := l.answer(s); err != nil {
				_ = l.fail(err)
				return
			}
		}
		if b.answered != nil {
			close(b.answered)
			continue
		}
		l.free <- b.sent[:0]
	}
}

// lasting writes to a node that may take its time, but not for ever.
type lasting struct{ net.Conn }

func (w lasting) Write(p []byte) (int, error) {
	_ = w.SetWriteDeadline(time.Now().Add(silence)) // if this fails, so does the write
	return w.Conn.Write(p)
}

// patient reads from a node that may take its time, but not for ever.
type patient struct{ *resp.Conn }

func (p patient) Read(data []byte) (int, error) {
	_ = p.NetConn().SetReadDeadline(time.Now().Add(silence))
	return p.Reader().Read(data)
}
