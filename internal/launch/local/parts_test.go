package local

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
)

func TestEngineIsChosenForANodesVersion(t *testing.T) {
	t.Parallel()
	engines := []program{
		{launch.Engine{Name: "redis", Version: "8.0.2"}, "8.0"}, {launch.Engine{Name: "redis", Version: "7.0.15"}, "7.0.15"}, {launch.Engine{Name: "redis", Version: "7.0.11"}, "7.0.11"},
		{launch.Engine{Name: "redis", Version: "6.0.16"}, "6.0"}, {launch.Engine{Name: "valkey", Version: "8.1.1"}, "v8.1"},
	}
	tests := []struct{ name, version, want string }{
		{"redis", "", "8.0"},
		{"redis", "7.0.11", "7.0.11"},
		{"redis", "7.0.99", "7.0.15"},
		{"redis", "7.0.1", "7.0.15"},
		{"redis", "6.2.0", "7.0.11"},
		{"redis", "7.4.0", "8.0"},
		{"redis", "5.0.3", "6.0"},
		{"redis", "8.2.0", ""},
		{"valkey", "8.0.1", "v8.1"},
		{"valkey", "9.0.0", ""},
		{"memcached", "", ""},
	}
	for _, test := range tests {
		got, err := chooseEngine(engines, test.name, test.version)
		if got.path != test.want || (test.want == "") != errors.Is(err, launch.ErrNoEngine) {
			t.Errorf("%s %s: %q, %v; want %q", test.name, test.version, got.path, err, test.want)
		}
	}
}

func TestEnginesAreFoundAndAskedForTheirVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := func(name, says string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+says+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	l := New(dir, nil, Options{EnginePaths: []string{
		script("valkey", "echo 'Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1'"),
		script("newer", "echo 'Valkey server v=9.1.2 sha=00000000:0'"),
		script("again", "echo 'Valkey server v=8.1.1 sha=00000000:0'"),
		script("old-valkey", "echo 'Server v=7.2.8 sha=00000000:0 malloc=libc bits=64 build=1'"),
		script("cache", "echo 'memcached 1.99.3'"),
		script("other", "echo 'mongod 7.0.1'"),
		script("broken", "exit 3"),
		filepath.Join(dir, "absent"),
	}})
	for range 2 { // found, then remembered
		engines, err := l.installed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range engines {
			if e.Name == "valkey" {
				got = append(got, e.Version)
			}
		}
		if want := "9.1.2 8.1.1 7.2.8"; strings.Join(got, " ") != want {
			t.Errorf("valkey %v, want %s", got, want)
		}
		if engines[0] != (program{launch.Engine{Name: "memcached", Version: "1.99.3"}, filepath.Join(dir, "cache")}) {
			t.Errorf("first is %+v, want the memcached", engines[0])
		}
		for _, name := range []string{"memcached", "redis"} {
			if !slices.ContainsFunc(engines, func(e program) bool { return e.Name == name && filepath.Dir(e.path) != dir }) {
				t.Errorf("no %s in PATH? %+v", name, engines)
			}
		}
	}
}

func TestConfigurationFitsTheEngineAndTheNode(t *testing.T) {
	t.Parallel()
	primary := launch.Node{Host: "127.0.0.1", Port: 6379}
	replica := launch.Node{Host: "10.0.0.5", Port: 6380, Password: "geheim", PrimaryHost: "10.0.0.4", PrimaryPort: 6379, SavePoints: true, MaxMemory: 1 << 30}
	tests := map[string]struct {
		node   launch.Node
		engine launch.Engine
		has    []string
		lacks  []string
	}{
		"redis 6.0": {primary, launch.Engine{Name: "redis", Version: "6.0.16"},
			[]string{"repl-diskless-load on-empty-db", "repl-diskless-sync-delay 0", "rdbcompression no", `save ""`, "maxmemory 0", `bind "127.0.0.1"`, "protected-mode no"},
			[]string{"shutdown-on-", "requirepass", "masterauth", "replicaof"}},
		"redis 7.0": {primary, launch.Engine{Name: "redis", Version: "7.0.15"}, []string{"shutdown-on-sigterm save", "shutdown-on-sigint save"}, nil},
		"valkey":    {primary, launch.Engine{Name: "valkey", Version: "8.1.1"}, []string{"shutdown-on-sigterm save"}, nil},
		"replica": {replica, launch.Engine{Name: "redis", Version: "7.0.15"},
			[]string{`replicaof "10.0.0.4" 6379`, `requirepass "geheim"`, `masterauth "geheim"`, "save 60 10000", "maxmemory 1073741824", `replica-announce-ip "10.0.0.5"`},
			[]string{`save ""`}},
		"with users": {launch.Node{Host: "10.0.0.5", Port: 1, Password: "geheim", User: "console"}, launch.Engine{Version: "7.0.15"},
			[]string{`masteruser "console"`, `masterauth "geheim"`}, []string{"requirepass", `masteruser "default"`}},
		"of a stranger": {launch.Node{Host: "10.0.0.5", Port: 1, Password: "geheim", PrimaryHost: "10.9.9.9", PrimaryPort: 6379, PrimaryOpen: true}, launch.Engine{Version: "7.0.15"},
			[]string{`replicaof "10.9.9.9" 6379`, `requirepass "geheim"`}, []string{"masterauth", "masteruser"}},
		"cluster mode": {launch.Node{Host: "10.0.0.5", Port: 6380, Password: "x", PrimaryHost: "10.0.0.4", PrimaryPort: 6379, ClusterMode: true}, launch.Engine{Name: "redis", Version: "7.0.15"},
			[]string{"cluster-enabled yes", `cluster-config-file "nodes.conf"`, "cluster-migration-barrier 99", `cluster-announce-ip "10.0.0.5"`}, []string{"replicaof"}},
		"announced": {launch.Node{Host: "10.0.0.5", Port: 6380, Announced: "db.example.com", ClusterMode: true}, launch.Engine{Version: "7.0.15"},
			[]string{`cluster-announce-ip "10.0.0.5"`, `cluster-announce-hostname "db.example.com"`, "cluster-preferred-endpoint-type hostname", `replica-announce-ip "10.0.0.5"`}, nil},
		"announced by an IPv6 address": {launch.Node{Host: "10.0.0.5", Port: 6380, Announced: "fd00::7", ClusterMode: true}, launch.Engine{Version: "7.0.15"}, nil, []string{"cluster-announce-hostname"}},
		"announced by Redis 6":         {launch.Node{Host: "10.0.0.5", Port: 6380, Announced: "db", ClusterMode: true}, launch.Engine{Version: "6.0.16"}, nil, []string{"cluster-announce-hostname", "cluster-preferred"}},
		"announced, alone":             {launch.Node{Host: "10.0.0.5", Port: 6380, Announced: "db"}, launch.Engine{Version: "7.0.15"}, []string{`replica-announce-ip "10.0.0.5"`}, []string{"cluster-"}},
		"held, in cluster mode":        {launch.Node{Host: "10.0.0.5", Port: 6380, Password: "x", Held: true, ClusterMode: true}, launch.Engine{Version: "7.0.15"}, nil, []string{"replicaof"}},
		"users": {launch.Node{Host: "10.0.0.5", Port: 1, Password: "x", User: "rekindle", Users: []launch.User{{Name: "al\"ice", Rules: []string{"on", "(+get ~a)", "#0a"}}}}, launch.Engine{Version: "7.0.0"},
			[]string{`user "rekindle" "on" ">x" "~*" "&*" "+@all"`, `user "default" "reset" "off"`, `user "al\"ice" "reset" "on" "(+get ~a)" "#0a"`, `masteruser "rekindle"`, `masterauth "x"`, "protected-mode no"}, []string{"requirepass"}},
		"users of whom one is the default one": {launch.Node{Host: "10.0.0.5", Port: 1, Password: "x", User: "rekindle", Users: []launch.User{{Name: "default", Rules: []string{"on", "nopass"}}}}, launch.Engine{Version: "6.0.16"},
			[]string{`user "rekindle" "on" ">x" "~*" "+@all"`, `user "default" "reset" "on" "nopass"`}, []string{`user "default" "reset" "off"`}},
		"DEBUG":            {launch.Node{Host: "127.0.0.1", Port: 1, Debug: true}, launch.Engine{Version: "7.0.0"}, []string{"enable-debug-command local"}, nil},
		"DEBUG of Redis 6": {launch.Node{Host: "127.0.0.1", Port: 1, Debug: true}, launch.Engine{Version: "6.0.16"}, nil, []string{"enable-debug-command"}},
		"no DEBUG":         {primary, launch.Engine{Version: "7.0.0"}, nil, []string{"enable-debug-command"}},
		"open":             {launch.Node{Host: "10.0.0.5", Port: 1}, launch.Engine{Version: "7.0.0"}, []string{"protected-mode no"}, nil},
		"all interfaces":   {launch.Node{Host: "0.0.0.0", Port: 1, Password: "x"}, launch.Engine{Version: "7.0.0"}, []string{`bind "0.0.0.0"`, "protected-mode yes"}, []string{"replica-announce-ip"}},
	}
	for name, test := range tests {
		lines := strings.Split(renderConfig("/data/nodes/a/b", test.node, test.engine), "\n")
		contains := func(start string) bool {
			for _, line := range lines {
				if strings.HasPrefix(line, start) {
					return true
				}
			}
			return false
		}
		for _, want := range test.has {
			if !contains(want) {
				t.Errorf("%s: no line %q", name, want)
			}
		}
		for _, not := range test.lacks {
			if contains(not) {
				t.Errorf("%s: has a line %q", name, not)
			}
		}
	}
}

func TestFreePortsGoRoundAndAvoidWhatTheyAreTold(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	taken := listener.Addr().(*net.TCPAddr).Port
	l := New(t.TempDir(), nil, Options{FirstPort: taken, LastPort: taken})
	if port, err := l.freePort(t.Context(), nil); !errors.Is(err, launch.ErrNoPort) {
		t.Errorf("port %d, %v; want launch.ErrNoPort", port, err)
	}

	l = New(t.TempDir(), nil, Options{FirstPort: 21000, LastPort: 21099})
	a, err := l.freePort(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.freePort(t.Context(), func(port int) bool { return port == a+1 })
	if err != nil || b <= a+1 || b > 21099 {
		t.Errorf("ports %d and %d, %v", a, b, err)
	}
	if _, err := l.freePort(t.Context(), func(int) bool { return true }); !errors.Is(err, launch.ErrNoPort) {
		t.Errorf("everything is avoided: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.freePort(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestMemoryIsTheTightestLimit(t *testing.T) {
	t.Parallel()
	m, err := New(t.TempDir(), nil, Options{}).Memory(t.Context())
	if err != nil || m.Available <= 0 || m.Total < m.Available {
		t.Errorf("this host: %+v, %v", m, err)
	}

	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a/memory.max", "1000\n")
	write("a/memory.current", "700\n")
	write("a/memory.stat", "anon 500\ninactive_file 100\n")
	write("a/b/memory.max", "max\n")
	write("a/b/memory.current", "5\n")
	write("full/memory.max", "100\n")
	write("full/memory.current", "150\n")
	host := launch.Memory{Total: 5000, Available: 4000}
	for group, want := range map[string]launch.Memory{
		"0::/a/b\n":            {Total: 1000, Available: 400},
		"1:cpu:/x\n0::/full\n": {Total: 100, Available: 0},
		"0::/elsewhere\n":      host,
		"0::/\n":               host,
		"":                     host,
	} {
		if got := limitMemory(host, root, []byte(group)); got != want {
			t.Errorf("group %q: %+v, want %+v", group, got, want)
		}
	}
}

func TestAddressesAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"127.0.0.1":           "127.0.0.1",
		"10.0.0.7, 10.0.0.9":  "10.0.0.7 10.0.0.9",
		"10.0.0.4/30":         "10.0.0.5 10.0.0.6",
		"10.0.0.4/31":         "10.0.0.4 10.0.0.5",
		"::1":                 "::1",
		"fd12:9::/126":        "fd12:9::1 fd12:9::2",
		"::ffff:10.0.0.7":     "10.0.0.7",
		"127.9.9.9/8":         "127.0.0.1 127.0.0.2 127.0.0.3",
		"0.0.0.0":             "0.0.0.0",
		"255.255.255.254/31":  "255.255.255.254 255.255.255.255",
		"":                    "",
		"localhost":           "127.0.0.1",
		"127.0.0.3,localhost": "127.0.0.3 127.0.0.1",
		"nowhere.invalid":     "",
		"no such host":        "",
		"10.0.0.7:6379":       "",
		"10.0.0.7,":           "",
		"10.0.0.0/33":         "",
		"fe80::1%eth0":        "",
		"10.0.0.1-10.0.0.9":   "",
	} {
		addresses, err := ParseAddresses(text)
		var got []string
		for address := range addresses.all {
			if got = append(got, address.String()); len(got) == 3 {
				break
			}
		}
		if strings.Join(got, " ") != want || (err != nil) != (want == "") {
			t.Errorf("%q: %v, %v; want %q", text, got, err, want)
		}
	}
}

func TestOfANetworkTheAddressesOfThisHostComeFirst(t *testing.T) {
	t.Parallel()
	for _, own := range hostAddresses() {
		if own.IsLoopback() || own.IsLinkLocalUnicast() {
			continue
		}
		for _, bits := range []int{own.BitLen() - 8, own.BitLen() / 2} {
			network, err := own.Prefix(bits)
			if err != nil {
				t.Fatal(err)
			}
			l := New(t.TempDir(), Addresses{network}, Options{})
			if first := netip.MustParseAddr(l.Address()); !slices.Contains(hostAddresses(), first) || !network.Contains(first) {
				t.Errorf("of %s the first address is %s", network, first)
			}
			count := 0
			for address := range l.addresses.all {
				if address == own {
					count++
				}
				if address.Compare(own) > 0 && count > 0 {
					break
				}
			}
			if count != 1 {
				t.Errorf("%s comes %d times in %s", own, count, network)
			}
		}
	}
}

func TestAnAddressIsServedThatThisHostHasAndNodesMayUse(t *testing.T) {
	t.Parallel()
	addresses, err := ParseAddresses("127.0.0.0/29,198.51.100.0/24")
	if err != nil {
		t.Fatal(err)
	}
	l := New(t.TempDir(), addresses, Options{})
	for host, want := range map[string]bool{"127.0.0.1": true, "127.0.0.5": true, "127.0.0.9": false, "198.51.100.7": false, "::1": false, "localhost": false, "": false} {
		if got := l.Serves(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func TestANodeAtAnAddressThatIsGoneIsSaid(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := launch.Node{Cluster: "shop", Name: "shop-001", Host: "198.51.100.7", Port: testkit.FreePort(t), Password: "geheim"}
	if err := l.Start(t.Context(), n); !errors.Is(err, launch.ErrNoAddress) || !strings.Contains(err.Error(), n.Host) {
		t.Errorf("%v, want launch.ErrNoAddress", err)
	}
}

func TestAPortIsFreeAtTheFirstAddressWhereNobodyListens(t *testing.T) {
	t.Parallel()
	l := New(t.TempDir(), testkit.Loopback(t), Options{})
	first, err := l.freeAddress(t.Context(), 6379, nil)
	if err != nil || first != l.Address() {
		t.Fatalf("%s, %v; want %s", first, err, l.Address())
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(first, "6379"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	second, err := l.freeAddress(t.Context(), 6379, nil)
	if err != nil || second == first {
		t.Errorf("%s, %v", second, err)
	}
	third, err := l.freeAddress(t.Context(), 6379, func(address string) bool { return address == second })
	if err != nil || third == first || third == second {
		t.Errorf("%s, %v", third, err)
	}
	if none, err := l.freeAddress(t.Context(), 6379, func(string) bool { return true }); !errors.Is(err, launch.ErrNoPort) {
		t.Errorf("everything is avoided: %s, %v", none, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.freeAddress(ctx, 6379, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
