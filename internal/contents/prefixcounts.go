package contents

import (
	"encoding/binary"
	"math/bits"
)

// recent is how many prefixes are added up before a sketch hears of them: nearly all keys have one of a few.
const (
	recentBits = 10
	recent     = 1 << recentBits
)

// prefixCounts counts the prefixes of all levels. Only the longest prefix of a name is looked up for each key; the shorter ones follow when it gives way
// to another.
type prefixCounts struct {
	levels [prefixLevels]sketch
	recent []recentPrefix
}

// recentPrefix are keys with the same prefixes that are not in the sketches yet.
type recentPrefix struct {
	Sum
	ends [prefixLevels]uint8
	n    uint8 // how many prefixes
	size uint8 // of the longest
	name [maxPrefix]byte
}

// count counts a key whose name has these prefixes, at least one.
func (p *prefixCounts) count(name []byte, ends [prefixLevels]uint8, n int, bytes int64) {
	if p.recent == nil {
		p.recent = make([]recentPrefix, recent)
	}
	longest := name[:ends[n-1]]
	r := &p.recent[place(longest)]
	if string(r.name[:r.size]) != string(longest) {
		p.flush(r)
		r.ends, r.n, r.size = ends, uint8(n), uint8(copy(r.name[:], longest))
	}
	r.Keys++
	r.Bytes += bytes
}

// place is where a prefix is added up. Two in one place cost time and nothing else, so it need not be hard to find them.
func place(prefix []byte) uint64 {
	var h uint64
	if len(prefix) >= 8 {
		h = binary.LittleEndian.Uint64(prefix) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(prefix[len(prefix)-8:]), 29)
	} else {
		for _, b := range prefix {
			h = h<<8 | uint64(b)
		}
	}
	const odd = 0x9E3779B97F4A7C15 // the golden ratio
	return (h + uint64(len(prefix))) * odd >> (64 - recentBits)
}

// flush passes what was added up on to the sketches.
func (p *prefixCounts) flush(r *recentPrefix) {
	for level := range r.n {
		p.levels[level].count(r.name[:r.ends[level]], r.Sum)
	}
	*r = recentPrefix{}
}

// sketches are those of all levels, with everything that was counted.
func (p *prefixCounts) sketches() *[prefixLevels]sketch {
	for i := range p.recent {
		p.flush(&p.recent[i])
	}
	return &p.levels
}

func (p *prefixCounts) merge(o *prefixCounts) {
	mine, others := p.sketches(), o.sketches()
	for level := range mine {
		mine[level].merge(&others[level])
	}
}
