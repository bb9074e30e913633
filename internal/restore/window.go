package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
)

// Bounds of what is under way. A node has done with so much before its other clients notice, and it is what is in doubt when the node is lost.
const (
	windowBytes    = 1 << 20
	windowCommands = 1024
	firstDumps     = 16 // a node may hold values that are much larger than the ones in the snapshot
	manyBytes      = 4 * windowBytes
	hops           = 8 // how often a key may be sent to another node
)

var errLost = errors.New("the nodes send it to each other")

// window is a number of keys that are under way together.
type window struct {
	keys  []attempt
	text  []byte // names and values, with room for windowBytes
	bytes int64  // what is expected to go over the line
	dumps int    // how many commands of a rehearsal go together now
}

func (w *window) full(size int64, rehearse bool) bool {
	return len(w.keys) > 0 && (w.bytes+size > windowBytes || len(w.keys) >= windowCommands || rehearse && len(w.keys) >= w.dumps)
}

func (w *window) clear() { w.keys, w.text, w.bytes = w.keys[:0], w.text[:0], 0 }

// keep copies text into the window, for as long as that is not cleared.
func (w *window) keep(text []byte) []byte {
	if len(w.text)+len(text) > cap(w.text) {
		return bytes.Clone(text)
	}
	at := len(w.text)
	w.text = append(w.text, text...)
	return w.text[at:len(w.text):len(w.text)]
}

// adapt chooses how many keys are asked for together, by how large those were that came.
func (w *window) adapt() {
	var came int64
	for i := range w.keys {
		came += w.keys[i].bytes
	}
	switch {
	case came > manyBytes:
		w.dumps = max(1, int(int64(w.dumps)*manyBytes/came))
	case came < windowBytes:
		w.dumps = min(2*w.dumps, windowCommands)
	}
}

// add sends a key on its way, with others. Its value is in the spool, if it has no payload. A value that is too large for a window goes alone.
func (b *Bringer) add(one picked) error {
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	if b.window.full(one.size, b.options.Rehearse) {
		if err := b.settle(); err != nil {
			return err
		}
	}
	alone := !one.expired && one.size > windowBytes
	one.as = b.window.keep(one.as)
	if !b.options.Rehearse && !one.expired && !alone && one.payload == nil {
		one.payload = b.spool.payload(b.window.text[len(b.window.text):], one.sum)
		if end := len(b.window.text) + len(one.payload); end <= cap(b.window.text) {
			b.window.text = b.window.text[:end]
		}
	}
	b.window.keys = append(b.window.keys, attempt{picked: one, settled: one.expired, fate: Expired})
	if b.window.bytes += one.size; alone {
		return b.settle()
	}
	return nil
}

// settle waits until all keys that are under way are seen to, and counts them.
func (b *Bringer) settle() error {
	todo := make([]*attempt, 0, len(b.window.keys))
	var err error
	for i := range b.window.keys {
		if a := &b.window.keys[i]; !a.settled {
			todo = append(todo, a)
			if a.addr, err = b.home(a.as); err != nil {
				return b.because(a, err)
			}
		}
	}
	for hop := 0; len(todo) > 0 && err == nil; hop++ {
		if hop > hops {
			err = b.because(todo[0], fmt.Errorf("%w: %w", ErrMoved, errLost))
			break
		}
		err = b.send(todo)
		again := todo[:0]
		for _, a := range todo {
			failed := b.judge(a)
			if failed != nil && err == nil {
				err = b.because(a, failed)
			}
			if failed == nil && !a.settled {
				again = append(again, a)
			}
		}
		todo = again
	}
	b.count(err != nil)
	b.window.adapt()
	b.window.clear()
	return err
}

func (b *Bringer) because(a *attempt, err error) error {
	return fmt.Errorf("bring back a %s in database %d: %w", a.kind, a.database, err)
}

// send sends keys to their nodes, and waits for the answers.
func (b *Bringer) send(todo []*attempt) (err error) {
	used := map[string]*bringing{}
	for _, a := range todo { // before anything is sent
		if used[a.addr] == nil {
			if used[a.addr], err = b.lane(a.addr); err != nil {
				return b.because(a, err)
			}
		}
	}
	for _, a := range todo {
		if err = b.ask(used[a.addr], a); err != nil {
			break
		}
	}
	for _, l := range used {
		if err == nil {
			err = l.flush()
		}
	}
	for addr, l := range used { // also what was sent before an error is answered
		if failed := l.settle(); failed != nil && (err == nil || errors.Is(err, errLane)) {
			err = fmt.Errorf("%s: %w", addr, failed)
		}
	}
	if err != nil && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return err
}

// judge looks at what a node has answered. A key that is not settled afterwards is asked for again, perhaps elsewhere.
func (b *Bringer) judge(a *attempt) error {
	if !a.answered {
		return nil
	}
	answer := a.answer
	to, slot, once, sent := redirected(answer, a.addr)
	switch {
	case answer == "":
		a.settled = true
		switch {
		case a.there && !b.options.Replace:
			a.fate = Skipped
		case a.there || a.replace:
			a.fate = Replaced
		default:
			a.fate = Added
		}
		return nil
	case isThere(answer) && b.options.Replace:
		a.replace = true
	case isThere(answer):
		a.settled, a.fate = true, Skipped
		return nil
	case sent:
		if a.addr, a.asking = to, once; !once {
			b.moved[slot] = to
		}
	default:
		return fmt.Errorf("%s: %w", a.addr, meaning(strings.TrimPrefix(answer, "-")))
	}
	a.sent, a.answered, a.answer = false, false, ""
	return nil
}
