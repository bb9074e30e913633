package local

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"rekindle/internal/formation"
	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/internal/slots"
	"rekindle/internal/testkit"
)

func TestNodesAreFoundAtTheirNewPlacesInWhatANodeRemembers(t *testing.T) {
	t.Parallel()
	const before = `aa 10.0.0.5:6379@16379,,tls-port=0,shard-id=s1 myself,master - 0 0 1 connected 0-8191
bb 10.0.0.5:6380@16380 slave,fail,noaddr,nofailover aa 0 0 1 connected
cc fd00::5:6381@16381,db.example master - 0 0 2 connected 8192-16383 [93-<-aa]
dd 10.0.0.9:6382@16382 master - 0 0 3 connected
ee :0@0 master,noaddr - 0 0 4 disconnected
vars currentEpoch 2 lastVoteEpoch 0
`
	const after = `aa fd00::7:7000@17000,,tls-port=0,shard-id=s1 myself,master - 0 0 1 connected 0-8191
bb 10.0.0.6:6380@16380 slave,fail,nofailover aa 0 0 1 connected
cc 10.0.0.6:6381@16381,db.example master - 0 0 2 connected 8192-16383 [93-<-aa]
dd 10.0.0.9:6382@16382 master - 0 0 3 connected
ee 10.0.0.6:6383@16383 master - 0 0 4 disconnected
vars currentEpoch 2 lastVoteEpoch 0
`
	at := map[string]launch.Endpoint{"aa": {Host: "fd00::7", Port: 7000}, "bb": {Host: "10.0.0.6", Port: 6380}, "cc": {Host: "10.0.0.6", Port: 6381}, "ee": {Host: "10.0.0.6", Port: 6383}, "vars": {}}
	if got := relocate(before, at); got != after {
		t.Errorf("got\n%s", got)
	}
	if got := relocate(after, at); got != after {
		t.Errorf("the second time\n%s", got)
	}
	for _, odd := range []string{"", "\n\n", "aa\n", "aa bb\n", "aa x:y myself\n", "aa x:y myself -"} {
		if got := relocate(odd, at); got != odd {
			t.Errorf("%q became %q", odd, got)
		}
	}
}

func TestNodesInClusterModeFindEachOtherAtNewAddresses(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	peers := make(map[string]launch.Endpoint)
	reach := func(n launch.Node) formation.Node {
		return formation.Node{Options: resp.Options{Addr: net.JoinHostPort(n.Host, strconv.Itoa(n.Port)), Password: n.Password}, Host: n.Host, Port: n.Port}
	}
	addresses := testkit.Loopback(t)
	first := addresses[0].Addr().Next()
	var nodes []launch.Node
	var primaries []formation.Primary
	for i, set := range slots.Spread(3) {
		n := start(t, l, launch.Node{Name: fmt.Sprintf("shop-000%d-001", i+1), Host: first.String(), Password: "ge heim", ClusterMode: true, Announced: "db.example"})
		nodes = append(nodes, n)
		primaries = append(primaries, formation.Primary{Slots: set, Node: reach(n)})
	}
	if err := formation.Form(t.Context(), primaries); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = client(t, n).ClusterMyID(t.Context()).Val()
		if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
			t.Fatal(err)
		}
	}
	for i := range nodes {
		nodes[i].Host, nodes[i].Announced, nodes[i].Peers = first.Next().String(), "", peers
		peers[nodes[i].Name] = launch.Endpoint{Host: nodes[i].Host, Port: nodes[i].Port}
	}
	for i, n := range nodes {
		if err := l.Start(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if id := client(t, n).ClusterMyID(t.Context()).Val(); id != ids[i] || id == "" {
			t.Errorf("%s was %s and is %s", n.Name, ids[i], id)
		}
	}
	for _, n := range nodes {
		testkit.WaitFor(t, n.Name+" serves again", func() bool {
			info := client(t, n).ClusterInfo(t.Context()).Val()
			known := client(t, n).ClusterNodes(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:3") && strings.Contains(info, "cluster_known_nodes:3") && !strings.Contains(known, first.String()+":")
		})
	}
}
