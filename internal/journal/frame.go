package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// skippable begins the frame with the index; decoders pass over it (RFC 8878, 3.1.2).
	skippable = 0x184D2A5A
	frameHead = 8

	// maxWindow is the largest zstd window that is decompressed, in bytes; see archive.
	maxWindow = 8 << 20
	// maxPlain is the most of the stream that a segment may have, in bytes.
	maxPlain = 64 << 20
)

// frame returns the index as the skippable frame that a segment begins with.
func frame(x Index) ([]byte, error) {
	data, err := x.encode()
	if err != nil {
		return nil, err
	}
	head := binary.LittleEndian.AppendUint32(nil, skippable)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(data)))
	return append(head, data...), nil
}

// readFrame reads the index that a segment begins with, and no byte more. Errors: errIndex, ErrNewer, the reader's.
func readFrame(r io.Reader) (Index, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Index{}, short(err)
	}
	size := binary.LittleEndian.Uint32(head[4:])
	if magic := binary.LittleEndian.Uint32(head[:]); magic != skippable || size > maxIndex {
		return Index{}, fmt.Errorf("%w: it begins with %x", errIndex, head)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return Index{}, short(err)
	}
	return parseIndex(data)
}

// short says that an object ended within its index.
func short(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends within it", errIndex)
	}
	return err
}

// decode reads a segment's index and the bytes of the stream, all of them, and checks their hash. Errors: errIndex, ErrNewer, errBytes, the reader's.
func decode(r io.Reader) (Index, []byte, error) {
	stored := &source{r: bufio.NewReaderSize(r, 64<<10)}
	x, err := readFrame(stored)
	if err != nil {
		return Index{}, nil, err
	}
	decoder, err := zstd.NewReader(stored, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return Index{}, nil, err
	}
	defer decoder.Close()
	plain := make([]byte, x.Bytes)
	n, err := io.ReadFull(decoder, plain)
	if err == nil {
		var more int
		if more, err = decoder.Read(make([]byte, 1)); more > 0 {
			return x, nil, fmt.Errorf("%w: it decompresses to more than its %d bytes", errBytes, x.Bytes)
		}
		if err == io.EOF {
			err = nil
		}
	}
	if stored.failed != nil {
		return x, nil, stored.failed
	}
	if err != nil {
		return x, nil, fmt.Errorf("%w: after %d of %d bytes: zstd: %w", errBytes, n, x.Bytes, err)
	}
	hash, err := x.Digest.New()
	if err != nil {
		return x, nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	if _, _ = hash.Write(plain); hash.Digest() != x.Digest {
		return x, nil, fmt.Errorf("%w: their hash is %s instead of %s", errBytes, hash.Digest(), x.Digest)
	}
	return x, plain, nil
}

var errBytes = errors.New("the bytes of the stream in it are not what was written")

// source remembers the failure of what is read from, which is none of the decoder's.
type source struct {
	r      io.Reader
	failed error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.failed = err
	}
	return n, err
}
