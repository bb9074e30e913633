package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// comparing looks for a key in a snapshot, and compares it with what a cluster has now.
func (c *console) comparing(snapshot, name, cluster string) models.KeyComparison {
	c.t.Helper()
	_, _, rows, keys := c.search(models.FindSpec{Snapshot: snapshot, Sought: name})
	if len(keys) != 1 {
		c.t.Fatalf("%s was found %d times", name, len(keys))
	}
	keys[0].Name = []byte(name)
	return c.comparingKey(keys[0], rows[0], cluster)
}

func (c *console) comparingKey(key models.FoundKey, in models.FindSnapshot, cluster string) models.KeyComparison {
	c.t.Helper()
	now, err := c.db.Clusters.Get(c.t.Context(), cluster)
	must(c.t, err)
	got, err := c.manager.CompareKey(c.t.Context(), key, in, now)
	must(c.t, err)
	return got
}

// changesOf are what has changed, as "then > now", each cut.
func changesOf(c models.KeyComparison) (changes []string) {
	text := func(e *models.ValueEntry) string {
		if e == nil {
			return "-"
		}
		return strings.TrimSuffix(fmt.Sprintf("%.20s=%.20s", e.Label, e.Value), "=")
	}
	for _, one := range c.Changes {
		if one.Change != models.Unchanged {
			changes = append(changes, text(one.Then)+" > "+text(one.Now))
		}
	}
	return changes
}

func TestAKeyIsComparedWithWhatTheClusterHasNow(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	app, ctx := c.primary(cluster), t.Context()
	before := func(p redis.Pipeliner) {
		p.Set(ctx, "same", "apples", 0)
		p.Set(ctx, "text", "apples", time.Hour)
		p.Set(ctx, "long", strings.Repeat("x", 9000), 0)
		p.Set(ctx, "tail", strings.Repeat("x", 9000), 0)
		p.Set(ctx, "binary", "\x00\xff", 0)
		p.Set(ctx, "gone", "1", 0)
		p.Set(ctx, "type", "1", 0)
		p.HSet(ctx, "hash", "a", "1", "b", "2", "c", strings.Repeat("v", 2000))
		p.SAdd(ctx, "set", "one", "two", "\xffthree")
		p.ZAdd(ctx, "zset", redis.Z{Score: 1, Member: "one"}, redis.Z{Score: 2, Member: "two"})
		p.RPush(ctx, "list", "a", "b", "c")
		p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "1-1", Values: []string{"t", "21"}})
		for i := range 300 {
			p.HSet(ctx, "many", fmt.Sprint("field ", i), "v")
			p.HSet(ctx, "moved", fmt.Sprint("field ", i), "v")
			p.SAdd(ctx, "crowd", fmt.Sprint("member ", i))
		}
	}
	after := func(p redis.Pipeliner) {
		p.Set(ctx, "text", "pears", 0)
		p.SetRange(ctx, "tail", 8000, "y")
		p.Del(ctx, "gone", "type")
		p.RPush(ctx, "type", "1")
		p.HSet(ctx, "hash", "a", "9", "d", "4", "c", strings.Repeat("v", 1999)+"w")
		p.HDel(ctx, "hash", "b")
		p.SRem(ctx, "set", "two")
		p.SAdd(ctx, "set", "four")
		p.ZIncrBy(ctx, "zset", 5, "one")
		p.LSet(ctx, "list", 1, "B")
		p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "2-1", Values: []string{"t", "22"}})
		p.SMove(ctx, "crowd", "elsewhere", "member 7")
		p.SAdd(ctx, "crowd", "member x")
		for i := range 300 { // in another order
			p.HDel(ctx, "moved", fmt.Sprint("field ", i))
		}
		for i := range 300 {
			p.HSet(ctx, "moved", fmt.Sprint("field ", 299-i), "v")
		}
	}
	pipeline := func(f func(redis.Pipeliner)) {
		_, err := app.Pipelined(ctx, func(p redis.Pipeliner) error { f(p); return nil })
		must(t, err)
	}
	pipeline(before)
	c.snapshot("orders", "one")
	pipeline(after)
	for key, want := range map[string]struct {
		verdict models.KeyVerdict
		changes string
	}{
		"same":   {models.KeySame, ""},
		"text":   {models.KeyChanged, "=apples > =pears"},
		"long":   {models.KeySame, ""},
		"tail":   {models.KeyBeyond, ""},
		"binary": {models.KeySame, ""},
		"gone":   {models.KeyGone, ""},
		"type":   {models.KeyChanged, ""},
		"hash":   {models.KeyChanged, "a=1 > a=9, b=2 > -, c=vvvvvvvvvvvvvvvvvvvv > c=vvvvvvvvvvvvvvvvvvvv, - > d=4"},
		"set":    {models.KeyChanged, "- > 1=four, 1=two > -"},
		"zset":   {models.KeyChanged, "1=one > 6=one"},
		"list":   {models.KeyChanged, "1=b > 1=B"},
		"stream": {models.KeyChanged, "- > 2-1=t: 22"},
		"many":   {models.KeySame, ""},
		"moved":  {models.KeySame, ""},
	} {
		got := c.comparing("one", key, "orders")
		changes := strings.Join(changesOf(got), ", ")
		if key == "set" { // whose order is that of the node
			changes = strings.NewReplacer("2=", "1=", "3=", "1=").Replace(changes)
		}
		if got.Verdict != want.verdict || changes != want.changes || got.NotRead != "" || got.Then.Unknown+got.Now.Unknown != "" || !got.Primary {
			t.Errorf("%s: %s (%s), %+v", key, got.Verdict, changes, got)
		}
	}
	if got := c.comparing("one", "crowd", "orders"); got.Verdict != models.KeyChanged && got.Verdict != models.KeyBeyond || len(changesOf(got)) > 2 {
		t.Errorf("two members of many: %s %v", got.Verdict, changesOf(got))
	}
	if got := c.comparing("one", "text", "orders"); got.Then.ExpiresAt == nil || got.Now.ExpiresAt != nil || got.Now.From != "orders-001" || got.Now.At.Before(got.Then.At) {
		t.Errorf("%+v, %+v", got.Then, got.Now)
	}
	c.noDrills()
}

// calls is how often a node was asked to carry out a command.
func calls(t *testing.T, client *redis.Client, command string) string {
	t.Helper()
	stats, err := client.Info(t.Context(), "commandstats").Result()
	must(t, err)
	_, rest, found := strings.Cut(stats, "cmdstat_"+command+":calls=")
	if !found {
		return "0"
	}
	n, _, _ := strings.Cut(rest, ",")
	return n
}

func TestAClusterOfShardsIsAskedAtTheReplicaOfTheSlot(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.inClusterMode("orders", 3, 1))[0]
	app, ctx := c.clusterClient(cluster), t.Context()
	for i := range 12 {
		must(t, app.HSet(ctx, fmt.Sprint("cart:", i), "state", "open").Err())
	}
	c.snapshot("orders", "one")
	for i := range 12 {
		must(t, app.HSet(ctx, fmt.Sprint("cart:", i), "state", "lost").Err())
	}
	asked := map[string]bool{}
	for i := range 12 {
		name := fmt.Sprint("cart:", i)
		c.waitFor("the replicas to have the change", func() bool {
			got := c.comparing("one", name, "orders")
			if got.NotRead != "" || got.Primary || !got.Now.There {
				t.Fatalf("%s: %+v", name, got)
			}
			asked[got.Now.From] = true
			return got.Verdict == models.KeyChanged && strings.Join(changesOf(got), "") == "state=open > state=lost"
		}, c.events)
	}
	if len(asked) != 3 {
		t.Errorf("asked were %v", asked)
	}
	for _, primary := range cluster.Primaries() {
		if n := calls(t, c.client(cluster, primary), "hscan"); n != "0" {
			t.Errorf("the primary %s was asked %s times", primary.Name, n)
		}
	}
}

func TestACompareSaysWhichRightsItNeeds(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	server := testkit.Redis(t)
	admin, ctx := server.Client(), t.Context()
	must(t, admin.FlushAll(ctx).Err())
	must(t, admin.HSet(ctx, "hash", "a", "1").Err())
	other := admin.Conn()
	defer other.Close()
	must(t, other.Select(ctx, 3).Err())
	must(t, other.Set(ctx, "far", "1", 0).Err())
	rights := []any{"ACL", "SETUSER", "backup", "on", ">secret", "+psync", "+replconf", "+info", "+ping", "+client|setname", "+config|get"}
	must(t, admin.Do(ctx, rights...).Err())
	attach := attachSpec("orders", server.Addr)
	attach.Access.Username, attach.Password = "backup", secret.Text("secret")
	c.attach(attach)
	c.snapshot("orders", "good")

	says := func(key, text string) models.KeyComparison {
		t.Helper()
		got := c.comparing("good", key, "orders")
		if got.Verdict != models.KeyUnknown || !strings.Contains(got.NotRead, text) || len(got.Then.Entries) != 1 {
			t.Errorf("%s is not said: %+v", text, got)
		}
		return got
	}
	says("hash", "it needs +@read, on all keys (~*). TYPE was refused.")
	must(t, admin.Do(ctx, "ACL", "SETUSER", "backup", "+@read").Err())
	says("hash", "it needs +@read, on all keys (~*)")
	must(t, admin.Do(ctx, "ACL", "SETUSER", "backup", "~*", "-hscan").Err())
	says("hash", "HSCAN was refused.")
	must(t, admin.Do(ctx, "ACL", "SETUSER", "backup", "+hscan").Err())
	if got := c.comparing("good", "hash", "orders"); got.Verdict != models.KeySame {
		t.Errorf("with the rights: %+v", got)
	}
	says("far", "it needs +select")
	must(t, admin.Do(ctx, "ACL", "SETUSER", "backup", "+select").Err())
	if got := c.comparing("good", "far", "orders"); got.Verdict != models.KeySame {
		t.Errorf("in another database: %+v", got)
	}
	server.Kill()
	says("hash", "No node of orders that could have the key answers.")
}

func TestAValueThatIsABurdenIsNotReadFromACluster(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	server := testkit.Redis(t)
	app, ctx := server.Client(), t.Context()
	must(t, app.FlushAll(ctx).Err())
	must(t, app.RPush(ctx, "list", "a").Err())
	c.attach(attachSpec("orders", server.Addr))
	c.snapshot("orders", "good")
	for range 12 {
		must(t, app.RPush(ctx, "list", strings.Repeat("x", 2<<20)).Err())
	}
	got := c.comparing("good", "list", "orders")
	if got.Verdict != models.KeyUnknown || !strings.Contains(got.Now.Unknown, "too large to be read") || !got.Now.There || len(got.Then.Entries) != 1 {
		t.Errorf("%+v", got)
	}
	if n := calls(t, app, "lrange"); n != "0" {
		t.Errorf("it was read %s times", n)
	}
	must(t, app.Del(ctx, "list").Err())
	must(t, app.RPush(ctx, "list", "a").Err())
	_, _, rows, keys := c.search(models.FindSpec{Snapshot: "good", Sought: "list"})
	keys[0].Name, keys[0].Type = []byte("list"), "module"
	if got := c.comparingKey(keys[0], rows[0], "orders"); got.Verdict != models.KeyChanged && got.Verdict != models.KeyUnknown || got.Then.Unknown == "" {
		t.Errorf("a module's: %+v", got)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	cluster, err := c.db.Clusters.Get(ctx, "orders")
	must(t, err)
	if _, err := c.manager.CompareKey(cancelled, keys[0], rows[0], cluster); err == nil {
		t.Error("it goes on when nobody waits")
	}
	c.noDrills()
}

func TestStreamsAreShownWithTheirGroups(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	app, ctx := c.primary(c.create(c.spec("orders", 0))[0]), t.Context()
	for i := range 30 {
		must(t, app.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: fmt.Sprintf("%d-1", i+1), Values: []string{"t", "21"}}).Err())
	}
	must(t, app.XGroupCreate(ctx, "stream", "mail\xff", "0").Err())
	must(t, app.XGroupCreate(ctx, "stream", "audit", "0").Err())
	must(t, app.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "mail\xff", Consumer: "worker", Streams: []string{"stream", ">"}, Count: 25}).Err())
	c.snapshot("orders", "one")
	value := c.valueOf("one", "stream")
	if len(value.Groups) != 2 || len(value.Entries) != 30 || value.LastID != "30-1" {
		t.Fatalf("%+v", value)
	}
	mail := value.Groups[1]
	if mail.Name != "mail\xff" || mail.LastID != "25-1" || mail.Pending != 25 || mail.Consumers != 1 || len(mail.First) != 1 || mail.First[0].Name != "worker" || mail.First[0].Pending != 25 ||
		len(mail.Waiting) != 20 || mail.Waiting[0].ID != "1-1" || mail.Waiting[0].Consumer != "worker" || mail.Waiting[0].Times != 1 || time.Since(mail.Waiting[0].Delivered) > time.Hour {
		t.Errorf("%+v", mail)
	}
	if got := c.comparing("one", "stream", "orders"); got.Verdict != models.KeySame && got.Verdict != models.KeySameShown || len(got.Groups) != 2 {
		t.Errorf("%+v", got)
	}
	must(t, app.XAck(ctx, "stream", "mail\xff", "3-1").Err())
	must(t, app.XGroupDestroy(ctx, "stream", "audit").Err())
	must(t, app.XGroupCreate(ctx, "stream", "billing", "$").Err())
	got := c.comparing("one", "stream", "orders")
	changes := map[string]models.Change{}
	for _, g := range got.Groups {
		changes[g.Name] = g.Change
	}
	if got.Verdict != models.KeyChanged || changes["mail\xff"] != models.Changed || changes["audit"] != models.Removed || changes["billing"] != models.Added {
		t.Errorf("%s: %v", got.Verdict, changes)
	}
}
