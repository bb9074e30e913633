package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestFlagsAndEnvironmentAreChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want string // part of the message; "" when it is fine
		then func(config) bool
	}{
		"nothing given": {then: func(c config) bool {
			return c.listen == "127.0.0.1:8080" && strings.HasSuffix(c.store, "/cmd/rekindle/data/snapshots") && strings.HasPrefix(c.store, "dir:/")
		}},
		"environment":                  {env: map[string]string{"REKINDLE_LISTEN": "0.0.0.0:1"}, then: func(c config) bool { return c.listen == "0.0.0.0:1" }},
		"a flag wins":                  {args: []string{"--listen", "[::1]:2"}, env: map[string]string{"REKINDLE_LISTEN": "0.0.0.0:1"}, then: func(c config) bool { return c.listen == "[::1]:2" }},
		"a store of its own":           {args: []string{"--store", "dir:/srv/snapshots"}, then: func(c config) bool { return c.store == "dir:/srv/snapshots" }},
		"a port alone":                 {args: []string{"--listen", "8080"}, want: "--listen must look like"},
		"a catalog without a kind":     {args: []string{"--catalog", "/srv/rekindle.db"}, want: "--catalog must look like"},
		"a catalog in PostgreSQL":      {args: []string{"--catalog", "postgres://a:b@h/c"}, then: func(c config) bool { return c.place.catalog.InPostgres() && c.place.catalog.Folder == "./data" }},
		"a catalog of another kind":    {args: []string{"--catalog", "mysql://a:hunter2@h/c"}, want: "--catalog must look like sqlite:/path/to/rekindle.db or postgres://"},
		"a port that is none":          {args: []string{"--catalog", "postgres://a:hunter2@h:x/c"}, want: "--catalog must look like postgres://user:password@host:5432/database"},
		"a catalog that is a folder":   {args: []string{"--catalog", "sqlite:/srv/"}, want: "--catalog must look like"},
		"a lease of no length":         {args: []string{"--lease", "10ms"}, want: "--lease must be"},
		"a store without a kind":       {args: []string{"--store", "/srv"}, want: "--store must look like"},
		"an empty folder":              {args: []string{"--store", "dir:"}, want: "--store must look like"},
		"a folder from here":           {args: []string{"--store", "dir:backup/redis"}, want: "--store must name the whole path of the folder, such as dir:/srv/backup/redis, not dir:backup/redis"},
		"a folder from above":          {args: []string{"--store", "dir:../backup"}, want: "such as dir:/srv/backup, not dir:../backup"},
		"ports the wrong way round":    {args: []string{"--node-ports", "9000-8000"}, want: "--node-ports must look like"},
		"no such folder of engines":    {args: []string{"--engines", "/nonexistent"}, want: "--engines must name a folder with engines in it: open /nonexistent: no such file or directory"},
		"a folder without engines":     {args: []string{"--engines", "testdata"}, want: "and there is no redis-server, valkey-server or memcached in it or in a subfolder"},
		"ports that are words":         {args: []string{"--node-ports", "many"}, want: "--node-ports must look like"},
		"a host name for the nodes":    {args: []string{"--node-address", "localhost"}, then: func(c config) bool { return fmt.Sprint(c.nodeAddresses) == "[127.0.0.1/32]" }},
		"a name that nobody knows":     {args: []string{"--node-address", "nowhere.invalid"}, want: "--node-address must name addresses of this host such as 10.0.0.7"},
		"nodes in IPv6":                {env: map[string]string{"REKINDLE_NODE_ADDRESS": "::1, fd00::/64"}, then: func(c config) bool { return fmt.Sprint(c.nodeAddresses) == "[::1/128 fd00::/64]" }},
		"an announced host":            {env: map[string]string{"REKINDLE_ANNOUNCE_ADDRESS": "Redis.example.com"}, then: func(c config) bool { return c.announced == "redis.example.com" }},
		"an announced address":         {args: []string{"--announce-address", "fd00::7"}, then: func(c config) bool { return c.announced == "fd00::7" }},
		"one in brackets":              {args: []string{"--announce-address", "[fd00::7]"}, then: func(c config) bool { return c.announced == "fd00::7" }},
		"an announced port":            {args: []string{"--announce-address", "redis:6379"}, want: "--announce-address must be a host or an address without a port"},
		"two announced hosts":          {args: []string{"--announce-address", "a,b"}, want: "--announce-address must be a host or an address without a port"},
		"a number that is none":        {env: map[string]string{"REKINDLE_TRANSFERS": "two"}, want: `REKINDLE_TRANSFERS="two" is not acceptable`},
		"a bandwidth":                  {args: []string{"--bandwidth", "50"}, then: func(c config) bool { return c.bandwidth == 50 }},
		"less than no bandwidth":       {args: []string{"--bandwidth", "-1"}, want: "--bandwidth must be a number of MiB a second"},
		"no transfers":                 {args: []string{"--transfers", "0"}, want: "at least 1"},
		"a public address without URL": {args: []string{"--public-url", "rekindle.example.com"}, want: "--public-url must look like"},
		"a public address with a path": {args: []string{"--public-url", "https://example.com/rekindle/"}, want: "--public-url must be a host of its own, such as https://example.com, not"},
		"a public address with a name": {args: []string{"--public-url", "https://me:hunter3@example.com"}, want: "--public-url must be a host of its own"},
		"a public address, ended":      {args: []string{"--public-url", "https://example.com/"}, then: func(c config) bool { return c.publicURL == "https://example.com/" }},
		"another log format":           {args: []string{"--log-format", "xml"}, want: "text or json"},
		"proxies":                      {args: []string{"--trusted-proxy", "10.0.0.7, fd00::/8"}, then: func(c config) bool { return len(c.proxies) == 2 && c.proxies[0].String() == "10.0.0.7/32" }},
		"a proxy by its name":          {args: []string{"--trusted-proxy", "proxy.example.com"}, want: "--trusted-proxy must name addresses"},
		"allowed addresses":            {env: map[string]string{"REKINDLE_ATTACH_ALLOW": "10.0.0.7,169.254.10.0/24"}, then: func(c config) bool { return fmt.Sprint(c.attachAllow) == "[10.0.0.7/32 169.254.10.0/24]" }},
		"an allowed name":              {args: []string{"--attach-allow", "db.example.com"}, want: "--attach-allow must name addresses"},
		"allowed are none":             {args: []string{"--attach-allow", " , "}, want: "--attach-allow must name addresses"},
		"an account id":                {env: map[string]string{"REKINDLE_ACCOUNT_ID": "000000000001"}, then: func(c config) bool { return c.account == "000000000001" }},
		"an account id that is none":   {args: []string{"--account-id", "12"}, want: "--account-id must have 12 digits"},
		"half an access key":           {env: map[string]string{"REKINDLE_ACCESS_KEY_ID": "AKIA"}, want: "belong together"},
		"an access key":                {env: map[string]string{"REKINDLE_ACCESS_KEY_ID": "AKIA", "REKINDLE_SECRET_ACCESS_KEY": "s"}, then: func(c config) bool { return c.accessKeyID == "AKIA" && c.accessSecret == "s" }},
		"metrics without a token":      {args: []string{"--metrics-listen", "127.0.0.1:9121"}, then: func(c config) bool { return c.metricsListen == "127.0.0.1:9121" }},
		"metrics at a port alone":      {args: []string{"--metrics-listen", "9121"}, want: "--metrics-listen must look like 127.0.0.1:9121"},
		"metrics beside the pages":     {args: []string{"--listen", "127.0.0.1:1", "--metrics-listen", "127.0.0.1:1"}, want: "--metrics-listen must be another address than --listen"},
		"metrics with a token":         {env: map[string]string{"REKINDLE_METRICS_TOKEN": "hunter2"}, then: func(c config) bool { return c.metricsToken == "hunter2" }},
		"an unknown flag":              {args: []string{"--nonsense"}, want: "nonsense"},
		"an argument":                  {args: []string{"now"}, want: `unexpected argument "now"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := readServeConfig(test.args, func(name string) string { return test.env[name] }, &bytes.Buffer{})
			switch {
			case test.want == "" && (err != nil || !test.then(c)):
				t.Errorf("got %+v, %v", c, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2")):
				t.Errorf("got %v, want a message with %q and no password", err, test.want)
			}
		})
	}
}

func TestCommandsExplainThemselves(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing":        {nil, exitUsage, "rekindle serve"},
		"help":           {[]string{"--help"}, exitOK, "rekindle serve"},
		"help of serve":  {[]string{"serve", "--help"}, exitOK, "REKINDLE_NODE_ADDRESS"},
		"version":        {[]string{"version"}, exitOK, "rekindle " + version},
		"unknown":        {[]string{"dump"}, exitUsage, `there is no command "dump"`},
		"wrong flag":     {[]string{"serve", "--listen", "x"}, exitUsage, "--listen must look like"},
		"no catalog":     {[]string{"reset-password", "--data", t.TempDir()}, exitFailed, "there is no catalog"},
		"catalog alone":  {[]string{"catalog"}, exitUsage, "rekindle catalog rebuild"},
		"catalog's help": {[]string{"catalog", "--help"}, exitOK, "rekindle catalog move --to URL"},
		"catalog else":   {[]string{"catalog", "clean"}, exitUsage, `there is no command "catalog clean"`},
		"catalog help":   {[]string{"catalog", "rebuild", "--help"}, exitOK, "REKINDLE_STORE"},
		"backup alone":   {[]string{"catalog", "backup"}, exitUsage, "name the file to write"},
		"store alone":    {[]string{"store"}, exitUsage, "rekindle store adopt"},
		"no one's store": {[]string{"store", "adopt", "--data", t.TempDir()}, exitFailed, "there is no catalog"},
		"two backups":    {[]string{"catalog", "backup", "--data", "x", "a", "b"}, exitUsage, "unexpected argument"},
		"file first":     {[]string{"catalog", "backup", "a.db", "--data", t.TempDir()}, exitFailed, "there is no catalog at"},
		"file last":      {[]string{"catalog", "backup", "--data", t.TempDir(), "a.db"}, exitFailed, "there is no catalog at"},
		"empty store":    {[]string{"catalog", "rebuild", "--data", t.TempDir(), "--store", "dir:" + t.TempDir()}, exitOK, "0 snapshots found"},
		"no store":       {[]string{"catalog", "rebuild", "--store", "ftp:x"}, exitUsage, "--store"},
		"nobody answers": {[]string{"health", "--url", "http://127.0.0.1:1/healthz"}, exitFailed, "ask http://127.0.0.1:1/healthz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), test.args, func(string) string { return "" }, &stdout, &stderr)
			said := stderr.String()
			if test.code == exitOK { // what was asked for can be piped
				said = stdout.String()
			}
			if code != test.code || !strings.Contains(said, test.want) {
				t.Errorf("exit code %d, output %q, errors %q; want %d and %q", code, stdout.String(), stderr.String(), test.code, test.want)
			}
		})
	}
}

func TestSecondConsoleOnTheSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	second := exec.Command(os.Args[0], "serve", "--listen", "127.0.0.1:0", "--data", p.data)
	second.Env = append(os.Environ(), consoleEnv+"=1")
	output, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "another Rekindle already works on") {
		t.Errorf("the second console ended with %v: %s", err, output)
	}
	if status, _ := p.get("/healthz"); status != http.StatusOK {
		t.Errorf("the first console answers %d", status)
	}
}

func TestAddressThatIsTakenIsSaidAndNothingIsLeftRunning(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	data := t.TempDir()
	command := exec.Command(os.Args[0], "serve", "--listen", listener.Addr().String(), "--data", data)
	command.Env = append(os.Environ(), consoleEnv+"=1")
	output, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "choose another address with --listen") {
		t.Errorf("it ended with %v: %s", err, output)
	}
	// The password of the first start was not used up by one that nobody could see.
	if said := startOnce(t, data); !strings.Contains(said, "password  ") {
		t.Errorf("the next start shows no password:\n%s", said)
	}
}

// startOnce starts a console, waits until it serves, stops it and returns what it printed.
func startOnce(t *testing.T, data string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "serve", "--listen", "127.0.0.1:0", "--data", data)
	command.Env = append(os.Environ(), consoleEnv+"=1")
	var output safeBuffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the console to serve", func() bool { return strings.Contains(output.tail(4000), "user      admin") })
	_ = command.Process.Signal(syscall.SIGTERM)
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, output.tail(4000))
	}
	return output.tail(4000)
}

func TestGeneratedPasswordIsShownOnceAndCanBeReset(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if first := startOnce(t, data); !strings.Contains(first, "password  ") {
		t.Errorf("the first start shows no password:\n%s", first)
	}
	if second := startOnce(t, data); strings.Contains(second, "password") {
		t.Errorf("the second start shows a password:\n%s", second)
	}
	var output bytes.Buffer
	if code := run(t.Context(), []string{"reset-password", "--data", data}, func(string) string { return "" }, &output, &output); code != exitOK || !strings.Contains(output.String(), "password  ") {
		t.Errorf("reset-password ended with %d: %s", code, output.String())
	}
}

func TestTerminatedConsoleLeavesItsNodesRunningOrSavesThemWhenAsked(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	p.signIn()
	db := p.catalog()
	p.must("/clusters/-/new", createForm("orders", "1"))
	var orders models.Cluster
	available := func() bool {
		var err error
		orders, err = db.Clusters.Get(t.Context(), "orders")
		return err == nil && orders.Status == models.ClusterAvailable
	}
	testkit.WaitFor(t, "the cluster", available)
	primary, _ := orders.Shards()[0].Primary()
	redis := client(t, orders, primary)
	testkit.Fill(t, redis, 300)
	want := testkit.Fingerprint(t, redis)
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("SIGTERM ended it with %d", code)
	}
	if err := redis.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the node ended with the console: %v", err)
	}
	p.start("--stop-nodes")
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("SIGTERM with --stop-nodes ended it with %d", code)
	}
	said := p.output.tail(2000)
	for _, want := range []string{`msg="saving and stopping the nodes" clusters=1`, `msg="saved and stopped" cluster=orders nodes=2 took=`, `msg="the nodes are stopped" clusters=1 failed=0 took=`, "msg=stopped"} {
		_, after, found := strings.Cut(said, want)
		if said = after; !found {
			t.Errorf("the log does not say %s, or not in its turn:\n%s", want, p.output.tail(2000))
		}
	}
	if err := redis.Ping(t.Context()).Err(); err == nil {
		t.Error("the node still runs")
	}
	p.start()
	testkit.WaitFor(t, "every node to be back with its data", func() bool {
		available()
		for _, n := range orders.Nodes {
			if n.State != "available" || client(t, orders, n).Ping(t.Context()).Err() != nil {
				return false
			}
		}
		return true
	})
	for _, n := range orders.Nodes {
		if got := testkit.Fingerprint(t, client(t, orders, n)); got != want {
			t.Errorf("%s came back with other data", n.Name)
		}
	}
}
