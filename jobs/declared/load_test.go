package declared_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/jobs/declared"
	"rekindle/models"
)

// typed is a secret in the tests of this package. No message may contain it.
const typed = "s3cret-typed"

func load(t *testing.T, text string) (declared.File, error) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{"clusters.yaml": text, "password": typed + "\n", "empty": "\n", "crlf": typed + "\r\n", "no.pem": typed} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"ORDERS_PASSWORD": typed, "SENTINELS": "watch " + typed}
	return declared.Source{Path: filepath.Join(folder, "clusters.yaml"), Getenv: func(name string) string { return env[name] }}.Load()
}

func TestAFileIsRead(t *testing.T) {
	t.Parallel()
	certificates := testkit.NewCertificates(t)
	file, err := load(t, `
clusters:
  Orders:
    description: Shop's orders
    addresses: [10.0.0.5, "DB1.example:6380"]
    mapped:
      - 172.17.0.2:6379=db1.example:16379
    username: backup
    password: {env: ORDERS_PASSWORD}
    psync: COPY-ALL
    read_by_key: true
    tuned: false
    backups: &nightly {retention: 7, window: "03:00-04:00"}
    drills: {every: weekly, window: "05:00-06:00", day: wednesday}
  sessions:
    addresses: [s1:26379]
    password: {file: password}
    sentinel: {primary: main, username: watcher, password: {env: SENTINELS}}
    tls: {ca: {file: `+certificates.CA+`}, certificate: {file: `+certificates.Certificate+`}, private_key: {file: `+certificates.Key+`}, server_name: redis, unverified: true}
    backups: *nightly
  carts:
    addresses: [c1]
    password: {file: crlf}
    tls: {}
    backups:
      retention: 1
    drills: {every: monthly, window: "05:00-06:00", day: 15}
  plain: {addresses: [p1]}
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(file.Clusters) != 4 {
		t.Fatalf("%d clusters", len(file.Clusters))
	}
	window, _ := models.ParseWindow("03:00-04:00")
	orders := models.AttachSpec{Name: "orders", Description: "Shop's orders", Password: typed, Retention: 7, Window: window, Drills: models.DrillPlan{Every: models.Weekly, Window: models.Window{Start: 300, Length: 60}, Day: 3}, RequestedBy: "the clusters file", Declared: file.Path,
		Access: models.Access{Addresses: models.Lines{"10.0.0.5:6379", "db1.example:6380"}, Mapped: models.Lines{"172.17.0.2:6379=db1.example:16379"}, Username: "backup", PSYNC: "COPY-ALL", ByKey: true}}
	if !reflect.DeepEqual(file.Clusters[0], orders) {
		t.Errorf("orders: %+v\nwant %+v", file.Clusters[0], orders)
	}
	sessions, carts, plain := file.Clusters[1], file.Clusters[2], file.Clusters[3]
	if sessions.Password != typed || sessions.PrimaryName != "main" || sessions.SentinelUsername != "watcher" || sessions.SentinelPassword != "watch "+typed || sessions.Window != window {
		t.Errorf("sessions: %+v", sessions)
	}
	if !sessions.TLS || sessions.CA == "" || sessions.Certificate == "" || sessions.PrivateKey == "" || sessions.ServerName != "redis" || !sessions.Unverified {
		t.Errorf("TLS of sessions: %+v", sessions)
	}
	if !carts.TLS || carts.Unverified || carts.Password != typed || carts.Retention != 1 || !carts.Window.IsZero() || carts.Drills.When() != "monthly on day 15" {
		t.Errorf("carts: %+v", carts)
	}
	if plain.TLS || plain.Password != "" || plain.Retention != 0 || plain.Drills != (models.DrillPlan{}) || !plain.Tuned || !plain.TuningOpen {
		t.Errorf("plain: %+v", plain)
	}
	if file, err := load(t, "clusters: {}\n"); err != nil || len(file.Clusters) != 0 {
		t.Errorf("without clusters: %+v, %v", file, err)
	}
}

func TestWhatIsWrongWithAFileIsSaid(t *testing.T) {
	t.Parallel()
	const orders = "clusters:\n  orders:\n    addresses: [10.0.0.5]\n"
	for _, c := range []struct {
		name, text string
		want       []string // of each mistake, in their order
	}{
		{"empty", "", []string{"clusters.yaml: The key clusters is missing"}},
		{"only comments", "# nothing\n", []string{"The key clusters is missing"}},
		{"another top", "[1]", []string{"clusters.yaml:1: This must be keys"}},
		{"no key clusters", "{}", []string{"The key clusters is missing"}},
		{"clusters without a value", "clusters:\n", []string{"clusters.yaml:1: This must be keys"}},
		{"no YAML", "clusters:\n  orders:\n\taddresses: []\n", []string{"clusters.yaml:3: This is not valid YAML"}},
		{"an alias for a password", orders + "    password: *" + typed + "\n", []string{"This is not valid YAML: an alias"}},
		{"two documents", orders + "---\n" + orders, []string{"clusters.yaml:4: A second document"}},
		{"unknown keys, in two places", "clusters:\n  orders:\n    addresses: [10.0.0.5]\n    adress: x\nother: 1\n", []string{
			`clusters.yaml:4: cluster orders: There is no key "adress" here. The keys are addresses, backups, description, drills, `, `clusters.yaml:5: There is no key "other" here. The keys are clusters.`}},
		{"an unknown key below", orders + "    backups:\n      retention: 1\n      windows: x\n", []string{`clusters.yaml:6: cluster orders, backups: There is no key "windows" here. The keys are retention, window.`}},
		{"a key twice", orders + "    addresses: [10.0.0.6]\n", []string{`clusters.yaml:4: cluster orders: The key "addresses" was already given in line 3`}},
		{"a cluster twice", orders + "  orders:\n    addresses: [10.0.0.6]\n", []string{`clusters.yaml:4: The key "orders" was already given in line 2`}},
		{"a cluster twice, in other letters", orders + "  Orders:\n    addresses: [10.0.0.6]\n", []string{"clusters.yaml:4: cluster Orders: The same id is already in line 2"}},
		{"a wrong id", "clusters:\n  orders--1:\n    addresses: [10.0.0.5]\n", []string{"clusters.yaml:2: cluster orders--1: "}},
		{"a cluster without a value", "clusters:\n  orders:\n", []string{"clusters.yaml:2: cluster orders: This must be keys"}},
		{"no addresses", "clusters:\n  orders:\n    username: x\n", []string{"clusters.yaml:2: cluster orders, addresses: Enter the address"}},
		{"addresses that are no list", "clusters:\n  orders:\n    addresses: 10.0.0.5\n", []string{"clusters.yaml:3: cluster orders, addresses: This must be a list"}},
		{"a wrong address", "clusters:\n  orders:\n    addresses: [10.0.0.5:x]\n", []string{`clusters.yaml:3: cluster orders, addresses: "10.0.0.5:x" is not the address`}},
		{"a wrong map", orders + "    mapped: [a]\n", []string{`clusters.yaml:4: cluster orders, mapped: "a" does not map an address`}},
		{"a number for a text", orders + "    username: 7\n", []string{"clusters.yaml:4: cluster orders, username: This must be text; put it in quotes"}},
		{"a text without a value", orders + "    description:\n", []string{"clusters.yaml:4: cluster orders, description: There is no value here"}},
		{"a text for a number", orders + "    backups: {retention: seven}\n", []string{"clusters.yaml:4: cluster orders, backups.retention: This must be a whole number"}},
		{"no number of days", orders + "    backups: {retention: 99}\n", []string{"clusters.yaml:4: cluster orders, backups.retention: The retention must be"}},
		{"a huge number", orders + "    backups: {retention: 99999999999999999999}\n", []string{"clusters.yaml:4: cluster orders, backups.retention: This must be a whole number"}},
		{"a window alone", orders + "    backups: {window: \"03:00-04:00\"}\n", []string{"clusters.yaml:4: cluster orders, backups: Say how many days"}},
		{"a wrong window", orders + "    backups:\n      retention: 1\n      window: 03:00-03:10\n", []string{"clusters.yaml:6: cluster orders, backups.window: The window must be at least 60"}},
		{"drills that are not said how often", orders + "    drills: {window: \"05:00-06:00\"}\n", []string{"clusters.yaml:4: cluster orders, drills: Say how often drills are held"}},
		{"drills too often", orders + "    drills:\n      every: daily\n      window: 05:00-06:00\n", []string{"clusters.yaml:5: cluster orders, drills.every: Drills can be held never, weekly or monthly"}},
		{"drills without a window", orders + "    drills: {every: weekly}\n", []string{"clusters.yaml:4: cluster orders, drills.window: Say in which window"}},
		{"drills in a wrong window", orders + "    drills:\n      every: weekly\n      window: 05:00\n", []string{"clusters.yaml:6: cluster orders, drills.window: The window must look like"}},
		{"drills on no day", orders + "    drills:\n      every: monthly\n      window: 05:00-06:00\n      day: 31\n", []string{"clusters.yaml:7: cluster orders, drills.day: A drill that is held each month"}},
		{"a list of days", orders + "    drills: {every: weekly, window: 05:00-06:00, day: [monday]}\n", []string{"clusters.yaml:4: cluster orders, drills.day: This must be text"}},
		{"a text for a truth", orders + "    tls: {unverified: maybe}\n", []string{"clusters.yaml:4: cluster orders, tls.unverified: This must be true or false"}},
		{"TLS that is no mapping", orders + "    tls: true\n", []string{"clusters.yaml:4: cluster orders, tls: This must be keys"}},
		{"a literal password", orders + "    password: " + typed + "\n", []string{"clusters.yaml:4: cluster orders, password: This must not be in the file itself. Say where it comes from: password: {env: NAME}"}},
		{"a literal password in braces", orders + "    password: {" + typed + "}\n", []string{"This must not be in the file itself"}},
		{"two sources", orders + "    password: {env: ORDERS_PASSWORD, file: password}\n", []string{"This must not be in the file itself"}},
		{"a literal key", orders + "    tls: {private_key: " + typed + "}\n", []string{"cluster orders, tls.private_key: This must not be in the file itself. Say where it comes from: private_key: "}},
		{"no such variable", orders + "    password: {env: NONE}\n", []string{"clusters.yaml:4: cluster orders, password: The environment variable NONE is not set, or empty"}},
		{"a variable that is a number", orders + "    password: {env: 7}\n", []string{"cluster orders, password.env: This must be text"}},
		{"no such file", orders + "    password: {file: none}\n", []string{"/none cannot be read: no such file or directory"}},
		{"a folder", orders + "    password: {file: .}\n", []string{"cannot be read: is a directory"}},
		{"an empty file", orders + "    password: {file: empty}\n", []string{"/empty is empty"}},
		{"a CA that is none", orders + "    tls: {ca: {file: no.pem}}\n", []string{"clusters.yaml:4: cluster orders, tls.ca: This is not a certificate"}},
		{"a certificate without a key", orders + "    tls: {certificate: {file: no.pem}}\n", []string{"cluster orders, tls.certificate: A client's certificate needs its private key"}},
		{"a user of Sentinels without a password", orders + "    sentinel: {username: watcher}\n", []string{"cluster orders, sentinel.password: A user of the Sentinels needs a password"}},
		{"a user of Sentinels whose password cannot be read", orders + "    sentinel: {username: watcher, password: {env: NONE}}\n", []string{"The environment variable NONE"}},
		{"two clusters", "clusters:\n  orders:\n    addresses: [10.0.0.5]\n    psync: a b\n  carts: {addresses: []}\n", []string{
			"clusters.yaml:4: cluster orders, psync: This may have at most 255 characters", "clusters.yaml:5: cluster carts, addresses: Enter the address"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, c.text)
			mistakes, is := errors.AsType[declared.Mistakes](err)
			if !is {
				t.Fatalf("got %v", err)
			}
			if len(mistakes) != len(c.want) {
				t.Fatalf("%d mistakes, not %d:\n%v", len(mistakes), len(c.want), err)
			}
			for i, want := range c.want {
				if !strings.Contains(mistakes[i], want) {
					t.Errorf("%q\nlacks %q", mistakes[i], want)
				}
			}
			if strings.Contains(err.Error(), typed) {
				t.Errorf("a secret in %q", err)
			}
		})
	}
}

func TestAFileThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	_, err := declared.Source{Path: "/nowhere/clusters.yaml"}.Load()
	if err == nil || err.Error() != "/nowhere/clusters.yaml: the clusters file cannot be read: no such file or directory" {
		t.Errorf("got %v", err)
	}
}

func TestTheExampleOfTheDocumentationIsGood(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/attach.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(page), "```yaml\n")
	example, _, closed := strings.Cut(example, "```\n")
	if !found || !closed {
		t.Fatal("there is no example")
	}
	certificates, folder := testkit.NewCertificates(t), t.TempDir()
	files := map[string]string{"clusters.yaml": example, "secrets/orders": typed, "secrets/sentinels": typed}
	for name, path := range map[string]string{"tls/ca.pem": certificates.CA, "tls/console.pem": certificates.Certificate, "tls/console.key": certificates.Key} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	file, err := declared.Source{Path: filepath.Join(folder, "clusters.yaml"), Getenv: func(name string) string { return name }}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(file.Clusters) != 3 || file.Clusters[0].Password != "SESSIONS_PASSWORD" || file.Clusters[1].Retention != 35 || file.Clusters[2].PSYNC != "COPY-ALL" {
		t.Errorf("read %+v", file.Clusters)
	}
}
