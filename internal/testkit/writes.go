package testkit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Writer writes at random whatever an application could: every type, expiries, scripts, functions, transactions, blocking pops, streams with groups, and
// whole databases. What it writes is decided by its seed, except for times.
type Writer struct {
	t       testing.TB
	random  *rand.Rand
	tag     string          // that all keys have, so that they are in one slot
	clients []*redis.Client // one for each database
	ways    []func(w *Writer)
	waits   chan struct{} // at most one blocking pop at a time

	fieldsGo bool // fields of hashes may expire soon
}

// NewWriter returns a writer into these databases of a server. Commands that the server does not know are not used.
func NewWriter(t testing.TB, client *redis.Client, seed uint64, databases ...int) *Writer {
	t.Helper()
	return NewTaggedWriter(t, client, seed, "w", databases...)
}

// NewTaggedWriter is NewWriter for keys with a tag, whose slot the server has.
func NewTaggedWriter(t testing.TB, client *redis.Client, seed uint64, tag string, databases ...int) *Writer {
	t.Helper()
	w := &Writer{t: t, tag: "{" + tag + "}", random: rand.New(rand.NewPCG(seed, 1)), waits: make(chan struct{}, 1), ways: []func(*Writer){
		(*Writer).text, (*Writer).text, (*Writer).list, (*Writer).set, (*Writer).sortedSet, (*Writer).hash, (*Writer).stream, (*Writer).stream,
		(*Writer).count, (*Writer).expiry, (*Writer).expiry, (*Writer).removal, (*Writer).script, (*Writer).transaction, (*Writer).pop,
	}}
	for _, database := range databases {
		one := sibling(client, database)
		t.Cleanup(func() { _ = one.Close() })
		w.clients = append(w.clients, one)
	}
	if knows(t.Context(), client, "FUNCTION") {
		w.ways = append(w.ways, (*Writer).function)
	}
	if knows(t.Context(), client, "HPEXPIRE") {
		w.ways = append(w.ways, (*Writer).fieldExpiry)
		info, _ := client.Info(t.Context(), "server").Result()
		w.fieldsGo = infoField(info, "valkey_version") == ""
	}
	if len(databases) > 1 {
		w.ways = append(w.ways, (*Writer).database)
	}
	return w
}

// Write carries out this many random steps, one after the other.
func (w *Writer) Write(steps int) {
	w.t.Helper()
	for range steps {
		w.ways[w.random.IntN(len(w.ways))](w)
	}
}

// Settle waits until nothing is under way any more.
func (w *Writer) Settle() {
	w.waits <- struct{}{}
	<-w.waits
}

func (w *Writer) client() *redis.Client { return w.clients[w.random.IntN(len(w.clients))] }

// do runs a command. A refusal is a possible answer: a key may have another type.
func (w *Writer) do(args ...any) {
	w.t.Helper()
	w.run(w.client(), args...)
}

func (w *Writer) run(client *redis.Client, args ...any) {
	w.t.Helper()
	err := client.Do(context.Background(), args...).Err()
	if _, answered := errors.AsType[redis.Error](err); err != nil && !answered {
		w.t.Fatalf("write %.100v: %v", args, err)
	}
}

func (w *Writer) one(of ...[]any) { w.do(of[w.random.IntN(len(of))]...) }

func (w *Writer) key(kind string) string {
	return fmt.Sprintf("%s%s:%d", w.tag, kind, w.random.IntN(20))
}
func (w *Writer) number() int { return w.random.IntN(50) }
func (w *Writer) value() string {
	return strings.Repeat(fmt.Sprintf("v%d ", w.number()), 1+w.random.IntN(30))
}
func (w *Writer) member(of string) string { return fmt.Sprintf("%s%d", of, w.number()) }

func (w *Writer) text() {
	key := w.key("text")
	w.one([]any{"SET", key, w.value()}, []any{"APPEND", key, w.value()}, []any{"SETRANGE", key, w.number(), "range"}, []any{"GETSET", key, w.value()},
		[]any{"SET", key, w.value(), "PX", 1 + w.random.IntN(200)}, []any{"SETNX", key, w.value()}, []any{"MSET", key, 1, w.key("text"), 2},
		[]any{"COPY", key, w.key("text"), "REPLACE"}, []any{"GETDEL", key}, []any{"GETEX", key, "PX", 5000},
		[]any{"SET", key, "binary \x00\r\n*1\r\n$4\r\nEXEC\r\n"})
}

func (w *Writer) count() {
	key := w.key("count")
	w.one([]any{"INCR", key}, []any{"INCRBYFLOAT", key, "0.1"}, []any{"DECRBY", key, 7}, []any{"SETBIT", w.key("bits"), w.random.IntN(4000), 1},
		[]any{"BITOP", "NOT", w.key("bits"), w.key("bits")}, []any{"BITFIELD", w.key("bits"), "INCRBY", "u8", 16, 3},
		[]any{"PFADD", w.key("seen"), w.number(), w.number()}, []any{"PFMERGE", w.key("seen"), w.key("seen"), w.key("seen")}, []any{"PUBLISH", "news", w.value()})
}

func (w *Writer) list() {
	key := w.key("list")
	w.one([]any{"RPUSH", key, w.number(), w.value(), w.number()}, []any{"LPUSH", key, w.value()}, []any{"LPOP", key}, []any{"LTRIM", key, 0, 30},
		[]any{"LREM", key, 0, w.number()}, []any{"LINSERT", key, "BEFORE", w.number(), "inserted"}, []any{"LSET", key, 0, w.value()},
		[]any{"RPOPLPUSH", key, w.key("list")}, []any{"LMOVE", key, w.key("list"), "LEFT", "RIGHT"},
		[]any{"SORT", key, "ALPHA", "STORE", w.key("list")})
}

func (w *Writer) set() {
	key := w.key("set")
	w.one([]any{"SADD", key, w.number(), w.member("m"), w.member("m")}, []any{"SADD", key, w.number()}, []any{"SREM", key, w.number(), w.member("m")},
		[]any{"SPOP", key}, []any{"SPOP", key, 3}, []any{"SMOVE", key, w.key("set"), w.number()},
		[]any{"SUNIONSTORE", w.key("set"), key, w.key("set")}, []any{"SDIFFSTORE", w.key("set"), key, w.key("set")})
}

func (w *Writer) sortedSet() {
	key := w.key("zset")
	w.one([]any{"ZADD", key, w.number(), w.member("m"), "1.5", w.member("m")}, []any{"ZINCRBY", key, "0.3", w.member("m")}, []any{"ZREM", key, w.member("m")},
		[]any{"ZPOPMIN", key, 2}, []any{"ZREMRANGEBYRANK", key, 20, -1}, []any{"ZUNIONSTORE", w.key("zset"), 2, key, w.key("zset"), "WEIGHTS", 2, 1},
		[]any{"GEOADD", w.key("places"), w.number(), w.number(), w.member("p")}, []any{"ZRANGESTORE", w.key("zset"), key, 0, 5})
}

func (w *Writer) hash() {
	key := w.key("hash")
	w.one([]any{"HSET", key, w.member("f"), w.value(), w.member("f"), w.number()}, []any{"HDEL", key, w.member("f")}, []any{"HINCRBY", key, "n", w.number()},
		[]any{"HINCRBYFLOAT", key, "x", "0.7"}, []any{"HSETNX", key, w.member("f"), "once"})
}

// fieldExpiry has fields expire. Valkey's DEBUG DIGEST leaves out those whose time has passed, and so is another one at each look: there they stay.
func (w *Writer) fieldExpiry() {
	key := w.key("hash")
	w.do("HSET", key, "brief", w.value())
	if w.fieldsGo {
		w.do("HPEXPIRE", key, 1+w.random.IntN(400), "FIELDS", 1, "brief")
	}
	w.do("HPEXPIRE", key, 3600_000, "FIELDS", 1, w.member("f"))
}

// stream creates consumers before it uses them: one that comes into being by reading nothing is not replicated.
func (w *Writer) stream() {
	key, group, consumer := w.key("stream"), fmt.Sprint("group", w.random.IntN(2)), fmt.Sprint("consumer", w.random.IntN(3))
	client := w.client()
	w.run(client, "XGROUP", "CREATECONSUMER", key, group, consumer)
	commands := [][]any{{"XADD", key, "*", "n", w.number(), "text", w.value()}, {"XADD", key, "MAXLEN", "~", 40, "*", "n", w.number()}, {"XADD", key, "*", "a", 1},
		{"XGROUP", "CREATE", key, group, "0", "MKSTREAM"}, {"XREADGROUP", "GROUP", group, consumer, "COUNT", 3, "STREAMS", key, ">"},
		{"XREADGROUP", "GROUP", group, consumer, "COUNT", 2, "NOACK", "STREAMS", key, ">"}, {"XTRIM", key, "MAXLEN", 30},
		{"XAUTOCLAIM", key, group, consumer, 0, "0", "COUNT", 2}, {"XGROUP", "DELCONSUMER", key, group, consumer},
		{"XGROUP", "SETID", key, group, "$"}, {"EVAL", `local e = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 2)
			for _, x in ipairs(e) do redis.call('XACK', KEYS[1], ARGV[1], x[1]) end
			if e[2] then redis.call('XDEL', KEYS[1], e[2][1]) end`, 1, key, group},
	}
	w.run(client, commands[w.random.IntN(len(commands))]...)
}

// any is a key of any kind.
func (w *Writer) any() string {
	kinds := []string{"text", "count", "bits", "seen", "list", "set", "zset", "places", "hash", "stream"}
	return w.key(kinds[w.random.IntN(len(kinds))])
}

func (w *Writer) expiry() {
	w.one([]any{"PEXPIRE", w.any(), 1 + w.random.IntN(300)}, []any{"EXPIRE", w.any(), 3600}, []any{"PERSIST", w.any()},
		[]any{"PEXPIREAT", w.any(), farFuture + w.number()}, []any{"EXPIRE", w.any(), -1}, []any{"GET", w.key("text")})
}

func (w *Writer) removal() {
	key := w.any()
	w.one([]any{"DEL", key, w.any()}, []any{"UNLINK", key}, []any{"RENAME", key, key + " renamed"}, []any{"RENAME", key + " renamed", key})
}

// script changes several keys by a random choice of its own, and may fail in the middle.
func (w *Writer) script() {
	w.do("EVAL", `redis.call('SET', KEYS[1], ARGV[1])
		redis.call('SADD', KEYS[2], redis.call('TIME')[2])
		redis.call('RPUSH', KEYS[3], math.random(100))
		if ARGV[2] == '1' then redis.call('LPUSH', KEYS[1], 'not a list') end
		return redis.call('HINCRBY', KEYS[4], 'scripted', 1)`, 4, w.key("text"), w.key("set"), w.key("list"), w.key("hash"), w.value(), w.random.IntN(3))
}

func (w *Writer) function() {
	name := fmt.Sprintf("library%d", w.random.IntN(3))
	code := fmt.Sprintf("#!lua name=%s\nredis.register_function('%s_f', function(keys, args) return redis.call('INCRBY', keys[1], %d) end)", name, name, w.number())
	w.one([]any{"FUNCTION", "LOAD", "REPLACE", code}, []any{"FUNCTION", "DELETE", name}, []any{"FCALL", name + "_f", 1, w.key("count")}, []any{"FCALL", name + "_f", 1, w.key("count")})
}

// transaction changes several keys in one database.
func (w *Writer) transaction() {
	pipe := w.client().TxPipeline()
	for range 2 + w.random.IntN(4) {
		pipe.Do(context.Background(), "SET", w.key("text"), w.value())
		pipe.Do(context.Background(), "RPUSH", w.key("list"), w.number())
		pipe.Do(context.Background(), "ZADD", w.key("zset"), w.number(), "transacted")
	}
	_, err := pipe.Exec(context.Background())
	if _, answered := errors.AsType[redis.Error](err); err != nil && !answered {
		w.t.Fatalf("write a transaction: %v", err)
	}
}

// pop has a client wait for what another one brings.
func (w *Writer) pop() {
	client, from, to := w.client(), w.key("queue"), w.key("list")
	commands := [][]any{{"BLPOP", from, 1}, {"BRPOPLPUSH", from, to, 1}, {"BLPOP", w.key("queue"), from, 1}, {"BZPOPMIN", w.tag + "zqueue", 1}}
	command := commands[w.random.IntN(len(commands))]
	w.waits <- struct{}{}
	go func() {
		defer func() { <-w.waits }()
		err := client.Do(context.Background(), command...).Err()
		if _, answered := errors.AsType[redis.Error](err); err != nil && !answered {
			w.t.Errorf("write %v: %v", command, err)
		}
	}()
	time.Sleep(time.Millisecond) // so that it waits in most cases; either way is right
	w.run(client, "RPUSH", from, w.value(), w.number())
	w.run(client, "ZADD", w.tag+"zqueue", 1, "popped", 2, w.number())
}

// database changes a database as a whole, now and then.
func (w *Writer) database() {
	switch w.random.IntN(12) {
	case 0:
		w.do("FLUSHDB")
	case 1:
		w.do("SWAPDB", w.clients[0].Options().DB, w.clients[1].Options().DB)
	default:
		w.do("MOVE", w.any(), w.clients[w.random.IntN(len(w.clients))].Options().DB)
	}
}
