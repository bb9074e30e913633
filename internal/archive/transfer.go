package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"rekindle/internal/digest"
	"rekindle/internal/rdb"
	"rekindle/internal/store"
)

// Errors of an import.
var (
	// ErrRefused: an RDB from elsewhere whose checksum is right but that cannot be trusted.
	ErrRefused = errors.New("the RDB cannot be accepted")
	// ErrModules: it has keys or data of modules, see Imported.Modules. It comes with ErrRefused, like the next one.
	ErrModules = errors.New("it belongs to modules")
	// ErrOldFunctions: it has functions in the format of the release candidates of Redis 7.0.
	ErrOldFunctions = errors.New("it has functions in a format from before Redis 7.0")
	// ErrBomb: a compressed file that grows by more than any RDB could.
	ErrBomb = errors.New("the compressed file grows out of all proportion when it is decompressed")
	// ErrWindow: a compressed file that takes more memory to decompress than a decoder must have.
	ErrWindow = errors.New("the file is compressed with a window of more than 8 MiB")
)

// CopyPart copies a part as it is stored from this archive into an attempt at a snapshot in another one (or in this one), and returns it as it is
// there. What arrives is compared with p's length and SHA-256 before the other store sees its end, so that nothing else is ever stored. The error is
// ErrDamaged when it does not match, ErrMissing when it is not there, and ErrExists when the target has a manifest.
func (a *Archive) CopyPart(ctx context.Context, ref Ref, p Part, to *Archive, target Attempt, pr *Progress) (Part, error) {
	if pr == nil {
		pr = new(Progress)
	}
	copied := p
	copied.Object = target.Part(p.Number)
	if err := a.copyPart(ctx, ref, p, to, target, copied, pr); err != nil {
		return Part{}, fmt.Errorf("copy part %d of %s to %s: %w", p.Number, ref, target, err)
	}
	return copied, nil
}

func (a *Archive) copyPart(ctx context.Context, ref Ref, p Part, to *Archive, target Attempt, copied Part, pr *Progress) error {
	key, err := to.free(ctx, target, copied)
	if err != nil {
		return err
	}
	r, err := a.OpenStored(ctx, ref, p)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = to.store.Put(ctx, key, stored(r, p, pr))
	return err
}

// PutPlain writes a part as a plain RDB into a store, under a key that the caller chooses, and compares it with p's length and hash on the way. An
// existing object is replaced: the caller looks first. Errors as for CopyPart.
func (a *Archive) PutPlain(ctx context.Context, ref Ref, p Part, to store.Store, key string, pr *Progress) error {
	r, err := a.OpenPart(ctx, ref, p)
	if err != nil {
		return err
	}
	defer r.Close()
	whole, err := plain(r, p, pr)
	if err != nil {
		return err
	}
	if _, err := to.Put(ctx, key, whole); err != nil {
		return fmt.Errorf("export part %d of %s to %s: %w", p.Number, ref, key, err)
	}
	return nil
}

// VerifyPlain reads an exported part back and compares its length and hash with p's. It reads again before it calls the part damaged. Errors:
// ErrDamaged, ErrMissing, or the store's.
func VerifyPlain(ctx context.Context, st store.Store, key string, p Part, check *Progress) error {
	return judged(check, func(check *Progress) error {
		r, err := st.Open(ctx, key)
		if err != nil {
			return fmt.Errorf("read %s back: %w", key, missing(err))
		}
		defer r.Close()
		whole, err := plain(r, p, check)
		if err == nil {
			err = discard(whole)
		}
		if err != nil {
			return fmt.Errorf("read %s back: %w", key, err)
		}
		return nil
	})
}

// exact reads something whose length and hash are known beforehand, and returns io.EOF only when both are right.
type exact struct {
	r          io.Reader
	hash       digest.Hash
	size, read int64
	want       digest.Digest
	seen       func(int64) int64
}

// stored is the exact reader of a part as it is stored.
func stored(r io.Reader, p Part, pr *Progress) *exact {
	return &exact{r: r, hash: digest.NewSHA256(), size: p.StoredBytes, want: digest.Of(digest.SHA256, p.StoredSHA256), seen: pr.stored.Add}
}

// plain is the exact reader of a part's plain RDB.
func plain(r io.Reader, p Part, pr *Progress) (*exact, error) {
	hash, err := p.Digest().New()
	if err != nil {
		return nil, fmt.Errorf("%w: part %d: %w", ErrInvalid, p.Number, err)
	}
	return &exact{r: r, hash: hash, size: p.Bytes, want: p.Digest(), seen: pr.bytes.Add}, nil
}

// discard reads to the end, in large pieces.
func discard(r io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return err
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	_, _ = e.hash.Write(p[:n])
	e.read += int64(n)
	e.seen(int64(n))
	switch {
	case e.read > e.size:
		return 0, fmt.Errorf("%w: it has more than its %d bytes", ErrDamaged, e.size)
	case err != io.EOF:
		return n, err
	case e.read != e.size:
		return n, fmt.Errorf("%w: %d bytes are stored, %d were written", ErrDamaged, e.read, e.size)
	}
	if got := e.hash.Digest(); got != e.want {
		return n, fmt.Errorf("%w: its hash is %s instead of %s", ErrDamaged, got, e.want)
	}
	return n, io.EOF
}

// Imported is what an import found out about an RDB, besides its part.
type Imported struct {
	Header     rdb.Header
	Compressed bool // it came as zstd
	Unknown    bool // it has something that is not known here, so its keys were not counted
	Unchecked  bool // it carries no checksum
	Modules    []string
}

// headerPeek is how much of an RDB is read to find out who wrote it.
const headerPeek = 64 << 10

// ImportPart is WritePart for an RDB from elsewhere, plain or in zstd frames: it trusts nothing. It refuses what WritePart accepts because a node has
// just sent it: an RDB of an unknown version, one whose structure is nonsense (even within what is packed or compressed, see rdb.Strict) although its
// checksum is right, and one in which neither could be judged. Memory is bounded whatever src claims to be; ErrBomb bounds the time. Errors besides
// WritePart's: ErrRefused, ErrBomb, ErrWindow.
func (a *Archive) ImportPart(ctx context.Context, at Attempt, number int, src io.ReadCloser, p *Progress, options ...PartOption) (Part, Imported, error) {
	var found Imported
	release := context.AfterFunc(ctx, func() { _ = src.Close() }) // a blocked read ends
	defer release()
	plain, err := openPlain(src, &found)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Part{}, found, fmt.Errorf("import part %d of %s: %w", number, at, err)
	}
	defer plain.release()
	head := make([]byte, headerPeek)
	n, err := io.ReadFull(plain, head)
	head = head[:n]
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF || ctx.Err() != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Part{}, found, fmt.Errorf("import part %d of %s: %w", number, at, err)
	}
	version, err := rdb.PeekVersion(head[:min(n, 9)])
	found.Header.Version = version
	if err == nil && !rdb.Known(version) {
		err = fmt.Errorf("%w: RDB version %d is not known", ErrRefused, version)
	}
	if err != nil {
		return Part{}, found, fmt.Errorf("import part %d of %s: %w", number, at, err)
	}
	found.Header, _ = rdb.ReadHeader(bytes.NewReader(head)) // the scanner judges what cannot be read here
	found.Header.Version = version
	whole := &joined{Reader: io.MultiReader(bytes.NewReader(head), plain), Closer: src}
	part, err := a.writePart(ctx, at, number, "", whole, p, foreign{into: optionsOf(options).into, scan: []rdb.Option{rdb.Strict}, judge: func(sum rdb.Summary) error {
		found.Unknown, found.Unchecked = !sum.StatsKnown, sum.ChecksumDisabled
		found.Modules = missingModules(sum)
		switch {
		case sum.Nonsense:
			return fmt.Errorf("%w: %s", ErrRefused, sum.Unknown)
		case found.Unknown && found.Unchecked:
			return fmt.Errorf("%w: %s, and it carries no checksum", ErrRefused, sum.Unknown)
		case len(found.Modules) > 0:
			return fmt.Errorf("%w: %w: %v", ErrRefused, ErrModules, found.Modules)
		case sum.OldFunctions > 0:
			return fmt.Errorf("%w: %w", ErrRefused, ErrOldFunctions)
		}
		return nil
	}})
	if err != nil {
		return Part{}, found, fmt.Errorf("import part %d of %s: %w", number, at, err)
	}
	return part, found, nil
}

// builtIn is a module that every Redis from 8.0 on has.
const builtIn = "vectorset"

// missingModules are the modules that an RDB needs and that no node has: nodes are started without modules.
func missingModules(sum rdb.Summary) []string {
	return slices.DeleteFunc(slices.Clone(sum.Modules), func(name string) bool { return name == builtIn && sum.Version >= 12 && sum.Version < 80 })
}

// joined closes the source when the write fails, so that a blocked read ends.
type joined struct {
	io.Reader
	io.Closer
}

// zstdMagic are the first bytes of a zstd frame.
var zstdMagic = []byte{0x28, 0xB5, 0x2F, 0xFD}

// plainReader is an RDB as it is, or decompressed.
type plainReader struct {
	io.Reader
	decoder *zstd.Decoder
}

func (r *plainReader) release() {
	if r.decoder != nil {
		r.decoder.Close()
	}
}

func openPlain(src io.Reader, found *Imported) (*plainReader, error) {
	counted := &counter{r: src}
	first := make([]byte, zstd.HeaderMaxSize)
	n, err := io.ReadFull(counted, first)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	first = first[:n]
	whole := io.MultiReader(bytes.NewReader(first), counted)
	if !bytes.HasPrefix(first, zstdMagic) {
		return &plainReader{Reader: whole}, nil
	}
	found.Compressed = true
	// The decoder returns the same error for damage.
	var frame zstd.Header
	if err := frame.Decode(first); err == nil && frame.WindowSize > maxWindow {
		return nil, fmt.Errorf("%w: %d bytes", ErrWindow, frame.WindowSize)
	}
	decoder, err := newDecoder(whole)
	if err != nil {
		return nil, err
	}
	return &plainReader{Reader: &fused{decoder: decoder, in: counted}, decoder: decoder}, nil
}

// A compressed file may grow to the larger of these: bombFloor bytes, and bombRatio times its own length. An RDB of millions of equal values can
// shrink to a thousandth.
const bombRatio = 5000

var bombFloor int64 = 1 << 30 // smaller in tests

type counter struct {
	r      io.Reader
	n      int64
	failed error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read the file: %w", err) // wrapped, so that nobody takes it for a short file
		c.failed = err
	}
	return n, err
}

// fused decompresses until the output is out of all proportion.
type fused struct {
	decoder *zstd.Decoder
	in      *counter
	out     int64
}

func (f *fused) Read(p []byte) (int, error) {
	n, err := f.decoder.Read(p)
	f.out += int64(n)
	switch {
	case f.out > bombFloor && f.out/bombRatio > f.in.n:
		return 0, fmt.Errorf("%w: %d bytes became more than %d", ErrBomb, f.in.n, f.out)
	case err == nil || err == io.EOF:
		return n, err
	case f.in.failed != nil:
		return n, f.in.failed
	}
	return n, fmt.Errorf("%w: zstd: %w", ErrRefused, err)
}
