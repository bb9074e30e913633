// Package store is where snapshots are kept: named objects that are written once, whole, and read back.
//
// The one interface, [Store], is small on purpose, so that a folder (package store/dir) and an S3 bucket can both
// stand behind it, and so that package archive needs to know about neither. Package store/storetest holds the tests
// that every implementation has to pass; what is written here about the methods of Store is what they check.
//
// An object's name is its key: elements joined by slashes ("orders/nightly/part-0001.rdb.zst"), see [CheckKey].
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Errors that a Store's methods wrap. Each says what went wrong and what to do about it, for the person who reads it.
var (
	// ErrNotExist: there is no object of that key.
	ErrNotExist = errors.New("there is no such object in the snapshot store")
	// ErrExist: there is an object of that key already, and Create does not replace it.
	ErrExist = errors.New("there is an object of that name in the snapshot store already")
	// ErrFull: the disk, quota or file-size limit behind the store is used up.
	ErrFull = errors.New("the snapshot store is full: free space there, lower a retention limit or move the store to a larger disk")
	// ErrDenied: the store may not be read or written by the console: permissions, or a read-only file system.
	ErrDenied = errors.New("the snapshot store refuses access: check that it is not read-only and that the console's user may read and write it")
	// ErrUnavailable: the store cannot be reached, or did not answer rightly for so long that waiting on makes no sense.
	ErrUnavailable = errors.New("the snapshot store does not answer: check that it runs and that the network lets the console through, then try again")
	// ErrUploadGone: the store does not know the upload any more whose parts it was given.
	ErrUploadGone = errors.New("the snapshot store does not know the upload any more: a rule of the bucket, or another console with the same prefix, has ended it; try again")
	// ErrCannotSweep: the store does not tell what Puts that never came to an end have left. It is said once.
	ErrCannotSweep = errors.New("the snapshot store cannot list unfinished uploads, so what a killed console leaves of them stays there: remove it with the store's own tools, or by a rule of the bucket")
	// ErrTransit: what was read is not what the store says it has sent; something on the way changed it. A reader says so
	// with its last byte at the latest, so whoever finds the bytes wrong before reads on to the end to know. Reading again
	// tells: when it comes again and again, then the object itself is damaged.
	ErrTransit = errors.New("what arrived from the snapshot store is not what it says it has sent: the network, a proxy or memory on the way changed it; try again")
	// ErrBusy: the store answers, but only that it has too much to do. It comes with ErrUnavailable, like the next two.
	ErrBusy = errors.New("the snapshot store has too much to do (it answers SlowDown or the like): try again later, or look at what else uses it")
	// ErrSlow: nothing moved between the store and the console for longer than is waited for.
	ErrSlow = errors.New("the snapshot store stood still: it is too slow or overloaded, or the network holds its answers back")
	// ErrCut: connections to the store were cut, one after the other.
	ErrCut = errors.New("the connection to the snapshot store was cut again and again: look at the network and the proxies on the way, and into the store's log")
	// ErrUnsafe: the store took an object but did not keep it as it was told to (size, checksum, encryption, storage
	// class). The object was removed.
	ErrUnsafe = errors.New("the snapshot store did not keep what it was given as it was told to")
	// ErrLocked: Object Lock protects the object.
	ErrLocked = errors.New("the object is protected by Object Lock: it can be removed when its retention or its legal hold has ended")
	// ErrNoBucket: the bucket is not there.
	ErrNoBucket = errors.New("the bucket of the snapshot store does not exist: create it, or correct its name in --store")
	// ErrRegion: the bucket is in another region.
	ErrRegion = errors.New("the bucket of the snapshot store is in another region: correct region= in --store")
	// ErrCredentials: there are no credentials, or they are not accepted. It comes with ErrDenied.
	ErrCredentials = errors.New("the snapshot store does not accept the console's credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile or the role, and the clock")
	// ErrKey: the key breaks the rules of CheckKey, or cannot be used beside the keys that are there.
	ErrKey = errors.New("not a usable object key")
)

// Object describes a stored object.
type Object struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // when it was stored, by the store's own clock
}

// Description is what a store says about itself, for people. An empty text means "unknown" or "there is no such thing".
type Description struct {
	Free, Capacity int64  // bytes; -1: not known, or without an end
	Region         string // of a bucket
	Endpoint       string // of a bucket that is not in AWS
	Versioning     string // of a bucket: on, off, suspended
	ObjectLock     string // of a bucket: off, on, or the retention that new objects get
	Encryption     string // what objects are encrypted with
	StorageClass   string // what objects are stored as
	Checksums      string // what proves on the way that they arrived as they were sent
	Conditional    string // of a bucket: whether it knows conditional writes: yes, no

	// Warnings are sentences about what the store was seen not to do that others do.
	Warnings []string
}

// Store keeps objects. All methods may be called from many goroutines at once, and give up when ctx ends.
type Store interface {
	// Put stores what r gives, up to io.EOF, under key. The object is there, whole and durable (it survives a power
	// cut), when Put returns nil, and in no other case: any error of r, of ctx or of the store aborts, leaves nothing
	// behind and leaves an object that was under key before as it was. An existing object is replaced in one step:
	// readers see the old bytes or the new ones. Of several Puts of one key at a time one wins, whole.
	// Put looks at ctx between reads of r: whoever hands in a reader that can block has to end it with ctx.
	Put(ctx context.Context, key string, r io.Reader) (Object, error)

	// Create is Put for a key that nothing may be under: with an object there it fails with ErrExist and leaves that one as it
	// was. Of several Creates of one key at a time exactly one succeeds, on a store that is Exclusive; on another one each may,
	// and the last one's bytes stay.
	Create(ctx context.Context, key string, r io.Reader) (Object, error)

	// Exclusive says whether Creates exclude each other here. It is found out by trying, once, and remembered; false as long as
	// that was not possible. Check finds it out as well.
	Exclusive(ctx context.Context) bool

	// Open reads an object. The reader gives ctx's error once ctx has ended; close it. ErrNotExist when there is none.
	// Where the store keeps a checksum of the object, what arrives is compared with it, see ErrTransit.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// Stat describes an object without reading it. ErrNotExist when there is none.
	Stat(ctx context.Context, key string) (Object, error)

	// List yields the objects whose keys begin with prefix (any string, "" for all), in the byte order of their keys.
	// An error ends the list. What is stored or deleted meanwhile may or may not be in it.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Delete removes an object. That there is none is fine.
	Delete(ctx context.Context, key string) error

	// Sweep removes what Puts that never came to an end have left (a killed console), when it was last written before
	// olderThan, and says how many there were. Whole objects and Puts that are under way are not touched. ErrCannotSweep, once,
	// when the store cannot tell; then and later the rest is done all the same.
	Sweep(ctx context.Context, olderThan time.Time) (int, error)

	// Check proves that the store can be written to and read from right now, and leaves nothing behind.
	Check(ctx context.Context) error

	// Describe says what is known of the store, for people. What cannot be found out is left empty, that is no error.
	Describe(ctx context.Context) (Description, error)

	// Location names the store as the --store flag does: "dir:/var/lib/rekindle/store".
	Location() string

	// Place says where objects really go, by which two stores can be told apart, which Location does not: of a bucket it has
	// the endpoint, of a folder the path without symbolic links. See Within.
	Place() string
}

// Within says whether everything that inner holds lies in outer, or would: inner is the same place, or one below it. What goes by two
// names that nothing shows to be one (two host names of a server) is not found out.
func Within(inner, outer Store) bool {
	in, out := inner.Place(), strings.TrimSuffix(outer.Place(), "/")
	return in == out || strings.HasPrefix(in, out+"/")
}

// Limits of a key, in bytes: what file systems (an element) and S3 (all of it, with room for a prefix) can bear.
const (
	MaxKey     = 900
	maxElement = 255
)

// CheckKey says whether key may name an object: 1 to MaxKey bytes of UTF-8, elements of 1 to 255 bytes joined by single
// slashes, none beginning with a dot (so neither "." nor ".." nor a hidden name), no backslash, no control character.
// The error wraps ErrKey.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrKey)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: %d bytes long, %d are allowed", ErrKey, len(key), MaxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: %q is not UTF-8", ErrKey, key)
	case strings.ContainsFunc(key, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }):
		return fmt.Errorf("%w: %q holds a backslash or a control character", ErrKey, key)
	}
	for element := range strings.SplitSeq(key, "/") {
		switch {
		case element == "":
			return fmt.Errorf("%w: %q has an empty element", ErrKey, key)
		case element[0] == '.':
			return fmt.Errorf("%w: an element of %q begins with a dot", ErrKey, key)
		case len(element) > maxElement:
			return fmt.Errorf("%w: an element of %q is longer than %d bytes", ErrKey, key, maxElement)
		}
	}
	return nil
}

// Clock is a store with a clock of its own, which is not this host's.
type Clock interface {
	Now() time.Time // zero when it has not been heard of lately
}

// Abandoner is a store that keeps what killed Puts have sent until it is told otherwise, by their keys: a bucket, with its multipart
// uploads. Only for keys that the caller knows to be written by nobody else.
type Abandoner interface {
	Abandon(ctx context.Context, keys ...string) error
}
