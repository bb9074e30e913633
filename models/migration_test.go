package models

import (
	"strings"
	"testing"
	"time"
)

func migratable(change func(*Cluster)) Cluster {
	c := Cluster{Name: "orders", Kind: KindLaunched, Status: ClusterAvailable,
		Configuration: Configuration{Grouped: true, Engine: "redis", EngineVersion: "7.0.15", NodeType: "cache.t4g.micro"},
		Nodes:         []Node{{Name: "orders-001", Role: RolePrimary}}}
	if change != nil {
		change(&c)
	}
	return c
}

func TestWhereDataCanBeMovedTo(t *testing.T) {
	t.Parallel()
	moving := func(status ClusterStatus) func(*Cluster) {
		return func(c *Cluster) {
			now := time.Now()
			c.Status, c.Migration = status, Migration{Source: "db1:6379", Address: "10.0.0.5:6379", Since: &now}
		}
	}
	for name, test := range map[string]struct {
		change  func(*Cluster)
		source  string
		want    string // the address in its final form
		code    Code
		says    string
		endable Code // why it cannot be ended; "": it can
	}{
		"a new cluster":         {source: " DB1.example ", want: "db1.example:6379", endable: CodeNotMigrating},
		"an address":            {source: "10.0.0.5:7000", want: "10.0.0.5:7000", endable: CodeNotMigrating},
		"an IPv6 address":       {source: "[fd00::5]:7000", want: "[fd00::5]:7000", endable: CodeNotMigrating},
		"with a zone":           {source: "[fd00::5%eth0]:7000", code: CodeInvalid, says: "not the address of a server", endable: CodeNotMigrating},
		"no address":            {source: "db1\r\nFLUSHALL:6379", code: CodeInvalid, says: "not the address of a server", endable: CodeNotMigrating},
		"with a space":          {source: "db1 6379", code: CodeInvalid, says: "not the address of a server", endable: CodeNotMigrating},
		"with a quote":          {source: `db1":6379`, code: CodeInvalid, says: "not the address of a server", endable: CodeNotMigrating},
		"no port":               {source: "db1:0", code: CodeInvalid, says: "not the address of a server", endable: CodeNotMigrating},
		"nothing":               {code: CodeInvalid, says: "not the address of a server", endable: CodeNotMigrating},
		"an attached one":       {change: func(c *Cluster) { c.Kind = KindAttached }, code: CodeClusterState, says: "is attached", endable: CodeNotMigrating},
		"a cache cluster":       {change: func(c *Cluster) { c.Grouped = false }, code: CodeCombination, says: "is a cache cluster", endable: CodeNotMigrating},
		"cluster mode":          {change: func(c *Cluster) { c.ClusterMode = true }, code: CodeCombination, says: "is in cluster mode", endable: CodeNotMigrating},
		"encryption":            {change: func(c *Cluster) { c.TransitEncryption = true }, code: CodeCombination, says: "speak only TLS", endable: CodeNotMigrating},
		"a password on its way": {change: func(c *Cluster) { c.PasswordPending = true }, code: CodeClusterState, says: "have the password", endable: CodeNotMigrating},
		"a busy one":            {change: func(c *Cluster) { c.Status = ClusterModifying }, code: CodeClusterState, says: "is modifying", endable: CodeNotMigrating},
		"a migrating one":       {change: moving(ClusterMigrating), code: CodeMigrating, says: "is already being moved into orders, from db1:6379"},
		"one that is ending":    {change: moving(ClusterModifying), code: CodeMigrating, says: "is already being moved into orders, from db1:6379", endable: CodeClusterState},
	} {
		c := migratable(test.change)
		got, err := CheckMigration(c, test.source)
		if test.code == "" && (err != nil || got != test.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		} else if test.code != "" && (!HasCode(err, test.code) || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s is refused as %v", name, err)
		}
		if err := CheckCompletion(c); test.endable == "" && err != nil || test.endable != "" && !HasCode(err, test.endable) {
			t.Errorf("%s, to be ended: %v", name, err)
		}
	}
}

func TestWhatDataCanBeMovedFrom(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*MigrationSource){
		"":                                         func(*MigrationSource) {},
		"is the cluster orders itself":             func(s *MigrationSource) { s.Own = true },
		"is still loading":                         func(s *MigrationSource) { s.Loading = true },
		"without a link to its primary":            func(s *MigrationSource) { s.CutOff = true },
		"is in cluster mode, and orders is not":    func(s *MigrationSource) { s.Sharded = true },
		"is Redis 2.8.20":                          func(s *MigrationSource) { s.Engine.Version = "2.8.20" },
		"redis 8.0.2 at 10.0.0.5:6379 writes":      func(s *MigrationSource) { s.Engine.Version, s.Unread = "8.0.2", true },
		"cannot load: search, json.":               func(s *MigrationSource) { s.Modules = []string{"search", "json"} },
		"uses 17 databases, and the nodes":         func(s *MigrationSource) { s.Databases = 17 },
		"holds 1.1 GB, and cache.t4g.micro":        func(s *MigrationSource) { s.Used = 1 << 30 },
		"is Redis 2.6.17. Data can be moved from ": func(s *MigrationSource) { s.Engine.Version, s.Unread = "2.6.17", true },
	} {
		s := MigrationSource{Address: "10.0.0.5:6379", Engine: Engine{"redis", "6.2.7"}, Keys: 5, Databases: 16, Used: 1 << 20}
		change(&s)
		faults := CheckSource(migratable(nil), s)
		if text := faults.Error(); want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.Contains(text, want) || !strings.HasSuffix(text, ".")) {
			t.Errorf("%q is refused with %q", want, text)
		}
	}
	if err := CheckEmpty(migratable(nil), 0); err != nil {
		t.Error(err)
	}
	if err := CheckEmpty(migratable(nil), 1); !HasCode(err, CodeClusterState) || !strings.Contains(err.Error(), "holds 1 key, which") {
		t.Error(err)
	}
}

func TestNobodyFollowsNodesOfRekindle(t *testing.T) {
	t.Parallel()
	own := []Node{{Name: "a-001", Host: "127.0.1.1", Port: 6379}, {Name: "b-001", Host: "0.0.0.0", Port: 7000}}
	for address, refused := range map[string]bool{"127.0.1.1:6379": true, "[::ffff:127.0.1.1]:6379": true, "127.0.1.1:6380": false, "127.0.1.2:6379": false, "10.1.1.1:7000": true, "db1:6379": true} {
		if err := CheckStranger(address, own); (err != nil) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestOnlyAddressesGetIntoTheConfigurationOfNodes(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"10.0.0.5:6379": "10.0.0.5 6379", "[fd00::5]:1": "fd00::5 1", "[::ffff:10.0.0.5]:2": "10.0.0.5 2",
		"db1:6379": "", "10.0.0.5": "", "10.0.0.5:0": "", "[fe80::1%x]:1": "", "10.0.0.5:1\nsave": "", "": ""} {
		host, port, err := Migration{Address: address}.SourceEndpoint()
		if got := strings.TrimSpace(host + " " + port); got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %q (%v)", address, got, err)
		}
	}
}
