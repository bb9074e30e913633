package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/contents"
	"rekindle/internal/store"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// fillTypes writes keys of every type into two databases, with and without an expiry.
func fillTypes(t *testing.T, client *redis.Client) {
	t.Helper()
	ctx := t.Context()
	for database, n := range map[int]int{0: 300, 3: 70} {
		options := *client.Options()
		options.DB = database
		db := redis.NewClient(&options)
		defer db.Close()
		_, err := db.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range n {
				p.Set(ctx, fmt.Sprintf("user:%d:name", i), strings.Repeat("somebody ", 1+i%9), []time.Duration{0, time.Hour, 90 * 24 * time.Hour}[i%3])
				p.Set(ctx, fmt.Sprintf("counter:page:%d", i), i*i*1000, 0)
			}
			for i := range n / 10 {
				p.RPush(ctx, fmt.Sprintf("queue/%d", i), "a", "b", strings.Repeat("c", 100*i))
				p.SAdd(ctx, fmt.Sprintf("numbers-%d", i), 1, 2, 3+i)
				p.SAdd(ctx, fmt.Sprintf("words-%d", i), "x", "y", fmt.Sprint("z", i))
				p.ZAdd(ctx, fmt.Sprintf("board:%d", i), redis.Z{Score: float64(i), Member: "m"})
				p.HSet(ctx, fmt.Sprintf("cart:%d", i), "item", i, "note", strings.Repeat("n", i))
				p.XAdd(ctx, &redis.XAddArgs{Stream: fmt.Sprintf("log:%d", i), Values: []string{"k", "v"}})
			}
			for i := range 600 {
				p.HSet(ctx, "big:hash", fmt.Sprint("field", i), strings.Repeat("v", 90))
				p.ZAdd(ctx, "big:zset", redis.Z{Score: float64(i), Member: fmt.Sprint("member", i)})
			}
			p.Expire(ctx, "cart:1", 10*time.Hour)
			p.Set(ctx, "\xff\x00\u202egnp.exe<b>", "hostile", 0)
			p.Set(ctx, "", "no name", 0)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := client.FunctionLoad(ctx, "#!lua name=totals\nredis.register_function('total', function() return 1 end)").Err(); err != nil {
		t.Fatal(err)
	}
}

// scanned counts the keys of a server one by one: all, those with an expiry, and those of some prefixes, by what they are.
func scanned(t *testing.T, client *redis.Client, databases ...int) (types, databaseKeys, prefixes map[string]int64, expires int64) {
	t.Helper()
	types, databaseKeys, prefixes = map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, database := range databases {
		options := *client.Options()
		options.DB = database
		db := redis.NewClient(&options)
		defer db.Close()
		for i := db.Scan(t.Context(), 0, "*", 1000).Iterator(); i.Next(t.Context()); {
			types[db.Type(t.Context(), i.Val()).Val()]++
			databaseKeys[fmt.Sprint(database)]++
			if db.TTL(t.Context(), i.Val()).Val() > 0 {
				expires++
			}
			for _, prefix := range []string{"user:", "counter:", "counter:page:", "queue/", "numbers-", "words-", "board:", "cart:", "log:", "big:"} {
				if strings.HasPrefix(i.Val(), prefix) {
					prefixes[prefix]++
				}
			}
		}
	}
	return types, databaseKeys, prefixes, expires
}

func TestContentsOfASnapshotAreWhatAScanOfTheServerCounts(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := c.primary(c.create(c.spec("orders", 0))[0])
	fillTypes(t, source)
	types, databases, prefixes, expires := scanned(t, source, 0, 3)
	got := c.manager.Contents(t.Context(), c.snapshot("orders", "s1"))
	if got.Unknown != "" {
		t.Fatal(got.Unknown)
	}
	gotTypes, gotDatabases, gotPrefixes := map[string]int64{}, map[string]int64{}, map[string]int64{}
	all := int64(0)
	for _, h := range got.Types {
		gotTypes[h.Type] = h.Keys
		all += h.Keys
	}
	for _, h := range got.Databases {
		gotDatabases[fmt.Sprint(h.Database)] = h.Keys
	}
	for _, p := range got.Prefixes {
		gotPrefixes[p.Name.Text] = p.Keys
		if p.Over != (models.Amount{}) {
			t.Errorf("%s is not exact: %+v", p.Name.Text, p)
		}
	}
	for what, pair := range map[string][2]map[string]int64{"types": {gotTypes, types}, "databases": {gotDatabases, databases}, "prefixes": {gotPrefixes, prefixes}} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s are %v, a scan has %v", what, pair[0], pair[1])
		}
	}
	left := int64(0)
	for _, e := range got.Expiries {
		left += e.Keys
	}
	if got.Expires != expires || left != expires || got.Keys.Keys != all || got.WithoutPrefix.Keys != 4 || got.Libraries != 1 || got.Functions[0] != (models.FunctionLibrary{Engine: "LUA", Name: "totals"}) {
		t.Errorf("%d expire (%d by time left) of %+v, a scan has %d; %+v have no prefix; functions %+v", got.Expires, left, got.Keys, expires, got.WithoutPrefix, got.Functions)
	}
	if len(got.Biggest) != 100 || got.Biggest[0].Name.Text != "big:hash" || got.Biggest[0].Bytes < 50_000 {
		t.Errorf("the biggest keys are %+v", got.Biggest)
	}
	if models.PrefixPrecision != contents.Precision {
		t.Errorf("pages say that the precision is %d, it is %d", models.PrefixPrecision, contents.Precision)
	}
	if len(got.Loaders) != 2 || got.Loaders[0].Engine != "redis" || got.Loaders[0].Loads == "" {
		t.Errorf("loaded by %+v", got.Loaders)
	}
}

func (c *console) contents(name string) models.Contents {
	c.t.Helper()
	return c.manager.Contents(c.t.Context(), mustSnapshot(c, name))
}

// contentsFile is where it is written down what is in a snapshot; "" when it is not.
func (c *console) contentsFile(name string) string {
	found, _ := filepath.Glob(filepath.Join(c.data, "snapshots", "*", name, "contents*.json"))
	return strings.Join(found, " ")
}

func TestVerificationWritesDownContentsThatAreMissingOrDamaged(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	fillTypes(t, c.primary(c.create(c.spec("orders", 0))[0]))
	c.snapshot("orders", "s1")
	want := c.contents("s1")
	file := c.contentsFile("s1")
	for name, spoil := range map[string]func() error{
		"lost":    func() error { return os.Remove(file) },
		"damaged": func() error { return os.WriteFile(file, []byte("{}"), 0o600) },
	} {
		must(t, spoil())
		if got := c.contents("s1"); got.Unknown == "" || !got.Later || len(got.Loaders) == 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if run, snapshot := c.verify("s1"); run.Status != models.RunSucceeded || snapshot.Status != models.SnapshotAvailable {
			t.Errorf("%s: the verification is %s, the snapshot %s (%s)", name, run.Status, snapshot.Status, snapshot.StatusReason)
		}
		if got := c.contents("s1"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: verified it has %+v\nbefore %+v", name, got, want)
		}
	}
}

func TestHiddenNamesAreNeitherShownNorWrittenDown(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	fillTypes(t, c.primary(c.create(c.spec("orders", 0))[0]))
	c.snapshot("orders", "before")
	nameless := func(name string) {
		t.Helper()
		got := c.contents(name)
		text := fmt.Sprintf("%+v", got)
		if got.Unknown != "" || got.Named || len(got.Prefixes) > 0 || len(got.Biggest) != 100 || strings.Contains(text, "big:") || strings.Contains(text, "user") {
			t.Errorf("%s shows %s", name, text)
		}
	}
	secret := func(name string) bool {
		text, err := os.ReadFile(c.contentsFile(name))
		must(t, err)
		return !strings.Contains(string(text), "big:") && !strings.Contains(string(text), "user")
	}
	must(t, c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	nameless("before")
	if secret("before") {
		t.Error("names went before the verification")
	}
	c.snapshot("orders", "hidden")
	c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "before", Name: "copy", RequestedBy: "test"})))
	c.verify("before")
	for _, name := range []string{"before", "hidden", "copy"} {
		if nameless(name); !secret(name) {
			t.Errorf("the names of %s are written down", name)
		}
	}
	must(t, c.db.Settings.SaveHidesKeyNames(t.Context(), false))
	nameless("hidden")
	if c.verify("hidden"); !c.contents("hidden").Named {
		t.Error("a verification does not bring names back that may be shown")
	}
}

func TestContentsGoWhereTheSnapshotGoes(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := c.primary(c.create(c.spec("orders", 0))[0])
	fillTypes(t, source)
	c.snapshot("orders", "s1")
	want := c.contents("s1")
	other := t.TempDir()
	c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "kept", RequestedBy: "test"})))
	c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "s1", Store: "dir:" + other, RequestedBy: "test"})))
	if found, _ := filepath.Glob(filepath.Join(other, "orders", "s1", "contents-*.json")); len(found) != 1 {
		t.Errorf("copied to the other store were %v", filesIn(t, other))
	}
	parts, _ := filepath.Glob(filepath.Join(other, "orders", "s1", "part-*"))
	c.awaitRun(c.must(c.db.Copies.Import(t.Context(), models.ImportSpec{Cluster: "elsewhere", Name: "imported", Sources: []string{"dir:" + parts[0]}, RequestedBy: "test"})))
	for _, name := range []string{"kept", "imported"} {
		if got := c.contents(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s has %+v\nwant %+v", name, got, want)
		}
	}
	must(t, source.Del(t.Context(), "big:hash").Err())
	must(t, source.Set(t.Context(), "fresh:1", "x", 0).Err())
	change := c.manager.CompareContents(t.Context(), mustSnapshot(c, "s1"), c.snapshot("orders", "s2"))
	states := map[string]string{}
	for _, p := range change.Prefixes {
		states[p.Name.Text] = fmt.Sprintf("%+d new=%t gone=%t certain=%t", p.After.Keys-p.Before.Keys, p.New, p.Gone, p.Certain)
	}
	if want := map[string]string{"big:": "-1 new=false gone=false certain=true", "fresh:": "+1 new=true gone=false certain=true"}; change.Unknown != "" || !reflect.DeepEqual(states, want) {
		t.Errorf("changed have %v, want %v; %s", states, want, change.Unknown)
	}
	must(t, c.db.Snapshots.Delete(t.Context(), []string{"kept"}, "test"))
	c.manager.Wake()
	testkit.WaitFor(t, "the copy to be deleted", func() bool {
		_, err := c.db.Snapshots.Get(t.Context(), "kept")
		return models.HasCode(err, models.CodeSnapshotNotFound)
	})
	if left := c.contentsFile("kept"); left != "" {
		t.Errorf("left of a deleted snapshot: %s", left)
	}
}

func TestContentsInAStoreThatIsAwayAreNotKnown(t *testing.T) {
	t.Parallel()
	c, slow := newSlowConsole(t)
	c.primary(c.create(c.spec("orders", 0))[0])
	c.snapshot("orders", "s1")
	slow.set(nil, errors.New("away"))
	if got := c.contents("s1"); !strings.Contains(got.Unknown, "does not answer") || got.Later {
		t.Errorf("got %+v", got)
	}
	if change := c.manager.CompareContents(t.Context(), mustSnapshot(c, "s1"), mustSnapshot(c, "s1")); !strings.HasPrefix(change.Unknown, "s1: ") {
		t.Errorf("compared it is %+v", change)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := c.manager.Contents(ended, mustSnapshot(c, "s1")); got.Unknown == "" {
		t.Errorf("got %+v", got)
	}
}

// forgetful is a store that does not take what says what is in a snapshot.
type forgetful struct{ store.Store }

func (s forgetful) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if strings.Contains(key, "/contents") {
		return store.Object{}, fmt.Errorf("put %s: %w", key, store.ErrFull)
	}
	return s.Store.Put(ctx, key, r)
}

func TestASnapshotIsAvailableAlsoWhenItsContentsCannotBeWritten(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	real := openDir(t, filepath.Join(data, "snapshots"))
	c := newConsoleWith(t, clockwork.NewRealClock(), data, forgetful{real})
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	if snapshot := c.snapshot("orders", "s1"); snapshot.Status != models.SnapshotAvailable || snapshot.Keys < 50 {
		t.Errorf("the snapshot is %s (%s)", snapshot.Status, snapshot.StatusReason)
	}
	if run := c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "copy", RequestedBy: "test"}))); run.Status != models.RunSucceeded {
		t.Errorf("the copy is %s: %s", run.Status, run.Error)
	}
	if run, snapshot := c.verify("s1"); run.Status != models.RunSucceeded || snapshot.Status != models.SnapshotAvailable {
		t.Errorf("the verification is %s, the snapshot %s", run.Status, snapshot.Status)
	}
	if got := c.contents("s1"); got.Unknown == "" || !got.Later {
		t.Errorf("its contents are %+v", got)
	}
}

func TestContentsAreThereAfterTheCatalogWasLost(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	fillTypes(t, c.primary(c.create(c.spec("orders", 0))[0]))
	c.snapshot("orders", "s1")
	want := c.contents("s1")
	c.stop()
	c.loseCatalog()
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded {
		t.Fatalf("the rebuild is %s: %s", run.Status, run.Error)
	}
	if got := c.contents("s1"); want.Unknown != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("after the rebuild it has %+v\nbefore %+v", got, want)
	}
}
