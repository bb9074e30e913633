package attached

import (
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"rekindle/internal/logical"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

func follower(t *testing.T) *Follower {
	t.Helper()
	return NewFollower(Config{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

func at(addresses ...string) models.AttachSpec {
	return models.AttachSpec{Access: models.Access{Addresses: addresses}}
}

func examine(t *testing.T, spec models.AttachSpec) models.Examination {
	t.Helper()
	e, err := follower(t).Examine(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func following(t *testing.T, primary *testkit.Server, args ...string) *testkit.Server {
	t.Helper()
	r := testkit.Redis(t, append([]string{"--replicaof", primary.Host + " " + strconv.Itoa(primary.Port)}, args...)...)
	testkit.WaitFor(t, "the replica is in step", func() bool {
		return strings.Contains(r.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	return r
}

func TestExamineTellsWhatWouldServeASnapshot(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t, "--appendonly", "yes")
	replica := following(t, primary)
	testkit.Fill(t, primary.Client(), 100)
	e := examine(t, at(primary.Addr))
	if e.Topology != "replicated" || len(e.Nodes) != 2 || len(e.Hindrances) != 0 || e.Rights != "" {
		t.Fatalf("found %+v", e)
	}
	p, r := e.Nodes[0], e.Nodes[1]
	if p.Address != primary.Addr || p.Role != models.RolePrimary || p.Source || p.Persistence != "AOF" || p.Version.Name != testkit.EngineName(t) || p.Keys == 0 || p.HostMemory == 0 {
		t.Errorf("primary %+v", p)
	}
	if r.Address != replica.Addr || r.Role != models.RoleReplica || !r.Source || r.LagBytes < 0 || r.ForkMemory == 0 {
		t.Errorf("replica %+v", r)
	}

	info := primary.Client().Info(t.Context(), "commandstats", "persistence", "stats").Val()
	if strings.Contains(info, "cmdstat_config|set") || !strings.Contains(info, "rdb_saves:0") {
		t.Error("something was changed to find that out")
	}
}

// stays checks that finding out about rights did not start a synchronisation on a node.
func stays(t *testing.T, node *testkit.Server) {
	t.Helper()
	if log := node.Log(); strings.Contains(log, "Starting BGSAVE for SYNC") || strings.Contains(log, "Full resync requested") {
		t.Errorf("a synchronisation was begun:\n%s", log)
	}
}

func TestExamineTellsWhatAUserLacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rules string
		hindrance   string
		lacks       bool
	}{
		{"all", "+@all", "", false},
		{"the least", "-@all +psync +replconf +info +ping", "", true},
		{"the least, and what is useful", "-@all +psync +replconf +info +ping +config|get +multi +discard", "", false},
		{"no PSYNC", "+@all -psync", "+psync and +replconf", true},
		{"no PSYNC, and no transactions", "-@all +replconf +info +ping +config|get", "+psync and +replconf", true},
		{"no REPLCONF", "+@all -replconf", "+psync and +replconf", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node := testkit.Redis(t, append([]string{"--user", "backup", "on", ">s3cret"}, strings.Fields(c.rules)...)...)
			spec := at(node.Addr)
			spec.Username, spec.Password = "backup", "s3cret"
			e := examine(t, spec)
			if got := strings.Join(e.Hindrances, " "); (c.hindrance == "") != (got == "") || !strings.Contains(got, c.hindrance) {
				t.Errorf("hindered by %q, want %q", got, c.hindrance)
			}
			if lacks := strings.HasPrefix(e.Rights, "ACL SETUSER backup +psync"); lacks != c.lacks {
				t.Errorf("the line is %q", e.Rights)
			}
			stays(t, node)
			if c.lacks { // the command that the page offers for copying helps
				if err := node.Client().Do(t.Context(), toArgs(e.Rights)...).Err(); err != nil {
					t.Fatalf("%s: %v", e.Rights, err)
				}
				if e := examine(t, spec); e.Rights != "" || len(e.Hindrances) > 0 {
					t.Errorf("with these rights: %q %q", e.Rights, e.Hindrances)
				}
			}
		})
	}
}

func TestExamineForReadingKeyByKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, rules, hindrance, note string }{
		{"all", "+@all -psync ~*", "", ""},
		{"nothing", "-@all +info", "it needs +dump +exec +multi +pexpiretime +scan +select.", ""},
		{"no DUMP", "+@all -dump ~*", "it needs +dump.", ""},
		{"no transactions", "+@all -multi -exec ~*", "it needs +exec +multi.", ""},
		{"no EXEC", "+@all -exec ~*", "it needs +exec.", ""},
		{"some keys", "+@all ~special:*", "it needs ~*.", ""},
		{"no functions", "+@all -function ~*", "", "needs +function|dump"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node := testkit.Engine(t, testkit.Fetched(t, "redis-7.0"), append([]string{"--user", "backup", "on", ">s3cret"}, strings.Fields(c.rules)...)...)
			node.Client().Set(t.Context(), "k", "v", 0)
			spec := at(node.Addr)
			spec.ByKey, spec.Username, spec.Password = true, "backup", "s3cret"
			e := examine(t, spec)
			if got := strings.Join(e.Hindrances, " "); (c.hindrance == "") != (got == "") || !strings.Contains(got, c.hindrance) {
				t.Errorf("hindered by %q, want %q", got, c.hindrance)
			}
			if notes := strings.Join(e.Notes, " "); !strings.Contains(notes, "not of one point in time") || !strings.Contains(notes, c.note) {
				t.Errorf("noted %q", notes)
			}
			if lacks := e.Rights != ""; lacks != (c.hindrance+c.note != "") {
				t.Errorf("the line is %q", e.Rights)
			}
		})
	}
}

// The command that is offered for copying gives a user who may do nothing all that it takes, and is understood by each engine.
func TestTheLineForReadingKeyByKeyIsEnough(t *testing.T) {
	t.Parallel()
	for _, engine := range testkit.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			node := testkit.Engine(t, testkit.Fetched(t, engine), "--user", "backup", "on", ">s3cret", "-@all", "+info")
			keys := testkit.Fill(t, node.Client(), 100)
			spec := at(node.Addr)
			spec.ByKey, spec.Username, spec.Password = true, "backup", "s3cret"
			line := examine(t, spec).Rights
			if err := node.Client().Do(t.Context(), toArgs(line)...).Err(); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if e := examine(t, spec); e.Rights != "" || len(e.Hindrances) > 0 {
				t.Errorf("with these rights: %q %q", e.Rights, e.Hindrances)
			}
			s, err := logical.Open(t.Context(), resp.Options{Addr: node.Addr, Username: "backup", Password: "s3cret"}, logical.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if sum, err := rdb.NewScanner(s, rdb.Strict).Scan(); err != nil || sum.Keys != int64(keys) || s.Missing() != nil {
				t.Errorf("%d of %d keys: %v, %v", sum.Keys, keys, err, s.Missing())
			}
		})
	}
}

// Where nobody may have PSYNC, reading key by key is suggested, with what it takes.
func TestExamineSuggestsReadingKeyByKey(t *testing.T) {
	t.Parallel()
	node := testkit.Redis(t, "--rename-command", "PSYNC", "", "--user", "backup", "on", ">s3cret", "+@all", "-dump", "~*")
	spec := at(node.Addr)
	spec.Username, spec.Password = "backup", "s3cret"
	e := examine(t, spec)
	if got := strings.Join(append(e.Hindrances, e.Notes...), " "); !strings.Contains(got, "read key by key") || !strings.Contains(got, "lacks rights: +dump.") || !strings.Contains(e.Rights, "~* +scan +dump") {
		t.Errorf("%q, %q", got, e.Rights)
	}
}

func toArgs(line string) []any {
	var args []any
	for word := range strings.FieldsSeq(line) {
		args = append(args, word)
	}
	return args
}

func TestExamineFindsRenamedCommands(t *testing.T) {
	t.Parallel()
	node := testkit.Redis(t, "--rename-command", "PSYNC", "COPY-ALL")
	spec := at(node.Addr)
	if e := examine(t, spec); len(e.Hindrances) != 1 || !strings.Contains(e.Hindrances[0], "does not know PSYNC") {
		t.Errorf("by its usual name: %q", e.Hindrances)
	}
	spec.PSYNC = "COPY-ALL"
	if e := examine(t, spec); len(e.Hindrances) != 0 {
		t.Errorf("by its name there: %q", e.Hindrances)
	}
	spec.PSYNC = "COPY-SOME"
	if e := examine(t, spec); len(e.Hindrances) != 1 || !strings.Contains(e.Hindrances[0], "COPY-SOME either") {
		t.Errorf("by another name: %q", e.Hindrances)
	}
	stays(t, node)
}

func TestWhatIsInTheWayIsSaidAtItsField(t *testing.T) {
	t.Parallel()
	secured := testkit.Redis(t, "--requirepass", "s3cret")
	plain := testkit.Redis(t)
	files := testkit.NewCertificates(t)
	port := strconv.Itoa(testkit.FreePort(t))
	testkit.Redis(t, "--tls-port", port, "--tls-cert-file", files.Certificate, "--tls-key-file", files.Key, "--tls-ca-cert-file", files.CA)
	tlsAddr := net.JoinHostPort("127.0.0.1", port)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { web.Close() })
	go func() {
		for {
			nc, err := web.Accept()
			if err != nil {
				return
			}
			_, _ = nc.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			nc.Close()
		}
	}()
	ca, certificate, key := read(t, files.CA), read(t, files.Certificate), read(t, files.Key)
	for _, c := range []struct {
		name, field, text string
		access            models.Access
		password          secret.Text
	}{
		{"no password", "password", "require a password", models.Access{Addresses: models.Lines{secured.Addr}}, ""},
		{"a wrong password", "password", "do not accept", models.Access{Addresses: models.Lines{secured.Addr}}, "other"},
		{"nothing there", "addresses", "Nothing listens at 127.0.0.1:1.", models.Access{Addresses: models.Lines{"127.0.0.1:1"}}, ""},
		{"silence", "addresses", "does not answer", models.Access{Addresses: models.Lines{silent.Addr().String()}}, ""},
		{"something else", "addresses", "not Redis or Valkey", models.Access{Addresses: models.Lines{web.Addr().String()}}, ""},
		{"metadata", "addresses", "link-local", models.Access{Addresses: models.Lines{"169.254.169.254:80"}}, ""},
		{"no such host", "addresses", "There is no host nowhere.invalid", models.Access{Addresses: models.Lines{"nowhere.invalid"}}, ""},
		{"strangers", "addresses", "different clusters", models.Access{Addresses: models.Lines{plain.Addr, testkit.Redis(t).Addr}}, ""},
		{"TLS at a plain port", "tls", "does not speak TLS", models.Access{Addresses: models.Lines{plain.Addr}, TLS: true}, ""},
		{"no TLS at a port that wants it", "tls", "may require TLS", models.Access{Addresses: models.Lines{tlsAddr}}, ""},
		{"an unknown CA", "ca", "unknown CA", models.Access{Addresses: models.Lines{tlsAddr}, TLS: true}, ""},
		{"another name", "server_name", "redis.test, 127.0.0.1", models.Access{Addresses: models.Lines{tlsAddr}, TLS: true, CA: ca, ServerName: "elsewhere.test"}, ""},
		{"no client certificate", "certificate", "client certificate", models.Access{Addresses: models.Lines{tlsAddr}, TLS: true, CA: ca}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := follower(t).Examine(t.Context(), models.AttachSpec{Access: c.access, Password: c.password})
			faults, refused := models.AsFaults(err)
			if !refused || len(faults) != 1 || faults[0].Field != c.field || !strings.Contains(faults[0].Message, c.text) {
				t.Errorf("got %+v (%v), want %s: ...%s...", faults, err, c.field, c.text)
			}
		})
	}
	e := examine(t, models.AttachSpec{Access: models.Access{Addresses: models.Lines{tlsAddr}, TLS: true, CA: ca, Certificate: certificate, PrivateKey: secret.Text(key)}})
	if len(e.Hindrances) != 0 {
		t.Errorf("with all of it: %q", e.Hindrances)
	}
	e = examine(t, models.AttachSpec{Access: models.Access{Addresses: models.Lines{tlsAddr, "127.0.0.1:1"}, TLS: true, Unverified: true, Certificate: certificate, PrivateKey: secret.Text(key)}})
	if len(e.Hindrances) != 0 || len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "Nothing listens") {
		t.Errorf("unverified, with an address of no use: %q %q", e.Hindrances, e.Notes)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExamineTellsWhetherANodeWouldBeTuned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args  []string
		off   bool
		says  string
		right bool
	}{
		"allowed":    {[]string{"--user", "backup", "on", ">s3cret", "-@all", "+psync", "+replconf", "+info", "+ping", "+config|get", "+config|set"}, false, "Allowed: ", false},
		"forbidden":  {[]string{"--user", "backup", "on", ">s3cret", "-@all", "+psync", "+replconf", "+info", "+ping", "+config|get"}, false, "The user is not allowed to", true},
		"nothing of": {[]string{"--user", "backup", "on", ">s3cret", "-@all", "+psync", "+replconf", "+info", "+ping"}, false, "The user is not allowed to", true},
		"renamed":    {[]string{"--user", "backup", "on", ">s3cret", "+@all", "--rename-command", "CONFIG", "SETTINGS"}, false, "does not know CONFIG", false},
		"by disk":    {[]string{"--user", "backup", "on", ">s3cret", "+@all", "--repl-diskless-sync", "no"}, false, "its own disk first", false},
		"off":        {[]string{"--user", "backup", "on", ">s3cret", "+@all"}, true, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := testkit.Redis(t, c.args...)
			spec := at(node.Addr)
			spec.Username, spec.Password, spec.Tuned = "backup", "s3cret", !c.off
			e := examine(t, spec)
			if !strings.Contains(e.Tuning, c.says) || (e.Tuning == "") != (c.says == "") || (e.TuningRight != "") != c.right || len(e.Hindrances) != 0 {
				t.Errorf("%q, %q; hindered by %q", e.Tuning, e.TuningRight, e.Hindrances)
			}
			if n := node.Client().Info(t.Context(), "commandstats").Val(); c.off && strings.Contains(n, "config|set") {
				t.Errorf("it was tried although it is off: %s", n)
			}
			stays(t, node)
			if c.right { // the command helps
				if err := node.Client().Do(t.Context(), toArgs(e.TuningRight)...).Err(); err != nil {
					t.Fatal(err)
				}
				if e := examine(t, spec); !strings.HasPrefix(e.Tuning, "Allowed: ") {
					t.Errorf("with these rights: %q", e.Tuning)
				}
			}
		})
	}
}
