package logical

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
)

const (
	hashSize  = 16   // of a SHA-256: enough that no two names ever share it
	blockSize = 4096 // what is read of the table at once
	perBlock  = blockSize / hashSize

	// seenMemory is how large a table may be that is kept in memory.
	seenMemory = 64 << 20
)

// ErrSpool says that the list of names could not be kept in a temporary file.
var ErrSpool = errors.New("the names of the keys that were read cannot be stored temporarily")

// nameHash stands for a name. It is never 0: that is an empty place.
type nameHash [hashSize]byte

func hashOf(name string) (h nameHash) {
	sum := sha256.Sum256([]byte(name))
	copy(h[:], sum[:])
	if h == (nameHash{}) {
		h[0] = 1
	}
	return h
}

// seen is the set of the names that have been: a hash table with open addressing, in memory or in a file. A name's place is in one block, and in the
// blocks behind it when that is full.
type seen struct {
	folder string // for the file
	memory int64  // how large it may be in memory
	table  table
	blocks uint64
	names  uint64
	block  [blockSize]byte
}

// table is where the blocks are.
type table interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// newSeen makes room for about so many names. More may come.
func newSeen(folder string, memory, names int64) (*seen, error) {
	s := &seen{folder: folder, memory: memory, blocks: max(uint64(names), perBlock)*3/2/perBlock + 1}
	var err error
	s.table, err = s.make(s.blocks)
	return s, err
}

func (s *seen) make(blocks uint64) (table, error) {
	size := int64(blocks * blockSize)
	if size <= s.memory {
		return inMemory(make([]byte, size)), nil
	}
	file, err := os.CreateTemp(s.folder, "names-*")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpool, err)
	}
	err = os.Remove(file.Name()) // the file goes with the process, however that ends
	if err == nil {
		err = file.Truncate(size)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%w: %w", ErrSpool, err)
	}
	return file, nil
}

// add tells whether the name is new.
func (s *seen) add(name string) (bool, error) {
	fresh, err := s.put(hashOf(name))
	if err == nil && fresh && s.names > s.blocks*perBlock*3/4 {
		err = s.grow()
	}
	return fresh, err
}

func (s *seen) put(h nameHash) (bool, error) {
	block, _ := bits.Mul64(binary.BigEndian.Uint64(h[:]), s.blocks)
	first := int(h[hashSize-1])
	for ; ; block = (block + 1) % s.blocks {
		start := int64(block * blockSize)
		if _, err := s.table.ReadAt(s.block[:], start); err != nil {
			return false, fmt.Errorf("%w: %w", ErrSpool, err)
		}
		for i := range perBlock {
			at := (first + i) % perBlock * hashSize
			switch nameHash(s.block[at : at+hashSize]) {
			case h:
				return false, nil
			case nameHash{}:
				s.names++
				if _, err := s.table.WriteAt(h[:], start+int64(at)); err != nil {
					return false, fmt.Errorf("%w: %w", ErrSpool, err)
				}
				return true, nil
			}
		}
	}
}

// grow moves everything to a table of twice the size.
func (s *seen) grow() error {
	old, blocks := s.table, s.blocks
	defer old.Close()
	larger, err := s.make(2 * blocks)
	if err != nil {
		return err
	}
	s.table, s.blocks, s.names = larger, 2*blocks, 0
	var block [blockSize]byte
	for i := range blocks {
		if _, err := old.ReadAt(block[:], int64(i*blockSize)); err != nil {
			return fmt.Errorf("%w: %w", ErrSpool, err)
		}
		for at := 0; at < blockSize; at += hashSize {
			h := nameHash(block[at : at+hashSize])
			if h == (nameHash{}) {
				continue
			}
			if _, err := s.put(h); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *seen) close() error { return s.table.Close() }

// inMemory is a small table.
type inMemory []byte

func (m inMemory) ReadAt(p []byte, at int64) (int, error)  { return copy(p, m[at:]), nil }
func (m inMemory) WriteAt(p []byte, at int64) (int, error) { return copy(m[at:], p), nil }
func (m inMemory) Close() error                            { return nil }
