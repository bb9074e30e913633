package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
)

// A drill compares some of what a node has loaded with what is in the RDB. Its sample is drawn from the bytes on their way to the node, so that
// nothing is read twice, and each key has the same chance to be in it. Afterwards the node is given the value as the RDB has it a second time, under another
// name, alone and by RESTORE: both have to look the same. So what is compared does not depend on how an engine stores a value in its memory.

// Bounds of a sample: it takes at most some 13 MiB of memory.
const (
	sampleKeys  = 200
	sampleValue = 64 << 10 // bytes of a value; of a longer one only the type is compared
	sampleName  = 4 << 10  // bytes of a name; keys with longer ones are left out
)

// sampled is a key of a sample.
type sampled struct {
	database int
	name     string
	kind     string    // as TYPE names it, or "module"
	expires  time.Time // zero: never
	payload  []byte    // for RESTORE; nil: only the type is compared
}

// sampler draws a sample of the keys of an RDB: a reservoir.
type sampler struct {
	random  *mathrand.Rand
	begun   time.Time
	seen    int64
	expired int64 // keys whose time had passed when it began
	keys    []sampled
}

// newSampler draws the same sample of the same data each time, which is what the seed stands for.
func newSampler(seed string) *sampler {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(seed))
	return &sampler{begun: time.Now(), random: mathrand.New(mathrand.NewPCG(hash.Sum64(), 0))} // it guards nothing
}

// Library is of no interest.
func (s *sampler) Library([]byte) error { return nil }

// Key takes a key into the sample, or leaves it out.
func (s *sampler) Key(key rdb.Key, value rdb.Value) error {
	if !key.Expires.IsZero() && !key.Expires.After(s.begun) {
		s.expired++
	}
	if len(key.Name) > sampleName {
		return nil
	}
	s.seen++
	place := len(s.keys)
	if place == sampleKeys {
		if place = int(s.random.Int64N(s.seen)); place >= sampleKeys {
			return nil
		}
	}
	one := sampled{database: key.Database, name: string(key.Name), kind: key.TypeName(), expires: key.Expires}
	if !value.FieldsExpire() { // fields may go between two looks
		payload := short{limit: sampleValue}
		_, _ = payload.Write([]byte{value.Type()})
		if _, err := value.WriteTo(&payload); err != nil {
			return err
		}
		if !payload.over {
			one.payload = rdb.AppendDumpFooter(payload.kept.Bytes(), rdb.UpdateCRC(0, payload.kept.Bytes()))
		}
	}
	if place == len(s.keys) {
		s.keys = append(s.keys, one)
	} else {
		s.keys[place] = one
	}
	return nil
}

// short keeps what is written if it is short.
type short struct {
	limit int
	kept  bytes.Buffer
	over  bool
}

func (s *short) Write(p []byte) (int, error) {
	if s.over = s.over || s.kept.Len()+len(p) > s.limit; s.over {
		s.kept = bytes.Buffer{}
	} else {
		s.kept.Write(p)
	}
	return len(p), nil
}

// watch has the sampler look at what is read from r. It is to be closed before the sample is used. An RDB with something in it that is not known here
// may have a smaller sample, or none.
func (s *sampler) watch(r io.ReadCloser) io.ReadCloser {
	from, to := io.Pipe()
	w := &observed{ReadCloser: r, to: to, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		_, _ = rdb.Visit(from, s)
		_, _ = io.Copy(io.Discard, from) // whoever feeds the node must not wait for this
	}()
	return w
}

// observed passes on what is read from it.
type observed struct {
	io.ReadCloser
	to   *io.PipeWriter
	done chan struct{}
}

func (w *observed) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	_, _ = w.to.Write(p[:n])
	return n, err
}

func (w *observed) Close() error {
	_ = w.to.Close()
	<-w.done
	return w.ReadCloser.Close()
}

// comparison is what came out of comparing a sample with a node.
type comparison struct {
	compared int64
	differ   []string // names of keys, quoted
}

// compare compares a sample with what a node has.
func (t *trial) compare(ctx context.Context, sample []sampled) (comparison, error) {
	var c comparison
	u := &trialUser{trial: t}
	if err := u.connect(ctx); err != nil {
		return c, err
	}
	defer func() { _ = u.conn.Close() }()
	copied := "rekindle drill " + rand.Text() // nobody's key has this name
	for _, key := range sample {
		same, err := u.same(ctx, key, copied)
		switch {
		case err == nil && same:
			c.compared++
		case err == nil && key.gone():
		case err == nil:
			c.compared++
			c.differ = append(c.differ, fmt.Sprintf("db%d %.200q", key.database, key.name))
		case errors.Is(err, errNotComparable):
		default:
			return c, err
		}
	}
	return c, nil
}

// gone tells whether the key has expired by now, by the clock that the node on this host goes by.
func (k sampled) gone() bool { return !k.expires.IsZero() && !k.expires.After(time.Now()) }

// errNotComparable is why nothing is said about a key.
var errNotComparable = errors.New("the value cannot be compared")

// same tells whether the node has the key as the RDB has it.
func (u *trialUser) same(ctx context.Context, key sampled, copied string) (bool, error) {
	if number := strconv.Itoa(key.database); number != u.database {
		u.database = number
		if _, err := u.do(ctx, "SELECT", number); err != nil {
			return false, err
		}
	}
	kind, err := u.do(ctx, "TYPE", key.name)
	if err != nil || kind.Str != key.kind && (key.kind != "module" || kind.Str == "none") || key.payload == nil {
		return err == nil && (kind.Str == key.kind || key.kind == "module" && kind.Str != "none"), err
	}
	if _, err := u.conn.Do(ctx, "RESTORE", copied, "0", string(key.payload)); err != nil {
		if _, answered := errors.AsType[resp.Error](err); answered {
			return false, errNotComparable // an engine may load what it does not restore alone
		}
		return false, u.broken(err)
	}
	loaded, err := u.do(ctx, "DUMP", key.name)
	if err != nil {
		return false, err
	}
	stored, err := u.do(ctx, "DUMP", copied)
	if err != nil {
		return false, err
	}
	if _, err := u.do(ctx, "DEL", copied); err != nil {
		return false, err
	}
	return loaded.Str == stored.Str && stored.Str != "", nil
}
