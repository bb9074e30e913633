package contents

import "slices"

// counters is how many prefixes a sketch counts at once. A quarter of it, less one, is the sharpest that it is in numbers.
const counters = 4096

// Precision is the bound of a prefix's error: at most one in so many of all keys, and of their bytes, is missing from what was counted.
const Precision = counters / 4

// sketch counts how many keys have a prefix and what they take, of all prefixes as long as there are at most [counters], and then of those with the most
// keys or the most bytes. It is the algorithm of Misra and Gries with two weights: when the sketch is full, every prefix gives up as much credit as the one
// at the first quarter has, and who has none left, of keys and of bytes, is dropped. What is given up at once is given up by more than a quarter of the
// counters, so it adds up to at most 1/[Precision] of everything. Source: Misra and Gries, Finding repeated elements, 1982; batches as in Anderson et al., A
// High-Performance Algorithm for Identifying Frequent Items in Data Streams, 2017.
type sketch struct {
	index  map[string]int
	all    []counted
	missed Sum // the most that a prefix which is not in it can have
}

// counted is a prefix in a sketch.
type counted struct {
	name   string
	seen   Sum // since it was counted
	over   Sum // the most that it can have had before
	credit Sum
}

// count counts keys with a prefix.
func (s *sketch) count(prefix []byte, keys Sum) {
	i, known := s.index[string(prefix)]
	if !known {
		i = s.admit(string(prefix))
	}
	c := &s.all[i]
	c.seen.add(keys)
	c.credit.add(keys)
}

// admit makes room for a prefix.
func (s *sketch) admit(name string) int {
	if s.index == nil {
		s.index = map[string]int{}
	}
	if len(s.all) >= counters {
		s.prune()
	}
	s.index[name] = len(s.all)
	s.all = append(s.all, counted{name: name, over: s.missed})
	return len(s.all) - 1
}

// prune drops at least half of a full sketch.
func (s *sketch) prune() {
	cut := Sum{
		s.quarter(func(c counted) int64 { return c.credit.Keys }),
		s.quarter(func(c counted) int64 { return c.credit.Bytes }),
	}
	s.missed.add(cut)
	kept := s.all[:0]
	for _, c := range s.all {
		c.credit.Keys, c.credit.Bytes = max(0, c.credit.Keys-cut.Keys), max(0, c.credit.Bytes-cut.Bytes)
		if c.credit != (Sum{}) {
			kept = append(kept, c)
		}
	}
	clear(s.all[len(kept):])
	s.all = kept
	clear(s.index)
	for i, c := range s.all {
		s.index[c.name] = i
	}
}

// quarter is the credit that at most a quarter of the counters exceed.
func (s *sketch) quarter(credit func(counted) int64) int64 {
	values := make([]int64, len(s.all))
	for i, c := range s.all {
		values[i] = credit(c)
	}
	slices.Sort(values)
	return values[len(values)-1-Precision]
}

// merge adds what another sketch has counted. The errors add up, and so do the numbers that they are a share of.
func (s *sketch) merge(o *sketch) {
	if s.index == nil {
		s.index = map[string]int{}
	}
	for i := range s.all {
		if _, both := o.index[s.all[i].name]; !both {
			s.all[i].over.add(o.missed)
		}
	}
	for _, c := range o.all {
		i, both := s.index[c.name]
		if !both {
			i = len(s.all)
			s.index[c.name] = i
			s.all = append(s.all, counted{name: c.name, over: s.missed})
		}
		mine := &s.all[i]
		mine.seen.add(c.seen)
		mine.over.add(c.over)
		mine.credit.add(c.credit)
	}
	s.missed.add(o.missed)
	for len(s.all) > counters {
		s.prune()
	}
}
