package restore

import (
	"errors"
	"fmt"
	"strings"

	"rekindle/internal/resp"
	"rekindle/internal/slots"
)

// hops is how often a key may be sent to another node.
const hops = 8

var errLost = errors.New("the nodes send it to each other")

func isThere(answer string) bool { return strings.HasPrefix(answer, "-BUSYKEY ") }

// at asks the node that has a key, and follows when that sends us to another one. ask returns what the node answers.
func (b *Bringer) at(database int, name []byte, ask func(p *place) (answer string, err error)) error {
	addr, err := b.home(name)
	if err != nil {
		return err
	}
	asking := false
	for range hops {
		p, err := b.place(addr)
		if err != nil {
			return err
		}
		if err := p.choose(b.ctx, database); err != nil {
			return err
		}
		if asking {
			if err := p.do(b.ctx, "ASKING"); err != nil {
				return err
			}
		}
		answer, err := ask(p)
		if err != nil || !strings.HasPrefix(answer, "-") {
			return err
		}
		to, slot, once, sent := redirected(answer, addr)
		if !sent {
			return fmt.Errorf("%s: %w", addr, meaning(answer[1:]))
		}
		if addr, asking = to, once; !once {
			b.moved[slot] = to
		}
	}
	return fmt.Errorf("%w: %w", ErrMoved, errLost)
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
	return "", fmt.Errorf("slot %d: %w", slot, ErrMoved)
}

// place is the connection to a node.
func (b *Bringer) place(addr string) (*place, error) {
	if p := b.places[addr]; p != nil {
		return p, nil
	}
	conn, err := resp.Dial(b.ctx, b.reach(addr))
	if err != nil {
		return nil, err
	}
	p := &place{conn: conn, addr: addr}
	b.places[addr] = p
	b.mu.Lock()
	b.open = append(b.open, conn)
	b.mu.Unlock()
	if b.ctx.Err() != nil { // perhaps after the others were closed
		conn.Close()
	}
	return p, nil
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
