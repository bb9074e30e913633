package vault

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// sampledFrom is the sample of what a server has saved.
func sampledFrom(t *testing.T, dump []byte, seed string) *sampler {
	t.Helper()
	s := newSampler(seed)
	r := s.watch(io.NopCloser(bytes.NewReader(dump)))
	if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(dump)) {
		t.Fatalf("%d of %d bytes were passed on: %v", n, len(dump), err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// saved is what a server has, as an RDB.
func saved(t *testing.T, server *testkit.Server) []byte {
	t.Helper()
	if err := server.Client().Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	dump, err := os.ReadFile(filepath.Join(server.Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

// nodeOf is a trial whose node is this server.
func nodeOf(t *testing.T, server *testkit.Server) *trial {
	t.Helper()
	host, port, err := net.SplitHostPort(server.Client().Options().Addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context, cluster models.Cluster, node models.Node) (*resp.Conn, error) {
		return resp.Dial(ctx, resp.Options{Addr: node.Address(), Password: cluster.Password})
	}
	return &trial{trials: &trials{kit{Config: Config{Dial: dial}}}, cluster: models.Cluster{Password: secret.Text(server.Password())},
		node: models.Node{Host: host, Port: number}}
}

func TestSampleIsComparedWithWhatANodeHas(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	client := server.Client()
	testkit.Fill(t, client, 120) // with the special ones fewer than a sample has room for
	client.Set(t.Context(), "short-lived", "x", time.Hour)
	dump := saved(t, server)
	server.Restart() // as a node that has loaded it
	trial := nodeOf(t, server)
	before := testkit.Fingerprint(t, client)
	sample := sampledFrom(t, dump, "seed")
	if sample.seen != int64(len(sample.keys)) {
		t.Fatalf("of %d keys the sample has %d", sample.seen, len(sample.keys))
	}
	kinds := map[string]bool{}
	for _, key := range sample.keys {
		kinds[key.kind] = true
	}
	if len(kinds) != 6 {
		t.Errorf("the types of the sample are %v", kinds)
	}
	if c, err := trial.compare(t.Context(), sample.keys); err != nil || c.compared != sample.seen || len(c.differ) != 0 {
		t.Fatalf("%d of %d keys were compared, %q differ, %v", c.compared, sample.seen, c.differ, err)
	}
	if after := testkit.Fingerprint(t, client); after != before {
		t.Errorf("the comparison has changed the node's data")
	}

	for i, key := range sample.keys { // each of them is noticed when it is another one
		one := []sampled{key}
		pipe := client.Pipeline()
		pipe.Do(t.Context(), "SELECT", key.database)
		if i%2 == 0 || key.payload == nil { // of a large one only the type is compared
			pipe.Del(t.Context(), key.name)
		} else {
			pipe.Rename(t.Context(), key.name, "another name")
			pipe.Set(t.Context(), key.name, "another value", 0)
		}
		pipe.Do(t.Context(), "SELECT", 0)
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c, err := trial.compare(t.Context(), one); err != nil || len(c.differ) != 1 {
			t.Errorf("%s %.40q was changed: %+v, %v", key.kind, key.name, c, err)
		}
	}
}

func TestSampleIsSpreadAndTheSameEachTime(t *testing.T) {
	t.Parallel()
	var dump bytes.Buffer
	w := rdb.NewWriter(&dump, 9)
	for i := range 5000 {
		if err := w.Begin(rdb.Key{Name: fmt.Appendf(nil, "key:%05d", i), Idle: -1, Freq: -1}, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("\x01x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	one, again, other := sampledFrom(t, dump.Bytes(), "one"), sampledFrom(t, dump.Bytes(), "one"), sampledFrom(t, dump.Bytes(), "other")
	if !reflect.DeepEqual(one.keys, again.keys) || reflect.DeepEqual(one.keys, other.keys) {
		t.Error("the sample does not depend on the seed alone")
	}
	late := 0
	for _, key := range one.keys {
		if key.name >= "key:02500" {
			late++
		}
	}
	if len(one.keys) != sampleKeys || late < sampleKeys/4 || late > sampleKeys*3/4 {
		t.Errorf("of %d keys %d are from the second half", len(one.keys), late)
	}
}

func TestSampleOfWhatIsNoRDBIsEmpty(t *testing.T) {
	t.Parallel()
	if s := sampledFrom(t, bytes.Repeat([]byte("no RDB"), 100_000), "seed"); len(s.keys) != 0 {
		t.Errorf("it has %d keys", len(s.keys))
	}
}
