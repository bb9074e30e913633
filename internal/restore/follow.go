package restore

import (
	"fmt"
	"strconv"

	"rekindle/internal/resp"
	"rekindle/internal/slots"
)

// bringing is the lane by which keys come back into one node.
type bringing struct{ lane[*attempt] }

// ask sends one key.
func (b *Bringer) ask(l *bringing, a *attempt) error {
	if err := b.choose(l, a.database); err != nil {
		return err
	}
	if a.asking {
		l.begin(1)
		l.word("ASKING")
		if err := l.end(&attempt{selects: true}); err != nil {
			return err
		}
	}
	a.sent = true
	if b.options.Rehearse {
		l.begin(2)
		l.word("DUMP")
		l.blob(a.as)
		return l.end(a)
	}
	words := a.modifiers
	if a.replace {
		words = append([]string{"REPLACE"}, words...)
	}
	l.begin(4 + len(words))
	l.word("RESTORE")
	l.blob(a.as)
	l.word(deadline(a.expires))
	if a.payload != nil {
		l.blob(a.payload)
	} else if err := l.value(b.spool); err != nil {
		return err
	}
	for _, word := range words {
		l.word(word)
	}
	return l.end(a)
}

// choose selects a database, and waits until that is so: what follows must not go into another one.
func (b *Bringer) choose(l *bringing, database int) error {
	if l.database == database {
		return nil
	}
	one := &attempt{selects: true}
	err := l.choose(database, one)
	if err == nil {
		err = l.flush()
	}
	if failed := l.settle(); failed != nil {
		return fmt.Errorf("%s: %w", l.addr, failed)
	}
	if err == nil && one.answer != "" {
		err = fmt.Errorf("select database %d of %s: %w", database, l.addr, meaning(one.answer[1:]))
		l.database = -1
	}
	return err
}

// home is the node that has the slot of a key, as far as is known.
func (b *Bringer) home(name []byte) (string, error) {
	if b.options.Route == nil {
		return b.nodes[0].Addr, nil
	}
	slot := slots.Of(name)
	if addr, known := b.moved[slot]; known {
		return addr, nil
	}
	if i := b.options.Route(slot); i >= 0 && i < len(b.nodes) {
		return b.nodes[i].Addr, nil
	}
	return "", fmt.Errorf("slot %s: %w", strconv.Itoa(slot), ErrMoved)
}

// lane is the connection to a node.
func (b *Bringer) lane(addr string) (*bringing, error) {
	if l := b.lanes[addr]; l != nil {
		return l, nil
	}
	conn, err := resp.Dial(b.ctx, b.reach(addr))
	if err != nil {
		return nil, err
	}
	l := &bringing{}
	l.start(conn, addr, hearing{conn}.hear)
	b.mu.Lock()
	b.lanes[addr] = l
	b.mu.Unlock()
	if b.ctx.Err() != nil { // perhaps after the others were closed
		_ = l.fail(resp.ErrClosed)
	}
	return l, nil
}

func (b *Bringer) reach(addr string) resp.Options {
	for _, o := range b.nodes {
		if o.Addr == addr {
			return o
		}
	}
	if b.options.Reach != nil {
		return b.options.Reach(addr)
	}
	o := b.nodes[0]
	o.Addr = addr
	return o
}
