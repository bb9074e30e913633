package journal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/store"
)

// Errors that the functions wrap. Errors of the store and of a context come through too.
var (
	// ErrInvalid: a name or a key that breaks the format's rules.
	ErrInvalid = errors.New("not a valid journal segment")
	// ErrNewer: the segment was written by a newer Rekindle.
	ErrNewer = errors.New("the journal segment was written by a newer Rekindle than this one: upgrade to read it")
	// ErrMissing: the segment is not in the store.
	ErrMissing = errors.New("missing in the snapshot store")
	// ErrDamaged: what is in the store is not what was written.
	ErrDamaged = errors.New("damaged in the snapshot store")
)

// Place is whose journal it is: of which shard (from 1) of which cluster.
type Place struct {
	Cluster string
	Shard   int
}

// String returns "orders/shard-0001".
func (p Place) String() string { return fmt.Sprintf("%s/shard-%04d", p.Cluster, p.Shard) }

// Segment is a piece of a stream in the store. Everything here is in its key.
type Segment struct {
	Place
	Run           string    // one unbroken recording: 16 hexadecimal digits
	ReplicationID string    // of the history, as the node called it then: 40 hexadecimal digits
	From, To      int64     // it has the bytes behind the place From, up to the place To
	Begin, End    time.Time // when the first and the last of them came, in milliseconds
	Size          int64     // bytes stored
	Key           string    // in the store
}

// Bytes is how many bytes of the stream it has.
func (s Segment) Bytes() int64 { return s.To - s.From }

// Name is the key that a segment with these fields has.
func (s Segment) Name() string {
	return fmt.Sprintf("%s%s/shard-%04d/%s-%s-%019d-%019d-%s-%s.resp.zst", Prefix(s.Cluster), s.Begin.UTC().Format(time.DateOnly), s.Shard,
		stamp(s.Begin), s.Run, s.From, s.To, s.ReplicationID, stamp(s.End))
}

// String names the segment for messages.
func (s Segment) String() string { return fmt.Sprintf("the journal segment %s", s.Key) }

// Prefix begins the keys of all segments of a cluster.
func Prefix(cluster string) string { return cluster + "/journal/" }

// Times in keys sort as text, and have milliseconds.
const stampLayout = "20060102T150405.000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// NewRun returns the name of a new recording.
func NewRun() string {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

var keyPattern = regexp.MustCompile(`^([a-z](?:[a-z0-9]|-[a-z0-9])*)/journal/(20\d\d-\d\d-\d\d)/shard-(\d{4})/` +
	`(20\d{6}T\d{6}\.\d{3}Z)-([0-9a-f]{16})-(\d{19})-(\d{19})-([0-9a-f]{40})-(20\d{6}T\d{6}\.\d{3}Z)\.resp\.zst$`)

const maxCluster = 40

// ParseKey reads a segment's key; size is that of the object. The error wraps ErrInvalid.
func ParseKey(key string, size int64) (Segment, error) {
	m := keyPattern.FindStringSubmatch(key)
	if m == nil || len(m[1]) > maxCluster {
		return Segment{}, fmt.Errorf("%w: %.250q is no key of one", ErrInvalid, key)
	}
	s := Segment{Place: Place{Cluster: m[1]}, Run: m[5], ReplicationID: m[8], Size: size, Key: key}
	var errs [5]error
	s.Shard, errs[0] = strconv.Atoi(m[3])
	s.From, errs[1] = strconv.ParseInt(m[6], 10, 64)
	s.To, errs[2] = strconv.ParseInt(m[7], 10, 64)
	s.Begin, errs[3] = time.Parse(stampLayout, m[4])
	s.End, errs[4] = time.Parse(stampLayout, m[9])
	if err := errors.Join(errs[:]...); err != nil {
		return Segment{}, fmt.Errorf("%w: %q: %w", ErrInvalid, key, err)
	}
	if err := s.check(); err != nil {
		return Segment{}, err
	}
	if s.Name() != key {
		return Segment{}, fmt.Errorf("%w: %q should be %q", ErrInvalid, key, s.Name())
	}
	return s, nil
}

// check says whether the fields make sense together.
func (s Segment) check() error {
	wrong := ""
	switch {
	case len(s.Cluster) > maxCluster || !clusterPattern.MatchString(s.Cluster):
		wrong = "the cluster's name"
	case s.Shard < 1 || s.Shard > 9999:
		wrong = "the shard's number"
	case !isHex(s.Run, 16):
		wrong = "the run"
	case !isHex(s.ReplicationID, 40):
		wrong = "the replication id"
	case s.From < 0 || s.To <= s.From:
		wrong = "the offsets"
	case s.End.Before(s.Begin) || s.Begin.Year() < 2000 || s.End.Year() > 2099:
		wrong = "the times"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s in %+v", ErrInvalid, wrong, s)
}

var clusterPattern = regexp.MustCompile(`^[a-z]([a-z0-9]|-[a-z0-9])*$`)

func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

// longest is how long a segment may stay open; so one that ends at some time begins at most that long before.
const longest = time.Hour

// List yields the segments of a cluster that end at since or later (all with a zero since), by the day they begin on, then by shard, then by the time
// they begin. It reads no object, and lists only the days that count. Objects that do not look like segments are left out. An error ends the list.
func List(ctx context.Context, st store.Store, cluster string, since time.Time) iter.Seq2[Segment, error] {
	return func(yield func(Segment, error) bool) {
		for _, part := range daysFrom(since) {
			for object, err := range st.List(ctx, Prefix(cluster)+part) {
				if err != nil {
					yield(Segment{}, fmt.Errorf("list the journal of %s: %w", cluster, err))
					return
				}
				s, err := ParseKey(object.Key, object.Size)
				if err != nil || s.End.Before(since) {
					continue
				}
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// daysFrom are beginnings of dates, in order, that together cover each day from a time on, up to 2099: a day, the rest of its ten days, of its ten
// months, and so on. A store lists by the beginning of keys, and cannot be asked for what comes behind one.
func daysFrom(since time.Time) []string {
	if since.Year() <= 2000 {
		return []string{""}
	}
	day := since.Add(-longest).UTC().Format(time.DateOnly)
	parts := []string{day}
	for i := len(day) - 1; i >= len("20"); i-- {
		for digit := day[i] + 1; digit <= '9' && day[i] != '-'; digit++ {
			if possible := (i != 5 || digit <= '1') && (i != 8 || digit <= '3'); possible {
				parts = append(parts, day[:i]+string(digit))
			}
		}
	}
	return parts
}
