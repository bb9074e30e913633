package jobs_test

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// setup is a way in which people run Redis: a server, and how it is reached there.
type setup struct {
	name  string
	build func(t *testing.T) (source *testkit.Server, access models.Access, password secret.Text)
}

func setups() []setup {
	return []setup{
		{"watched by a Sentinel", func(t *testing.T) (*testkit.Server, models.Access, secret.Text) {
			primary := testkit.Redis(t, "--requirepass", "s3cret", "--masterauth", "s3cret")
			replicaOf(t, primary, "--requirepass", "s3cret", "--masterauth", "s3cret")
			sentinel := testkit.Sentinel(t, map[string]*testkit.Server{"main": primary, "other": testkit.Redis(t)}, "requirepass watched")
			testkit.WaitFor(t, "the Sentinel knows the replica", func() bool {
				return strings.Contains(sentinel.Client().Info(t.Context(), "sentinel").Val(), "name=main,status=ok,address="+primary.Addr+",slaves=1")
			})
			return primary, models.Access{Addresses: models.Lines{sentinel.Addr}, PrimaryName: "main", SentinelPassword: "watched"}, "s3cret"
		}},
		{"TLS with a client's certificate", func(t *testing.T) (*testkit.Server, models.Access, secret.Text) {
			files := testkit.NewCertificates(t)
			port := strconv.Itoa(testkit.FreePort(t))
			node := testkit.Redis(t, "--tls-port", port, "--tls-cert-file", files.Certificate, "--tls-key-file", files.Key, "--tls-ca-cert-file", files.CA)
			return node, models.Access{Addresses: models.Lines{net.JoinHostPort("127.0.0.1", port)}, TLS: true, CA: read(t, files.CA), Certificate: read(t, files.Certificate), PrivateKey: secret.Text(read(t, files.Key))}, ""
		}},
		{"the least that the ACL has to allow", func(t *testing.T) (*testkit.Server, models.Access, secret.Text) {
			node := testkit.Redis(t, "--user", "backup", "on", ">s3cret", "-@all", "+psync", "+replconf", "+info", "+ping")
			return node, models.Access{Addresses: models.Lines{node.Addr}, Username: "backup"}, "s3cret"
		}},
		{"PSYNC under another name", func(t *testing.T) (*testkit.Server, models.Access, secret.Text) {
			node := testkit.Redis(t, "--rename-command", "PSYNC", "COPY-ALL")
			return node, models.Access{Addresses: models.Lines{node.Addr}, PSYNC: "COPY-ALL"}, ""
		}},
		{"a replica behind a translation of addresses", func(t *testing.T) (*testkit.Server, models.Access, secret.Text) {
			primary := testkit.Redis(t)
			replica := replicaOf(t, primary, "--replica-announce-ip", "192.0.2.7", "--replica-announce-port", "6379")
			return primary, models.Access{Addresses: models.Lines{primary.Addr}, Mapped: models.Lines{"192.0.2.7:6379=" + replica.Addr}}, ""
		}},
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

func TestEachUsualSetUpCanBeAttachedAndSnapshotted(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	for i, s := range setups() {
		source, access, password := s.build(t)
		testkit.Fill(t, source.Client(), 300)
		want := testkit.Fingerprint(t, source.Client())
		id := "set-up-" + strconv.Itoa(i)
		cluster := c.attach(models.AttachSpec{Name: id, Access: access, Password: password, RequestedBy: "admin"})
		snapshot := c.snapshot(id, "of-"+id)
		if snapshot.Status != models.SnapshotAvailable {
			t.Errorf("%s: %s %s", s.name, snapshot.Status, snapshot.StatusReason)
			continue
		}
		if replicas := len(cluster.Nodes) - 1; replicas > 0 && (snapshot.Parts[0].ServedRole != models.RoleReplica || snapshot.Warning != "") {
			t.Errorf("%s: served by the %s: %s", s.name, snapshot.Parts[0].ServedRole, snapshot.Warning)
		}
		if got := c.restored(snapshot.Name, "again-"+strconv.Itoa(i)); got != want {
			t.Errorf("%s: restored is\n%s\nwant\n%s", s.name, got, want)
		}
	}
}

func TestASnapshotThatIsNotAllowedSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	for name, args := range map[string][]string{
		"forbidden": {"--user", "default", "on", "nopass", "+@all", "-psync", "~*"},
		"renamed":   {"--rename-command", "PSYNC", "COPY-ALL"},
		"away":      {"--rename-command", "REPLCONF", ""},
	} {
		node := testkit.Redis(t, args...)
		c.attach(attachSpec(name, node.Addr))
		s := c.snapshot(name, "of-"+name)
		if s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, "does not allow replication") {
			t.Errorf("%s: %s %s", name, s.Status, s.StatusReason)
		}
		if left := c.stored(); len(left) != 0 {
			t.Errorf("%s: it has left %v", name, left)
		}
	}
}
