package vault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/digest"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/words"
	"rekindle/models"
)

// How much of a value is shown.
const (
	valueMost    = 16 << 20 // bytes as it is stored: a larger one is not loaded
	valueString  = 4 << 10  // bytes of a string
	valueEntries = 100      // of any other type
	valueEntry   = 1 << 10  // bytes of one of those
)

// Value loads a key that a search has found into a node that exists only for this, and reads it there, so that every type is right. The node listens on the
// loopback address, nobody else knows its password, and it goes when it has answered. What it says is kept nowhere. A refusal is [models.Faults].
func (f *Finder) Value(ctx context.Context, key models.FoundKey, in models.FindSnapshot) (models.FoundValue, error) {
	if !f.values.TryLock() {
		return models.FoundValue{}, models.Refuse(models.CodeRunState, "", "Another value is being read right now. Try again in a moment.")
	}
	defer f.values.Unlock()
	row, err := f.DB.Snapshots.Get(ctx, in.SnapshotName)
	if models.HasCode(err, models.CodeSnapshotNotFound) || err == nil && (row.ID != in.SnapshotID || !row.Usable()) {
		return models.FoundValue{}, models.Refuse(models.CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is not there any more.", in.SnapshotName))
	} else if err != nil {
		return models.FoundValue{}, err
	}
	value := models.FoundValue{Type: key.Type, Size: -1, ExpiresAt: key.ExpiresAt}
	switch {
	case key.Type == "module":
		value.Unknown = "The value belongs to a module, so that it cannot be shown."
	case key.Bytes > valueMost:
		value.Unknown = fmt.Sprintf("The value has %s as it is stored; up to %s can be shown. Restore the snapshot to see it.", words.Size(key.Bytes), words.Size(valueMost))
	default:
		err = f.readValue(ctx, row, key, &value)
	}
	return value, err
}

func (f *Finder) readValue(ctx context.Context, row models.Snapshot, key models.FoundKey, value *models.FoundValue) error {
	engine, found, err := f.trials.engineFor(ctx, row, row.RDBVersion)
	if err != nil {
		return err
	} else if !found {
		value.Unknown = fmt.Sprintf("No engine is installed that can load RDB version %d. Install one on the console's host.", row.RDBVersion)
		return nil
	}
	payload, part, err := f.payload(ctx, row, key)
	if err != nil || payload == nil {
		value.Unknown = "The value is no longer what the search has found. Verify the snapshot, and look for the key again."
		return err
	}
	t := f.trials.node(valuePrefix, models.Run{ID: key.RunID}, part, engine)
	defer t.end(ctx)
	if err := t.start(ctx, archive.Part{Number: part.Number}, nil); err != nil {
		return fmt.Errorf("start a node for a value: %w", err)
	}
	u := &trialUser{trial: t, database: "0"}
	if err := u.connect(ctx); err != nil {
		return err
	}
	defer func() { _ = u.conn.Close() }()
	value.Engine = engine
	return (&valueReader{trialUser: u, value: value}).read(ctx, payload)
}

// payload is what RESTORE takes for a key, if it is still what the search has found; otherwise nil.
func (f *Finder) payload(ctx context.Context, row models.Snapshot, key models.FoundKey) ([]byte, archive.Part, error) {
	for _, p := range row.Parts {
		if p.Number != key.Part {
			continue
		}
		part := archivePart(p)
		r, err := f.quiet.OpenPart(ctx, refOf(row), part)
		if err != nil {
			return nil, part, f.health.away(err)
		}
		defer r.Close()
		wanted := &wantedKey{key: key}
		if _, err = rdb.Visit(r, wanted, rdb.Looking); errors.Is(err, errWanted) || err == nil {
			return wanted.payload, part, nil
		}
		if ctx.Err() != nil {
			return nil, part, context.Cause(ctx)
		}
		f.Logger.Warn("read the value of a key", "snapshot", row.Name, "part", part.Number, "error", err)
		return nil, part, nil
	}
	return nil, archive.Part{}, nil
}

// errWanted ends the reading of a part when the key was found.
var errWanted = errors.New("the key was found")

// wantedKey looks for one key.
type wantedKey struct {
	key     models.FoundKey
	payload []byte
}

// Library is of no interest.
func (*wantedKey) Library([]byte) error { return nil }

// Key takes the value of the key whose bytes are those that the search has found. Of a name that is cut, the beginning and the length have to be right.
func (w *wantedKey) Key(key rdb.Key, value rdb.Value) error {
	if key.Database != w.key.Database || len(key.Name) != w.key.Length || !strings.HasPrefix(string(key.Name), string(w.key.Name)) {
		return nil
	}
	kept := short{limit: valueMost + 1}
	_, _ = kept.Write([]byte{key.Type})
	if _, err := value.WriteTo(&kept); err != nil || kept.over {
		return err
	}
	sum := digest.New()
	_, _ = sum.Write(kept.kept.Bytes())
	if string(sum.Digest()) != w.key.Digest {
		return nil
	}
	w.payload = rdb.AppendDumpFooter(kept.kept.Bytes(), rdb.UpdateCRC(0, kept.kept.Bytes()))
	return errWanted
}

// valueReader reads a value from a node.
type valueReader struct {
	*trialUser
	value *models.FoundValue
}

// valueKey is the name of the key in the node.
const valueKey = "value"

func (r *valueReader) read(ctx context.Context, payload []byte) error {
	if _, err := r.conn.Do(ctx, "RESTORE", valueKey, "0", string(payload)); err != nil {
		if said, answered := errors.AsType[resp.Error](err); answered {
			r.value.Unknown = fmt.Sprintf("%s did not take the value: %s.", r.value.Engine, strings.TrimSuffix(string(said), "."))
			return nil
		}
		return r.broken(err)
	}
	read, known := map[string]func(context.Context) error{"string": r.text, "hash": r.hash, "list": r.list, "set": r.set, "zset": r.sorted, "stream": r.stream}[r.value.Type]
	if !known {
		r.value.Unknown = fmt.Sprintf("Values of the type %s cannot be shown.", r.value.Type)
		return nil
	}
	if err := read(ctx); err != nil {
		return err
	}
	r.value.Cut = r.value.Cut || r.value.Type != "string" && int64(len(r.value.Entries)) < r.value.Size
	return nil
}

// ask sends two commands: one that tells the size, and one that tells the value, or its beginning.
func (r *valueReader) ask(ctx context.Context, size string, command ...string) (resp.Value, error) {
	n, err := r.do(ctx, size, valueKey)
	if err != nil {
		return n, err
	}
	r.value.Size = n.Int
	return r.do(ctx, command...)
}

func (r *valueReader) add(label, text string, expires *time.Time) {
	r.value.Entries = append(r.value.Entries, models.ValueEntry{Label: label[:min(len(label), valueEntry)], Value: text[:min(len(text), valueEntry)], Bytes: int64(len(text)), Expires: expires})
}

func (r *valueReader) text(ctx context.Context) error {
	reply, err := r.ask(ctx, "STRLEN", "GETRANGE", valueKey, "0", strconv.Itoa(valueString-1))
	if err == nil && reply.Str != "" {
		r.value.Entries = []models.ValueEntry{{Value: reply.Str, Bytes: r.value.Size}}
	}
	return err
}

func (r *valueReader) list(ctx context.Context) error {
	reply, err := r.ask(ctx, "LLEN", "LRANGE", valueKey, "0", strconv.Itoa(valueEntries-1))
	for i, text := range reply.Strings() {
		r.add(strconv.Itoa(i), text, nil)
	}
	return err
}

func (r *valueReader) sorted(ctx context.Context) error {
	reply, err := r.ask(ctx, "ZCARD", "ZRANGE", valueKey, "0", strconv.Itoa(valueEntries-1), "WITHSCORES")
	texts := reply.Strings()
	for i := 0; i+1 < len(texts); i += 2 {
		r.add(texts[i+1], texts[i], nil)
	}
	return err
}

// scan reads the first entries of a set or hash. One that is stored compactly comes as a whole.
func (r *valueReader) scan(ctx context.Context, size, command string, each int) ([]string, error) {
	var texts []string
	for cursor := "0"; ; {
		reply, err := r.ask(ctx, size, command, valueKey, cursor, "COUNT", strconv.Itoa(valueEntries))
		if err != nil || len(reply.Array) != 2 {
			return texts, err
		}
		texts = append(texts, reply.Array[1].Strings()...)
		if cursor = reply.Array[0].Str; cursor == "0" || len(texts) >= each*valueEntries {
			return texts[:min(len(texts), each*valueEntries)], nil
		}
	}
}

func (r *valueReader) set(ctx context.Context) error {
	texts, err := r.scan(ctx, "SCARD", "SSCAN", 1)
	for i, text := range texts {
		r.add(strconv.Itoa(i+1), text, nil)
	}
	return err
}

func (r *valueReader) hash(ctx context.Context) error {
	texts, err := r.scan(ctx, "HLEN", "HSCAN", 2)
	if err != nil {
		return err
	}
	var fields []string
	for i := 0; i+1 < len(texts); i += 2 {
		fields = append(fields, texts[i])
	}
	deadlines, err := r.deadlines(ctx, fields)
	if err != nil {
		return err
	}
	for i, field := range fields {
		r.add(field, texts[2*i+1], deadlines[i])
	}
	return nil
}

// deadlines are when the fields of a hash expire. An engine that does not know such a thing has none.
func (r *valueReader) deadlines(ctx context.Context, fields []string) (map[int]*time.Time, error) {
	deadlines := map[int]*time.Time{}
	if len(fields) == 0 {
		return deadlines, nil
	}
	reply, err := r.do(ctx, append([]string{"HPEXPIRETIME", valueKey, "FIELDS", strconv.Itoa(len(fields))}, fields...)...)
	for i, one := range reply.Array {
		if one.Int > 0 {
			at := time.UnixMilli(one.Int)
			deadlines[i] = &at
		}
	}
	return deadlines, err
}

func (r *valueReader) stream(ctx context.Context) error {
	reply, err := r.ask(ctx, "XLEN", "XRANGE", valueKey, "-", "+", "COUNT", strconv.Itoa(valueEntries))
	for _, entry := range reply.Array {
		if len(entry.Array) != 2 {
			continue
		}
		var text strings.Builder
		fields := entry.Array[1].Strings()
		for i := 0; i+1 < len(fields); i += 2 {
			fmt.Fprintf(&text, "%s: %s\n", fields[i], fields[i+1])
		}
		r.add(entry.Array[0].Str, strings.TrimSuffix(text.String(), "\n"), nil)
	}
	return err
}
