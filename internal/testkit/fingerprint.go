package testkit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const readBatch = 500

// Fingerprint is one digest (hex SHA-256) over everything that the client's server holds: every
// key of every database with its type, logical value and expire time, streams with their groups
// and pending entries, and the function libraries. Equal data gives equal fingerprints whatever
// the encoding in memory, so engines and versions can be compared. Not in it: access times,
// idle times of consumers, configuration.
func Fingerprint(t testing.TB, client *redis.Client) string {
	t.Helper()
	digests := Digests(t, client)
	sum := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(digests)) {
		writeParts(sum, key, digests[key])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Digests is what Fingerprint digests: one digest per key ("db0 name") and per library
// ("function name"). Use it with Diff to see what differs. It waits for a server that is loading.
func Digests(t testing.TB, client *redis.Client) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		out, err := digests(ctx, client)
		switch {
		case err == nil:
			return out
		case !redis.HasErrorPrefix(err, "LOADING"):
			t.Fatalf("fingerprint %s: %v", client.Options().Addr, err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("fingerprint %s: it does not come to the end of its loading", client.Options().Addr)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func digests(ctx context.Context, client *redis.Client) (map[string]string, error) {
	out := map[string]string{}
	info, err := client.Info(ctx, "keyspace").Result()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(info) {
		number, _, ok := strings.Cut(strings.TrimPrefix(line, "db"), ":")
		db, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		if err := readDatabase(ctx, client, db, out); err != nil {
			return nil, fmt.Errorf("db %d: %w", db, err)
		}
	}
	return out, readFunctions(ctx, client, out)
}

// Diff names what differs between two Digests, at most 20 lines, or returns "" if nothing does.
func Diff(want, got map[string]string) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if have, ok := got[key]; !ok {
			lines = append(lines, fmt.Sprintf("missing: %q", key))
		} else if have != want[key] {
			lines = append(lines, fmt.Sprintf("differs: %q", key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			lines = append(lines, fmt.Sprintf("unexpected: %q", key))
		}
	}
	if len(lines) > 20 {
		lines = append(lines[:20], fmt.Sprintf("and %d more", len(lines)-20))
	}
	return strings.Join(lines, "\n")
}

func readDatabase(ctx context.Context, origin *redis.Client, db int, out map[string]string) error {
	client := sibling(origin, db)
	defer func() { _ = client.Close() }()
	var keys []string
	for cursor := uint64(0); ; {
		page, next, err := client.Scan(ctx, cursor, "", 1000).Result()
		if err != nil {
			return err
		}
		keys = append(keys, page...)
		if cursor = next; cursor == 0 {
			break
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys) // SCAN may return a key twice
	fields := knows(ctx, client, "HPEXPIRETIME")
	exact := knows(ctx, client, "PEXPIRETIME")
	for batch := range slices.Chunk(keys, readBatch) {
		if err := readKeys(ctx, client, batch, exact, fields, fmt.Sprintf("db%d ", db), out); err != nil {
			return err
		}
	}
	return nil
}

// readKeys digests one batch of keys in three pipelines: types and times, values, field times.
func readKeys(ctx context.Context, client *redis.Client, keys []string, exact, fieldTimes bool, prefix string, out map[string]string) error {
	pipe := client.Pipeline()
	types, times := make([]*redis.StatusCmd, len(keys)), make([]*redis.Cmd, len(keys))
	for i, key := range keys {
		types[i] = pipe.Type(ctx, key)
		if exact {
			times[i] = pipe.Do(ctx, "PEXPIRETIME", key)
		} else {
			times[i] = pipe.Do(ctx, "PTTL", key)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	values := make([]*redis.Cmd, len(keys))
	groups := make([]*redis.Cmd, len(keys))
	for i, key := range keys {
		if read := readValue(types[i].Val(), key); read != nil {
			values[i] = pipe.Do(ctx, read...)
		}
		if types[i].Val() == "stream" {
			groups[i] = pipe.Do(ctx, "XINFO", "STREAM", key, "FULL", "COUNT", 0)
		}
	}
	if err := unlessGone(pipe.Exec(ctx)); err != nil {
		return err
	}
	hashTimes := make([]*redis.Cmd, len(keys))
	for i, key := range keys {
		if types[i].Val() != "hash" || !fieldTimes {
			continue
		}
		flat, _ := values[i].Slice()
		names := pairNames(flat)
		if len(names) == 0 {
			continue
		}
		args := append([]any{"HPEXPIRETIME", key, "FIELDS", len(names)}, names...)
		hashTimes[i] = pipe.Do(ctx, args...)
	}
	if pipe.Len() > 0 {
		if err := unlessGone(pipe.Exec(ctx)); err != nil {
			return err
		}
	}
	for i, key := range keys {
		if values[i] == nil || values[i].Err() != nil || groups[i] != nil && groups[i].Err() != nil {
			continue
		}
		expire, err := times[i].Int64()
		if err != nil {
			return err
		}
		if !exact && expire >= 0 { // before 7.0: whole seconds, which Fill's times are
			expire = (now + expire + 500) / 1000 * 1000
		}
		sum := sha256.New()
		writeParts(sum, types[i].Val(), strconv.FormatInt(expire, 10))
		writeParts(sum, canonical(types[i].Val(), values[i].Val())...)
		if groups[i] != nil {
			writeParts(sum, streamGroups(groups[i].Val())...)
		}
		if hashTimes[i] != nil {
			flat, _ := values[i].Slice()
			// Without such fields nothing is written, as on engines that do not have them.
			if timed := timedFields(flat, hashTimes[i].Val()); len(timed) > 0 {
				writeParts(sum, timed...)
			}
		}
		out[prefix+key] = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

// unlessGone passes over what a pipeline is told of keys that have expired meanwhile.
func unlessGone(commands []redis.Cmder, _ error) error {
	for _, command := range commands {
		if err := command.Err(); err != nil && !errors.Is(err, redis.Nil) && !strings.Contains(err.Error(), "no such key") {
			return err
		}
	}
	return nil
}

// readValue is the command that reads a value of this type; nil for a key that has expired since SCAN.
func readValue(kind, key string) []any {
	switch kind {
	case "none":
		return nil
	case "string":
		return []any{"GET", key}
	case "list":
		return []any{"LRANGE", key, 0, -1}
	case "set":
		return []any{"SMEMBERS", key}
	case "zset":
		return []any{"ZRANGE", key, 0, -1, "WITHSCORES"}
	case "hash":
		return []any{"HGETALL", key}
	case "stream":
		return []any{"XRANGE", key, "-", "+"}
	}
	return []any{"DUMP", key} // a module's type: there is nothing better than its serialised form
}

// canonical flattens a reply into strings, in an order that does not depend on the encoding.
func canonical(kind string, value any) []string {
	flat := flatten(nil, value)
	switch kind {
	case "set":
		slices.Sort(flat)
	case "hash":
		pairs := make([][2]string, 0, len(flat)/2)
		for i := 0; i+1 < len(flat); i += 2 {
			pairs = append(pairs, [2]string{flat[i], flat[i+1]})
		}
		slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
		flat = flat[:0]
		for _, p := range pairs {
			flat = append(flat, p[0], p[1])
		}
	case "zset": // the spelling of a score differs between versions, its value does not
		for i := 1; i < len(flat); i += 2 {
			if score, err := strconv.ParseFloat(flat[i], 64); err == nil {
				flat[i] = strconv.FormatFloat(score, 'g', -1, 64)
			}
		}
	}
	return flat
}

// flatten turns nested replies into strings; a list is preceded by its length, so that different
// nestings stay different.
func flatten(out []string, value any) []string {
	switch v := value.(type) {
	case nil:
		return append(out, "(nil)")
	case []any:
		nested := slices.ContainsFunc(v, func(e any) bool { _, ok := e.([]any); return ok })
		for _, e := range v {
			if inner, ok := e.([]any); ok && nested {
				out = append(out, fmt.Sprintf("(%d)", len(inner)))
			}
			out = flatten(out, e)
		}
		return out
	case string:
		return append(out, v)
	default:
		return append(out, fmt.Sprint(v))
	}
}

// streamGroups takes the parts of XINFO STREAM FULL that are data: the last id, and per group its
// name, last delivered id, consumers and pending entries (id, consumer, delivery time, count).
func streamGroups(reply any) []string {
	info := pairs(reply)
	out := []string{fmt.Sprint(info["last-generated-id"])}
	groups, _ := info["groups"].([]any)
	for _, g := range groups {
		group := pairs(g)
		pending := group["pending"]
		if pending == nil {
			pending = group["pel"]
		}
		out = append(out, "group", fmt.Sprint(group["name"]), fmt.Sprint(group["last-delivered-id"]))
		out = flatten(out, pending)
		consumers, _ := group["consumers"].([]any)
		for _, c := range consumers {
			out = append(out, "consumer", fmt.Sprint(pairs(c)["name"]))
		}
	}
	return out
}

// pairs reads a flat list of names and values.
func pairs(reply any) map[string]any {
	list, _ := reply.([]any)
	out := make(map[string]any, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		out[fmt.Sprint(list[i])] = list[i+1]
	}
	return out
}

func pairNames(flat []any) []any {
	var names []any
	for i := 0; i < len(flat); i += 2 {
		names = append(names, flat[i])
	}
	return names
}

// timedFields lists the fields of a hash that have an expire time of their own.
func timedFields(flat []any, times any) []string {
	list, _ := times.([]any)
	var out []string
	for i, name := range pairNames(flat) {
		if i < len(list) {
			if at, ok := list[i].(int64); ok && at >= 0 {
				out = append(out, fmt.Sprintf("%v=%d", name, at))
			}
		}
	}
	slices.Sort(out)
	return out
}

func readFunctions(ctx context.Context, client *redis.Client, out map[string]string) error {
	if !knows(ctx, client, "FUNCTION") {
		return nil
	}
	second := sibling(client, 0) // a client of our own answers in RESP2
	defer func() { _ = second.Close() }()
	reply, err := second.Do(ctx, "FUNCTION", "LIST", "WITHCODE").Slice()
	if err != nil {
		return fmt.Errorf("list functions: %w", err)
	}
	for _, l := range reply {
		library := pairs(l)
		sum := sha256.New()
		writeParts(sum, fmt.Sprint(library["engine"]), fmt.Sprint(library["library_code"]))
		out["function "+fmt.Sprint(library["library_name"])] = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

// knows tells whether the server has a command.
func knows(ctx context.Context, client *redis.Client, command string) bool {
	reply, err := client.Do(ctx, "COMMAND", "INFO", command).Slice()
	return err == nil && len(reply) == 1 && reply[0] != nil
}

// writeParts writes strings with their lengths, so that no two lists look alike.
func writeParts(sum hash.Hash, parts ...string) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(parts)))
	_, _ = sum.Write(size[:])
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		_, _ = sum.Write(size[:])
		_, _ = sum.Write([]byte(p))
	}
}
