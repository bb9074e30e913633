package models

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestClashesAreForksOnOneHostAtTheSameTime(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 11, 22, 3, minute, 0, 0, time.UTC) }
	start := func(cluster string, minute int, takes time.Duration, hosts ...string) Start {
		return Start{Cluster: cluster, At: at(minute), Takes: takes, Hosts: hosts}
	}
	for name, test := range map[string]struct {
		starts []Start
		want   []Clash
	}{
		"none":                {nil, nil},
		"the same minute":     {[]Start{start("b", 5, 0, "h"), start("a", 5, 0, "h")}, []Clash{{"h", at(5), []string{"a", "b"}}}},
		"one after the other": {[]Start{start("a", 5, time.Minute, "h"), start("b", 6, 0, "h")}, nil},
		"on other hosts":      {[]Start{start("a", 5, time.Hour, "h"), start("b", 6, time.Hour, "i")}, nil},
		"while the first goes on": {[]Start{start("a", 5, 3*time.Minute, "h"), start("b", 6, 0, "h"), start("c", 7, 0, "h"), start("d", 9, 0, "h")},
			[]Clash{{"h", at(5), []string{"a", "b", "c"}}}},
		"two groups, two hosts": {[]Start{start("a", 5, 0, "i"), start("b", 5, 0, "i"), start("c", 1, 0, "h", "i"), start("d", 1, 0, "h"), start("e", 9, 0, "h"), start("f", 9, 0, "h")},
			[]Clash{{"h", at(1), []string{"c", "d"}}, {"i", at(5), []string{"a", "b"}}, {"h", at(9), []string{"e", "f"}}}},
	} {
		if got := Clashes(test.starts); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestForkHostsAreThoseOfReplicasWhereThereAreSome(t *testing.T) {
	t.Parallel()
	c := Cluster{Nodes: []Node{{Shard: 1, Role: RolePrimary, Host: "a"}, {Shard: 1, Role: RoleReplica, Host: "c"}, {Shard: 1, Role: RoleReplica, Host: "b"},
		{Shard: 2, Role: RolePrimary, Host: "b"}, {Shard: 3, Role: RolePrimary, Host: "d"}}}
	if got := c.ForkHosts(); !slices.Equal(got, []string{"b", "c", "d"}) {
		t.Errorf("%v", got)
	}
}

func TestWhatAScheduleAsksFor(t *testing.T) {
	t.Parallel()
	c := Cluster{Configuration: Configuration{RetentionLimit: 7, SnapshotWindow: Window{Start: 60, Length: 90}}}
	if got := c.Promise(); got != 25*time.Hour+30*time.Minute {
		t.Errorf("a day and a window of 90 minutes: %s", got)
	}
	c.RetentionLimit = 0
	if got := c.Promise(); got != 0 {
		t.Errorf("without a schedule: %s", got)
	}
}
