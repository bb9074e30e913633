// Package fuse keeps a small filter of the names of the keys in an RDB: it tells of nearly every name that is not there that it is not, and never that of
// one that is. It takes about 9 bits for each name.
//
// A filter is a sequence of binary fuse filters with fingerprints of 8 bits, each for a block of names, so that neither writing nor reading it takes more
// memory for more names. Of a name that is not there each block says "maybe" with a probability of 1 in 256. The format is described in
// docs/snapshot-format.md, under "Filters".
package fuse

import (
	"errors"

	"github.com/FastFilter/xorfilter"
	"github.com/zeebo/xxh3"
)

// version is the version of the format that is written. Readers refuse a higher one.
const version = 1

// magic begins a filter; the version follows.
const magic = "RKFUSE"

// Bounds of a block.
const (
	blockNames       = 1 << 16 // names in those that are written: larger ones would exclude a little more, and take more memory to make
	maxNames         = 1 << 20 // names in those that are read
	maxSegmentLength = 1 << 18 // what the library uses at most
	maxFingerprints  = 4 << 20 // bytes
)

// MaxName is how many bytes of a name count. Names that differ only behind them look the same to a filter.
const MaxName = 256

// Errors of a filter that is read.
var (
	// ErrDamaged: it is not what was written, or it is of another RDB.
	ErrDamaged = errors.New("the filter is damaged")
	// ErrNewer: it was written by a newer Rekindle.
	ErrNewer = errors.New("the filter was written by a newer Rekindle")
)

// block is the filter of one block of names.
type block = xorfilter.BinaryFuse[uint8]

// hash is by what a filter knows a name. The seed is random, so that nobody can choose names that have the same hash.
func hash(name []byte, seed uint64) uint64 {
	return xxh3.HashSeed(name[:min(len(name), MaxName)], seed)
}
