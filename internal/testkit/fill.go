package testkit

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	otherDB   = 3
	fillBatch = 500
	// farFuture is where expire times start: 2100-01-01 UTC, in milliseconds. Fixed, so that two
	// fills are equal.
	farFuture = 4102444800000
	// deliveredAt is the delivery time, in milliseconds, of pending stream entries.
	deliveredAt = 1600000000000
)

const functionLibrary = "#!lua name=rekindle\nredis.register_function('rekindle_echo', function(keys, args) return args[1] end)"

// Fill writes data of every kind into the client's server and returns the number of keys in all
// databases. Small keys, n in total, go through all types in turn (every seventh into db 3,
// every tenth with an expire time in the year 2100); about 20 fixed ones are too large for every
// compact encoding, or odd (big, binary, empty, infinite). A function library is loaded where
// functions exist. Two fills with the same n are equal. On a cluster-mode node, which has no db 3,
// everything goes into db 0.
func Fill(t testing.TB, client *redis.Client, n int) int {
	t.Helper()
	ctx := context.Background()
	other := otherDB
	if info, err := client.Info(ctx, "cluster").Result(); err == nil && infoField(info, "cluster_enabled") == "1" {
		other = client.Options().DB
	}
	main, second := newFiller(t, sibling(client, client.Options().DB)), newFiller(t, sibling(client, other))
	for i := range n {
		f := main
		if i%7 == 3 {
			f = second
		}
		f.small(i)
	}
	main.special()
	main.flush()
	second.do("SET", "special:other-db", "yes")
	second.flush()
	err := client.Do(ctx, "FUNCTION", "LOAD", "REPLACE", functionLibrary).Err()
	if err != nil && !strings.Contains(err.Error(), "unknown command") {
		t.Fatalf("fill: load a function library: %v", err)
	}
	return n + len(main.specials) + 1
}

// filler collects commands and sends them in pipelines.
type filler struct {
	t        testing.TB
	client   *redis.Client
	pipe     redis.Pipeliner
	specials map[string]bool
}

func newFiller(t testing.TB, client *redis.Client) *filler {
	t.Cleanup(func() { _ = client.Close() })
	return &filler{t: t, client: client, pipe: client.Pipeline(), specials: map[string]bool{}}
}

func (f *filler) do(args ...any) {
	f.t.Helper()
	f.pipe.Do(context.Background(), args...)
	if f.pipe.Len() >= fillBatch {
		f.flush()
	}
}

func (f *filler) flush() {
	f.t.Helper()
	if f.pipe.Len() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := f.pipe.Exec(ctx); err != nil {
		f.t.Fatalf("fill %s: %v", f.client.Options().Addr, err)
	}
}

// small writes the key with number i; the types take turns.
func (f *filler) small(i int) {
	key := fmt.Sprintf("key:%07d", i)
	switch i % 10 {
	case 0:
		f.do("SET", key, fmt.Sprintf(`{"id":%d,"name":"customer %d","tags":["a","b"],"note":%q}`, i, i, strings.Repeat("lorem ", i%40)))
	case 1:
		f.do("SET", key, i*7919)
	case 2:
		f.do("RPUSH", key, "first", i, strings.Repeat("x", i%90), -i)
	case 3:
		f.do("SADD", key, i, i+1, i+2, i*1000003)
	case 4:
		f.do("SADD", key, "red", "green", fmt.Sprintf("colour %d", i))
	case 5:
		f.do("ZADD", key, 1.5, "one", -i, "two", i, fmt.Sprintf("member %d", i))
	case 6:
		f.do("HSET", key, "id", i, "name", fmt.Sprintf("user %d", i), "empty", "")
	case 7:
		f.stream(key, 3+i%5)
	case 8:
		f.do("PFADD", key, i, i+1, i+2)
	case 9:
		if i%20 == 9 {
			f.do("GEOADD", key, 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
		} else {
			f.do("SETBIT", key, 100+i%1000, 1)
		}
	}
	if i%10 == (i/10)%10 { // each type gets its share
		f.do("PEXPIREAT", key, farFuture+int64(i)*1000)
	}
}

// stream writes a stream with a group that has pending entries, a second group without any, and a
// deleted entry.
func (f *filler) stream(key string, entries int) {
	for e := 1; e <= entries; e++ {
		f.do("XADD", key, fmt.Sprintf("%d-%d", 1000+e, e%3), "n", e, "text", strings.Repeat("s", e%50))
	}
	f.do("XGROUP", "CREATE", key, "workers", "1002-2")
	f.do("XGROUP", "CREATE", key, "idle", "$")
	// XCLAIM with TIME instead of XREADGROUP: a delivery time of now would make every fill different.
	f.do("XCLAIM", key, "workers", "alice", 0, "1001-1", "TIME", deliveredAt, "RETRYCOUNT", 3, "FORCE", "JUSTID")
	f.do("XCLAIM", key, "workers", "bob", 0, "1002-2", "TIME", deliveredAt+1, "RETRYCOUNT", 1, "FORCE", "JUSTID")
	f.do("XDEL", key, "1003-0")
}

// special writes the fixed keys.
func (f *filler) special() {
	name := func(key string) string {
		f.specials[key] = true
		return key
	}
	f.do("SET", name("special:empty"), "")
	f.do("SET", name("special:integer"), "-9223372036854775808")
	f.do("SET", name("special:compressible"), strings.Repeat("rekindle ", 1<<17))
	f.do("SET", name("special:noise"), noise(1<<20))
	f.do("SET", name("special:binary \x00\r\n\xff\"'"), "\x00\x01\r\n$3\r\n\xfe\xff")
	f.do("SET", name("special:"+strings.Repeat("long name ", 200)), "x")
	f.do("SET", name("special:with expire"), "x")
	f.do("PEXPIREAT", "special:with expire", farFuture+86400_000)
	f.do("SETBIT", name("special:bitmap"), 1<<20, 1)
	f.do("RPUSH", name("special:list of huge"), noise(100_000), "small", strings.Repeat("y", 100_000))
	f.do("ZADD", name("special:zset infinite"), "+inf", "up", "-inf", "down", 0, "a", 0, "b", 1e-300, "tiny", 3.141592653589793, "pi")
	f.do("HSET", name("special:hash of huge"), "field", noise(100_000), strings.Repeat("name", 1000), 1)
	// Too large for any engine's compact encoding, in commands with many elements, because the race detector makes each command slow.
	var list, set, integers, zset, hash, places []any
	for i := range 1500 {
		list = append(list, fmt.Sprintf("element %d %s", i, strings.Repeat("z", i%100)))
		set = append(set, fmt.Sprintf("member %d", i))
		integers = append(integers, i*3-500)
		zset = append(zset, float64(i)/3, fmt.Sprintf("member %d", i))
		hash = append(hash, fmt.Sprintf("field %d", i), fmt.Sprintf("value %d", i))
		if i%5 == 0 {
			places = append(places, float64(i%360)/2-80, float64(i%160)/2-40, fmt.Sprintf("place %d", i))
		}
	}
	for _, big := range []struct {
		command, key string
		elements     []any
	}{
		{"RPUSH", "special:list big", list}, {"SADD", "special:set big", set}, {"SADD", "special:set of integers", integers},
		{"ZADD", "special:zset big", zset}, {"HSET", "special:hash big", hash}, {"GEOADD", "special:geo", places},
	} {
		f.do(append([]any{big.command, name(big.key)}, big.elements...)...)
	}
	var seen []any
	for i := range 5000 { // as many as it takes
		seen = append(seen, i)
	}
	f.do(append([]any{"PFADD", name("special:hyperloglog dense")}, seen...)...)
	f.stream(name("special:stream big"), 500)
	f.do("PEXPIREAT", "special:hash big", farFuture)
	// A stream without entries that still has a group and a last id.
	f.do("XADD", name("special:stream empty"), "5-5", "a", "b")
	f.do("XGROUP", "CREATE", "special:stream empty", "workers", "0")
	f.do("XDEL", "special:stream empty", "5-5")
}

// noise returns n bytes that look random, always the same: data that does not compress.
func noise(n int) string {
	out := make([]byte, n)
	state := uint64(88172645463325252)
	for i := range out {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		out[i] = byte(state >> 32)
	}
	return string(out)
}
