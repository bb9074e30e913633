package logical_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/logical"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/testkit"
)

// happening is something that is done to a node.
type happening func(*testing.T, *redis.Client) error

func command(args ...any) happening {
	return func(t *testing.T, client *redis.Client) error { return client.Do(t.Context(), args...).Err() }
}

// remove deletes most keys of a kind, one by one.
func remove(prefix string) happening {
	return func(t *testing.T, client *redis.Client) error {
		var names []string
		for i := range many * 2 / 3 {
			names = append(names, fmt.Sprint(prefix, i))
		}
		return client.Del(t.Context(), names...).Err()
	}
}

const many = 3000

// crowd writes many keys, more than a reader takes before it waits: some stay for ever, most have an expiry.
func crowd(t *testing.T, client *redis.Client) {
	t.Helper()
	pipe := client.Pipeline()
	for i := range many {
		pipe.Set(t.Context(), fmt.Sprint("lasting:", i), strings.Repeat("x", 1000), 0)
		for _, kind := range []string{"mortal:", "brief:"} {
			pipe.Set(t.Context(), fmt.Sprint(kind, i), strings.Repeat("x", 1000), time.Hour)
		}
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// What becomes of a node in the middle of a reading decides whether there is an end.
func TestWhatBecomesOfANodeMeanwhile(t *testing.T) {
	t.Parallel()
	other := testkit.Redis(t)
	hide := command("CONFIG", "RESETSTAT") // as if the node told nobody about its commands
	comes := func(t *testing.T, client *redis.Client) error {
		host, port, _ := strings.Cut(client.Options().Addr, ":")
		replica := testkit.Redis(t, "--replicaof", host+" "+port)
		testkit.WaitFor(t, "a replica is in step", func() bool {
			return strings.Contains(replica.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
		})
		return nil
	}
	follow := func(t *testing.T, client *redis.Client) error {
		if err := client.Do(t.Context(), "REPLICAOF", other.Host, other.Port).Err(); err != nil {
			return err
		}
		testkit.WaitFor(t, "it has the other node's data", func() bool {
			return strings.Contains(client.Info(t.Context(), "replication").Val(), "master_link_status:up")
		})
		return nil
	}
	tests := map[string]struct {
		happens []happening
		err     error
	}{
		"nothing":                           {nil, nil},
		"FLUSHALL":                          {[]happening{command("FLUSHALL")}, logical.ErrWiped},
		"FLUSHDB":                           {[]happening{command("FLUSHDB")}, logical.ErrWiped},
		"FLUSHDB in a script":               {[]happening{command("EVAL", "return redis.call('FLUSHDB')", 0)}, logical.ErrWiped},
		"SWAPDB":                            {[]happening{command("SWAPDB", 0, 3)}, logical.ErrWiped},
		"FLUSHALL, hidden":                  {[]happening{command("FLUSHALL"), hide}, logical.ErrShrunk},
		"SWAPDB, hidden":                    {[]happening{command("SWAPDB", 0, 7), hide}, logical.ErrShrunk},
		"keys with an expiry go, hidden":    {[]happening{remove("mortal:"), remove("brief:"), hide}, nil},
		"most keys are deleted":             {[]happening{remove("lasting:")}, nil},
		"most keys are deleted, hidden":     {[]happening{remove("lasting:"), hide}, logical.ErrShrunk},
		"statistics begin anew":             {[]happening{hide}, nil},
		"its first replica comes":           {[]happening{comes}, nil},
		"it becomes a replica":              {[]happening{follow}, logical.ErrReplaced},
		"it was a replica for a short time": {[]happening{follow, command("REPLICAOF", "NO", "ONE")}, logical.ErrReplaced},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := testkit.Redis(t)
			crowd(t, node.Client())
			if _, err := interrupted(t, node, test.happens...); !errors.Is(err, test.err) {
				t.Errorf("%v instead of %v", err, test.err)
			}
		})
	}
}

// A replica gets FLUSHALL from its primary, and another primary when its own fails.
func TestWhatBecomesOfAReplicaMeanwhile(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"nothing": nil, "FLUSHALL": logical.ErrWiped, "promotion": logical.ErrReplaced, "another primary": logical.ErrReplaced,
		"a primary of other data": logical.ErrReplaced} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary := testkit.Redis(t)
			crowd(t, primary.Client())
			follow := func(node *testkit.Server, of *testkit.Server) {
				if err := node.Client().Do(t.Context(), "REPLICAOF", of.Host, of.Port).Err(); err != nil {
					t.Fatal(err)
				}
				testkit.WaitFor(t, "a replica is in step", func() bool {
					info := node.Client().Info(t.Context(), "replication").Val()
					return strings.Contains(info, "master_link_status:up") && strings.Contains(info, fmt.Sprintf("master_port:%d", of.Port))
				})
			}
			replica, second := testkit.Redis(t), testkit.Redis(t)
			follow(replica, primary)
			follow(second, primary)
			_, got := interrupted(t, replica, func(t *testing.T, client *redis.Client) error {
				switch name {
				case "FLUSHALL":
					if err := primary.Client().FlushAll(t.Context()).Err(); err != nil {
						return err
					}
					testkit.WaitFor(t, "the replica is empty", func() bool { return client.DBSize(t.Context()).Val() == 0 })
				case "promotion":
					return client.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err()
				case "another primary":
					if err := second.Client().Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
						return err
					}
					follow(replica, second)
				case "a primary of other data":
					follow(replica, testkit.Redis(t))
				}
				return nil
			})
			if !errors.Is(got, err) {
				t.Errorf("%v instead of %v", got, err)
			}
		})
	}
}

// interrupted reads a node, and has things happen to it when that has begun.
func interrupted(t *testing.T, node *testkit.Server, happens ...happening) (rdb.Summary, error) {
	t.Helper()
	s, err := logical.Open(t.Context(), resp.Options{Addr: node.Addr}, logical.Options{BatchBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first := make([]byte, 100)
	if _, err := io.ReadFull(s, first); err != nil {
		t.Fatal(err)
	}
	for _, one := range happens {
		if err := one(t, node.Client()); err != nil {
			t.Fatal(err)
		}
	}
	return rdb.NewScanner(io.MultiReader(bytes.NewReader(first), s)).Scan()
}
