package fuse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/zeebo/xxh3"
)

// MayHave tells whether the RDB of this digest may have a key of one of these names: false is certain. It reads the filter to its end before it says so.
// An error, which wraps ErrDamaged, ErrNewer or the reader's, says nothing about the names. Memory stays at one block.
func MayHave(r io.Reader, rdb string, names ...[]byte) (bool, error) {
	f := &filterReader{r: bufio.NewReaderSize(r, 256<<10), sum: xxh3.New()}
	may, err := f.search(rdb, names)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: it ends too early", ErrDamaged)
	}
	return may && err == nil, err
}

// Check reads a filter to its end and says what is wrong with it. Errors as for [MayHave].
func Check(r io.Reader, rdb string) error {
	_, err := MayHave(r, rdb)
	return err
}

// filterReader reads a filter, and sums up what it has read.
type filterReader struct {
	r      *bufio.Reader
	sum    *xxh3.Hasher
	prints []byte
}

func (f *filterReader) need(n int) ([]byte, error) {
	if cap(f.prints) < n {
		f.prints = make([]byte, n)
	}
	p := f.prints[:n]
	if _, err := io.ReadFull(f.r, p); err != nil {
		return nil, err
	}
	_, _ = f.sum.Write(p)
	return p, nil
}

func (f *filterReader) search(rdb string, names [][]byte) (bool, error) {
	head, err := f.need(len(magic) + 2 + 8)
	if err != nil {
		return false, err
	}
	if string(head[:len(magic)]) != magic {
		return false, fmt.Errorf("%w: it does not begin like one", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint16(head[len(magic):]); v > version {
		return false, fmt.Errorf("%w: version %d", ErrNewer, v)
	}
	keys := make([]uint64, 0, len(names))
	for _, name := range names {
		keys = append(keys, hash(name, binary.LittleEndian.Uint64(head[len(magic)+2:])))
	}
	may, sum := false, uint64(0)
	for {
		count, here, err := f.block(keys)
		if err != nil {
			return false, err
		}
		if may, sum = may || here, sum+uint64(count); count == 0 {
			break
		}
	}
	partial, err := f.end(rdb, sum)
	return may || partial, err
}

// block looks for any of these hashes in the next block. A count of 0 is the end of the blocks.
func (f *filterReader) block(keys []uint64) (count uint32, may bool, err error) {
	p, err := f.need(4)
	if err != nil {
		return 0, false, err
	}
	if count = binary.LittleEndian.Uint32(p); count == 0 {
		return 0, false, nil
	}
	if p, err = f.need(16); err != nil {
		return 0, false, err
	}
	b := block{Seed: binary.LittleEndian.Uint64(p), SegmentLength: binary.LittleEndian.Uint32(p[8:]), SegmentCount: binary.LittleEndian.Uint32(p[12:])}
	length, segments := uint64(b.SegmentLength), uint64(b.SegmentCount)
	prints := (segments + 2) * length
	if length == 0 || length > maxSegmentLength || length&(length-1) != 0 || segments == 0 || prints > maxFingerprints || count > maxNames {
		return 0, false, fmt.Errorf("%w: a block of %d segments of %d", ErrDamaged, segments, length)
	}
	b.SegmentLengthMask, b.SegmentCountLength = b.SegmentLength-1, b.SegmentCount*b.SegmentLength
	if b.Fingerprints, err = f.need(int(prints)); err != nil {
		return 0, false, err
	}
	return count, slices.ContainsFunc(keys, b.Contains), nil
}

// end reads what is behind the blocks, and compares it with what went before.
func (f *filterReader) end(rdb string, names uint64) (partial bool, err error) {
	p, err := f.need(10)
	if err != nil {
		return false, err
	}
	complete, added := p[0], binary.LittleEndian.Uint64(p[1:])
	if p, err = f.need(int(p[9])); err != nil {
		return false, err
	}
	if of := string(p); of != rdb {
		return false, fmt.Errorf("%w: it is of another RDB, %.80q", ErrDamaged, of)
	}
	want := f.sum.Sum64()
	if p, err = f.need(8); err != nil {
		return false, err
	}
	if _, more := f.r.ReadByte(); binary.LittleEndian.Uint64(p) != want || more != io.EOF || complete > 1 || names > added {
		return false, fmt.Errorf("%w: its hash is not the one that was written", ErrDamaged)
	}
	return complete == 0, nil
}
