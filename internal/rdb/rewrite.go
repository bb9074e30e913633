package rdb

import (
	"encoding/binary"
	"io"
)

// rewriter writes a value in another form, or with other deadlines of its fields. It goes over the value once and keeps none of it.
type rewriter struct {
	s        *Scanner
	from, to form
	fields   FieldDeadlines
	out      held

	base     uint64    // what the deadlines of a hash of Redis that is not packed are relative to, as it is written
	walk     fieldWalk // through a packed hash whose fields expire
	elements uint64    // of a packed value, so far
	together uint64    // how many of them belong together
	score    held      // the text of the score that is being read
}

// rewrite writes the value in another form. It has to make sense, because a server trusts it.
func (v Value) rewrite(to form, w io.Writer) (int64, error) {
	strict := v.s.strict
	v.s.strict = true
	defer func() { v.s.strict = strict }()
	r := rewriter{s: v.s, from: v.form, to: to, fields: v.fields, out: held{w: w}}
	r.walk.s = v.s
	err := r.value()
	if err == nil {
		err = r.out.flush()
	}
	return r.out.n, err
}

func (r *rewriter) value() error {
	switch r.from {
	case typeHashTTL, typeHashTTLPreGA, formValkeyHashTTL:
		return r.table()
	case typeStreamListpacks2, typeStreamListpacks3:
		return r.stream()
	case typeListQuicklist2:
		return r.list()
	}
	if r.from == r.to {
		return r.shift()
	}
	return r.unpack()
}

// table writes a hash that is not packed and whose fields expire: its earliest deadline, if it has that, the number of fields, and the fields.
func (r *rewriter) table() error {
	if err := r.earliest(); err != nil {
		return err
	}
	n, err := r.s.count()
	if err == nil && n == 0 {
		err = r.s.corrupt("a hash of 0 elements")
	}
	if err != nil {
		return err
	}
	if err := r.out.add(appendLength(nil, n)); err != nil {
		return err
	}
	field := r.field
	if r.from == formValkeyHashTTL {
		field = r.valkeyField
	}
	for ; n > 0; n-- {
		if err := field(); err != nil {
			return err
		}
	}
	return nil
}

// earliest reads the earliest deadline of a hash, and writes it, each if the form has one. Coming from Valkey, it is not known yet: any time before it
// does as well, because the server looks at the fields.
func (r *rewriter) earliest() error {
	r.base = 1
	if r.from == typeHashTTL || r.from == typeHashListpackTTL {
		if err := r.s.earliestTTL(); err != nil {
			return err
		}
		r.base = r.fields.moved(r.s.earliest, maxFieldTTL)
	}
	if r.to == typeHashTTL || r.to == typeHashListpackTTL {
		return r.out.add(binary.LittleEndian.AppendUint64(nil, r.base))
	}
	return nil
}

// field writes a field of Redis, which comes behind its deadline.
func (r *rewriter) field() error {
	at, err := r.s.fieldTTL(byte(r.from))
	if err != nil {
		return err
	}
	if at > 0 {
		at = r.fields.moved(at, maxFieldTTL)
	}
	switch r.to {
	case typeHashTTL, typeHashTTLPreGA:
		if err := r.out.add(appendLength(nil, r.redisTTL(at))); err != nil {
			return err
		}
		return r.copyStrings()
	case formValkeyHashTTL:
		if err := r.copyStrings(); err != nil {
			return err
		}
		return r.valkeyTTL(int64(at))
	}
	return r.copyStrings()
}

// redisTTL is a deadline as Redis has it in a hash that is not packed; 0 means none.
func (r *rewriter) redisTTL(at uint64) uint64 {
	if r.to == typeHashTTL && at > 0 {
		return at - r.base + 1
	}
	return at
}

// valkeyTTL writes a deadline as Valkey has it; 0 means none.
func (r *rewriter) valkeyTTL(at int64) error {
	if at == 0 {
		at = -1
	}
	return r.out.add(binary.LittleEndian.AppendUint64(nil, uint64(at)))
}

// valkeyField writes a field of Valkey, which comes before its deadline.
func (r *rewriter) valkeyField() error {
	var place int64
	var err error
	if r.to == typeHashTTL {
		if place, err = r.out.reserve(); err != nil {
			return err
		}
	}
	if err := r.copyStrings(); err != nil {
		return err
	}
	at, err := r.s.valkeyTTL()
	switch {
	case err != nil || r.to == typeHash:
		return err
	case r.to == typeHashTTL && at < 0:
		return nil // what was reserved says that it has none
	case r.to == typeHashTTL: // which has less room for times, and for none in 1970's first moment
		return r.out.set(place, r.redisTTL(max(1, min(maxFieldTTL, r.fields.moved(uint64(at), maxFieldTTL)))))
	case at >= 0:
		at = int64(r.fields.moved(uint64(at), maxValkeyTTL))
	}
	return r.out.add(binary.LittleEndian.AppendUint64(nil, uint64(at)))
}

// copyStrings copies a field and its value.
func (r *rewriter) copyStrings() error {
	r.s.copyTo(&r.out)
	err := r.s.skipStrings(2)
	if end := r.s.copyEnd(); end != nil {
		return end
	}
	return err
}

// stream writes a stream in an older form.
func (r *rewriter) stream() error {
	r.s.copyTo(&r.out)
	r.s.older = byte(r.to)
	err := r.s.skipStream(byte(r.from))
	r.s.older = 0
	if end := r.s.copyEnd(); end != nil {
		return end
	}
	return err
}
