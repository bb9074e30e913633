package logical

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
)

const (
	pageKeys   = 512       // what SCAN is asked for at once
	batchKeys  = 256       // the most that are asked for at once
	firstKeys  = 16        // before anything is known of their size
	batchNames = 256 << 10 // bytes of names that are sent at once
)

// taking makes an RDB of what the node holds.
type taking struct {
	*node
	options   Options
	origin    replica.Origin
	marks     marks
	databases map[int]int64 // those with keys, and how many
	version   int           // of RDB
	exact     bool          // the node knows PEXPIRETIME
	functions bool          // the node may have functions
	missing   error

	out     *rdb.Writer
	pages   int64         // of names that were asked for
	current int           // database
	lasting map[int]int64 // keys without an expiry that were read, by their database
	largest int64         // value, of late
	batch   []byte
}

func newTaking(n *node, options Options) (*taking, error) {
	info, err := n.look()
	if err != nil {
		return nil, err
	}
	t := &taking{node: n, options: options, marks: marksOf(info), databases: info.Databases(), lasting: make(map[int]int64)}
	if _, told := t.databases[0]; !told { // a proxy may not tell of any
		t.databases[0] = 0
	}
	if t.origin, err = originOf(info); err != nil {
		return nil, err
	}
	major, _, _ := strings.Cut(t.origin.Version, ".")
	number, _ := strconv.Atoi(major)
	t.exact, t.functions = number >= 7, number >= 7
	t.largest = options.BatchBytes / firstKeys
	if err := n.introduce(info); err != nil {
		return nil, err
	}
	_, names, err := t.page("0", firstKeys) // refused now rather than later
	if err != nil {
		return nil, err
	}
	return t, t.try(names)
}

// try asks for one of these keys, for nothing but to see whether the node answers, and in which version of RDB: that which such an engine writes, or a
// later one, of an engine newer than those that are known here.
func (t *taking) try(names []string) error {
	t.version = max(rdb.Written(t.origin.Engine, t.origin.Version), oldestVersion)
	t.out = rdb.NewWriter(io.Discard, t.version)
	for _, name := range names { // of which some may be gone
		t.ask([]string{name})
		if err := t.write(t.batch); err != nil {
			return err
		}
		version, _, err := t.key(name)
		if err != nil {
			return fmt.Errorf("key %s: %w", shown(name), err)
		}
		if version > 0 {
			t.version = max(t.version, version)
			return nil
		}
	}
	return nil
}

// run writes the whole RDB.
func (t *taking) run(w io.Writer) error {
	t.out = rdb.NewWriter(w, t.version)
	clear(t.lasting)
	t.about()
	if err := t.libraries(); err != nil {
		return err
	}
	for _, db := range slices.Sorted(maps.Keys(t.databases)) {
		if err := t.database(db); err != nil {
			return fmt.Errorf("database %d: %w", db, err)
		}
	}
	if err := t.same(); err != nil {
		return err
	}
	_, err := t.out.Close()
	return err
}

// about writes what an RDB says about itself.
func (t *taking) about() {
	t.out.Aux(t.origin.Engine+"-ver", t.origin.Version)
	t.out.Aux("redis-bits", "64")
	t.out.Aux("ctime", strconv.FormatInt(t.now(), 10))
	t.out.Aux("used-mem", strconv.FormatInt(t.origin.UsedMemory, 10))
	t.out.Aux(auxMade, "key by key, not at one point in time")
}

// now is the node's time, in seconds, or else this host's.
func (t *taking) now() int64 {
	v, err := t.conn.Do(t.ctx, "TIME")
	if parts := v.Strings(); err == nil && len(parts) == 2 {
		if seconds, err := strconv.ParseInt(parts[0], 10, 64); err == nil {
			return seconds
		}
	}
	return time.Now().Unix()
}

// libraries writes the libraries of functions, which the node may refuse to give away.
func (t *taking) libraries() error {
	if !t.functions {
		return nil
	}
	if err := t.write(resp.AppendCommand(nil, "FUNCTION", "DUMP")); err != nil {
		return err
	}
	version, _, err := t.dump(func() (io.Writer, error) { return t.out, nil })
	if reply, refused := errors.AsType[resp.Error](err); refused && (reply.Code() == "NOPERM" || reply.Code() == "ERR") {
		t.missing = fmt.Errorf("FUNCTION DUMP: %w", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("FUNCTION DUMP: %w", err)
	}
	return t.fits(version)
}

// fits checks that the RDB may have what is written in this version.
func (t *taking) fits(version int) error {
	if version > t.version {
		return fmt.Errorf("%w: %d instead of %d", ErrVersion, version, t.version)
	}
	return nil
}

// database writes the keys of a database.
func (t *taking) database(db int) (err error) {
	if db > 0 { // a proxy may not know SELECT
		if _, err := t.conn.Do(t.ctx, "SELECT", strconv.Itoa(db)); err != nil {
			return err
		}
	}
	t.current = db
	been, err := newSeen(t.options.Spool, t.options.seenMemory, t.databases[db])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, been.close()) }()
	for cursor := ""; cursor != "0"; {
		var names []string
		if cursor, names, err = t.page(cursor, pageKeys); err != nil {
			return err
		}
		fresh := names[:0]
		for _, name := range names {
			isNew, err := been.add(name)
			if err != nil {
				return err
			}
			if isNew {
				fresh = append(fresh, name)
			}
		}
		if err := t.keys(fresh); err != nil {
			return err
		}
	}
	return nil
}

// page asks for the next names. A cursor of "" or "0" begins, and a next one of "0" ends.
func (t *taking) page(cursor string, count int) (next string, names []string, err error) {
	if cursor == "" {
		cursor = "0"
	}
	t.pages++
	v, err := t.conn.Do(t.ctx, "SCAN", cursor, "COUNT", strconv.Itoa(count))
	if err != nil {
		return "", nil, err
	}
	if len(v.Array) != 2 || v.Array[0].Str == "" {
		return "", nil, fmt.Errorf("the answer to SCAN: %w", resp.ErrProtocol)
	}
	return v.Array[0].Str, v.Array[1].Strings(), nil
}

// keys writes these keys.
func (t *taking) keys(names []string) error {
	for len(names) > 0 {
		n := t.ask(names)
		if err := t.write(t.batch); err != nil {
			return err
		}
		largest := int64(0)
		for _, name := range names[:n] {
			version, size, err := t.key(name)
			if err == nil {
				err = t.fits(version)
			}
			if err != nil {
				return fmt.Errorf("key %s: %w", shown(name), err)
			}
			largest = max(largest, size)
		}
		t.largest = max(largest, t.largest/2)
		names = names[n:]
	}
	return nil
}

// ask puts as many of the keys into the batch as fit, and says how many those are: as if all were as large as the largest of late. In a transaction
// nobody can change a key between the question for its expiry and that for its value.
func (t *taking) ask(names []string) int {
	most := int(min(max(t.options.BatchBytes/max(t.largest, 1), 1), batchKeys))
	t.batch = t.batch[:0]
	for i, name := range names {
		if i == most || i > 0 && len(t.batch)+2*len(name) > batchNames {
			return i
		}
		t.batch = resp.AppendCommand(t.batch, "MULTI")
		if t.exact {
			t.batch = resp.AppendCommand(t.batch, "PEXPIRETIME", name)
		} else {
			t.batch = resp.AppendCommand(t.batch, "TIME")
			t.batch = resp.AppendCommand(t.batch, "PTTL", name)
		}
		t.batch = resp.AppendCommand(t.batch, "DUMP", name)
		t.batch = resp.AppendCommand(t.batch, "EXEC")
	}
	return len(names)
}

// key reads the answers about one key, and writes it unless it is gone. It returns the version and the size of its value.
func (t *taking) key(name string) (version int, size int64, err error) {
	questions := 2
	if !t.exact {
		questions = 3
	}
	if err := t.expect("+OK"); err != nil {
		return 0, 0, untied(err)
	}
	for range questions {
		if err := t.expect("+QUEUED"); err != nil {
			return 0, 0, err
		}
	}
	if err := t.expect("*" + strconv.Itoa(questions)); err != nil {
		return 0, 0, untied(err)
	}
	expires, err := t.expiry()
	if err != nil {
		return 0, 0, err
	}
	return t.dump(func() (io.Writer, error) {
		if expires < 0 {
			t.lasting[t.current]++
		}
		return &value{t: t, name: name, expires: expires}, nil
	})
}

// expiry reads when the key expires, in milliseconds since 1970; negative: it does not.
func (t *taking) expiry() (int64, error) {
	if t.exact {
		return t.number(resp.KindInteger)
	}
	t.awaits()
	v, err := t.conn.Reader().ReadValue()
	if err != nil {
		return 0, err
	}
	clock := v.Strings()
	if len(clock) != 2 {
		return 0, fmt.Errorf("the answer to TIME: %w", resp.ErrProtocol)
	}
	seconds, err := strconv.ParseInt(clock[0], 10, 64)
	micros, bad := strconv.ParseInt(clock[1], 10, 64)
	if err != nil || bad != nil {
		return 0, fmt.Errorf("the answer to TIME: %w", resp.ErrProtocol)
	}
	left, err := t.number(resp.KindInteger)
	if err != nil || left < 0 {
		return -1, err
	}
	return seconds*1000 + micros/1000 + left, nil
}

// value writes a key: in an RDB, its name stands between the type and the rest of the value.
type value struct {
	t       *taking
	name    string
	expires int64
	begun   bool
}

func (v *value) Write(p []byte) (int, error) {
	if v.begun {
		return v.t.out.Write(p)
	}
	v.begun = true
	key := rdb.Key{Database: v.t.current, Name: []byte(v.name), Idle: -1, Freq: -1}
	if v.expires >= 0 {
		key.Expires = time.UnixMilli(v.expires)
	}
	if err := v.t.out.Begin(key, p[0]); err != nil {
		return 0, err
	}
	n, err := v.t.out.Write(p[1:])
	return n + 1, err
}
