package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"rekindle/internal/rdb"
	"rekindle/internal/store"
)

// maxWindow is the largest zstd window that is decompressed, in bytes: what every decoder has to bear (RFC 8878), and
// more than Rekindle writes. A damaged or hostile frame that asks for more is refused instead of paid for in memory.
const maxWindow = 8 << 20

// OpenStored reads a part as it is stored, compressed; nothing is checked. ErrMissing when it is not there.
func (a *Archive) OpenStored(ctx context.Context, ref Ref, p Part) (io.ReadCloser, error) {
	key, err := partKey(ref, p)
	if err != nil {
		return nil, err
	}
	r, err := a.store.Open(ctx, key)
	if err != nil {
		return nil, missing(err)
	}
	return r, nil
}

// missing puts ErrMissing before the store's ErrNotExist.
func missing(err error) error {
	if errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return err
}

// OpenPart reads a part as a plain RDB. The reader ends with io.EOF only when both lengths are the manifest's and zstd's
// own checksum was right, else with ErrDamaged or the store's error. It does not compute the SHA-256: who passes the
// bytes on to a node does (package primary). ErrMissing when the part is not there.
func (a *Archive) OpenPart(ctx context.Context, ref Ref, p Part) (io.ReadCloser, error) {
	return a.openPart(ctx, ref, p, nil, new(Progress))
}

func (a *Archive) openPart(ctx context.Context, ref Ref, p Part, storedHash hash.Hash, progress *Progress) (*partReader, error) {
	stored, err := a.OpenStored(ctx, ref, p)
	if err != nil {
		return nil, fmt.Errorf("open part %d of %s: %w", p.Number, ref, err)
	}
	r := &partReader{ref: ref, part: p, stored: storedReader{ReadCloser: stored, hash: storedHash, progress: progress}}
	r.decoder, err = zstd.NewReader(&r.stored, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		_ = stored.Close()
		return nil, fmt.Errorf("open part %d of %s: %w", p.Number, ref, err)
	}
	return r, nil
}

// storedReader counts and hashes what the store gives, and remembers the store's own failure: the decoder's errors are
// damage, the store's are not.
type storedReader struct {
	io.ReadCloser
	hash     hash.Hash // nil: not wanted
	progress *Progress
	bytes    int64
	failed   error
}

func (r *storedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.bytes += int64(n)
	r.progress.stored.Add(int64(n))
	if r.hash != nil {
		r.hash.Write(p[:n])
	}
	if err != nil && err != io.EOF {
		r.failed = err
	}
	return n, err
}

// partReader is a part's plain RDB.
type partReader struct {
	ref     Ref
	part    Part
	stored  storedReader
	decoder *zstd.Decoder
	bytes   int64
	err     error
}

func (r *partReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.decoder.Read(p)
	r.bytes += int64(n)
	switch {
	case r.bytes > r.part.Bytes:
		n = 0
		r.err = r.damaged("it decompresses to more than its %d bytes", r.part.Bytes)
	case err == nil:
		return n, nil
	case r.stored.failed != nil:
		r.err = fmt.Errorf("read part %d of %s: %w", r.part.Number, r.ref, r.stored.failed)
	case err != io.EOF:
		r.err = r.damaged("zstd: %w", err)
	case r.stored.bytes != r.part.StoredBytes:
		r.err = r.damaged("%d bytes are stored, %d were written", r.stored.bytes, r.part.StoredBytes)
	case r.bytes != r.part.Bytes:
		r.err = r.damaged("it decompresses to %d bytes instead of %d", r.bytes, r.part.Bytes)
	default:
		r.err = io.EOF
	}
	return n, r.err
}

func (r *partReader) damaged(format string, args ...any) error {
	return fmt.Errorf("part %d of %s is %w: %w", r.part.Number, r.ref, ErrDamaged, fmt.Errorf(format, args...))
}

// Close lets go of the store's object and the decoder's memory.
func (r *partReader) Close() error {
	r.decoder.Close()
	return r.stored.Close()
}

// VerifyPart reads back a stored part, all of it, and compares it with p: stored length and SHA-256, zstd's checksum,
// plain length and SHA-256, and the RDB's structure, end mark and CRC64. Memory is bounded whatever lies in the store.
// pr may be nil. Errors: ErrDamaged (with what is wrong), ErrMissing, or the store's or ctx's own, which say nothing
// about the part.
func (a *Archive) VerifyPart(ctx context.Context, ref Ref, p Part, pr *Progress) error {
	if pr == nil {
		pr = new(Progress)
	}
	storedHash, plainHash := sha256.New(), sha256.New()
	r, err := a.openPart(ctx, ref, p, storedHash, pr)
	if err != nil {
		return err
	}
	defer r.Close()

	// One goroutine reads, hashes and decompresses, this one hashes and scans what comes out.
	plain, done := newPipe(), make(chan struct{})
	var readErr error
	go func() {
		defer close(done)
		readErr = plain.readFrom(r)
		plain.finish(readErr)
	}()
	var scanner *rdb.Scanner
	scanner = rdb.NewScanner(readerFunc(func(data []byte) (int, error) {
		n, err := plain.Read(data)
		plainHash.Write(data[:n])
		pr.bytes.Add(int64(n))
		pr.keys.Store(scanner.Keys())
		return n, err
	}))
	sum, scanErr := scanner.Scan()
	plain.stop(errStopped)
	<-done
	pr.keys.Store(sum.Keys)

	switch stored, whole := hex.EncodeToString(storedHash.Sum(nil)), hex.EncodeToString(plainHash.Sum(nil)); {
	case readErr != nil && readErr != errStopped:
		return readErr
	case scanErr != nil:
		return r.damaged("the RDB in it: %w", scanErr)
	case stored != p.StoredSHA256:
		return r.damaged("the SHA-256 of what is stored is %s instead of %s", stored, p.StoredSHA256)
	case whole != p.SHA256:
		return r.damaged("the SHA-256 of the RDB in it is %s instead of %s", whole, p.SHA256)
	case crcText(sum) != p.CRC64:
		return r.damaged("the CRC64 of the RDB in it is %s instead of %s", crcText(sum), p.CRC64)
	case p.RDBVersion != 0 && sum.Version != p.RDBVersion:
		return r.damaged("the RDB in it is of version %d instead of %d", sum.Version, p.RDBVersion)
	}
	return nil
}
