package main

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// documentedPages are the situations in which people paste what is documented.
var documentedPages = map[string]func(*testing.T, *documentation){
	"make":                    documentedMake,
	"serve":                   documentedServe,
	"the AWS command line":    documentedAWS,
	"a migration":             documentedMigration,
	"encryption":              documentedEncryption,
	"scripts":                 documentedScripts,
	"a lost database":         documentedLostDatabase,
	"without Rekindle":        documentedWithoutRekindle,
	"PostgreSQL":              documentedPostgres,
	"a backup of the catalog": documentedBackup,
	"a sample":                documentedSample,
	"attaching a pair":        documentedPair,
	"attaching by Sentinels":  documentedSentinels,
	"attaching other shapes":  documentedShapes,
	"attaching by TLS":        documentedTLS,
	"rights":                  documentedRights,
}

// Targets that fetch, measure or test for minutes are only looked at.
func documentedMake(t *testing.T, d *documentation) {
	s := newShell(t)
	s.folder = "../.."
	s.stands("make ", "make -n ")
	for page, parts := range map[string][]string{"README.md": {"make run", "make test"}, "engines.md": {"make engines"}, "benchmarks.md": {"make bench"}} {
		for _, part := range parts {
			if said := s.runs(d.block(t, page, part)); said == "" {
				t.Errorf("%s in %s would do nothing", part, page)
			}
		}
	}
}

func documentedServe(t *testing.T, d *documentation) {
	server := testkit.S3(t)
	server.Bucket("bucket")
	for page, part := range map[string]string{"README.md": "bin/rekindle serve", "s3.md": "rekindle serve --store", "monitoring.md": "rekindle serve"} {
		s := newShell(t, "AWS_ACCESS_KEY_ID="+testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY="+testkit.S3SecretKey)
		s.stands("='...'", "='"+adminPassword+"'")
		s.stands("/var/lib/rekindle", filepath.Join(s.folder, "data"))
		for _, region := range []string{"eu-central-1", "eu-west-1"} {
			s.stands("s3://bucket/prefix?region="+region, "s3://bucket/"+strings.TrimSuffix(page, ".md")+"?path_style=true&region="+testkit.S3Region+"&endpoint="+server.Endpoint)
		}
		s.serves(d.block(t, page, part), nil)
	}
}

// documentedOrders is a console with a cluster of that name, and a shell in which somebody works with it.
func documentedOrders(t *testing.T, with func(*elasticache.CreateReplicationGroupInput), flags ...string) (*apiConsole, *shell) {
	t.Helper()
	a := newAPIConsole(t, flags...)
	input := &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("d"), CacheNodeType: aws.String("cache.t4g.micro")}
	if with != nil {
		with(input)
	}
	must(a.sdk.CreateReplicationGroup(t.Context(), input))(t)
	a.group("orders")
	s := newShell(t)
	s.stands("http://127.0.0.1:8080", a.url)
	return a, s
}

func documentedAWS(t *testing.T, d *documentation) {
	a, s := documentedOrders(t, nil)
	s.runs(d.block(t, "README.md", "aws elasticache create-snapshot"))
	a.snapshot("before-migration")
}

func documentedMigration(t *testing.T, d *documentation) {
	source := testkit.Redis(t, "--protected-mode", "no")
	testkit.Fill(t, source.Client(), 50)
	a, s := documentedOrders(t, nil)
	s.stands("aws elasticache", "aws --endpoint-url "+a.url+" elasticache")
	s.stands("Address=db1.example,Port=6379", fmt.Sprintf("Address=%s,Port=%d", source.Host, source.Port))
	b := d.block(t, "migration.md", "aws elasticache start-migration")
	for _, line := range b.lines() {
		said := s.pastes(b, line)
		switch {
		case strings.Contains(line, "start-migration"):
			testkit.WaitFor(t, "the data to be there", func() bool {
				events := must(a.sdk.DescribeEvents(t.Context(), &elasticache.DescribeEventsInput{}))(t).Events
				return strings.Contains(fmt.Sprint(messages(events)), "has all of the data of "+source.Addr)
			})
		case strings.Contains(line, "describe-") && !strings.Contains(said, "migrating"):
			t.Errorf("the group is %s", said)
		}
	}
	if got := a.redis(primaryOf(a.group("orders")), "").DBSize(t.Context()).Val(); got == 0 {
		t.Error("no key has been moved")
	}
}

func documentedEncryption(t *testing.T, d *documentation) {
	const first, second, ofUser = "the-first-password-of-it", "the-second-password-of-it", "the-password-of-the-shop"
	a, s := documentedOrders(t, func(input *elasticache.CreateReplicationGroupInput) {
		input.TransitEncryptionEnabled, input.AuthToken = aws.Bool(true), aws.String(first)
	})
	endpoint := primaryOf(a.group("orders"))
	host, port := aws.ToString(endpoint.Address), strconv.Itoa(int(aws.ToInt32(endpoint.Port)))
	a.signIn()
	_, ca := a.get("/clusters/orders/ca.pem")
	s.file("orders-ca.pem", ca)
	s.stands("-h 127.0.0.1 -p 6379", "-h "+host+" -p "+port)
	s.stands("127.0.0.1:6379", host+":"+port)
	s.stands("/var/lib/rekindle", a.data)
	s.program("sudo", `shift 2; exec "$@"`)
	s.env = append(s.env, "NEW="+second, "PASSWORD="+ofUser)
	answers := func(said, want string) {
		t.Helper()
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}

	s.input = typed(first, "PING")
	answers(s.runs(d.block(t, "tls.md", "redis-cli --tls --cacert orders-ca.pem -h 127.0.0.1 -p 6379 --askpass\n")), "PONG")
	answers(s.runs(d.block(t, "tls.md", "openssl s_client")), "Verify return code: 0 (ok)")
	b := d.block(t, "tls.md", "--auth-token-update-strategy ROTATE")
	for _, line := range b.lines() {
		s.pastes(b, line)
		a.group("orders")
	}
	s.input = typed(second, "PING")
	answers(s.runs(d.block(t, "tls.md", "redis-cli --tls --cacert orders-ca.pem -h 127.0.0.1 -p 6379 --askpass\n")), "PONG")
	b = d.block(t, "tls.md", "aws elasticache create-user ")
	s.input = typed(ofUser, "SET shop:1 sold")
	for _, line := range b.lines() {
		said := s.pastes(b, line)
		a.group("orders")
		if strings.HasPrefix(line, "redis-cli") {
			answers(said, "OK")
		}
	}
	answers(s.runs(d.block(t, "tls.md", "rekindle replace-ca")), "BEGIN CERTIFICATE")
}

func documentedScripts(t *testing.T, d *documentation) {
	a, s := documentedOrders(t, nil)
	s.stands("https://rekindle.example.com", a.url)
	s.stands("REKINDLE_ACCESS_KEY_ID=... REKINDLE_SECRET_ACCESS_KEY=...", accessKeyVariable+"="+apiKeyID+" "+secretKeyVariable+"="+apiSecret)
	b := d.block(t, "running.md", "export REKINDLE_URL")
	before, restore, found := strings.Cut(b.text, "rekindle restore")
	if !found {
		t.Fatal("nothing is restored")
	}
	said := strings.Fields(s.pastes(b, before))
	s.stands("orders-2026-07-01-03-00-00", said[len(said)-1])
	exports := before[:strings.Index(before, "rekindle list")]
	s.pastes(b, exports+"rekindle restore"+restore)
	a.group("orders-test")
}

// documentedStore is a console that keeps its snapshots in a folder of their own and has one of them, and a shell in its host.
func documentedStore(t *testing.T) (p *process, s *shell, store string) {
	t.Helper()
	p = newProcess(t)
	store = filepath.Join(t.TempDir(), "snapshots")
	p.start("--store", "dir:"+store)
	p.signIn()
	db := p.catalog()
	settled := func() bool {
		runs, err := db.Runs.Active(t.Context())
		return err == nil && len(runs) == 0
	}
	p.must("/clusters/-/new", createForm("orders", "0"))
	testkit.WaitFor(t, "the cluster", settled)
	orders := must(db.Clusters.Get(t.Context(), "orders"))(t)
	primary, _ := orders.Shards()[0].Primary()
	testkit.Fill(t, client(t, orders, primary), 50)
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	testkit.WaitFor(t, "the snapshot", settled)
	if snapshot := must(db.Snapshots.Get(t.Context(), "s1"))(t); snapshot.Status != models.SnapshotAvailable {
		t.Fatalf("the snapshot is %s", snapshot.Status)
	}
	s = newShell(t)
	fine(t, os.Symlink(p.data, filepath.Join(s.folder, "data")))
	s.stands("/srv/snapshots", store)
	return p, s, store
}

func documentedLostDatabase(t *testing.T, d *documentation) {
	p, s, store := documentedStore(t)
	elsewhere := filepath.Join(s.folder, "elsewhere")
	fine(t, os.Mkdir(elsewhere, 0o700))
	s.stands("/somewhere/else/", elsewhere)
	s.program("systemctl", `touch "$1"; until [ "$1" = start ] || [ -e stopped ]; do sleep 0.1; done`)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		testkit.WaitFor(t, "the console to be stopped", func() bool { _, err := os.Stat(filepath.Join(s.folder, "stop")); return err == nil })
		p.end(syscall.SIGTERM)
		s.file("stopped", "")
	}()
	said := s.runs(d.block(t, "recovery.md", "rekindle catalog rebuild"))
	<-stopped
	if !strings.Contains(said, "1 snapshot found") {
		t.Errorf("the rebuild says:\n%s", said)
	}
	p.start("--store", "dir:"+store)
	p.signIn()
	if status, _ := p.get("/snapshots/s1"); status != 200 {
		t.Errorf("the snapshot's page answers %d", status)
	}
}

func documentedWithoutRekindle(t *testing.T, d *documentation) {
	p, s, store := documentedStore(t)
	p.kill()
	port := strconv.Itoa(testkit.FreePort(t))
	s.stands("orders/automatic.orders-2026-07-01-03-00", "orders/s1")
	s.stands("/tmp/dump.rdb", filepath.Join(s.folder, "dump.rdb"))
	s.stands("/srv/restored", filepath.Join(s.folder, "restored"))
	s.stands("6379", port)
	s.stands("redis-cli info", "redis-cli -p "+port+" info")
	manifest := string(must(os.ReadFile(filepath.Join(store, "orders", "s1", "manifest.json")))(t))

	b := d.block(t, "recovery.md", "xxh128sum")
	checked, serving, _ := strings.Cut(b.text, "redis-server --dir")
	hashesAgree(t, s.pastes(b, checked), manifest, 2)
	s.servesFile(b, "redis-server --dir"+serving)

	fine(t, os.RemoveAll(filepath.Join(s.folder, "restored")))
	s.folder = filepath.Join(store, "orders", "s1")
	hashesAgree(t, s.runs(d.block(t, "snapshot-format.md", "xxh128sum")), manifest, 3)
	b = d.block(t, "snapshot-format.md", "redis-server --dir")
	first, serving, _ := strings.Cut(b.text, "redis-server --dir")
	s.pastes(b, first)
	s.servesFile(b, "redis-server --dir"+serving)
}

// hashesAgree looks for so many hashes in what was printed that are in the manifest as well.
func hashesAgree(t *testing.T, said, manifest string, want int) {
	t.Helper()
	agreed := 0
	for _, word := range strings.Fields(said) {
		if _, err := hex.DecodeString(word); err == nil && len(word) >= 32 && strings.Contains(manifest, `"`+word+`"`) {
			agreed++
		}
	}
	if agreed != want {
		t.Errorf("%d hashes are in the manifest, want %d:\n%s", agreed, want, said)
	}
}

// servesFile pastes commands of which the first is a server, and the others go into another terminal.
func (s *shell) servesFile(b *documented, text string) {
	s.t.Helper()
	serve, ask, _ := strings.Cut(text, "\n")
	server, output := s.command("exec " + serve)
	fine(s.t, server.Start())
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	testkit.WaitFor(s.t, "the server", func() bool { return strings.Contains(output.tail(1<<16), "Ready to accept connections") })
	if said := s.pastes(b, ask); !strings.Contains(said, "db0:keys=") {
		s.t.Errorf("%s:%d: the server has no keys: %s", b.page, b.line, said)
	}
}

func documentedPostgres(t *testing.T, d *documentation) {
	server := testkit.Postgres(t)
	database := must(url.Parse(must(server.Database(""))(t)))(t)
	bucket := testkit.S3(t)
	bucket.Bucket("backups")
	password, _ := database.User.Password()
	s := newShell(t, "PGHOST="+database.Hostname(), "PGPORT="+database.Port(), "PGUSER="+database.User.Username(), "PGPASSWORD="+password, "PGDATABASE=postgres",
		"AWS_ACCESS_KEY_ID="+testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY="+testkit.S3SecretKey)
	s.input = typed("PASSWORD", "PASSWORD")
	for _, name := range []string{"--pwprompt rekindle", "--owner rekindle rekindle", "postgres://rekindle:"} { // the server's own user has that name
		s.stands(name, strings.ReplaceAll(name, "rekindle", "documented"))
	}
	s.stands("db.example.com/rekindle?sslmode=verify-full&sslrootcert=/etc/rekindle/ca.pem", database.Host+"/documented?sslmode=disable")
	s.stands("/var/lib/rekindle", filepath.Join(s.folder, "data"))
	s.stands("s3://backups/rekindle?region=eu-central-1", "s3://backups/rekindle?path_style=true&region="+testkit.S3Region+"&endpoint="+bucket.Endpoint)
	s.serves(d.block(t, "running.md", "createuser --pwprompt"), nil)
}

func documentedBackup(t *testing.T, d *documentation) {
	p := newProcess(t)
	p.start()
	s := newShell(t)
	s.stands("/var/lib/rekindle", p.data)
	s.stands("/backup/", s.folder+"/")
	s.runs(d.block(t, "upgrade.md", "rekindle catalog backup"))
	if found := must(filepath.Glob(filepath.Join(s.folder, "rekindle-*.db")))(t); len(found) != 1 {
		t.Errorf("there are %v", found)
	}
	p.end(syscall.SIGTERM)
	s.stands("postgres://rekindle@db.example.com/rekindle?sslmode=verify-full", must(testkit.Postgres(t).Database(""))(t))
	s.serves(d.block(t, "upgrade.md", "rekindle catalog move"), nil)
}

func documentedSample(t *testing.T, d *documentation) {
	s := newShell(t)
	s.stands("--clusters 10000 --snapshots 35", "--clusters 20 --snapshots 3")
	s.stands("/tmp/sized", filepath.Join(s.folder, "sized"))
	s.serves(d.block(t, "running.md", "rekindle catalog sample"), nil)
}

// attaching is a shell beside a catalog in which nothing is attached yet.
func attaching(t *testing.T) *shell {
	t.Helper()
	s := newShell(t)
	data := filepath.Join(s.folder, "data")
	fine(t, os.Mkdir(data, 0o700))
	db := must(catalog.Open(t.Context(), catalog.File(filepath.Join(data, catalogFile)), clockwork.NewRealClock(), nil))(t)
	fine(t, db.Close())
	return s
}

// at has the port that a page names stand for a server.
func (s *shell) at(port string, server *testkit.Server) {
	s.stands("127.0.0.1:"+port, server.Addr)
	s.stands("-p "+port, fmt.Sprintf("-h %s -p %d", server.Host, server.Port))
}

// replica starts a replica that has the data of its primary.
func replica(t *testing.T, primary *testkit.Server, args ...string) *testkit.Server {
	t.Helper()
	r := testkit.Redis(t, append([]string{"--replicaof", primary.Host + " " + strconv.Itoa(primary.Port)}, args...)...)
	testkit.WaitFor(t, "the replica", func() bool {
		return strings.Contains(r.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	return r
}

func (s *shell) attaches(b *documented, want string) {
	s.t.Helper()
	if said := s.runs(b); !strings.Contains(said, want) || strings.Contains(said, "In the way") {
		s.t.Errorf("%s:%d says:\n%s", b.page, b.line, said)
	}
}

func documentedPair(t *testing.T, d *documentation) {
	s := attaching(t)
	primary := testkit.Redis(t, "--requirepass", "s3cret", "--masterauth", "s3cret")
	s.at("7101", primary)
	s.at("7102", replica(t, primary, "--requirepass", "s3cret", "--masterauth", "s3cret"))
	s.attaches(d.block(t, "attach.md", "rekindle attach --test"), "The cluster orders is attached: 2 nodes of redis")
}

func documentedSentinels(t *testing.T, d *documentation) {
	s := attaching(t)
	primary := testkit.Redis(t, "--requirepass", "s3cret", "--masterauth", "s3cret")
	replica(t, primary, "--requirepass", "s3cret", "--masterauth", "s3cret")
	sentinel := testkit.Sentinel(t, map[string]*testkit.Server{"main": primary})
	testkit.WaitFor(t, "the Sentinel to know the replica", func() bool {
		return strings.Contains(sentinel.Client().Info(t.Context(), "sentinel").Val(), "slaves=1")
	})
	s.at("27101", sentinel)
	s.file("pw", "s3cret\n")
	s.file("sentinel-pw", "w-password\n")
	s.runs(d.block(t, "attach.md", "ACL SETUSER watcher"))
	s.attaches(d.block(t, "attach.md", "--sentinel-name main"), "The cluster orders is attached: 2 nodes of redis")
}

func documentedShapes(t *testing.T, d *documentation) {
	s := attaching(t)
	s.at("7114", testkit.InClusterMode(t, 2, 0)[0])
	s.attaches(d.block(t, "attach.md", "rekindle attach shop"), "The cluster shop is attached: 2 nodes of redis")
	primary := testkit.Redis(t)
	s.at("7121", primary)
	s.at("7122", replica(t, primary, "--replica-announce-ip", "172.17.0.3", "--replica-announce-port", "6379"))
	s.attaches(d.block(t, "attach.md", "rekindle attach parcels"), "The cluster parcels is attached: 2 nodes of redis")
}

func documentedTLS(t *testing.T, d *documentation) {
	s := attaching(t)
	c := testkit.NewCertificates(t)
	server := testkit.Redis(t, "--requirepass", "s3cret")
	port := strconv.Itoa(testkit.FreePort(t))
	for name, value := range map[string]string{"tls-cert-file": c.Certificate, "tls-key-file": c.Key, "tls-ca-cert-file": c.CA, "tls-port": port} {
		if name != "tls-port" {
			fine(t, server.Client().ConfigSet(t.Context(), name, value).Err())
		}
	}
	fine(t, server.Client().ConfigSet(t.Context(), "tls-port", port).Err())
	s.stands("127.0.0.1:7162", server.Host+":"+port)
	for name, path := range map[string]string{"tls/ca.pem": c.CA, "tls/client.pem": c.Certificate, "tls/client.key": c.Key} {
		s.file(name, string(must(os.ReadFile(path))(t)))
	}
	s.env = append(s.env, attachPassword+"=s3cret")
	s.attaches(d.block(t, "attach.md", "--tls --ca tls/ca.pem"), "The cluster orders is attached: 1 node of redis")
}

func documentedRights(t *testing.T, d *documentation) {
	s := attaching(t)
	server := testkit.Redis(t)
	s.at("7151", server)
	s.attaches(d.block(t, "attach.md", "REKINDLE_ATTACH_PASSWORD=a-long-password rekindle attach"), "The cluster orders is attached: 1 node of redis")
	for _, part := range []string{"'+config|get' '+config|set'", "+restore +select +flushall", "'~*' +scan +dump"} {
		if said := s.runs(d.block(t, "attach.md", part)); !strings.Contains(said, "OK") {
			t.Errorf("the server says %s", said)
		}
	}
}

// messages are those of events.
func messages(events []types.Event) (all []string) {
	for _, e := range events {
		all = append(all, aws.ToString(e.Message))
	}
	return all
}
