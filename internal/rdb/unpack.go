package rdb

import (
	"encoding/binary"
	"math"
	"strconv"
)

// maxScore is how long the text of a score may be: servers do not write longer ones.
const maxScore = 128

// unpack writes a packed hash, set or sorted set as one that is not.
func (r *rewriter) unpack() error {
	switch r.from {
	case typeHashListpackTTL, typeHashListpackTTLPreGA:
		r.together = 3
	case typeHashListpack, typeZSetListpack:
		r.together = 2
	default:
		r.together = 1
	}
	if err := r.earliest(); err != nil {
		return err
	}
	return r.counted(r.unpackOne)
}

// list writes a list whose nodes are packed, or are one long element each, as a list of elements.
func (r *rewriter) list() error {
	r.together = 1
	return r.counted(func() error {
		nodes, err := r.s.count()
		for ; err == nil && nodes > 0; nodes-- {
			err = r.listNode()
		}
		return err
	})
}

func (r *rewriter) listNode() error {
	container, err := r.s.count()
	if err != nil {
		return err
	}
	switch container {
	case nodePacked:
		return r.unpackOne()
	case nodePlain:
		r.elements++
		r.s.copyTo(&r.out)
		err := r.s.skipString()
		if end := r.s.copyEnd(); end != nil {
			return end
		}
		return err
	}
	return r.s.corrupt("a list's node of kind %d", container)
}

// counted writes the number of elements before them. It is known behind them only: a packed value need not say how many it has.
func (r *rewriter) counted(elements func() error) error {
	place, err := r.out.reserve()
	if err != nil {
		return err
	}
	if err := elements(); err != nil {
		return err
	}
	if r.elements == 0 || r.elements%r.together != 0 {
		return r.s.corrupt("a %s of %d elements", typeNames[r.from.number()], r.elements)
	}
	return r.out.set(place, r.elements/r.together)
}

// unpackOne writes the elements of one listpack.
func (r *rewriter) unpackOne() error {
	c, err := r.s.open("packed collection")
	if err != nil {
		return err
	}
	c.texts = r.text
	_, err = c.listpack(r.element)
	return err
}

// place is where among those that belong together the next element stands.
func (r *rewriter) place() uint64 { return r.elements % r.together }

// isScore tells whether the next element is a score.
func (r *rewriter) isScore() bool { return r.from == typeZSetListpack && r.place() == 1 }

// text says where the text of the next element goes, which has n bytes.
func (r *rewriter) text(n uint64) (*held, error) {
	switch {
	case r.place() == 2: // a deadline, which has to be a number
		return nil, nil
	case !r.isScore():
		return &r.out, r.out.add(appendLength(nil, n))
	case n > maxScore:
		return nil, r.s.corrupt("a score of %d bytes", n)
	}
	r.score.p = r.score.p[:0]
	return &r.score, nil
}

// element writes an element whose text, if it is not a number, has just been read.
func (r *rewriter) element(e element) error {
	place, score := r.place(), r.isScore()
	r.elements++
	if r.together == 3 {
		if err := r.walk.element(e); err != nil {
			return err
		}
	}
	switch {
	case score:
		return r.binaryScore(e)
	case place == 2 && r.to == formValkeyHashTTL:
		if e.value > 0 {
			e.value = int64(r.fields.moved(uint64(e.value), maxFieldTTL))
		}
		return r.valkeyTTL(e.value)
	case place == 2 || !e.integer:
		return nil
	}
	text := strconv.AppendInt(nil, e.value, 10)
	return r.out.add(append(appendLength(nil, uint64(len(text))), text...))
}

// binaryScore writes a score that is packed as a number or as text.
func (r *rewriter) binaryScore(e element) error {
	score := float64(e.value)
	if !e.integer {
		var err error
		if score, err = strconv.ParseFloat(string(r.score.p), 64); err != nil || math.IsNaN(score) {
			return r.s.corrupt("a score that is not a number")
		}
	}
	return r.out.add(binary.LittleEndian.AppendUint64(nil, math.Float64bits(score)))
}
