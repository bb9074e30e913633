package vault

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/digest"
	"rekindle/internal/resp"
	"rekindle/models"
)

// How much of a value is shown.
const (
	valueString  = 4 << 10 // bytes of a string
	valueEntries = 100     // of any other type
	valueEntry   = 1 << 10 // bytes of one of those
	valueGroups  = 20      // of a stream, consumers of a group, and entries that wait in it
)

// ValueReader reads the value of a key from a node, cut to what people can look at, by commands that change nothing and cost the node little.
type ValueReader struct {
	Key string
	// Ask sends a command. A command that the node does not know has an empty answer.
	Ask func(ctx context.Context, command ...string) (resp.Value, error)
}

// Read reads the value of a key whose type is known. Where Unknown says why it cannot be shown, that is no error.
func (r ValueReader) Read(ctx context.Context, value *models.FoundValue) error {
	one := valueReading{r, value}
	read, known := map[string]func(context.Context) error{"string": one.text, "hash": one.hash, "list": one.list, "set": one.set, "zset": one.sorted, "stream": one.stream}[value.Type]
	if !known {
		value.Unknown = fmt.Sprintf("Values of the type %s cannot be shown.", value.Type)
		return nil
	}
	if err := read(ctx); err != nil {
		return err
	}
	value.Cut = value.Type == "string" && value.Size > valueString || value.Type != "string" && int64(len(value.Entries)) < value.Size
	return nil
}

// Lookup reads entries that may be there: by their fields, members or ids, as [models.ValueEntry.Key] has them. Those that are not there are left out. Elements of a list
// and pieces of a string are not looked up.
func (r ValueReader) Lookup(ctx context.Context, kind string, keys []string) (map[string]models.ValueEntry, error) {
	one := valueReading{r, &models.FoundValue{}}
	look, known := map[string]func(context.Context, string) error{"hash": one.field, "set": one.member, "zset": one.score, "stream": one.message}[kind]
	if !known || len(keys) == 0 {
		return nil, nil
	}
	for _, key := range keys {
		if err := look(ctx, key); err != nil {
			return nil, err
		}
	}
	found := make(map[string]models.ValueEntry, len(keys))
	for _, entry := range one.value.Entries {
		found[entry.Key] = entry
	}
	if kind != "hash" {
		return found, nil
	}
	fields := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { _, there := found[key]; return !there })
	deadlines, err := one.deadlines(ctx, fields)
	for i, field := range fields {
		entry := found[field]
		entry.Expires = deadlines[i]
		found[field] = entry
	}
	return found, err
}

// valueReading is the reading of one value.
type valueReading struct {
	ValueReader
	value *models.FoundValue
}

// ask sends two commands: one that tells the size, and one that tells the value, or its beginning.
func (r valueReading) ask(ctx context.Context, size string, command ...string) (resp.Value, error) {
	n, err := r.Ask(ctx, size, r.Key)
	if err != nil {
		return n, err
	}
	r.value.Size = n.Int
	return r.Ask(ctx, command...)
}

// add adds an entry, which the key tells apart. The whole of it is in its digest.
func (r valueReading) add(key, label, text string, expires *time.Time) {
	sum := digest.New()
	_, _ = sum.Write([]byte(label + "\x00" + text))
	if r.value.Type == "set" { // whose labels count
		label = strconv.Itoa(len(r.value.Entries) + 1)
	}
	r.value.Entries = append(r.value.Entries, models.ValueEntry{Key: key, Label: label[:min(len(label), valueEntry)], Value: text[:min(len(text), valueEntry)], Bytes: int64(len(text)),
		Digest: string(sum.Digest()), Expires: expires})
}

func (r valueReading) text(ctx context.Context) error {
	reply, err := r.ask(ctx, "STRLEN", "GETRANGE", r.Key, "0", strconv.Itoa(valueString-1))
	if err != nil || reply.Str == "" {
		return err
	}
	r.add("", "", reply.Str, nil)
	only := &r.value.Entries[0]
	only.Value, only.Bytes = reply.Str, r.value.Size
	if r.value.Size > int64(len(reply.Str)) {
		only.Digest = ""
	}
	return nil
}

func (r valueReading) list(ctx context.Context) error {
	reply, err := r.ask(ctx, "LLEN", "LRANGE", r.Key, "0", strconv.Itoa(valueEntries-1))
	for i, text := range reply.Strings() {
		r.add(strconv.Itoa(i), strconv.Itoa(i), text, nil)
	}
	return err
}

func (r valueReading) sorted(ctx context.Context) error {
	reply, err := r.ask(ctx, "ZCARD", "ZRANGE", r.Key, "0", strconv.Itoa(valueEntries-1), "WITHSCORES")
	texts := reply.Strings()
	for i := 0; i+1 < len(texts); i += 2 {
		r.add(texts[i], texts[i+1], texts[i], nil)
	}
	return err
}

func (r valueReading) score(ctx context.Context, member string) error {
	reply, err := r.Ask(ctx, "ZSCORE", r.Key, member)
	if err == nil && reply.Kind == resp.KindBulk && !reply.Null {
		r.add(member, reply.Str, member, nil)
	}
	return err
}

// scan reads the first entries of a set or hash. One that is stored compactly comes as a whole.
func (r valueReading) scan(ctx context.Context, size, command string, each int) ([]string, error) {
	var texts []string
	for cursor := "0"; ; {
		reply, err := r.ask(ctx, size, command, r.Key, cursor, "COUNT", strconv.Itoa(valueEntries))
		if err != nil || len(reply.Array) != 2 {
			return texts, err
		}
		texts = append(texts, reply.Array[1].Strings()...)
		if cursor = reply.Array[0].Str; cursor == "0" || len(texts) >= each*valueEntries {
			return texts[:min(len(texts), each*valueEntries)], nil
		}
	}
}

func (r valueReading) set(ctx context.Context) error {
	texts, err := r.scan(ctx, "SCARD", "SSCAN", 1)
	for _, text := range texts {
		r.add(text, "", text, nil)
	}
	return err
}

func (r valueReading) member(ctx context.Context, member string) error {
	reply, err := r.Ask(ctx, "SISMEMBER", r.Key, member)
	if err == nil && reply.Int == 1 {
		r.add(member, "", member, nil)
	}
	return err
}

func (r valueReading) hash(ctx context.Context) error {
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
		r.add(field, field, texts[2*i+1], deadlines[i])
	}
	return nil
}

func (r valueReading) field(ctx context.Context, field string) error {
	reply, err := r.Ask(ctx, "HGET", r.Key, field)
	if err == nil && reply.Kind == resp.KindBulk && !reply.Null {
		r.add(field, field, reply.Str, nil)
	}
	return err
}

// deadlines are when the fields of a hash expire. An engine that does not know such a thing has none.
func (r valueReading) deadlines(ctx context.Context, fields []string) (map[int]*time.Time, error) {
	deadlines := map[int]*time.Time{}
	if len(fields) == 0 {
		return deadlines, nil
	}
	reply, err := r.Ask(ctx, append([]string{"HPEXPIRETIME", r.Key, "FIELDS", strconv.Itoa(len(fields))}, fields...)...)
	for i, one := range reply.Array {
		if one.Int > 0 {
			at := time.UnixMilli(one.Int)
			deadlines[i] = &at
		}
	}
	return deadlines, err
}

func (r valueReading) stream(ctx context.Context) error {
	reply, err := r.ask(ctx, "XLEN", "XRANGE", r.Key, "-", "+", "COUNT", strconv.Itoa(valueEntries))
	if err != nil {
		return err
	}
	r.messages(reply)
	reply, err = r.Ask(ctx, "XINFO", "STREAM", r.Key, "FULL", "COUNT", strconv.Itoa(valueGroups))
	r.groups(reply)
	return err
}

func (r valueReading) message(ctx context.Context, id string) error {
	reply, err := r.Ask(ctx, "XRANGE", r.Key, id, id)
	r.messages(reply)
	return err
}

func (r valueReading) messages(reply resp.Value) {
	for _, entry := range reply.Array {
		if len(entry.Array) != 2 {
			continue
		}
		var text strings.Builder
		fields := entry.Array[1].Strings()
		for i := 0; i+1 < len(fields); i += 2 {
			fmt.Fprintf(&text, "%s: %s\n", fields[i], fields[i+1])
		}
		id := entry.Array[0].Str
		r.add(id, id, strings.TrimSuffix(text.String(), "\n"), nil)
	}
}

// groups reads what XINFO STREAM FULL says of groups.
func (r valueReading) groups(reply resp.Value) {
	stream := properties(reply)
	r.value.LastID = stream["last-generated-id"].Str
	groups := stream["groups"].Array
	r.value.MoreGroups = max(0, len(groups)-valueGroups)
	for _, g := range groups[:min(len(groups), valueGroups)] {
		told := properties(g)
		pending, consumers := told["pending"].Array, told["consumers"].Array
		group := models.StreamGroup{Name: told["name"].Str, LastID: told["last-delivered-id"].Str, Pending: told["pel-count"].Int, Consumers: len(consumers)}
		for _, c := range consumers[:min(len(consumers), valueGroups)] {
			one := properties(c)
			group.First = append(group.First, models.StreamConsumer{Name: one["name"].Str, Pending: one["pel-count"].Int, SeenAt: time.UnixMilli(one["seen-time"].Int)})
		}
		for _, p := range pending {
			if len(p.Array) == 4 {
				group.Waiting = append(group.Waiting, models.StreamPending{ID: p.Array[0].Str, Consumer: p.Array[1].Str, Delivered: time.UnixMilli(p.Array[2].Int), Times: p.Array[3].Int})
			}
		}
		r.value.Groups = append(r.value.Groups, group)
	}
}

// properties reads an array of names and values.
func properties(v resp.Value) map[string]resp.Value {
	told := map[string]resp.Value{}
	for i := 0; i+1 < len(v.Array); i += 2 {
		told[v.Array[i].Str] = v.Array[i+1]
	}
	return told
}
