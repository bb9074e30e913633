package primary

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"rekindle/internal/resp"
)

// Errors that Hold and FeedUpTo wrap, besides those of Feed. Errors of the stream's reader are passed on too.
var (
	// ErrTorn: the stream ends in the middle of a command or of a transaction, where no server ever was.
	ErrTorn = errors.New("the stream ends in the middle of a command or a transaction")
	// ErrStream: the target did not carry out all commands of the stream, so it does not have the data of that moment.
	ErrStream = errors.New("the target refused commands of the stream")
)

const (
	// pollEvery is how often a target is asked how far it is.
	pollEvery = 20 * time.Millisecond
	// tornAfter is how long a target that has read everything may take to say that it has applied everything.
	tornAfter = 2 * time.Second
	// keepAlive is how often a held target gets a sign of life. Its repl-timeout is 60 s unless somebody has set it.
	keepAlive = time.Second
)

// History is a place in what a server has replicated.
type History struct {
	ReplicationID string // 40 hexadecimal digits
	Offset        int64  // bytes before that place
}

// freshHistory is the beginning of a history of its own.
func freshHistory() History {
	id := make([]byte, 20)
	_, _ = rand.Read(id)
	return History{ReplicationID: hex.EncodeToString(id), Offset: 1}
}

// Held is a target that is kept as a replica at a place in a history: nothing changes in it, and keys whose time has passed stay.
type Held struct {
	At   History // the place
	Keys int64   // in all databases, with those whose time has passed

	feeder *feeder
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{}
}

// Hold makes the target load the dump as its primary, then applies the stream behind it, and keeps the target as it is then, a replica whose link is
// up, until [Held.Close]. Others can take a snapshot of it by replication meanwhile; its replication id and offset are those of the history.
//
// The dump ends at the place from in the history, and the stream has the bytes that follow, as a primary sends them. It has to end between two commands and
// outside of a transaction. stream may be nil. ctx covers the whole life of what is returned. After an error the target is as after an error of [Feed].
func Hold(ctx context.Context, target Target, dump Dump, from History, stream func(context.Context) (io.ReadCloser, error), options Options) (*Held, error) {
	f := &feeder{target: target, dump: dump, options: options.withDefaults()}
	f.patience = f.options.StallTimeout // while it loads, or carries out one long command, it does not answer
	h, err := f.hold(ctx, from, stream)
	if err != nil {
		if undo := f.end(ctx, true); undo != nil {
			err = errors.Join(err, undo)
		}
		return nil, fmt.Errorf("feed %s up to a moment: %w", target.Addr, err)
	}
	return h, nil
}

func (f *feeder) hold(ctx context.Context, from History, stream func(context.Context) (io.ReadCloser, error)) (*Held, error) {
	to, err := f.reach(ctx, from, stream)
	if err != nil {
		return nil, err
	}
	now, err := f.control.info(ctx)
	if err != nil {
		return nil, err
	}
	h := &Held{At: to, Keys: now.Keys(), feeder: f, done: make(chan struct{})}
	h.ctx, h.stop = context.WithCancel(f.link.ctx)
	go h.keepUp()
	return h, nil
}

// FeedUpTo is [Feed] with the stream behind the dump, as of [Hold]: the target is then a primary that holds the data of that moment, except for keys whose
// time has passed. Its history is one of its own, so that nobody takes it for the server that the stream is of. Whether it all fits is looked at once more
// when the stream is through.
func FeedUpTo(ctx context.Context, target Target, dump Dump, stream func(context.Context) (io.ReadCloser, error), options Options) (Result, error) {
	f := feeder{target: target, dump: dump, options: options.withDefaults()}
	f.patience = f.options.StallTimeout // as in Hold
	result, err := f.runUpTo(ctx, stream)
	if err != nil {
		return Result{}, fmt.Errorf("feed %s up to a moment: %w", target.Addr, err)
	}
	return result, nil
}

func (f *feeder) runUpTo(ctx context.Context, stream func(context.Context) (io.ReadCloser, error)) (result Result, err error) {
	defer func() {
		if undo := f.end(ctx, err != nil); undo != nil {
			err = errors.Join(err, undo)
		}
	}()
	if _, err := f.reach(ctx, freshHistory(), stream); err != nil {
		return Result{}, err
	}
	f.dump.Keys = -1 // the stream has changed how many there are
	return f.promote(ctx)
}

// reach makes the target load the dump, which ends at the place from, and apply the stream behind it. It returns the place where that ends.
func (f *feeder) reach(ctx context.Context, from History, stream func(context.Context) (io.ReadCloser, error)) (to History, err error) {
	if id, err := hex.DecodeString(from.ReplicationID); err != nil || len(id) != 20 || from.Offset < 0 {
		return to, fmt.Errorf("%.80q at %d is no place in a history", from.ReplicationID, from.Offset)
	}
	if err := f.begin(ctx); err != nil {
		return to, err
	}
	if err := f.link.send(from, f.dump, f.options.OnProgress); err != nil {
		return to, f.link.cause(err)
	}
	// It loads before it reads on. Until then nothing is sent, which it might not take for a long time.
	if err := f.await(f.inStep); err != nil {
		return to, err
	}
	if _, _, err := f.loaded(ctx); err != nil {
		return to, err
	}
	before, err := f.control.refusals(ctx)
	if err != nil {
		return to, err
	}
	sent, err := f.replay(stream)
	if err != nil {
		return to, f.link.cause(err)
	}
	to = History{from.ReplicationID, from.Offset + sent}
	if err := f.awaitApplied(to.Offset); err != nil {
		return to, err
	}
	after, err := f.control.refusals(ctx)
	if err != nil {
		return to, err
	}
	if refused := refusedSince(before, after); refused != "" {
		return to, fmt.Errorf("%w: %s", ErrStream, refused)
	}
	return to, nil
}

// replay sends the stream up to its end, and returns how many bytes that were.
func (f *feeder) replay(open func(context.Context) (io.ReadCloser, error)) (sent int64, err error) {
	if open == nil {
		return 0, nil
	}
	stream, err := open(f.link.ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = stream.Close() }()
	for buf, reported := make([]byte, sendBuffer), int64(0); ; {
		n, err := stream.Read(buf)
		if n > 0 {
			if err := f.link.write(buf[:n]); err != nil {
				return sent, err
			}
			if sent += int64(n); sent-reported >= progressEvery {
				reported = sent
				f.options.OnProgress(f.dump.Length + sent)
			}
		}
		if err == io.EOF {
			f.options.OnProgress(f.dump.Length + sent)
			return sent, nil
		}
		if err != nil {
			return sent, fmt.Errorf("read the stream: %w", err)
		}
	}
}

// await asks the target until its answer is the one wanted. A target that dies or falls silent ends the link, and with it the wait.
func (f *feeder) await(reached func(resp.Info) bool) error {
	f.link.expectLife()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		info, err := f.control.info(f.link.ctx)
		if err != nil {
			return f.link.cause(err)
		}
		if reached(info) {
			return nil
		}
		select {
		case <-tick.C:
		case <-f.link.ctx.Done():
			return context.Cause(f.link.ctx)
		}
	}
}

// awaitApplied waits until the target has applied everything up to an offset.
func (f *feeder) awaitApplied(offset int64) error {
	var (
		applied int64
		since   time.Time // since when it has read everything, and applied no more
	)
	err := f.await(func(info resp.Info) bool {
		now := info.Int("slave_repl_offset")
		if now != applied || info.Int("slave_read_repl_offset") < offset { // before 7.0 it does not say what it has read
			applied, since = now, time.Now()
		}
		return applied >= offset || time.Since(since) > tornAfter && info["slave_read_repl_offset"] != ""
	})
	switch {
	case err != nil:
		return err
	case applied < offset:
		return fmt.Errorf("%w: of its last bytes, %d were not applied", ErrTorn, offset-applied)
	case applied > offset:
		return fmt.Errorf("%w: the target is at offset %d instead of %d", ErrStream, applied, offset)
	}
	return nil
}

// refusals counts by command how often the target has refused it. A replica tells its primary nothing of that. Servers before 6.2 do not count it.
func (c *control) refusals(ctx context.Context) (map[string]int64, error) {
	value, err := c.do(ctx, "read INFO", "INFO", "commandstats")
	if err != nil {
		return nil, err
	}
	all := make(map[string]int64)
	for name, stat := range resp.ParseInfo(value.Str) { // "cmdstat_xgroup|create": "calls=3,usec=10,usec_per_call=3.33,rejected_calls=0,failed_calls=1"
		fields := resp.ParseInfo(strings.NewReplacer(",", "\n", "=", ":").Replace(stat))
		if command, is := strings.CutPrefix(name, "cmdstat_"); is {
			all[command] = fields.Int("rejected_calls") + fields.Int("failed_calls")
		}
	}
	return all, nil
}

// refusedSince names the commands that were refused in between; "": none. What concerns the slots of a cluster means nothing to a node outside of cluster mode.
func refusedSince(before, after map[string]int64) string {
	var all []string
	for command, n := range after {
		if command == "cluster" || strings.HasPrefix(command, "cluster|") || n <= before[command] {
			continue
		}
		all = append(all, fmt.Sprintf("%s (%d)", strings.ToUpper(strings.ReplaceAll(command, "|", " ")), n-before[command]))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// keepUp sends signs of life, which a replica needs and does not count: an empty line is no command.
func (h *Held) keepUp() {
	defer close(h.done)
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := h.feeder.link.write([]byte("\n")); err != nil {
				return
			}
		case <-h.ctx.Done():
			return
		}
	}
}

// Check asks the target whether it is still as it was left.
func (h *Held) Check(ctx context.Context) error {
	info, err := h.feeder.control.info(ctx)
	switch {
	case err != nil:
		return err
	case !h.feeder.inStep(info) || info.Int("slave_repl_offset") != h.At.Offset:
		return fmt.Errorf("%w: its link is %s, and it is at offset %s instead of %d", ErrGone, info["master_link_status"], info["slave_repl_offset"], h.At.Offset)
	}
	return nil
}

// Close lets the target go: it is a read-only replica of [Nobody] then, which is to be thrown away. Its settings are put back.
func (h *Held) Close() error {
	h.stop()
	<-h.done
	return h.feeder.end(h.ctx, true)
}
