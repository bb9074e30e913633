package models

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// sharded is a cluster in cluster mode with these slots; without any it is outside of it.
func sharded(name string, slots ...string) Cluster {
	c := Cluster{Name: name, Kind: KindLaunched, Configuration: Configuration{Engine: "redis", EngineVersion: "7.0.15", NodeType: "cache.t4g.small", ClusterMode: len(slots) > 0, ShardCount: max(1, len(slots))}}
	if len(slots) == 0 {
		c.Nodes = []Node{{Shard: 1, Role: RolePrimary}}
	}
	for i, set := range slots {
		c.Nodes = append(c.Nodes, Node{Shard: i + 1, Role: RolePrimary, Slots: set})
	}
	return c
}

func TestAMomentIsMadeAClusterOfTheSameShape(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	one, two := sharded("orders"), sharded("orders", "0-8191", "8192-16383")
	from := func() *StraightFrom { return &StraightFrom{Cluster: "Orders", Moment: now.Add(-time.Hour)} }
	for what, test := range map[string]struct {
		spec   ClusterSpec
		source Cluster
		want   string
	}{
		"one shard":        {ClusterSpec{Straight: from()}, one, ""},
		"two shards":       {ClusterSpec{Straight: from(), ClusterMode: true, Shards: 2}, two, ""},
		"their slots":      {ClusterSpec{Straight: from(), ClusterMode: true, Shards: 2, Slots: []string{"0-8191", "8192-16383"}}, two, ""},
		"other slots":      {ClusterSpec{Straight: from(), ClusterMode: true, Shards: 2, Slots: []string{"0-99", "100-16383"}}, two, "The cluster orders has 2 shards in cluster mode, and one that is made straight"},
		"another number":   {ClusterSpec{Straight: from(), ClusterMode: true, Shards: 3}, two, "Recover orders to the moment as a snapshot instead, and restore that: it can be restored in any way."},
		"out of its mode":  {ClusterSpec{Straight: from()}, two, "2 shards in cluster mode"},
		"into its mode":    {ClusterSpec{Straight: from(), ClusterMode: true, Shards: 1}, one, "one shard outside of cluster mode"},
		"other deadlines":  {ClusterSpec{Straight: from(), Deadlines: DeadlinesDropped}, one, "keys expire when they would have expired"},
		"a snapshot too":   {ClusterSpec{Straight: from(), Snapshot: "one"}, one, "not of both"},
		"files too":        {ClusterSpec{Straight: from(), Sources: []string{"s3://b/x.rdb"}}, one, "not of both"},
		"no moment":        {ClusterSpec{Straight: &StraightFrom{Cluster: "orders"}}, one, "Say to which moment"},
		"the future":       {ClusterSpec{Straight: &StraightFrom{Cluster: "orders", Moment: now.Add(time.Second)}}, one, "still to come"},
		"two of its place": {ClusterSpec{Straight: &StraightFrom{Cluster: "orders", Moment: now, Places: []RecoverFrom{{1, "a", 2}, {1, "a", 3}}}}, one, "at no place, or at two"},
	} {
		faults := CheckStraight(&test.spec, test.source, now)
		if text := faults.Error(); (test.want == "") != (len(faults) == 0) || !strings.Contains(text, test.want) {
			t.Errorf("%s: %q, want %q", what, text, test.want)
		}
		if test.spec.Straight.Cluster != "orders" {
			t.Errorf("%s: of %q", what, test.spec.Straight.Cluster)
		}
		if test.want == "" && test.source.ClusterMode && !slices.Equal(test.spec.Slots, []string{"0-8191", "8192-16383"}) {
			t.Errorf("%s: the slots are %v", what, test.spec.Slots)
		}
	}
	base := func(slots ...string) Snapshot {
		s := Snapshot{Name: "base", Configuration: Configuration{ClusterMode: len(slots) > 0}}
		for i, set := range slots {
			s.Parts = append(s.Parts, Part{Number: i + 1, Slots: set})
		}
		if len(slots) == 0 {
			s.Parts = []Part{{Number: 1}}
		}
		return s
	}
	for want, test := range map[string]struct {
		cluster Cluster
		base    Snapshot
	}{
		"":  {one, base()},
		" ": {two, base("0-8191", "8192-16383")},
		"has 2 shards in cluster mode, and the snapshot base, behind which the journal was to be replayed, has 2 shards in cluster mode with other slots.": {two, base("0-99", "100-16383")},
		"has 3 shards in cluster mode.": {two, base("0-99", "100-199", "200-16383")},
		"has 1 shard in cluster mode.":  {one, base("0-16383")},
		"has one shard outside of cluster mode. Recover orders to the moment as a snapshot instead": {two, base()},
	} {
		if why := test.cluster.NotStraight(*from(), test.base); !strings.Contains(strings.ToLower(why), strings.ToLower(strings.TrimSpace(want))) || (strings.TrimSpace(want) == "") != (why == "") {
			t.Errorf("%q, want %q", why, want)
		}
	}
}

func TestAnEngineThatDoesNotLoadTheBaseIsNamed(t *testing.T) {
	t.Parallel()
	base := Snapshot{Name: "base", RDBVersion: 12, Configuration: Configuration{Engine: "redis", EngineVersion: "8.0.2"}}
	want := "The snapshot base, behind which the journal was to be replayed, was made by redis 8.0.2 (RDB version 12), which redis 7.0.15 does not load as it is. Recover orders to the moment as a snapshot instead, and restore that: it can be restored in any way."
	if got := (StraightFrom{Cluster: "orders"}).NotFed(Engine{"redis", "7.0.15"}, base); !strings.EqualFold(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAClusterIsLikeItsSource(t *testing.T) {
	t.Parallel()
	source := sharded("orders", "0-8191", "8192-16383")
	source.Replicas, source.Password, source.TransitEncryption, source.RetentionLimit, source.ParameterGroup = 1, "secret", true, 7, "mine"
	engine := Engine{"redis", "7.2.1"}
	if s := source.Like(engine); s.Engine != engine || s.NodeType != "cache.t4g.small" || !s.ClusterMode || s.Shards != 2 || s.Replicas != 1 || s.Auth != AuthGenerate || s.Password != "" || !s.Encrypted || s.Retention != 7 || s.ParameterGroup != "mine" {
		t.Errorf("%+v", s)
	}
	attached := Cluster{Name: "far", Kind: KindAttached, Password: "secret", Configuration: Configuration{Engine: "redis"}, Nodes: []Node{{Shard: 1, Role: RolePrimary, MaxMemory: 1 << 30}}}
	if s := attached.Like(engine); s.Auth != AuthGenerate || s.NodeType == "" || s.Shards != 1 || s.ClusterMode {
		t.Errorf("like an attached one: %+v", s)
	}
}

func TestTheEventOfAStraightRestoreSaysWhatIsThere(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 27, 10, 41, 7, 0, time.UTC)
	from, again := StraightFrom{Cluster: "orders", Moment: at}, Cluster{Name: "again"}
	for want, cut := range map[string]Cut{
		"The cluster again was restored straight from orders as it was at 2026-11-27 10:41:07 UTC, exact to 1 ms: 12 keys, from daily and 7 commands of the journal behind it. 2 more keys had expired since.":                                                           {at, at.Add(-time.Second), 0, 1, "daily", 7},
		"The cluster again was restored straight from orders as it was at 2026-11-27 10:41:07 UTC, exact to 1 ms: 12 keys, from daily, behind which nothing had been written. The last commands of its 3 shards are at most 12 ms apart. 2 more keys had expired since.": {at, at, 12 * time.Millisecond, 3, "daily", 0},
	} {
		if got := from.Made(again, cut, 12, 2); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
