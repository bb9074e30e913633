package models

import (
	"net/netip"
	"strings"
	"testing"
)

func TestEndpointsAreReadAndGivenAPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"db1": "db1:6379", "DB1.example:6380": "db1.example:6380", "10.0.0.5": "10.0.0.5:6379", "[fd00::5]:6379": "[fd00::5]:6379", "fd00::5": "[fd00::5]:6379", "[fd00::5]": "[fd00::5]:6379",
	} {
		if got, problem := CheckEndpoint(text); got != want || problem != "" {
			t.Errorf("%q is %q %s, want %q", text, got, problem, want)
		}
	}
	for _, text := range []string{"", ":6379", "db1:", "db1:0", "db1:65536", "db1:x", "redis://db1:6379", "user@db1", "db 1", "db1:6379:6380x", strings.Repeat("a", 300)} {
		if got, problem := CheckEndpoint(text); problem == "" {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func TestAnAccessIsCheckedBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	good := Access{Addresses: Lines{"db1", "db2:6380"}, Mapped: Lines{"172.17.0.2:6379=db1:16379", "172.17.0.3=db2", "fd00::5=10.0.0.5", "[fd00::6]:6379=[::1]:7000"}}
	if faults := CheckAccess(&good); len(faults) > 0 {
		t.Errorf("refused: %v", faults)
	}
	if got := good.Reached(); got["172.17.0.2:6379"] != "db1:16379" || got["172.17.0.3"] != "db2" || got["fd00::5"] != "10.0.0.5" || got["[fd00::6]:6379"] != "[::1]:7000" {
		t.Errorf("mapped %v", got)
	}
	for field, a := range map[string]Access{
		"addresses":         {},
		"mapped":            {Addresses: Lines{"db1"}, Mapped: Lines{"172.17.0.2:6379=db1"}},
		"username":          {Addresses: Lines{"db1"}, Username: "a b"},
		"sentinel_password": {Addresses: Lines{"db1"}, SentinelUsername: "watcher"},
		"ca":                {Addresses: Lines{"db1"}, TLS: true, CA: "no certificate"},
		"certificate":       {Addresses: Lines{"db1"}, TLS: true, Certificate: "no certificate"},
	} {
		faults := CheckAccess(&a)
		if _, said := faults.Fields()[field]; !said || len(faults) != 1 {
			t.Errorf("%s: %v", field, faults)
		}
	}
	without := Access{Addresses: Lines{"db1"}, CA: "no certificate", Unverified: true}
	if faults := CheckAccess(&without); len(faults) > 0 || without.CA != "" || without.Unverified {
		t.Errorf("without TLS: %v, %+v", faults, without)
	}
}

func TestNoNodeIsLookedForWhereCloudsHaveTheirMetadata(t *testing.T) {
	t.Parallel()
	for text, denied := range map[string]bool{
		"169.254.169.254": true, "fe80::1": true, "fd00:ec2::254": true, "::ffff:169.254.169.254": true, "::ffff:0.0.0.0": true, "224.0.0.1": true, "0.0.0.0": true,
		"127.0.0.1": false, "10.0.0.5": false, "192.168.1.1": false, "fd00::5": false, "203.0.113.7": false,
	} {
		if why := DeniedAddress(netip.MustParseAddr(text), nil); (why != "") != denied {
			t.Errorf("%s: %q", text, why)
		}
	}
}

func TestOnlyAllowedAddressesAreLookedAt(t *testing.T) {
	t.Parallel()
	const outside, linkLocal, many = "is not among the addresses that --attach-allow names", "is a link-local address", "is not the address of a single host"
	for _, c := range []struct{ allowed, address, says string }{
		{"10.0.0.0/8,192.168.1.7/32", "10.255.0.1", ""},
		{"10.0.0.0/8,192.168.1.7/32", "::ffff:10.0.0.1", ""},
		{"10.0.0.0/8,192.168.1.7/32", "192.168.1.7", ""},
		{"10.0.0.0/8,192.168.1.7/32", "192.168.1.8", outside},
		{"10.0.0.0/8,192.168.1.7/32", "127.0.0.1", outside},
		{"10.0.0.0/8", "fd00::5", outside},
		{"10.0.0.0/8", "169.254.169.254", linkLocal},
		{"fd00::/8", "fd00::5", ""},
		{"fd00::/8", "fd00:ec2::254", linkLocal},
		{"fd00:ec2::254/128", "fd00:ec2::254", ""},
		{"169.254.10.0/24", "169.254.10.9", ""},
		{"169.254.10.0/24", "169.254.169.254", linkLocal},
		{"0.0.0.0/0,169.254.10.0/24", "169.254.10.9", ""},
		{"169.254.0.0/16", "169.254.169.254", ""},
		{"fe80::/10", "fe80::1%eth0", ""},
		{"0.0.0.0/0", "203.0.113.7", ""},
		{"0.0.0.0/0", "169.254.169.254", linkLocal},
		{"0.0.0.0/0", "0.0.0.0", many},
		{"224.0.0.0/4", "224.0.0.1", many},
	} {
		var allowed []netip.Prefix
		for text := range strings.SplitSeq(c.allowed, ",") {
			allowed = append(allowed, netip.MustParsePrefix(text))
		}
		if why := DeniedAddress(netip.MustParseAddr(c.address), allowed); (why != "") != (c.says != "") || !strings.Contains(why, c.says) {
			t.Errorf("%s with %s: %q, want %q", c.address, c.allowed, why, c.says)
		}
	}
}

func TestSecretsAreSentOnlyTheWayTheyWereGivenFor(t *testing.T) {
	t.Parallel()
	stored := Access{Addresses: Lines{"db1:6379", "db2:6379"}, Mapped: Lines{"172.17.0.2=db2"}, PrimaryName: "main", Username: "backup", PSYNC: "PSYNC", TLS: true, CA: "ca\n", Certificate: "own\n", ServerName: "redis.example"}
	for name, change := range map[string]func(*Access){
		"nothing":                    func(*Access) {},
		"another user":               func(a *Access) { a.Username = "other" },
		"another name of a command":  func(a *Access) { a.PSYNC = "COPY-ALL" },
		"a port that goes by itself": func(a *Access) { a.Addresses = Lines{"DB1", "db2"} },
		"lines as browsers end them": func(a *Access) { a.CA, a.Certificate = " ca\r\n", "own\r\n" },
	} {
		other := stored
		if change(&other); !stored.SameWay(other) || !other.SameWay(stored) {
			t.Errorf("%s leads elsewhere", name)
		}
	}
	for name, change := range map[string]func(*Access){
		"another address":     func(a *Access) { a.Addresses = Lines{"db1:6379", "evil:6379"} },
		"one address more":    func(a *Access) { a.Addresses = append(Lines{"evil"}, a.Addresses...) },
		"another mapping":     func(a *Access) { a.Mapped = Lines{"172.17.0.2=evil"} },
		"another primary":     func(a *Access) { a.PrimaryName = "other" },
		"no TLS":              func(a *Access) { a.TLS = false },
		"another CA":          func(a *Access) { a.CA = "evil" },
		"another certificate": func(a *Access) { a.Certificate = "evil" },
		"another server":      func(a *Access) { a.ServerName = "evil" },
		"whoever answers":     func(a *Access) { a.Unverified = true },
	} {
		other := stored
		if change(&other); stored.SameWay(other) || other.SameWay(stored) {
			t.Errorf("%s is the same way", name)
		}
	}
}

func TestNoSnapshotOfAnAttachedClusterThatIsOutOfReach(t *testing.T) {
	t.Parallel()
	c := Cluster{Name: "orders", Kind: KindAttached, Status: ClusterUnreachable, StatusReason: "A primary does not answer: db1:6379.",
		Nodes: []Node{{Name: "orders-001", Role: RolePrimary, Shard: 1}, {Name: "orders-002", Role: RoleReplica, Shard: 1, State: "available"}}}
	if why := c.NoSnapshot(); !strings.Contains(why, "unreachable") || !strings.Contains(why, "db1:6379") {
		t.Errorf("it says %q", why)
	}
}

func TestNodesOfAnAttachedClusterAreNotTouched(t *testing.T) {
	t.Parallel()
	c := Cluster{Name: "orders", Kind: KindAttached, Status: ClusterAvailable, Configuration: Configuration{Engine: "redis", EngineVersion: "7.0.15", Replicas: 1},
		Nodes: []Node{{Name: "orders-001", Role: RolePrimary, Shard: 1}, {Name: "orders-002", Role: RoleReplica, Shard: 1}}}
	for what, why := range map[string]string{"reboot": c.NoReboot(), "failover": c.NoFailover(), "change": c.NoChangeOfNodes()} {
		if !strings.Contains(why, "attached") {
			t.Errorf("%s: %q", what, why)
		}
	}
	if why := c.NoSnapshot() + c.NoFinalSnapshot() + c.NoDeletion(); why != "" {
		t.Errorf("refused: %s", why)
	}
	if c.Lost() || (Cluster{Kind: KindAttached}).Lost() {
		t.Error("it is lost")
	}
	type same struct {
		replicas, retention int
		text                string
	}
	now := c.CreatedAt
	s := same{1, 5, "by hand"}
	if faults, set := (ModifySpec{Replicas: &s.replicas, Retention: &s.retention, Description: &s.text}).Columns(c, now); len(faults) > 0 || set["retention_limit"] != 5 {
		t.Errorf("its schedule: %v %v", faults, set)
	}
	more, other := 2, "cache.t4g.micro"
	for name, spec := range map[string]ModifySpec{"replicas": {Replicas: &more}, "type": {NodeType: &other}, "one more": {Add: "orders-003"}, "one less": {Remove: []string{"orders-002"}}} {
		if faults, _ := spec.Columns(c, now); faults.Code() != CodeClusterState {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

func TestAnAccessIsTheSameInEverything(t *testing.T) {
	t.Parallel()
	a := Access{Addresses: Lines{"db1"}, Mapped: Lines{"a=b"}, Username: "u", SentinelPassword: "p", TLS: true, ServerName: "x"}
	same := a
	same.Addresses = Lines{"DB1:6379"}
	if !a.Equal(same) || !(Access{Addresses: Lines{"a"}, Mapped: Lines{}}).Equal(Access{Addresses: Lines{"a"}}) {
		t.Error("differs in nothing")
	}
	if a.Addresses[0] != "db1" {
		t.Error("it was changed by that")
	}
	for name, change := range map[string]func(*Access){
		"addresses": func(a *Access) { a.Addresses = Lines{"db1", "db2"} }, "map": func(a *Access) { a.Mapped = nil }, "user": func(a *Access) { a.Username = "" },
		"PSYNC": func(a *Access) { a.PSYNC = "COPY" }, "Sentinels' password": func(a *Access) { a.SentinelPassword = "q" }, "TLS": func(a *Access) { a.TLS = false },
		"name": func(a *Access) { a.ServerName = "" }, "unverified": func(a *Access) { a.Unverified = true },
	} {
		other := a
		if change(&other); a.Equal(other) {
			t.Errorf("another %s is no difference", name)
		}
	}
}
