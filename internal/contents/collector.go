package contents

import (
	"bytes"
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"strings"

	"rekindle/internal/rdb"
)

// Bounds of what is collected, and with them of its memory: at most about 8 MiB while a part is collected and another one is merged.
const (
	maxBiggest   = 100
	maxDatabases = 64   // that are counted one by one
	maxLibraries = 100  // whose names are kept
	maxListed    = 1000 // prefixes: those with the most keys, and those with the most bytes
	maxWord      = 64   // bytes of a library's name
)

// Collector collects what an RDB holds while it is scanned. It is an [rdb.Observer].
type Collector struct {
	named     bool
	database  int
	here      holdings          // of that database
	databases map[int]*holdings // those that were seen before
	others    holdings          // of databases beyond those
	libraries int64
	functions []Library
	biggest   biggest
	prefixes  prefixCounts
	without   Sum
	spans     map[int64]int64 // keys by their time left, in seconds: see Expiry
	contents  Contents        // what is known of parts as a whole
}

// holdings are the keys of a database by their encoding.
type holdings [rdb.Encodings]struct {
	Sum
	expires int64
}

func (h *holdings) merge(o *holdings) {
	for i := range h {
		h[i].add(o[i].Sum)
		h[i].expires += o[i].expires
	}
}

// New returns an empty collector. Without names, it keeps no name of any key, and no prefix.
func New(names bool) *Collector {
	return &Collector{named: names, databases: map[int]*holdings{}, spans: map[int64]int64{}}
}

// Key implements [rdb.Observer].
func (c *Collector) Key(k *rdb.Observed) {
	if k.Database != c.database {
		c.leave()
		c.database = k.Database
	}
	h := &c.here[k.Encoding]
	h.Keys++
	h.Bytes += k.Bytes
	if k.Expires {
		h.expires++
	}
	if len(c.biggest) < maxBiggest || k.Bytes > c.biggest[0].Bytes {
		c.big(k)
	}
	if !c.named {
		return
	}
	if ends, n := prefixes(k.Name); n > 0 {
		c.prefixes.count(k.Name, ends, n, k.Bytes)
	} else {
		c.without.Keys++
		c.without.Bytes += k.Bytes
	}
}

// leave puts away what was counted of a database.
func (c *Collector) leave() {
	if c.here == (holdings{}) {
		return
	}
	c.put(c.database, &c.here)
	c.here = holdings{}
}

func (c *Collector) put(database int, h *holdings) {
	one, known := c.databases[database]
	if !known && len(c.databases) >= maxDatabases || database == OtherDatabases {
		one, known = &c.others, true
	}
	if !known {
		one = &holdings{}
		c.databases[database] = one
	}
	one.merge(h)
}

func (c *Collector) big(k *rdb.Observed) {
	key := BigKey{Database: k.Database, Bytes: k.Bytes}
	key.Type, key.Encoding = k.Encoding.Names()
	if c.named {
		key.Name = NameOf(k.Name, k.Length)
	}
	c.biggest.add(key)
}

// Library implements [rdb.Observer].
func (c *Collector) Library(code []byte) {
	c.libraries++
	if len(c.functions) < maxLibraries {
		c.functions = append(c.functions, libraryOf(code))
	}
}

// libraryOf reads a library's first line, such as #!lua name=mylib. Source: functionExtractLibMetaData in redis functions.c.
func libraryOf(code []byte) (l Library) {
	line, _, _ := bytes.Cut(code, []byte("\n"))
	words := strings.Fields(strings.ToValidUTF8(string(line), "\uFFFD"))
	if len(words) == 0 || !strings.HasPrefix(words[0], "#!") {
		return l
	}
	l.Engine = strings.ToUpper(short(words[0][2:]))
	for _, word := range words[1:] {
		if name, found := strings.CutPrefix(word, "name="); found {
			l.Name = short(name)
		}
	}
	return l
}

func short(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxWord)], "") }

// End tells the collector what the scan that it observed has found out about the whole RDB.
func (c *Collector) End(sum rdb.Summary) {
	if !sum.StatsKnown {
		c.contents.Unknown = cmp.Or(c.contents.Unknown, short(sum.Unknown), "something that is not known here")
		return
	}
	written, spans, known := sum.Lifetimes.Spans()
	if !known {
		return
	}
	c.writtenAt(Contents{WrittenAt: written.UTC()})
	for _, span := range spans {
		c.spans[secondsOf(span)] += span.Keys
	}
}

func secondsOf(span rdb.Span) int64 {
	if span.More {
		return -1
	}
	return int64(span.AtMost.Seconds())
}

// writtenAt notes the time of the first RDB.
func (c *Collector) writtenAt(o Contents) {
	if mine := c.contents.WrittenAt; !o.WrittenAt.IsZero() && (mine.IsZero() || o.WrittenAt.Before(mine)) {
		c.contents.WrittenAt = o.WrittenAt
	}
}

// Merge adds what another collector has collected, of another shard. Merging in another order gives the same, as long as no sketch is full
// and no two of the biggest keys are equally big.
func (c *Collector) Merge(o *Collector) {
	o.leave()
	for _, database := range slices.Sorted(maps.Keys(o.databases)) {
		c.put(database, o.databases[database])
	}
	c.put(OtherDatabases, &o.others)
	c.libraries += o.libraries
	c.functions = append(c.functions, o.functions...)
	c.functions = c.functions[:min(len(c.functions), maxLibraries)]
	for _, key := range o.biggest {
		c.biggest.add(key)
	}
	c.prefixes.merge(&o.prefixes)
	c.without.add(o.without)
	for seconds, keys := range o.spans {
		c.spans[seconds] += keys
	}
	c.named = c.named && o.named
	c.contents.Unknown = cmp.Or(c.contents.Unknown, o.contents.Unknown)
	c.writtenAt(o.contents)
}

// Contents is what was collected.
func (c *Collector) Contents() Contents {
	c.leave()
	if c.contents.Unknown != "" {
		return Contents{Unknown: c.contents.Unknown, Named: c.named}
	}
	all := c.contents
	all.Holdings, all.Expiries = c.holdings(), c.expiries()
	all.Libraries, all.Functions = c.libraries, slices.Clone(c.functions)
	slices.SortFunc(all.Functions, func(a, b Library) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Engine, b.Engine)) })
	all.Functions = slices.Compact(all.Functions) // each shard has them all
	all.Named, all.WithoutPrefix = c.named, c.without
	all.Biggest = slices.SortedFunc(slices.Values(c.biggest), bigger)
	all.Prefixes, all.Unlisted = c.listed()
	if !c.named {
		return all.WithoutNames()
	}
	return all
}

func (c *Collector) holdings() []Holding {
	var all []Holding
	databases := maps.Clone(c.databases)
	databases[OtherDatabases] = &c.others
	for database, h := range databases {
		for encoding, sums := range h {
			if sums.Keys > 0 {
				one := Holding{Database: database, Sum: sums.Sum, Expires: sums.expires}
				one.Type, one.Encoding = rdb.Encoding(encoding).Names()
				all = append(all, one)
			}
		}
	}
	all = Contents{Holdings: all}.Group(func(h Holding) Holding { return h }) // several types of an RDB have the same words
	slices.SortStableFunc(all, func(a, b Holding) int { return cmp.Compare(uint(a.Database), uint(b.Database)) })
	return all
}

func (c *Collector) expiries() []Expiry {
	var all []Expiry
	for seconds, keys := range c.spans {
		all = append(all, Expiry{seconds, keys})
	}
	slices.SortFunc(all, func(a, b Expiry) int { return cmp.Compare(uint64(a.AtMost), uint64(b.AtMost)) }) // -1 last
	return all
}

// listed are the prefixes with the most keys and those with the most bytes, and the most that another one can have.
func (c *Collector) listed() (all []Prefix, unlisted Sum) {
	for level, s := range c.prefixes.sketches() {
		unlisted = Sum{max(unlisted.Keys, s.missed.Keys), max(unlisted.Bytes, s.missed.Bytes)}
		for _, counted := range s.all {
			all = append(all, Prefix{Name: NameOf([]byte(counted.name), int64(len(counted.name))), Level: level + 1, Sum: counted.seen, Over: counted.over})
		}
	}
	byName := func(a, b Prefix) int { return cmp.Compare(a.Name.text, b.Name.text) }
	slices.SortFunc(all, func(a, b Prefix) int { return cmp.Or(cmp.Compare(b.Keys, a.Keys), byName(a, b)) })
	rest := all[min(len(all), maxListed):]
	slices.SortFunc(rest, func(a, b Prefix) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), byName(a, b)) })
	listed := min(len(all), 2*maxListed)
	for _, p := range all[listed:] {
		unlisted = Sum{max(unlisted.Keys, p.Keys+p.Over.Keys), max(unlisted.Bytes, p.Bytes+p.Over.Bytes)}
	}
	all = all[:listed:listed]
	slices.SortFunc(all, func(a, b Prefix) int { return cmp.Or(cmp.Compare(b.Keys, a.Keys), byName(a, b)) })
	return all, unlisted
}

// biggest is a heap of keys, the smallest first.
type biggest []BigKey

// bigger orders keys, the biggest first; those of one size by their names, so that the order of shards makes no difference.
func bigger(a, b BigKey) int {
	return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name.text, b.Name.text), cmp.Compare(a.Database, b.Database), cmp.Compare(a.Type, b.Type))
}

func (b *biggest) add(key BigKey) {
	switch {
	case len(*b) < maxBiggest:
		heap.Push(b, key)
	case bigger(key, (*b)[0]) < 0:
		(*b)[0] = key
		heap.Fix(b, 0)
	}
}

// Len, Less, Swap, Push and Pop implement [heap.Interface].
func (b biggest) Len() int           { return len(b) }
func (b biggest) Less(i, j int) bool { return bigger(b[i], b[j]) > 0 }
func (b biggest) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// Push implements [heap.Interface].
func (b *biggest) Push(key any) { *b = append(*b, key.(BigKey)) }

// Pop implements [heap.Interface].
func (b *biggest) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}
