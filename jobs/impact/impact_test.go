package impact

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

func node(name string, s *testkit.Server, role models.Role) models.Node {
	return models.Node{Name: name, Host: s.Host, Port: s.Port, Role: role, Shard: 1}
}

// pair is a cluster of a primary and a replica in step.
func pair(t *testing.T) (models.Cluster, models.SnapshotSource, *testkit.Server, *testkit.Server) {
	t.Helper()
	primary := testkit.Redis(t)
	replica := testkit.Redis(t, "--replicaof", primary.Host+" "+strconv.Itoa(primary.Port))
	testkit.WaitFor(t, "the replica is in step", func() bool {
		return strings.Contains(replica.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	cluster := models.Cluster{Name: "orders", Attachment: &models.Attachment{}, Nodes: []models.Node{node("orders-001", primary, models.RolePrimary), node("orders-002", replica, models.RoleReplica)}}
	shard := cluster.Shards()[0]
	return cluster, models.SnapshotSource{Shard: shard, Node: cluster.Nodes[1]}, primary, replica
}

func clients(t *testing.T, s *testkit.Server) int {
	t.Helper()
	return strings.Count(s.Client().Do(t.Context(), "CLIENT", "LIST").String(), "cmd=info")
}

func TestBothNodesOfAShardAreMeasuredUntilTheEnd(t *testing.T) {
	t.Parallel()
	cluster, source, primary, replica := pair(t)
	waiting := replica.Client()
	go waiting.Do(t.Context(), "XREAD", "BLOCK", "60000", "STREAMS", "nothing is ever here", "$")
	testkit.WaitFor(t, "a client is blocked", func() bool {
		return strings.Contains(replica.Client().Info(t.Context(), "clients").Val(), "blocked_clients:1")
	})
	meter := New(t.Context(), cluster, time.Now)
	part := meter.Part(source)
	part.Begin(t.Context())
	forked := replica.Client().BgSave(t.Context())
	if forked.Err() != nil {
		t.Fatal(forked.Err())
	}
	testkit.WaitFor(t, "it has forked", func() bool {
		return strings.Contains(replica.Client().Info(t.Context(), "stats").Val(), "total_forks:1")
	})
	part.End()
	part.End()
	seen := meter.Close()
	if len(seen.Parts) != 1 || len(seen.Parts[0].Nodes) != 2 || seen.More != 0 {
		t.Fatalf("%+v", seen)
	}
	p := seen.Parts[0]
	served, other := p.Nodes[0], p.Nodes[1]
	if !p.Served() || p.Ended < p.Begun || served.Name != "orders-002" || served.Role != models.RoleReplica || other.Name != "orders-001" || other.Role != models.RolePrimary {
		t.Errorf("%+v", p)
	}
	said := replica.Client().InfoMap(t.Context(), "stats").Item("Stats", "latest_fork_usec")
	if !served.Forked || strconv.FormatInt(served.ForkMicros, 10) != said || other.Forked {
		t.Errorf("the fork took %d, and %s says the node; the primary: %v", served.ForkMicros, said, other.Forked)
	}
	if mine, others := served.Figures(models.PhaseBefore).Waits, other.Figures(models.PhaseBefore).Waits; mine != 1 || others != 0 {
		t.Errorf("%d and %d clients were blocked", mine, others)
	}
	for _, n := range p.Nodes {
		if n.Note != "" {
			t.Errorf("%s: %s", n.Name, n.Note)
		}
		for _, phase := range []models.SamplePhase{models.PhaseBefore, models.PhaseDuring, models.PhaseAfter} {
			if f := n.Figures(phase); f.Samples == 0 && phase != models.PhaseDuring || f.Samples > 0 && (f.Ping <= 0 || f.Memory == 0) {
				t.Errorf("%s, phase %d: %+v", n.Name, phase, f)
			}
		}
	}
	for _, s := range []*testkit.Server{primary, replica} {
		testkit.WaitFor(t, "its connection is gone", func() bool { return clients(t, s) == 0 })
	}
}

// What cannot be measured is said, and costs nothing else.
func TestANodeThatCannotBeMeasuredIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rights string
		stop   bool
		want   string
	}{
		"PING is forbidden": {"-ping", false, "lacks the right"},
		"INFO is forbidden": {"-info", false, "lacks the right"},
		"nobody is there":   {"+ping", true, "no connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Redis(t)
			if err := s.Client().Do(t.Context(), "ACL", "SETUSER", "backup", "on", ">s3cret", "+@all", c.rights).Err(); err != nil {
				t.Fatal(err)
			}
			cluster := models.Cluster{Name: "orders", Password: secret.Text("s3cret"), Attachment: &models.Attachment{Access: models.Access{Username: "backup"}},
				Nodes: []models.Node{node("orders-001", s, models.RolePrimary)}}
			if c.stop {
				s.Kill()
			}
			meter := New(t.Context(), cluster, time.Now)
			part := meter.Part(models.SnapshotSource{Shard: cluster.Shards()[0], Node: cluster.Nodes[0], Fallback: true})
			part.Begin(t.Context())
			part.End()
			seen := meter.Close().Parts[0]
			if n := seen.Nodes[0]; !strings.Contains(n.Note, c.want) || len(n.Samples) != 0 || n.Forked {
				t.Errorf("%+v", n)
			}
		})
	}
}

// A node that hangs holds nobody up: neither the beginning of a reading, nor the end of a run.
func TestANodeThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	cluster, source, _, replica := pair(t)
	meter := New(t.Context(), cluster, time.Now)
	part := meter.Part(source)
	part.Begin(t.Context())
	if err := replica.Client().Do(t.Context(), "CLIENT", "PAUSE", "60000", "ALL").Err(); err != nil {
		t.Fatal(err)
	}
	another := meter.Part(source)
	begun := time.Now()
	another.Begin(t.Context())
	part.End()
	another.End()
	seen := meter.Close()
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("it took %s", took)
	}
	if len(seen.Parts) != 2 || len(seen.Parts[1].Nodes[0].Samples) != 0 || len(seen.Parts[1].Nodes[1].Samples) == 0 {
		t.Errorf("%+v", seen)
	}
}

// Whoever cancels a run need not wait.
func TestMeasuringEndsWithTheRun(t *testing.T) {
	t.Parallel()
	cluster, source, _, replica := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	meter := New(ctx, cluster, time.Now)
	part := meter.Part(source)
	part.Begin(ctx)
	cancel()
	meter.looking.Wait()
	part.End()
	if n := meter.Close().Parts[0].Nodes[0]; n.Note != "" {
		t.Errorf("%+v", n)
	}
	testkit.WaitFor(t, "its connection is gone", func() bool { return clients(t, replica) == 0 })
}

func TestOnlyTheFirstPartsAreMeasured(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t)
	cluster := models.Cluster{Name: "orders", Attachment: &models.Attachment{}, Nodes: []models.Node{node("orders-001", s, models.RolePrimary)}}
	meter := New(t.Context(), cluster, time.Now)
	for range parts + 3 {
		part := meter.Part(models.SnapshotSource{Shard: cluster.Shards()[0], Node: cluster.Nodes[0], Fallback: true})
		part.Begin(t.Context())
		part.End()
	}
	if seen := meter.Close(); len(seen.Parts) != parts || seen.More != 3 {
		t.Errorf("%d parts, and %d more", len(seen.Parts), seen.More)
	}
}
