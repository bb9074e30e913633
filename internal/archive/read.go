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

	"rekindle/internal/digest"
	"rekindle/internal/rdb"
	"rekindle/internal/store"
)

// maxWindow is the largest zstd window that is decompressed, in bytes: every decoder has to support it (RFC 8878), and it is more than Rekindle
// writes. A damaged or hostile frame that asks for more is refused instead of being given the memory.
const maxWindow = 8 << 20

// newDecoder decompresses in the goroutine that reads from it.
func newDecoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
}

// OpenStored reads a part as it is stored, compressed and unchecked. The error is ErrMissing when it is not there.
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

// missing wraps the store's ErrNotExist in ErrMissing.
func missing(err error) error {
	if errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return err
}

// OpenPart reads a part as a plain RDB. The reader ends with io.EOF only when both lengths and the XXH3-128 are those of the manifest, otherwise with
// ErrDamaged or the store's error. For a part of format version 1, zstd's own checksum must be right instead, because its SHA-256 costs more: whoever
// passes the bytes on to a node computes that (package primary). The error is ErrMissing when the part is not there.
func (a *Archive) OpenPart(ctx context.Context, ref Ref, p Part) (io.ReadCloser, error) {
	return a.openPart(ctx, ref, p, nil, new(Progress))
}

func (a *Archive) openPart(ctx context.Context, ref Ref, p Part, storedHash hash.Hash, progress *Progress) (*partReader, error) {
	stored, err := a.OpenStored(ctx, ref, p)
	if err != nil {
		return nil, fmt.Errorf("open part %d of %s: %w", p.Number, ref, err)
	}
	r := &partReader{ref: ref, part: p, hash: digest.New(), stored: storedReader{ReadCloser: stored, hash: storedHash, progress: progress}}
	r.decoder, err = newDecoder(&r.stored)
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
	hash    digest.Hash
	bytes   int64
	err     error
}

func (r *partReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.decoder.Read(p)
	r.bytes += int64(n)
	_, _ = r.hash.Write(p[:n])
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
	case r.part.XXH128 != "" && r.hash.Digest() != r.part.Digest():
		r.err = r.damaged("the hash of the RDB in it is %s instead of %s", r.hash.Digest(), r.part.Digest())
	default:
		r.err = io.EOF
	}
	return n, r.err
}

func (r *partReader) damaged(format string, args ...any) error {
	return fmt.Errorf("part %d of %s is %w: %w", r.part.Number, r.ref, ErrDamaged, fmt.Errorf(format, args...))
}

// Close closes the store's object and frees the decoder's memory.
func (r *partReader) Close() error {
	r.decoder.Close()
	return r.stored.Close()
}

// readings is how often a part is read before it is called damaged. A bit that flipped on the way is right the next time, and a reading cannot match
// the SHA-256 by chance.
const readings = 3

// judged has a part read again when it seems to be damaged, or when what came differs from what the store says it sent.
func judged(pr *Progress, read func(*Progress) error) (err error) {
	if pr == nil {
		pr = new(Progress)
	}
	for range readings {
		pr.reset()
		if err = read(pr); !errors.Is(err, ErrDamaged) && !errors.Is(err, store.ErrTransit) {
			return err
		}
	}
	return err
}

// ReadBack reads a part as WritePart or CopyPart has just stored it, and compares its length and SHA-256 with p's. It reads again before it calls the
// part damaged. pr may be nil, and counts stored bytes only. Errors as for VerifyPart.
func (a *Archive) ReadBack(ctx context.Context, ref Ref, p Part, pr *Progress) error {
	return judged(pr, func(pr *Progress) error {
		r, err := a.OpenStored(ctx, ref, p)
		if err != nil {
			return fmt.Errorf("read part %d of %s back: %w", p.Number, ref, err)
		}
		defer r.Close()
		if err := discard(stored(r, p, pr)); err != nil {
			return fmt.Errorf("read part %d of %s back: %w", p.Number, ref, err)
		}
		return nil
	})
}

// VerifyPart reads all of a stored part and compares it with p: stored length and SHA-256, plain length and hash, and the RDB's structure, end mark
// and CRC64. It reads again before it calls the part damaged. Memory is bounded whatever is in the store. pr may be nil. Errors: ErrDamaged (with
// what is wrong), ErrMissing, or the store's or ctx's own, which say nothing about the part.
func (a *Archive) VerifyPart(ctx context.Context, ref Ref, p Part, pr *Progress, options ...PartOption) error {
	return judged(pr, func(pr *Progress) error { return a.verifyPart(ctx, ref, p, pr, optionsOf(options).into) })
}

func (a *Archive) verifyPart(ctx context.Context, ref Ref, p Part, pr *Progress, into *Gathering) error {
	plainHash, err := p.Digest().New()
	if err != nil {
		return fmt.Errorf("verify part %d of %s: %w: %w", p.Number, ref, ErrInvalid, err)
	}
	storedHash := sha256.New()
	r, err := a.openPart(ctx, ref, p, storedHash, pr)
	if err != nil {
		return err
	}
	defer r.Close()

	// One goroutine reads, hashes and decompresses; this one hashes and scans the result.
	plain, done := newPipe(), make(chan struct{})
	var readErr error
	go func() {
		defer close(done)
		readErr = plain.readFrom(r)
		plain.finish(readErr)
	}()
	id, _ := attemptOf(p.Object)
	gathered, observe := into.part(ctx, Attempt{ref, id}, p.Number)
	defer gathered.abandon()
	var scanner *rdb.Scanner
	scanner = rdb.NewScanner(readerFunc(func(data []byte) (int, error) {
		n, err := plain.Read(data)
		plainHash.Write(data[:n])
		pr.bytes.Add(int64(n))
		pr.keys.Store(scanner.Keys())
		return n, err
	}), observe...)
	sum, scanErr := scanner.Scan()
	plain.stop(errStopped)
	<-done
	pr.keys.Store(sum.Keys)

	switch stored, whole := hex.EncodeToString(storedHash.Sum(nil)), plainHash.Digest(); {
	case readErr != nil && readErr != errStopped:
		return readErr
	case scanErr != nil:
		return r.damaged("the RDB in it: %w", scanErr)
	case stored != p.StoredSHA256:
		return r.damaged("the SHA-256 of what is stored is %s instead of %s", stored, p.StoredSHA256)
	case whole != p.Digest():
		return r.damaged("the hash of the RDB in it is %s instead of %s", whole, p.Digest())
	case crcText(sum) != p.CRC64:
		return r.damaged("the CRC64 of the RDB in it is %s instead of %s", crcText(sum), p.CRC64)
	case p.RDBVersion != 0 && sum.Version != p.RDBVersion:
		return r.damaged("the RDB in it is of version %d instead of %d", sum.Version, p.RDBVersion)
	}
	gathered.add(p.Digest(), sum)
	return nil
}
