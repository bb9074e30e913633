package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/resp"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// single makes a cluster of one node, and returns a client of it.
func (a *apiConsole) single(name string) *redis.Client {
	a.t.Helper()
	must(a.sdk.CreateReplicationGroup(a.t.Context(), &elasticache.CreateReplicationGroupInput{ReplicationGroupId: &name, ReplicationGroupDescription: aws.String("d"),
		CacheNodeType: aws.String("cache.t4g.small"), NumCacheClusters: aws.Int32(1)}))(a.t)
	return a.redis(primaryOf(a.group(name)), "")
}

func TestAScriptFindsKeysAndBringsThemBack(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	app, ctx := a.single("orders"), t.Context()
	fine(t, app.HSet(ctx, "session:42", "user", "ada").Err())
	fine(t, app.Set(ctx, "session:43", "x", time.Hour).Err())
	fine(t, app.Set(ctx, "raw\xff\n", "bytes", 0).Err())
	a.succeeds("backup", "now", "orders", "--name", "one", "--wait")
	fine(t, app.Del(ctx, "session:42", "raw\xff\n").Err())
	a.succeeds("backup", "now", "orders", "--name", "two", "--wait")

	found := a.succeeds("find", "orders", "--key", "session:42")
	if lines := strings.Split(strings.TrimSpace(found), "\n"); len(lines) != 2 || !strings.HasSuffix(lines[0], "  two  not there") || !strings.Contains(lines[1], "  one  hash  ") || !strings.HasSuffix(lines[1], "no expiry") {
		t.Errorf("it prints\n%s", found)
	}
	if found = a.succeeds("find", "--snapshot", "one", "--pattern", "*"); !strings.Contains(found, `  one  "raw\xff\n"  string`) || !strings.Contains(found, "session:43  string  ") || !strings.Contains(found, "  expires ") {
		t.Errorf("it prints\n%s", found)
	}
	var document struct {
		Version   int        `json:"format_version"`
		Matches   int        `json:"matches"`
		Snapshots []searched `json:"snapshots"`
	}
	fine(t, json.Unmarshal([]byte(a.succeeds("find", "orders", "--key", `"raw\xff\n"`, "--json")), &document))
	if document.Version != listingVersion || document.Matches != 1 || len(document.Snapshots) != 2 || len(document.Snapshots[1].Keys) != 1 || document.Snapshots[1].Keys[0].Bytes != 6 {
		t.Errorf("%+v", document)
	}
	if code, out, stderr := a.command("find", "orders", "--key", "session:44"); code != exitFailed || !strings.Contains(stderr, "nothing was found in 2 snapshots.") || strings.Count(out, "not there") != 2 {
		t.Errorf("it ended with %d: %s%s", code, out, stderr)
	}

	if said := a.succeeds("bring-back", "one", "--into", "orders", "--key", "session:42", "--key", "session:43", "--key", "none", "--rehearse"); said != "rehearsed, nothing is written: 1 would be new; 1 would be skipped, because the cluster has them; 1 named that the snapshot does not have; of those that the cluster has, 1 are stored in the same bytes\n" {
		t.Errorf("it says %q", said)
	}
	if n := app.Exists(ctx, "session:42").Val(); n != 0 {
		t.Error("the rehearsal has written")
	}
	if said := a.succeeds("bring-back", "one", "--into", "orders", "--key", "session:42", "--snapshot-first", "before", "--wait"); !strings.HasSuffix(said, "brought back: 1 new\n") || app.HGet(ctx, "session:42", "user").Val() != "ada" {
		t.Errorf("it says %q", said)
	}
	a.snapshot("before")
	file := filepath.Join(t.TempDir(), "names")
	fine(t, os.WriteFile(file, []byte("\"raw\\xff\\n\"\n\nsession:43\n"), 0o600))
	var both struct{ Rehearsal, Run struct{ Keys brought } }
	fine(t, json.Unmarshal([]byte(a.succeeds("bring-back", "one", "--into", "orders", "--keys-from", file, "--prefix", "restored:", "--deadlines", "drop", "--database", "0", "--wait", "--json")), &both))
	if both.Rehearsal.Keys.Added != 2 || both.Run.Keys.Added != 2 || app.Get(ctx, "restored:raw\xff\n").Val() != "bytes" || app.TTL(ctx, "restored:session:43").Val() != -1 {
		t.Errorf("%+v", both)
	}
	fine(t, app.HSet(ctx, "session:42", "user", "eve").Err())
	if said := a.succeeds("bring-back", "one", "--into", "orders", "--pattern", "session:42", "--replace", "--wait"); !strings.HasSuffix(said, "brought back: 1 replaced\n") || app.HGet(ctx, "session:42", "user").Val() != "ada" {
		t.Errorf("it says %q", said)
	}
	if said := a.succeeds("bring-back", "one", "--into", "orders", "--key", "session:42"); strings.Contains(said, "begun") || !strings.Contains(said, "1 would be skipped") {
		t.Errorf("nothing is to be done, but it says %q", said)
	}
	if strings.Contains(a.output.tail(1<<20), "session:4") {
		t.Error("the console's log has names of keys")
	}
}

// A hash is gone, and a script asks when that happened.
func TestAScriptFindsTheChangesOfAKey(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	a.signIn()
	ctx, name := t.Context(), "orders"
	must(a.sdk.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: &name, ReplicationGroupDescription: aws.String("d"), CacheNodeType: aws.String("cache.t4g.small"),
		NumCacheClusters: aws.Int32(2), SnapshotRetentionLimit: aws.Int32(1)}))(t)
	app := a.redis(primaryOf(a.group(name)), "")
	if code, _, stderr := a.command("find", name, "--key", "cart:7", "--in", "journal"); code != exitFailed || !strings.Contains(stderr, "Nothing of a journal of orders is stored.") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	a.keepJournal(name)
	db := a.catalog()
	row := must(db.Clusters.Get(ctx, name))(t)
	testkit.WaitFor(t, "a recovery window", func() bool {
		fine(t, app.Incr(ctx, "written").Err())
		window, err := db.Journal.Window(ctx, row)
		return err == nil && len(window) > 0
	})
	fine(t, app.HSet(ctx, "cart:7", "apples", 3).Err())
	fine(t, app.ExpireAt(ctx, "cart:7", time.Unix(4102444800, 0)).Err())
	fine(t, app.Rename(ctx, "cart:7", "raw\xff\n").Err())
	fine(t, app.FlushAll(ctx).Err())
	written := resp.ParseInfo(app.Info(ctx, "replication").Val()).Int("master_repl_offset")
	testkit.WaitFor(t, "what was written to be stored", func() bool {
		links, err := db.Recording.Links(ctx, row)
		return err == nil && len(links) == 1 && links[0].Offset >= written
	})

	found := strings.Split(strings.TrimSpace(a.succeeds("find", name, "--key", "cart:7", "--in", "journal")), "\n")
	for i, want := range []string{"  FLUSHALL  Deleted with every key of every database, if it was there", `  RENAME  Renamed to "raw\xff\n"`, "Its expiry was set  expires 2100-01-01 00:00:00", "  HSET  Changed"} {
		if len(found) != 4 || !strings.HasSuffix(found[i], want) {
			t.Fatalf("line %d does not end with %q:\n%s", i, want, strings.Join(found, "\n"))
		}
	}
	var document struct {
		Matches   int          `json:"matches"`
		Snapshots []searched   `json:"snapshots"`
		Journal   foundChanges `json:"journal"`
	}
	fine(t, json.Unmarshal([]byte(a.succeeds("find", name, "--pattern", "cart:*", "--in", "both", "--json", "--since", "2026-01-01T00:00:00Z")), &document))
	if j := document.Journal; document.Matches != 0 || len(document.Snapshots) != 1 || j.Changes != 4 || len(j.Found) != 4 || j.Found[3].Name != "cart:7" || j.Found[3].Kind != string(models.ChangeChanged) || j.Found[3].Shard != 1 {
		t.Errorf("%+v", document)
	}
	if code, _, stderr := a.command("find", name, "--key", "cart:8", "--in", "both", "--until", "2026-01-01T00:00:00Z"); code != exitFailed || !strings.Contains(stderr, "nothing was found in 1 snapshot and the journal.") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
}

func TestRefusalsAboutKeysReachTheScript(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	empty := filepath.Join(t.TempDir(), "empty")
	fine(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for says, test := range map[string]struct {
		code int
		args []string
	}{
		"say of which cluster":                          {exitUsage, []string{"find", "--key", "a"}},
		"say either the name of a key or a pattern":     {exitUsage, []string{"find", "orders"}},
		"There is no snapshot of orders in which":       {exitFailed, []string{"find", "orders", "--key", "a"}},
		"--since must be a second such as":              {exitUsage, []string{"find", "orders", "--key", "a", "--in", "journal", "--since", "noon"}},
		"Where must be snapshots, journal or both":      {exitFailed, []string{"find", "orders", "--key", "a", "--in", "there"}},
		"Since and Until are about the journal":         {exitFailed, []string{"find", "orders", "--key", "a", "--until", "2026-01-01T00:00:00Z"}},
		"There is no cluster orders":                    {exitFailed, []string{"find", "orders", "--key", "a", "--in", "journal"}},
		"There is no snapshot gone":                     {exitFailed, []string{"find", "--snapshot", "gone", "--key", "a"}},
		"say which snapshot":                            {exitUsage, []string{"bring-back", "--into", "orders", "--key", "a"}},
		"say into which cluster":                        {exitUsage, []string{"bring-back", "one", "--key", "a"}},
		"say either names of keys or a pattern":         {exitUsage, []string{"bring-back", "one", "--into", "orders"}},
		"has no names":                                  {exitUsage, []string{"bring-back", "one", "--into", "orders", "--keys-from", empty}},
		"--keys-from: open":                             {exitFailed, []string{"bring-back", "one", "--into", "orders", "--keys-from", empty + "-not"}},
		"There is no snapshot one.":                     {exitFailed, []string{"bring-back", "one", "--into", "orders", "--key", "a"}},
		"Deadlines must be keep, shift or drop":         {exitFailed, []string{"bring-back", "one", "--into", "orders", "--key", "a", "--deadlines", "never"}},
		"The parameter Database must be a whole number": {exitFailed, []string{"bring-back", "one", "--into", "orders", "--key", "a", "--database", "x"}},
	} {
		if code, stdout, stderr := a.command(test.args...); code != test.code || stdout != "" || !strings.Contains(stderr, says) {
			t.Errorf("%v ended with %d: %s%s; want %q", test.args, code, stdout, stderr, says)
		}
	}
}

// manyKeys are enough that something is under way for a while.
const manyKeys = 150_000

// numbered fills a node with strings that say of which key they are.
func numbered(t *testing.T, app *redis.Client) {
	t.Helper()
	for from := 0; from < manyKeys; from += 15_000 {
		fine(t, app.Eval(t.Context(), "for i = ARGV[1], ARGV[1] + 14999 do redis.call('SET', string.format('key:%d', i), string.format('value of %d', i)) end return 1", nil, from).Err())
	}
}

// wrong counts the numbered keys that have another value than they should. Those that are not there do not count.
func wrong(t *testing.T, app *redis.Client) (n int64) {
	t.Helper()
	for from := 0; from < manyKeys; from += 15_000 {
		n += must(app.Eval(t.Context(), `local n = 0
			for i = ARGV[1], ARGV[1] + 14999 do
				local v = redis.call('GET', string.format('key:%d', i))
				if v and v ~= string.format('value of %d', i) then n = n + 1 end
			end
			return n`, nil, from).Int64())(t)
	}
	return n
}

// held begins to bring all keys back, and has the node stop taking them after the first thousands.
func (a *apiConsole) held(app *redis.Client) {
	a.t.Helper()
	ctx := a.t.Context()
	fine(a.t, app.FlushAll(ctx).Err())
	a.succeeds("bring-back", "all", "--into", "orders", "--pattern", "key:*")
	testkit.WaitFor(a.t, "the first keys", func() bool { return app.DBSize(ctx).Val() > 3000 })
	fine(a.t, app.Do(ctx, "CLIENT", "PAUSE", 600_000, "WRITE").Err())
}

// lastBringing is the run that brings keys back that was begun last.
func (a *apiConsole) lastBringing() models.Run {
	a.t.Helper()
	runs := must(a.catalog().Runs.List(a.t.Context(), models.List{Size: 20}))(a.t).Rows
	i := slices.IndexFunc(runs, func(r models.Run) bool { return r.Kind == models.RunBringBack })
	if i < 0 {
		a.t.Fatal("no keys are brought back")
	}
	return runs[i]
}

// A console that is killed while it brings keys back says afterwards at least how many it has seen to, has written nothing by halves, and does the rest when
// it is asked again.
func TestBringingKeysBackThatIsKilledIsSettledTruthfully(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	app, ctx := a.single("orders"), t.Context()
	numbered(t, app)
	a.succeeds("backup", "now", "orders", "--name", "all", "--wait")
	want := testkit.Fingerprint(t, app)
	a.held(app)
	testkit.WaitFor(t, "the console to write down how far it is", func() bool { return a.lastBringing().KeysDone > 0 })
	a.kill()
	fine(t, app.Do(ctx, "CLIENT", "UNPAUSE").Err())
	there := app.DBSize(ctx).Val()
	a.start()
	a.connect()
	testkit.WaitFor(t, "the run to be settled", func() bool { return a.lastBringing().Status.Ended() })
	run := a.lastBringing()
	said := regexp.MustCompile(`at least ([0-9,]+) keys had been seen to by then, of 150,000 keys\. Bring them back again to get the rest`).FindStringSubmatch(run.Error)
	if run.Status != models.RunFailed || said == nil {
		t.Fatalf("%s: %s", run.Status, run.Error)
	}
	if n := must(strconv.ParseInt(strings.ReplaceAll(said[1], ",", ""), 10, 64))(t); n == 0 || n > there || there >= manyKeys {
		t.Errorf("it says that at least %d keys are there, but there are %d", n, there)
	}
	if n := wrong(t, app); n != 0 {
		t.Errorf("%d keys have another value", n)
	}
	a.group("orders")
	if text := a.succeeds("bring-back", "all", "--into", "orders", "--pattern", "key:*", "--wait"); !strings.Contains(text, "skipped, because the cluster has them") {
		t.Errorf("it says %s", text)
	}
	if testkit.Fingerprint(t, app) != want {
		t.Error("not everything came back")
	}
}

// A command that is interrupted while it waits cancels what it waits for, and says how far that came.
func TestAnInterruptedCommandCancelsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	app, ctx := a.single("orders"), t.Context()
	numbered(t, app)
	a.succeeds("backup", "now", "orders", "--name", "all", "--wait")
	fine(t, app.FlushAll(ctx).Err())
	interrupted, interrupt := context.WithCancelCause(ctx)
	env := map[string]string{"REKINDLE_URL": a.url, accessKeyVariable: apiKeyID, secretKeyVariable: apiSecret}
	var out, fault bytes.Buffer
	ended := make(chan int)
	go func() {
		ended <- run(interrupted, []string{"bring-back", "all", "--into", "orders", "--pattern", "key:*", "--wait"}, func(name string) string { return env[name] }, &out, &fault)
	}()
	testkit.WaitFor(t, "the first keys", func() bool { return app.DBSize(ctx).Val() > 3000 })
	fine(t, app.Do(ctx, "CLIENT", "PAUSE", 600_000, "WRITE").Err())
	interrupt(errors.New("interrupted"))
	if code := <-ended; code != exitFailed || !strings.Contains(fault.String(), "It was cancelled. ") || !strings.Contains(fault.String(), "of 150,000 had been written by then") {
		t.Errorf("it ended with %d: %s%s", code, &out, &fault)
	}
	if run := a.lastBringing(); run.Status != models.RunCancelled {
		t.Errorf("the run is %s", run.Status)
	}
	fine(t, app.Do(ctx, "CLIENT", "UNPAUSE").Err())
	a.group("orders")
	fmt.Fprint(&out, a.succeeds("bring-back", "all", "--into", "orders", "--pattern", "key:*", "--wait"))
	if n := app.DBSize(ctx).Val(); n != manyKeys || wrong(t, app) != 0 {
		t.Errorf("%d keys came back", n)
	}
}
