package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/archive"
	"rekindle/internal/digest"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/words"
	"rekindle/models"
)

// valueMost is how many bytes a value may have as it is stored: a larger one is not loaded.
const valueMost = 16 << 20

// Value loads a key that a search has found into a node that exists only for this, and reads it there, so that every type is right. What it says is kept
// nowhere. A refusal is [models.Faults].
func (f *Finder) Value(ctx context.Context, key models.FoundKey, in models.FindSnapshot) (models.FoundValue, error) {
	held, err := f.Hold(ctx, key, in)
	if err != nil {
		return models.FoundValue{}, err
	}
	held.Close(ctx)
	return held.Value, nil
}

// HeldValue is the value of a key that a search has found, in a node that exists only for this until it is closed. The node listens on the loopback address,
// and nobody else knows its password.
type HeldValue struct {
	Value  models.FoundValue
	Name   []byte // of the key, the whole of it
	stored []byte // the value as RESTORE takes it; nil: nothing is loaded
	user   *trialUser
	ends   []func() // what closes it, in reverse order
}

// valueKey is the name of the key in the node.
const valueKey = "value"

// Hold loads a key that a search has found, and reads it. One value is held at a time. If it cannot be loaded, the value says why. A refusal is [models.Faults].
func (f *Finder) Hold(ctx context.Context, key models.FoundKey, in models.FindSnapshot) (*HeldValue, error) {
	if !f.values.TryLock() {
		return nil, models.Refuse(models.CodeRunState, "", "Another value is being read right now. Try again in a moment.")
	}
	held := &HeldValue{Value: models.FoundValue{Type: key.Type, Size: -1, ExpiresAt: key.ExpiresAt}, ends: []func(){f.values.Unlock}}
	if len(key.Name) == key.Length {
		held.Name = key.Name
	}
	err := f.hold(ctx, key, in, held)
	if err != nil {
		held.Close(ctx)
		return nil, err
	}
	return held, nil
}

func (f *Finder) hold(ctx context.Context, key models.FoundKey, in models.FindSnapshot, held *HeldValue) error {
	row, err := f.DB.Snapshots.Get(ctx, in.SnapshotName)
	if models.HasCode(err, models.CodeSnapshotNotFound) || err == nil && (row.ID != in.SnapshotID || !row.Usable()) {
		return models.Refuse(models.CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is not there any more.", in.SnapshotName))
	} else if err != nil {
		return err
	}
	switch {
	case key.Type == "module":
		held.Value.Unknown = "The value belongs to a module, so that it cannot be shown."
	case key.Bytes > valueMost:
		held.Value.Unknown = fmt.Sprintf("The value has %s as it is stored; up to %s can be shown. Restore the snapshot to see it.", words.Size(key.Bytes), words.Size(valueMost))
	default:
		return f.load(ctx, row, key, held)
	}
	return nil
}

// load starts the node, and has the value restored and read there.
func (f *Finder) load(ctx context.Context, row models.Snapshot, key models.FoundKey, held *HeldValue) error {
	engine, found, err := f.trials.engineFor(ctx, row, row.RDBVersion)
	if err != nil {
		return err
	} else if !found {
		held.Value.Unknown = fmt.Sprintf("No engine is installed that can load RDB version %d. Install one on the console's host.", row.RDBVersion)
		return nil
	}
	wanted, part, err := f.fetch(ctx, row, key)
	if err != nil || wanted == nil {
		held.Value.Unknown = "The value is no longer what the search has found. Verify the snapshot, and look for the key again."
		return err
	}
	held.Name = wanted.name
	t := f.trials.node(valuePrefix, models.Run{ID: key.RunID}, part, engine)
	t.debug = true
	held.ends = append(held.ends, func() { t.end(ctx) })
	if err := t.start(ctx, archive.Part{Number: part.Number}, nil); err != nil {
		return fmt.Errorf("start a node for a value: %w", err)
	}
	u := &trialUser{trial: t, database: "0"}
	if err := u.connect(ctx); err != nil {
		return err
	}
	held.ends = append(held.ends, func() { _ = u.conn.Close() })
	held.Value.Engine = engine
	refusal, err := u.restore(ctx, valueKey, wanted.payload)
	if err != nil {
		return err
	} else if refusal != "" {
		held.Value.Unknown = fmt.Sprintf("%s did not take the value: %s.", engine, strings.TrimSuffix(refusal, "."))
		return nil
	}
	held.user, held.stored = u, wanted.payload
	return held.reader().Read(ctx, &held.Value)
}

// reader reads what is held.
func (h *HeldValue) reader() ValueReader { return ValueReader{Key: valueKey, Ask: h.user.do} }

// Lookup reads these entries of what is held; see [ValueReader.Lookup].
func (h *HeldValue) Lookup(ctx context.Context, keys []string) (map[string]models.ValueEntry, error) {
	return h.reader().Lookup(ctx, h.Value.Type, keys)
}

// Same tells whether what DUMP says of another value is the value that is held; known is false when that cannot be told. The same bytes are the same value; of other
// bytes the node tells whether they only store it in another way.
func (h *HeldValue) Same(ctx context.Context, dump []byte) (same, known bool, err error) {
	if len(dump) == len(h.stored) && len(dump) > rdb.DumpFooterSize && bytes.Equal(dump[:len(dump)-rdb.DumpFooterSize], h.stored[:len(dump)-rdb.DumpFooterSize]) {
		return true, true, nil
	}
	if h.Value.Type == "stream" { // whose groups the node's digests leave out
		return false, false, nil
	}
	const other = "other"
	if refusal, err := h.user.restore(ctx, other, dump); err != nil || refusal != "" {
		return false, false, err
	}
	reply, err := h.user.do(ctx, "DEBUG", "DIGEST-VALUE", valueKey, other)
	if err != nil || len(reply.Array) != 2 || reply.Array[0].Str == "" {
		return false, false, err
	}
	return reply.Array[0].Str == reply.Array[1].Str, true, nil
}

// Close ends the node.
func (h *HeldValue) Close(context.Context) {
	for _, end := range slices.Backward(h.ends) {
		end()
	}
	h.ends = nil
}

// restore writes a value into the node. A refusal is what the node said.
func (u *trialUser) restore(ctx context.Context, name string, dump []byte) (refusal string, err error) {
	if _, err = u.conn.Do(ctx, "RESTORE", name, "0", string(dump)); err != nil {
		if said, answered := errors.AsType[resp.Error](err); answered {
			return string(said), nil
		}
		return "", u.broken(err)
	}
	return "", nil
}

// fetch reads a key, if it is still what the search has found; otherwise nil.
func (f *Finder) fetch(ctx context.Context, row models.Snapshot, key models.FoundKey) (*wantedKey, archive.Part, error) {
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
		_, err = rdb.Visit(r, wanted, rdb.Looking)
		if errors.Is(err, errWanted) {
			return wanted, part, nil
		} else if err == nil {
			return nil, part, nil
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
	name    []byte // the whole of it
	payload []byte // what RESTORE takes
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
	w.name = bytes.Clone(key.Name)
	w.payload = rdb.AppendDumpFooter(kept.kept.Bytes(), rdb.UpdateCRC(0, kept.kept.Bytes()))
	return errWanted
}
