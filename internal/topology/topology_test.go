package topology_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rekindle/internal/resp"
	"rekindle/internal/testkit"
	"rekindle/internal/topology"
)

func replicaOf(t *testing.T, primary *testkit.Server, args ...string) *testkit.Server {
	t.Helper()
	r := testkit.Redis(t, append([]string{"--replicaof", primary.Host + " " + strconv.Itoa(primary.Port), "--masterauth", primary.Password()}, args...)...)
	testkit.WaitFor(t, "the replica is in step", func() bool {
		info, err := r.Client().Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	return r
}

func discover(t *testing.T, a topology.Access) topology.Topology {
	t.Helper()
	found, err := topology.Discover(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// is checks what was found: the kind and, for each shard, its slots and nodes, the primary first and the others sorted.
func is(t *testing.T, found topology.Topology, kind topology.Kind, shards ...[]string) {
	t.Helper()
	if found.Kind != kind || len(found.Shards) != len(shards) {
		t.Fatalf("found a %s of %d shards, want a %s of %d: %+v", found.Kind, len(found.Shards), kind, len(shards), found.Nodes())
	}
	for i, s := range found.Shards {
		got := []string{s.Slots}
		for _, n := range s.Nodes {
			got = append(got, n.Addr)
			if n.Primary != (len(got) == 2) {
				t.Errorf("%s is a primary: %t", n.Addr, n.Primary)
			}
			if !n.Reached() {
				t.Errorf("%s was not reached: %v", n.Addr, n.Err)
			}
		}
		want := slices.Clone(shards[i])
		slices.Sort(got[min(2, len(got)):])
		slices.Sort(want[min(2, len(want)):])
		if !slices.Equal(got, want) {
			t.Errorf("shard %d is %q, want %q", i+1, got, want)
		}
	}
}

func TestFindsTheWholeFamilyFromAnyOfItsNodes(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t, "--requirepass", "s3cret")
	access := func(addrs ...string) topology.Access {
		return topology.Access{Addresses: addrs, Node: resp.Options{Password: "s3cret"}}
	}
	is(t, discover(t, access(primary.Addr)), topology.Standalone, []string{"", primary.Addr})

	one := replicaOf(t, primary, "--requirepass", "s3cret")
	below := replicaOf(t, one, "--requirepass", "s3cret")
	family := []string{"", primary.Addr, one.Addr, below.Addr}
	for name, addrs := range map[string][]string{
		"primary": {primary.Addr}, "replica": {one.Addr}, "replica of a replica": {below.Addr}, "all": {below.Addr, one.Addr, primary.Addr},
		"one twice, by two names": {primary.Addr, net.JoinHostPort("localhost", strconv.Itoa(primary.Port))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := discover(t, access(addrs...))
			is(t, found, topology.Replicated, family)
			if engine, version := found.Engine, found.Version; engine != testkit.EngineName(t) || version == "" {
				t.Errorf("it is %s %s", engine, version)
			}
		})
	}
}

func TestASilentAddressIsSaidBesideThoseThatAnswer(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t)
	found := discover(t, topology.Access{Addresses: []string{"127.0.0.1:1", primary.Addr}})
	is(t, found, topology.Standalone, []string{"", primary.Addr})
	if len(found.Silent) != 1 || !strings.Contains(found.Silent[0].Error(), "127.0.0.1:1") {
		t.Errorf("silent: %v", found.Silent)
	}
}

// A replica behind address translation announces an address that cannot be reached from here.
func TestAnnouncedAddressesAreMapped(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t)
	replica := replicaOf(t, primary, "--replica-announce-ip", "192.0.2.7", "--replica-announce-port", "6379")
	testkit.WaitFor(t, "the replica has announced itself", func() bool {
		info, err := primary.Client().Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(info, "ip=192.0.2.7,port=6379,state=online")
	})
	family := []string{"", primary.Addr, replica.Addr}
	t.Run("by the map", func(t *testing.T) {
		t.Parallel()
		found := discover(t, topology.Access{Addresses: []string{primary.Addr}, Map: map[string]string{"192.0.2.7:6379": replica.Addr}})
		is(t, found, topology.Replicated, family)
		if n := found.Nodes()[1]; n.Announced != "192.0.2.7:6379" {
			t.Errorf("it announced %s", n.Announced)
		}
	})
	t.Run("by giving both", func(t *testing.T) {
		t.Parallel()
		is(t, discover(t, topology.Access{Addresses: []string{primary.Addr, replica.Addr}, Node: resp.Options{DialTimeout: 100e6}}), topology.Replicated, family)
	})
	t.Run("else it is there, and out of reach", func(t *testing.T) {
		t.Parallel()
		found := discover(t, topology.Access{Addresses: []string{primary.Addr}, Node: resp.Options{DialTimeout: 100e6}})
		if n := found.Nodes(); len(n) != 2 || n[1].Reached() || n[1].Addr != "192.0.2.7:6379" {
			t.Errorf("found %+v", n)
		}
	})
}

func TestStrangersAreNoCluster(t *testing.T) {
	t.Parallel()
	one, other := testkit.Redis(t), testkit.Redis(t)
	if _, err := topology.Discover(t.Context(), topology.Access{Addresses: []string{one.Addr, other.Addr}}); !errors.Is(err, topology.ErrStrangers) {
		t.Errorf("two primaries: %v", err)
	}
}

func TestAReplicaWithoutAPrimaryIsSaid(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t)
	replica := replicaOf(t, primary)
	primary.Kill()
	_, err := topology.Discover(t.Context(), topology.Access{Addresses: []string{replica.Addr}})
	if !errors.Is(err, topology.ErrNoPrimary) || !strings.Contains(err.Error(), primary.Addr) {
		t.Errorf("got %v", err)
	}
}

func TestAWrongPasswordIsTheNodesAnswer(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t, "--requirepass", "s3cret")
	_, err := topology.Discover(t.Context(), topology.Access{Addresses: []string{primary.Addr}, Node: resp.Options{Password: "other"}})
	reply, answered := errors.AsType[resp.Error](err)
	if !answered || !reply.PasswordRefused() || strings.Contains(err.Error(), "other") {
		t.Errorf("got %v", err)
	}
}

func TestSentinelsSayWhoTheNodesAre(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t, "--requirepass", "s3cret", "--masterauth", "s3cret")
	replica := replicaOf(t, primary, "--requirepass", "s3cret")
	second := testkit.Redis(t)
	for name, settings := range map[string][]string{"without a password": nil, "with a password of its own": {"requirepass other"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sentinel := testkit.Sentinel(t, map[string]*testkit.Server{"orders": primary, "carts": second}, settings...)
			access := topology.Access{Addresses: []string{sentinel.Addr}, Node: resp.Options{Password: "s3cret"}}
			if settings != nil {
				access.SentinelPassword = "other"
			}
			_, err := topology.Discover(t.Context(), access)
			if choose, several := errors.AsType[*topology.ChooseError](err); !several || !slices.Equal(choose.Names, []string{"carts", "orders"}) {
				t.Fatalf("of two primaries: %v", err)
			}
			access.Name = "orders"
			testkit.WaitFor(t, "the Sentinel knows the replica", func() bool {
				found, err := topology.Discover(t.Context(), access)
				return err == nil && len(found.Nodes()) == 2
			})
			found := discover(t, access)
			is(t, found, topology.Sentinel, []string{"", primary.Addr, replica.Addr})
			if found.Name != "orders" {
				t.Errorf("it is called %q", found.Name)
			}
			access.Name = "parcels"
			if _, err := topology.Discover(t.Context(), access); err == nil {
				t.Error("a primary that is not watched was found")
			}
		})
	}
}

func TestClusterModeIsFoundFromAnyNode(t *testing.T) {
	t.Parallel()
	nodes := testkit.InClusterMode(t, 3, 1)
	want := [][]string{{"0-5460", nodes[0].Addr, nodes[3].Addr}, {"5461-10921", nodes[1].Addr}, {"10922-16383", nodes[2].Addr}}
	for _, from := range nodes {
		testkit.WaitFor(t, from.Addr+" knows the replica", func() bool {
			found, err := topology.Discover(t.Context(), topology.Access{Addresses: []string{from.Addr}})
			return err == nil && len(found.Nodes()) == 4
		})
		found := discover(t, topology.Access{Addresses: []string{from.Addr}})
		is(t, found, topology.Cluster, want...)
		if found.Nodes()[0].ID == "" {
			t.Error("a node without its id")
		}
	}
	alone := testkit.Redis(t)
	for _, addrs := range [][]string{{nodes[0].Addr, alone.Addr}, {alone.Addr, nodes[0].Addr}} {
		if _, err := topology.Discover(t.Context(), topology.Access{Addresses: addrs}); !errors.Is(err, topology.ErrStrangers) {
			t.Errorf("%v: %v", addrs, err)
		}
	}
}

func TestTLSWithClientCertificates(t *testing.T) {
	t.Parallel()
	files := testkit.NewCertificates(t)
	port := strconv.Itoa(testkit.FreePort(t))
	testkit.Redis(t, "--tls-port", port, "--tls-cert-file", files.Certificate, "--tls-key-file", files.Key, "--tls-ca-cert-file", files.CA)
	addr := net.JoinHostPort("127.0.0.1", port)
	pem, err := os.ReadFile(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	own, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	full := tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}
	is(t, discover(t, topology.Access{Addresses: []string{addr}, Node: resp.Options{TLS: &full}}), topology.Standalone, []string{"", addr})

	for name, config := range map[string]*tls.Config{
		"no TLS": nil, "an unknown CA": {Certificates: full.Certificates}, "no client certificate": {RootCAs: roots}, "another name": {RootCAs: roots, Certificates: full.Certificates, ServerName: "elsewhere.test"},
	} {
		if _, err := topology.Discover(t.Context(), topology.Access{Addresses: []string{addr}, Node: resp.Options{TLS: config}}); err == nil {
			t.Errorf("%s: it was found", name)
		}
	}
}

func TestSlotsOnTheirWayAreSeen(t *testing.T) {
	t.Parallel()
	nodes := testkit.InClusterMode(t, 3, 0)
	access := topology.Access{Addresses: []string{nodes[2].Addr}}
	found := discover(t, access)
	moving := func() []string {
		t.Helper()
		slots, err := topology.Moving(t.Context(), access, found)
		if err != nil {
			t.Fatal(err)
		}
		return slots
	}
	id := func(node *testkit.Server) string {
		return node.Client().Do(t.Context(), "CLUSTER", "MYID").Val().(string)
	}
	tell := func(node *testkit.Server, args ...any) {
		t.Helper()
		if err := node.Client().Do(t.Context(), append([]any{"CLUSTER", "SETSLOT"}, args...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got := moving(); len(got) != 0 {
		t.Errorf("at rest: %q", got)
	}
	tell(nodes[1], 17, "IMPORTING", id(nodes[0]))
	if got := moving(); !slices.Equal(got, []string{"17"}) {
		t.Errorf("taken: %q", got)
	}
	tell(nodes[0], 17, "MIGRATING", id(nodes[1]))
	if got := moving(); !slices.Equal(got, []string{"17"}) {
		t.Errorf("given and taken: %q", got)
	}
	for _, node := range nodes {
		tell(node, 17, "NODE", id(nodes[1]))
	}
	if got := moving(); len(got) != 0 {
		t.Errorf("when it has moved: %q", got)
	}
	testkit.WaitFor(t, "all know who has the slot", func() bool {
		found, err := topology.Discover(t.Context(), access)
		return err == nil && found.Shards[0].Slots == "0-16,18-5460" && found.Shards[1].Slots == "17,5461-10921"
	})
	if missing := discover(t, access).MissingSlots(); missing != "" {
		t.Errorf("missing are %s", missing)
	}
	if err := nodes[2].Client().Do(t.Context(), "CLUSTER", "DELSLOTS", 16383).Err(); err != nil {
		t.Fatal(err)
	}
	if missing := discover(t, access).MissingSlots(); missing != "16383" {
		t.Errorf("missing are %s", missing)
	}
}
