package testkit

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Moment is a server as it was at a place in its history.
type Moment struct {
	Offset int64
	Digest string            // of everything in all databases, also of keys whose time has passed
	Data   map[string]string // in detail, as from [Digests]
}

// The fields of INFO that have the place of a primary, and that of a replica.
const (
	PrimaryOffset = "master_repl_offset"
	ReplicaOffset = "slave_repl_offset"
)

// Look returns a server as it is now. Nobody may write to it, and it must have DEBUG.
func Look(t testing.TB, client *redis.Client, offsetField string) Moment {
	t.Helper()
	pipe := client.TxPipeline() // looking at a key whose time has passed removes it, and so moves the offset: both have to be of one moment
	digest, info := pipe.Do(t.Context(), "DEBUG", "DIGEST"), pipe.Info(t.Context(), "replication")
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatalf("look at %s: %v", client.Options().Addr, err)
	}
	m := Moment{Digest: digest.Val().(string), Data: Digests(t, client)}
	offset, err := strconv.ParseInt(infoField(info.Val(), offsetField), 10, 64)
	if err != nil {
		t.Fatalf("look at %s: it has no %s", client.Options().Addr, offsetField)
	}
	m.Offset = offset
	return m
}

// Differs says in what another server is not as this one was, or "". What DEBUG DIGEST does not see, groups of streams and functions, is compared in
// detail, except for keys that have expired since.
func (m Moment) Differs(other Moment) string {
	if other.Digest != m.Digest {
		return "DEBUG DIGEST is " + other.Digest + ", want " + m.Digest + "\n" + Diff(m.Data, other.Data)
	}
	unseen := func(data, other map[string]string) map[string]string {
		all := maps.Clone(data)
		maps.DeleteFunc(all, func(key, _ string) bool {
			_, has := other[key]
			return !strings.HasPrefix(key, "function") && (!has || !strings.Contains(key, "stream"))
		})
		return all
	}
	return Diff(unseen(m.Data, other.Data), unseen(other.Data, m.Data))
}
