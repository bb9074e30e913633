package jobs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/testkit"
	"rekindle/jobs/declared"
	"rekindle/models"
)

// clustersFile is a file that declares clusters, and the environment of a console that reads it.
type clustersFile struct {
	t      *testing.T
	source declared.Source
	log    *lines
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// declare starts a console anew with a clusters file.
func (c *console) declare(text string) *clustersFile {
	c.t.Helper()
	f := &clustersFile{c.t, declared.Source{Path: filepath.Join(c.t.TempDir(), "clusters.yaml"), Getenv: func(string) string { return "" }}, &lines{}}
	f.write("clusters.yaml", text)
	file, err := f.source.Load()
	if err != nil {
		c.t.Fatal(err)
	}
	c.stop()
	c.begin, c.log = &file, f.log
	c.start()
	return f
}

func (f *clustersFile) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(f.source.Path), name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// redeclare has another text read.
func (c *console) redeclare(f *clustersFile, text string) {
	c.t.Helper()
	f.write("clusters.yaml", text)
	if _, err := c.manager.Redeclare(c.t.Context(), f.source); err != nil {
		c.t.Fatal(err)
	}
}

// awaitOutstanding waits until these clusters are outstanding, in the order of their names, and returns them.
func (c *console) awaitOutstanding(names ...string) []models.Outstanding {
	c.t.Helper()
	var state models.Declared
	c.waitFor("outstanding are "+strings.Join(names, ", "), func() bool {
		state = c.manager.Declared()
		var are []string
		for _, o := range state.Outstanding {
			are = append(are, o.Name)
		}
		return strings.Join(are, ", ") == strings.Join(names, ", ")
	}, func() string { return fmt.Sprintf("%+v\n%s", state, c.events()) })
	return state.Outstanding
}

const theOrders, theSessions = `
  orders:
    addresses: [%s]
    password: {file: password}
    backups: {retention: %d, window: "%s"}
`, `
  sessions: {addresses: [%s]}
`

func TestClustersAreAttachedFromAFileAndChangedByIt(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders, sessions := testkit.Redis(t, "--requirepass", "first-s3cret"), testkit.Redis(t)
	secrets := []string{"first-s3cret", "second-s3cret"}
	f := c.declare("clusters: {}")
	f.write("password", secrets[0]+"\n")
	both := "clusters:" + fmt.Sprintf(theOrders, orders.Addr, 7, "03:00-04:00") + fmt.Sprintf(theSessions, sessions.Addr)
	c.redeclare(f, both)
	is := c.awaitAttached("orders", "orders is attached", func(models.Cluster) bool { return true })
	if is.Declared != f.source.Path || is.RetentionLimit != 7 || is.SnapshotWindow.String() != "03:00-04:00" || is.Password.Reveal() != secrets[0] {
		t.Errorf("attached: %+v", is)
	}
	c.awaitAttached("sessions", "sessions is attached", func(c models.Cluster) bool { return c.Declared != "" })
	if s := c.snapshot("orders", "first"); !s.Usable() {
		t.Errorf("the snapshot is %s", s.Status)
	}
	err := c.manager.ChangeAccess(t.Context(), "sessions", models.Access{Addresses: models.Lines{sessions.Addr}, PSYNC: "COPY"}, "", "admin")
	if !models.HasCode(err, models.CodeClusterState) || !strings.Contains(err.Error(), "comes from the clusters file") {
		t.Errorf("somebody changes how it is reached: %v", err)
	}

	// One of the two changes.
	client := orders.Client()
	if err := client.Do(t.Context(), "ACL", "SETUSER", "default", ">"+secrets[1]).Err(); err != nil { // both are good until the file has the new one
		t.Fatal(err)
	}
	f.write("password", secrets[1]+"\n")
	before := c.awaitAttached("sessions", "sessions is there", func(models.Cluster) bool { return true })
	c.redeclare(f, "clusters:"+fmt.Sprintf(theOrders, orders.Addr, 3, "05:00-06:30")+fmt.Sprintf(theSessions, sessions.Addr))
	c.awaitAttached("orders", "orders is changed", func(c models.Cluster) bool {
		return c.RetentionLimit == 3 && c.SnapshotWindow.String() == "05:00-06:30" && c.Password.Reveal() == secrets[1] && c.Status == models.ClusterAvailable
	})
	if err := client.Do(t.Context(), "ACL", "SETUSER", "default", "<"+secrets[0]).Err(); err != nil {
		t.Fatal(err)
	}
	c.awaitOutstanding()
	after := c.awaitAttached("sessions", "sessions is there", func(models.Cluster) bool { return true })
	if !after.UpdatedAt.Equal(before.UpdatedAt) {
		t.Error("sessions was changed too")
	}
	if s := c.snapshot("orders", "second"); !s.Usable() {
		t.Errorf("the snapshot is %s", s.Status)
	}

	// A file with a mistake changes nothing, and is seen.
	c.redeclare(f, "clusters:\n  orders: {addresses: [x], retentoin: 1}\n")
	if refused := c.manager.Declared().Refused; !strings.Contains(refused, `clusters.yaml:2: cluster orders: There is no key "retentoin"`) {
		t.Errorf("refused: %q", refused)
	}
	if !strings.Contains(c.events(), "The clusters file was not applied, and everything stays as it was.") {
		t.Errorf("no event of it: %s", c.events())
	}

	// One of the two goes from the file, and stays attached with its snapshots.
	c.redeclare(f, "clusters:"+fmt.Sprintf(theSessions, sessions.Addr))
	c.awaitAttached("orders", "orders is released", func(c models.Cluster) bool { return c.Declared == "" && c.RetentionLimit == 3 })
	if refused := c.manager.Declared().Refused; refused != "" {
		t.Errorf("still refused: %q", refused)
	}
	if s, err := c.db.Snapshots.Get(t.Context(), "first"); err != nil || !s.Usable() {
		t.Errorf("a snapshot of it is %s: %v", s.Status, err)
	}
	if !strings.Contains(c.events(), "The cluster orders is no longer in the clusters file "+f.source.Path) {
		t.Errorf("no event of it: %s", c.events())
	}
	for _, secret := range secrets {
		if strings.Contains(c.events()+f.log.String()+fmt.Sprintf("%+v", c.manager.Declared()), secret) {
			t.Errorf("%s is told", secret)
		}
	}
}

func TestADeclaredClusterIsAttachedWhenItCanBeReached(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	away, there := testkit.Redis(t), testkit.Redis(t)
	away.Kill()
	f := c.declare("clusters:\n  away: {addresses: [" + away.Addr + "]}\n  there: {addresses: [" + there.Addr + "]}\n")
	c.awaitAttached("there", "the other one is attached", func(models.Cluster) bool { return true })
	o := c.awaitOutstanding("away")[0]
	if o.Attached || !o.Since.Equal(noon) || o.Reason != "Nothing listens at "+away.Addr+". Check the address and the port." {
		t.Errorf("outstanding: %+v", o)
	}
	c.waitFor("it is tried again", func() bool {
		clock.Advance(time.Minute)
		state := c.manager.Declared().Outstanding
		return len(state) == 1 && state[0].Tried.After(noon) && state[0].Since.Equal(noon)
	}, c.events)
	if n := strings.Count(c.events(), "is not attached yet. Nothing listens"); n != 1 {
		t.Errorf("%d events of it:\n%s", n, c.events())
	}
	away.Restart()
	c.waitFor("it is attached", func() bool {
		clock.Advance(time.Minute)
		cluster, err := c.db.Clusters.Get(t.Context(), "away")
		return err == nil && cluster.Declared == f.source.Path
	}, c.events)
	c.waitFor("nothing is outstanding", func() bool {
		clock.Advance(time.Minute)
		return len(c.manager.Declared().Outstanding) == 0
	}, c.events)
}

func TestAFileAdoptsWhatIsAttachedAndRefusesWhatWasLaunched(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	server, other := testkit.Redis(t), testkit.Redis(t)
	c.create(c.spec("launched", 0))
	c.attach(attachSpec("orders", server.Addr))
	text := "clusters:\n  launched: {addresses: [" + other.Addr + "]}\n  orders: {addresses: [" + server.Addr + "], description: shop, backups: {retention: 2}}\n" +
		"  twice: {addresses: [" + server.Addr + "]}\n"
	f := c.declare(text)
	cluster := c.awaitAttached("orders", "orders is adopted", func(c models.Cluster) bool { return c.Declared != "" && c.RetentionLimit == 2 })
	if cluster.Description != "shop" || cluster.WindowChosen {
		t.Errorf("adopted: %+v", cluster)
	}
	outstanding := c.awaitOutstanding("launched", "twice")
	if r := outstanding[0].Reason; r != "There is a cluster launched that was launched here. Give the one in the file another id." {
		t.Errorf("launched: %q", r)
	}
	if r := outstanding[1].Reason; !strings.Contains(r, "already belongs to the cluster orders") {
		t.Errorf("twice: %q", r)
	}
	if launched, err := c.db.Clusters.Get(t.Context(), "launched"); err != nil || launched.Attached() || launched.Declared != "" {
		t.Errorf("launched is %+v, %v", launched, err)
	}
	for _, want := range []string{"The cluster orders is declared in the clusters file " + f.source.Path, "The cluster launched of the clusters file"} {
		if !strings.Contains(c.events(), want) {
			t.Errorf("no event says %q:\n%s", want, c.events())
		}
	}
	c.redeclare(f, "clusters:\n  orders: {addresses: ["+server.Addr+"], description: shop, backups: {retention: 2}}\n")
	c.awaitOutstanding()
}

func TestALostCatalogGetsItsDeclaredClustersBackWithTheirSecrets(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	server := testkit.Redis(t, "--requirepass", "s3cret-of-orders")
	f := c.declare("clusters: {}")
	f.write("password", "s3cret-of-orders\n")
	c.redeclare(f, "clusters:"+fmt.Sprintf(theOrders, server.Addr, 7, "03:00-04:00"))
	c.awaitAttached("orders", "it is attached", func(models.Cluster) bool { return true })
	c.snapshot("orders", "first")
	file, err := f.source.Load()
	if err != nil {
		t.Fatal(err)
	}
	c.begin = &file
	c.restart("its record is in the store", func(a *archive.Archive) bool { return c.kept(a, "orders", anyRecord) })
	c.stop()
	c.loseCatalog()
	c.begin = nil
	c.start()
	c.rebuild()
	if cluster, err := c.db.Clusters.Get(t.Context(), "orders"); err != nil || cluster.Declared != "" || cluster.Password != "" {
		t.Fatalf("rebuilt: %+v, %v", cluster, err)
	}
	c.stop()
	c.begin = &file
	c.start()
	c.awaitAttached("orders", "it is the file's again", func(c models.Cluster) bool {
		return c.Declared != "" && c.Password != "" && c.Status == models.ClusterAvailable && c.RetentionLimit == 7
	})
	if s, err := c.db.Snapshots.Get(t.Context(), "first"); err != nil || !s.Usable() {
		t.Errorf("its snapshot is %s: %v", s.Status, err)
	}
}
