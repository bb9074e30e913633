package s3

import (
	"context"
	"crypto/md5" // for servers that know no other checksum
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/minio/crc64nvme"
)

// part is a piece of an object, in chunks.
type part struct {
	memory *memory
	chunks []*[chunkSize]byte
	size   int64
	end    bool // the object ends with it
}

// fill reads a part of size bytes, or less at the end of r. The returned part must be released even after an error.
func (u *upload) fill(ctx context.Context, r io.Reader, size int64) (*part, error) {
	p := &part{memory: &u.memory}
	empty := 0
	for p.size < size {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		at := int(p.size % chunkSize)
		if at == 0 && int64(len(p.chunks))*chunkSize == p.size {
			chunk, err := u.memory.get()
			if err != nil {
				return p, err
			}
			p.chunks = append(p.chunks, chunk)
		}
		n, err := r.Read(p.chunks[len(p.chunks)-1][at:])
		p.size += int64(n)
		if err == io.EOF {
			p.end = true
			return p, ctx.Err()
		}
		if err != nil {
			return p, err
		}
		if empty++; n > 0 {
			empty = 0
		} else if empty > 100 {
			return p, io.ErrNoProgress
		}
	}
	return p, nil
}

// release gives the memory back. No body may be in use any more.
func (p *part) release() {
	p.memory.put(p.chunks)
	p.chunks = nil
}

// data yields the bytes.
func (p *part) data(yield func([]byte) bool) {
	left := p.size
	for _, chunk := range p.chunks {
		n := min(left, chunkSize)
		if !yield(chunk[:n]) {
			return
		}
		left -= n
	}
}

// check is what the server checks a part by: one of the two, in the form for the header.
type check struct {
	crcText, md5Text *string
	md5              []byte
}

func (p *part) check(kind Checksums) check {
	if kind == CRC64NVME {
		var crc uint64
		for data := range p.data {
			crc = crc64nvme.Update(crc, data)
		}
		return check{crcText: aws.String(crcText(crc))}
	}
	hash := md5.New()
	for data := range p.data {
		hash.Write(data)
	}
	sum := hash.Sum(nil)
	return check{md5Text: aws.String(base64.StdEncoding.EncodeToString(sum)), md5: sum}
}

func crcText(crc uint64) string { return base64Text(binary.BigEndian.AppendUint64(nil, crc)) }

func base64Text(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// body reads a part for one request. The HTTP transport may still read it when the request is over, so it is revoked before the memory is used for
// something else.
type body struct {
	mu   sync.Mutex
	part *part // nil: revoked
	at   int64
}

var errRevoked = errors.New("the request is over")

func (p *part) body() *body { return &body{part: p} }

func (b *body) revoke() {
	b.mu.Lock()
	b.part = nil
	b.mu.Unlock()
}

func (b *body) Read(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.part == nil {
		return 0, errRevoked
	}
	if b.at >= b.part.size {
		return 0, io.EOF
	}
	chunk, from := b.part.chunks[b.at/chunkSize], b.at%chunkSize
	n := copy(data, chunk[from:min(chunkSize, from+b.part.size-b.at)])
	b.at += int64(n)
	return n, nil
}

func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.part == nil {
		return 0, errRevoked
	}
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.part.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	b.at = offset
	return offset, nil
}
