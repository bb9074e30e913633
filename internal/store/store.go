// Package store is where snapshots are kept: named objects that are written once, as a whole, and read back.
//
// The only interface, [Store], is small on purpose, so that a folder (package store/dir) and an S3 bucket can both implement it, and so that package
// archive needs to know about neither. Package store/storetest has the tests that every implementation must pass; they check what is written here
// about the methods of Store.
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

// Errors that a Store's methods wrap. Each tells the reader what went wrong and what to do about it.
var (
	// ErrNotExist: there is no object with that key.
	ErrNotExist = errors.New("there is no such object in the snapshot store")
	// ErrExist: there already is an object with that key, and Create does not replace it.
	ErrExist = errors.New("there is already an object of that name in the snapshot store")
	// ErrFull: the disk, quota or file-size limit behind the store is used up.
	ErrFull = errors.New("the snapshot store is full: free space there, lower a retention limit or move the store to a larger disk")
	// ErrDenied: the console may not read or write the store, because of permissions or a read-only file system.
	ErrDenied = errors.New("the snapshot store refuses access: check that it is not read-only and that the console's user may read and write it")
	// ErrUnavailable: the store cannot be reached, or has not answered properly for so long that it makes no sense to keep waiting.
	ErrUnavailable = errors.New("the snapshot store does not answer: check that it runs and that the network lets the console through, then try again")
	// ErrUploadGone: the store no longer knows the upload whose parts it was given.
	ErrUploadGone = errors.New("the snapshot store no longer knows the upload: a rule of the bucket, or another console with the same prefix, has ended it; try again")
	// ErrCannotSweep: the store does not tell what unfinished Puts have left. It is reported once.
	ErrCannotSweep = errors.New("the snapshot store cannot list unfinished uploads, so those of a killed console stay there: remove them with the store's own tools, or by a rule of the bucket")
	// ErrTransit: what was read is not what the store says it sent; something on the way changed it. A reader reports this with its last byte at the
	// latest, so whoever notices wrong bytes earlier has to read on to the end to know. Reading again tells the difference: if it happens again and
	// again, the object itself is damaged.
	ErrTransit = errors.New("what arrived from the snapshot store is not what it says it has sent: the network, a proxy or memory on the way changed it; try again")
	// ErrBusy: the store answers, but only that it has too much to do. It comes with ErrUnavailable, like the next two.
	ErrBusy = errors.New("the snapshot store is too busy (it answers SlowDown or the like): try again later, or find out what else uses it")
	// ErrSlow: nothing moved between the store and the console for longer than the console waits.
	ErrSlow = errors.New("the snapshot store stalled: it is too slow or overloaded, or the network delays its answers")
	// ErrCut: connections to the store were cut, one after the other.
	ErrCut = errors.New("the connection to the snapshot store was cut again and again: look at the network and the proxies on the way, and into the store's log")
	// ErrUnsafe: the store accepted an object but did not keep it as it was told to (size, checksum, encryption, storage class). The object was
	// removed.
	ErrUnsafe = errors.New("the snapshot store did not keep the object as it was told to")
	// ErrLocked: Object Lock protects the object.
	ErrLocked = errors.New("the object is protected by Object Lock: it can be removed when its retention or its legal hold has ended")
	// ErrNoBucket: the bucket does not exist.
	ErrNoBucket = errors.New("the bucket of the snapshot store does not exist: create it, or correct its name in --store")
	// ErrRegion: the bucket is in another region.
	ErrRegion = errors.New("the bucket of the snapshot store is in another region: correct region= in --store")
	// ErrCredentials: there are no credentials, or they are not accepted. It comes with ErrDenied.
	ErrCredentials = errors.New("the snapshot store does not accept the console's credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile or the role, and the clock")
	// ErrKey: the key breaks the rules of CheckKey, or cannot exist beside the keys that are there.
	ErrKey = errors.New("not a usable object key")
)

// Object describes a stored object.
type Object struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // when it was stored, by the store's own clock
}

// Description is what a store says about itself, for people. An empty text means "unknown" or "not applicable".
type Description struct {
	Free, Capacity int64  // bytes; -1: unknown or unlimited
	Region         string // of a bucket
	Endpoint       string // of a bucket that is not in AWS
	Versioning     string // of a bucket: on, off, suspended
	ObjectLock     string // of a bucket: off, on, or the retention that new objects get
	Encryption     string // what objects are encrypted with
	StorageClass   string // what objects are stored as
	Checksums      string // what proves that objects arrive as they were sent
	Conditional    string // of a bucket: whether it supports conditional writes: yes, no

	// Warnings are sentences about what the store was seen not to do, although others do.
	Warnings []string
}

// Store keeps objects. All methods may be called from many goroutines at once, and give up when ctx ends.
type Store interface {
	// Put stores what r returns, up to io.EOF, under key. The object is there, whole and durable (it survives a power cut), when Put returns nil, and
	// in no other case. Any error of r, of ctx or of the store aborts, leaves nothing behind and leaves an earlier object under key as it was. An
	// existing object is replaced in one step: readers see the old bytes or the new ones. Of several concurrent Puts of one key one wins, whole.
	// Put checks ctx between reads of r. If r can block, the caller has to make ctx end it.
	Put(ctx context.Context, key string, r io.Reader) (Object, error)

	// Create is Put for a key that must be free: if there is an object, it fails with ErrExist and leaves that object as it was. Of several
	// concurrent Creates of one key exactly one succeeds, on a store that is Exclusive. On any other store each may succeed, and the last one's bytes
	// stay.
	Create(ctx context.Context, key string, r io.Reader) (Object, error)

	// Exclusive says whether Creates exclude each other here. It finds this out once, by trying, and remembers it; it is false as long as trying was
	// not possible. Check finds it out as well.
	Exclusive(ctx context.Context) bool

	// Open reads an object. The reader returns ctx's error once ctx has ended, and must be closed. The error is ErrNotExist if there is no object. If
	// the store keeps a checksum of the object, what arrives is compared with it, see ErrTransit.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// Stat describes an object without reading it. The error is ErrNotExist if there is none.
	Stat(ctx context.Context, key string) (Object, error)

	// List yields the objects whose keys begin with prefix (any string, "" for all), in the byte order of their keys. An error ends the list. Objects
	// stored or deleted meanwhile may or may not be in it.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Delete removes an object. It is fine if there is none.
	Delete(ctx context.Context, key string) error

	// Sweep removes what unfinished Puts (of a killed console) have left if it was last written before olderThan, and returns how many there were.
	// Whole objects and Puts under way are not touched. It returns ErrCannotSweep, once, if the store cannot list them; even then, and later,
	// everything else is done.
	Sweep(ctx context.Context, olderThan time.Time) (int, error)

	// Check proves that the store can be written to and read from right now, and leaves nothing behind.
	Check(ctx context.Context) error

	// Describe says what is known about the store, for people. What cannot be found out is left empty, which is not an error.
	Describe(ctx context.Context) (Description, error)

	// Location names the store as the --store flag does: "dir:/var/lib/rekindle/store".
	Location() string

	// Place says where objects really go, so that two stores can be told apart, which Location does not allow: for a bucket it includes the endpoint,
	// for a folder it is the path without symbolic links. See Within.
	Place() string
}

// Within says whether everything in inner is, or would be, in outer: inner is the same place, or one below it. It cannot notice that a place has two
// names that do not show it (two host names of a server).
func Within(inner, outer Store) bool {
	in, out := inner.Place(), strings.TrimSuffix(outer.Place(), "/")
	return in == out || strings.HasPrefix(in, out+"/")
}

// Limits of a key, in bytes: what file systems (for an element) and S3 (for all of it, with room for a prefix) allow.
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
		return fmt.Errorf("%w: %q contains a backslash or a control character", ErrKey, key)
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

// Clock is a store with its own clock, which is not this host's.
type Clock interface {
	Now() time.Time // zero if it has not answered lately
}

// Abandoner is a store that keeps what killed Puts have sent until it is told, by key, to drop it: a bucket, with its multipart uploads. It may only
// be used for keys that the caller knows nobody else is writing.
type Abandoner interface {
	Abandon(ctx context.Context, keys ...string) error
}

// Starter is a store whose lists can begin behind a key, so that what comes before costs nothing.
type Starter interface {
	// ListAfter is List without the keys up to after, and after itself.
	ListAfter(ctx context.Context, prefix, after string) iter.Seq2[Object, error]
}

// ListAfter lists the objects behind a key, in any store: one that is no Starter lists all of them.
func ListAfter(ctx context.Context, st Store, prefix, after string) iter.Seq2[Object, error] {
	if starter, can := st.(Starter); can {
		return starter.ListAfter(ctx, prefix, after)
	}
	return func(yield func(Object, error) bool) {
		for object, err := range st.List(ctx, prefix) {
			if (err != nil || object.Key > after) && !yield(object, err) {
				return
			}
		}
	}
}
