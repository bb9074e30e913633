package formation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rekindle/internal/formation"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/slots"
	"rekindle/internal/testkit"
)

func node(s *testkit.Server) formation.Node {
	return formation.Node{Options: resp.Options{Addr: s.Addr, Password: secret.Text(s.Password())}, Host: s.Host, Port: s.Port}
}

func start(t *testing.T) *testkit.Server {
	return testkit.Redis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "10000", "--cluster-migration-barrier", "99", "--requirepass", "open sesame", "--masterauth", "open sesame")
}

func do(t *testing.T, s *testkit.Server, args ...any) string {
	t.Helper()
	answer, err := s.Client().Do(t.Context(), args...).Text()
	if err != nil {
		t.Fatalf("%v at %s: %v", args, s.Addr, err)
	}
	return answer
}

func inStep(t *testing.T, replica, primary *testkit.Server) {
	t.Helper()
	testkit.WaitFor(t, replica.Addr+" is in step with "+primary.Addr, func() bool {
		info := do(t, replica, "INFO", "replication")
		return strings.Contains(info, "master_link_status:up") && strings.Contains(info, fmt.Sprintf("master_port:%d\r", primary.Port))
	})
}

func isPrimary(t *testing.T, s *testkit.Server) {
	t.Helper()
	testkit.WaitFor(t, s.Addr+" is a primary", func() bool { return strings.Contains(do(t, s, "INFO", "replication"), "role:master") })
}

func TestNodesBecomeOneClusterWhoseReplicasTakeOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var servers []*testkit.Server
	var primaries []formation.Primary
	for _, set := range slots.Spread(3) {
		s := start(t)
		servers = append(servers, s)
		primaries = append(primaries, formation.Primary{Node: node(s), Slots: set})
	}
	if err := formation.Form(ctx, primaries); err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		if got := do(t, s, "CLUSTER", "INFO"); !strings.Contains(got, "cluster_slots_ok:16384") || !strings.Contains(got, "cluster_size:3") {
			t.Errorf("%s says %s", s.Addr, got)
		}
	}
	do(t, servers[2], "SET", "foo", "kept") // slot 12182 is the third shard's

	one, two := start(t), start(t)
	for _, replica := range []*testkit.Server{one, two} {
		if err := formation.Join(ctx, node(replica), node(servers[2])); err != nil {
			t.Fatal(err)
		}
		inStep(t, replica, servers[2])
	}

	t.Log("a replica succeeds a living primary")
	if err := node(one).Succeed(ctx); err != nil {
		t.Fatal(err)
	}
	inStep(t, servers[2], one)
	if got := do(t, one, "GET", "foo"); got != "kept" {
		t.Errorf("the successor has %q", got)
	}

	t.Log("a replica takes over from a dead one")
	inStep(t, two, one)
	gone, err := node(one).ID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	one.Kill()
	if err := node(two).TakeOver(ctx); err != nil {
		t.Fatal(err)
	}
	isPrimary(t, two)
	if got := do(t, two, "GET", "foo"); got != "kept" {
		t.Errorf("who took over has %q", got)
	}

	t.Log("the dead one is forgotten")
	rest := []formation.Node{node(servers[0]), node(servers[1]), node(servers[2]), node(two)}
	for range 2 { // the second time nobody knows it
		if err := formation.Forget(ctx, rest, gone); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range servers {
		if text := do(t, s, "CLUSTER", "NODES"); strings.Contains(text, gone) {
			t.Errorf("%s remembers it: %s", s.Addr, text)
		}
	}
}

func TestNodesThatDoNotFindEachOtherAreSaidToBeApart(t *testing.T) {
	t.Parallel()
	var primaries []formation.Primary
	for _, set := range slots.Spread(2) {
		primaries = append(primaries, formation.Primary{Node: node(start(t)), Slots: set})
	}
	primaries[1].Port = testkit.FreePort(t) // where nobody listens
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := formation.Form(ctx, primaries)
	if !errors.Is(err, formation.ErrApart) || !strings.Contains(fmt.Sprint(err), "1 of 2 shards") {
		t.Errorf("the error is %v", err)
	}
}

func TestPrimariesThatHaveKeysFromTheStartGetTheOtherSlots(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	primaries := func() []formation.Primary {
		var all []formation.Primary
		for _, set := range slots.Spread(2) {
			s := start(t)
			if len(all) == 1 { // as a node takes it that loads a key at its start: foo is in slot 12182
				do(t, s, "CLUSTER", "ADDSLOTS", 12182)
				do(t, s, "CLUSTER", "ADDSLOTS", 16383)
			}
			all = append(all, formation.Primary{Node: node(s), Slots: set})
		}
		return all
	}
	if err := formation.Form(ctx, primaries()); err != nil {
		t.Error(err)
	}
	wrong := primaries()
	wrong[0].Slots, wrong[1].Slots = wrong[1].Slots, wrong[0].Slots
	if err := formation.Form(ctx, wrong); err == nil || !strings.Contains(err.Error(), "it has keys of slot 12182, which is to be another node's") {
		t.Errorf("a node has another one's keys: %v", err)
	}
}
