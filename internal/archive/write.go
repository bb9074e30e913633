package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"sync"

	"github.com/DataDog/zstd"

	"rekindle/internal/digest"
	"rekindle/internal/rdb"
	"rekindle/internal/store"
)

// errStopped is what a stage gets when the one after it has ended early. The later stage reports the cause.
var errStopped = errors.New("the next stage has stopped")

// level is zstd's, through libzstd. Measured on JSON strings, it takes two thirds of the time of the Go implementation's fastest level, and 5 % less
// space; on data that does not compress, both cost next to nothing.
const level = zstd.BestSpeed

// WritePart stores a part: it reads src, a plain RDB, to its end, and scans, hashes and compresses it on the way, and decompresses again what it has
// compressed. A part is stored only if src ended with io.EOF, the scanner found it whole, and it came out of the compressed bytes as it went in; with
// an error nothing is stored. So a part whose stored bytes read back right (ReadBack) is proved good. slots are the hash slots of the shard
// ("0-8191,16000"), "" outside of cluster mode. p may be nil; it belongs to this one call.
//
// The result is the manifest's entry, except for what only the caller knows: SourceNode, SourceRole, ReplicationID and ReplicationOffset. UsedMemory
// is what the RDB says about its server, 0 when it says nothing.
//
// If the write fails and src is an io.Closer, src is closed, so that a blocked read ends and the source is released at once. Errors wrap what src
// returned, rdb's errors, the store's, ctx's cause, ErrInvalid or ErrExists.
func (a *Archive) WritePart(ctx context.Context, at Attempt, number int, slots string, src io.Reader, p *Progress, options ...PartOption) (Part, error) {
	part, err := a.writePart(ctx, at, number, slots, src, p, foreign{into: optionsOf(options).into})
	if err != nil {
		return Part{}, fmt.Errorf("write part %d of %s: %w", number, at, err)
	}
	return part, nil
}

func (a *Archive) writePart(ctx context.Context, at Attempt, number int, slots string, src io.Reader, p *Progress, f foreign) (Part, error) {
	part := Part{Number: number, Object: at.Part(number), Slots: slots, StartedAt: a.now()}
	key, err := a.free(ctx, at, part)
	if err != nil {
		return Part{}, err
	}
	if err := checkSlots(slots); err != nil {
		return Part{}, err
	}
	if p == nil {
		p = new(Progress)
	}
	gathered, observe := f.into.part(ctx, at, number)
	defer gathered.abandon()
	f.scan = append(f.scan, observe...)
	w := writer{src: src, progress: p, plain: newPipe(), stored: newPipe(), plainHash: digest.New(), storedHash: sha256.New(), foreign: f}
	object, sum, err := w.run(ctx, a.store, key)
	if err != nil {
		return Part{}, err
	}
	part.RDBVersion = sum.Version
	part.Bytes, part.StoredBytes = sum.Bytes, object.Size
	part.Keys, part.Expires, part.Databases = -1, -1, sum.Databases
	if sum.StatsKnown {
		part.Keys, part.Expires, part.Kinds, part.Lifetimes = sum.Keys, sum.Expires, string(sum.Kinds), string(sum.Lifetimes)
	}
	part = part.WithDigest(w.plainHash.Digest())
	part.StoredSHA256 = hex.EncodeToString(w.storedHash.Sum(nil))
	part.CRC64 = crcText(sum)
	part.UsedMemory, _ = strconv.ParseInt(sum.Aux["used-mem"], 10, 64)
	part.UsedMemory = max(part.UsedMemory, 0)
	part.CompletedAt = a.now()
	gathered.add(part.Digest(), sum)
	return part, nil
}

// free returns the key of a part that is to be written, or ErrExists if the snapshot has a manifest.
func (a *Archive) free(ctx context.Context, at Attempt, p Part) (string, error) {
	if err := at.Check(); err != nil {
		return "", err
	}
	if at.ID == "" {
		return "", fmt.Errorf("%w: a part is written without an attempt", ErrInvalid)
	}
	key, err := partKey(at.Ref, p)
	if err == nil {
		err = a.absent(ctx, at.Ref)
	}
	return key, err
}

// crcText is a summary's checksum as it is in the manifest; zeros if the server computed none.
func crcText(sum rdb.Summary) string {
	if sum.ChecksumDisabled {
		return fmt.Sprintf("%016x", 0)
	}
	return fmt.Sprintf("%016x", sum.CRC64)
}

// writer is a WritePart under way: four stages in four goroutines with a pipe between each two.
//
//	src -> scanner, XXH3 | plain | zstd | stored | SHA-256, store
//	                                    | proof: zstd -d, XXH3
type writer struct {
	src           io.Reader
	progress      *Progress
	scanner       *rdb.Scanner
	plain, stored *pipe
	plainHash     digest.Hash
	storedHash    hash.Hash
	storedBytes   int64
	foreign       foreign
}

// foreign is what is checked in addition for an RDB that no node has just sent, and what else is done with it. The zero value does nothing.
type foreign struct {
	scan  []rdb.Option
	judge func(rdb.Summary) error // nil: no further check
	into  *Gathering              // nil: what is in it is not gathered
}

// run moves everything. The store sees the end of its stream only when the scanner has found the RDB whole and the last compressed byte has been
// passed on. Any earlier error reaches the store as an error, and Put stores nothing.
func (w *writer) run(parent context.Context, st store.Store, key string) (store.Object, rdb.Summary, error) {
	// The first stage that fails cancels ctx with its error, which is the one to report: the others only follow.
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	if closer, ok := w.src.(io.Closer); ok {
		release := context.AfterFunc(ctx, func() { _ = closer.Close() })
		defer release()
	}
	var (
		stages sync.WaitGroup
		sum    rdb.Summary
		object store.Object
		putErr error
	)
	stages.Go(func() {
		if err := w.compress(); err != nil {
			fail(err)
		}
	})
	stages.Go(func() {
		object, putErr = st.Put(ctx, key, readerFunc(w.read))
		if putErr != nil {
			fail(putErr)
		}
		w.stored.stop(errStopped)
	})
	w.scanner = rdb.NewScanner(readerFunc(func(p []byte) (int, error) { return w.scan(ctx, p) }), w.foreign.scan...)
	sum, err := w.scanner.Scan()
	if err == nil && w.foreign.judge != nil {
		err = w.foreign.judge(sum)
	}
	if err != nil {
		fail(err)
	}
	w.plain.finish(err)
	stages.Wait()
	switch {
	case err != nil || putErr != nil:
		return store.Object{}, rdb.Summary{}, context.Cause(ctx)
	case object.Size != w.storedBytes:
		return store.Object{}, rdb.Summary{}, fmt.Errorf("the store took %d bytes of %d: %w", object.Size, w.storedBytes, ErrDamaged)
	}
	w.progress.keys.Store(sum.Keys)
	return object, sum, nil
}

// scan is what the scanner reads from: src, which is hashed and passed on to the compressor.
func (w *writer) scan(ctx context.Context, p []byte) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	n, err := w.src.Read(p)
	w.plainHash.Write(p[:n])
	w.progress.bytes.Add(int64(n))
	w.progress.keys.Store(w.scanner.Keys())
	if _, pipeErr := w.plain.Write(p[:n]); pipeErr != nil {
		return n, pipeErr
	}
	return n, err
}

// compress moves everything from one pipe to the other through zstd. The store gets the end only when what was compressed has been decompressed to
// what went in.
func (w *writer) compress() (err error) {
	proof := newProof()
	defer func() {
		w.plain.stop(errStopped)
		if proofErr := proof.end(err); err == nil {
			err = proofErr
		}
		if err == nil && proof.hash.Digest() != w.plainHash.Digest() {
			err = fmt.Errorf("%w: it does not decompress to what was compressed", ErrDamaged)
		}
		w.stored.finish(err)
	}()
	encoder := zstd.NewWriterLevel(io.MultiWriter(w.stored, proof.compressed), level)
	defer func() { // even after a failure: its memory is not Go's
		if closeErr := encoder.Close(); err == nil {
			err = closeErr
		}
	}()
	for {
		data, err := w.plain.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := encoder.Write(data); err != nil {
			return err
		}
	}
}

// proof decompresses what has just been compressed, with another implementation than the one that compressed it.
type proof struct {
	compressed *pipe
	hash       digest.Hash
	done       chan struct{}
	err        error // set before done is closed
}

func newProof() *proof {
	p := &proof{compressed: newPipe(), hash: digest.New(), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = p.read()
		p.compressed.stop(p.err)
	}()
	return p
}

func (p *proof) read() error {
	decoder, err := newDecoder(p.compressed)
	if err != nil {
		return err
	}
	defer decoder.Close()
	if _, err := decoder.WriteTo(p.hash); err != nil {
		return fmt.Errorf("%w: decompress what was compressed: %w", ErrDamaged, err)
	}
	return nil
}

// end tells the proof that everything was compressed, or why not, and waits for its verdict.
func (p *proof) end(err error) error {
	p.compressed.finish(err)
	<-p.done
	return p.err
}

// read is what the store reads from: the compressed bytes, hashed.
func (w *writer) read(p []byte) (int, error) {
	n, err := w.stored.Read(p)
	w.storedHash.Write(p[:n])
	w.storedBytes += int64(n)
	w.progress.stored.Add(int64(n))
	return n, err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
