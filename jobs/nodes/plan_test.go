package nodes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/launch"
	"rekindle/models"
)

// texts names steps: "startNode orders-001".
func texts(steps []step) []string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = strings.TrimSpace(strings.TrimPrefix(fmt.Sprintf("%T", s), "nodes.") + " " + s.about())
	}
	return names
}

// said puts together what steps say.
func said(steps []step) string {
	var said []string
	for _, s := range steps {
		switch s := s.(type) {
		case say:
			said = append(said, string(s.severity)+": "+s.text)
		case complain:
			said = append(said, s.text)
		case await:
			said = append(said, s.text)
		case giveUp:
			said = append(said, s.err.Error())
		case mark:
			said = append(said, map[bool]string{true: "reachable", false: "unreachable: " + s.reason}[s.reachable])
		}
	}
	return strings.Join(said, "\n")
}

func clusterOf(l look, change func(*models.Cluster)) models.Cluster {
	c := models.Cluster{Name: "orders", Status: models.ClusterAvailable}
	for _, v := range l.nodes {
		c.Nodes = append(c.Nodes, v.node)
	}
	if change != nil {
		change(&c)
	}
	return c
}

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func saved(history string, offset int64) launch.Saved {
	return launch.Saved{Exists: true, ReplicationID: history, Offset: offset, At: noon}
}

// and applies several changes to a node.
func and(changes ...func(*seen)) func(*seen) {
	return func(v *seen) {
		for _, change := range changes {
			change(v)
		}
	}
}

func has(s launch.Saved) func(*seen) { return func(v *seen) { v.saved = s } }

func fails(data bool) func(*seen) {
	return func(v *seen) {
		v.failure = &failure{err: errors.New("it does"), text: "The node " + v.node.Name + " could not be started.", words: " Why not.", data: data}
	}
}

func halted(v *seen)  { v.node.Halted = true }
func started(v *seen) { v.started = true }
func replica(v *seen) { v.node.Role = models.RoleReplica }

// promoted is a node that was appointed while it is still the replica of another.
func promoted(v *seen) { v.node.Role = models.RolePrimary }

func follows(address string) func(*seen) {
	return func(v *seen) { v.state.Replica, v.state.Primary = true, address }
}

type planned struct {
	nodes  []seen
	change func(*models.Cluster)
	look   func(*look)
	want   []string
	says   string // is part of what is said
	silent bool   // nothing is said
}

func checkPlans(t *testing.T, tests map[string]planned) {
	t.Helper()
	for name, test := range tests {
		l := look{nodes: test.nodes}
		if test.look != nil {
			test.look(&l)
		}
		steps := plan(clusterOf(l, test.change), l)
		if got := texts(steps); !slices.Equal(got, test.want) {
			t.Errorf("%s: the plan is %v, want %v", name, got, test.want)
		}
		if got := said(steps); !strings.Contains(got, test.says) || test.silent && got != "" {
			t.Errorf("%s: it says %q, want %q", name, got, test.says)
		}
	}
}

func TestPlanForAPrimary(t *testing.T) {
	t.Parallel()
	unsaved := func(c *models.Cluster) { c.UnsavedFrom = "s1" }
	checkPlans(t, map[string]planned{
		"all is well": {nodes: []seen{member(1, nil), member(2, has(saved("h", 50)))}},
		"no primary":  {nodes: []seen{member(2, nil)}, want: []string{"giveUp"}, says: "The cluster orders has no primary."},
		"it has ended, with an RDB": {nodes: []seen{member(1, and(dead, has(saved("h", 7))))},
			want: []string{"startNode orders-001", "say orders-001"}, says: "The cluster comes back from the RDB that orders-001 saved at 2026-01-05 12:00:00 UTC."},
		"it was stopped with the console": {nodes: []seen{member(1, and(dead, halted, has(saved("h", 7))))},
			want: []string{"startNode orders-001", "say orders-001"}, says: "info: The cluster orders, which was stopped with the console, was started again"},
		"it has ended, with nothing":         {nodes: []seen{member(1, dead)}, want: []string{"startNode orders-001", "noteEmptied orders-001"}},
		"the same, just restored":            {nodes: []seen{member(1, dead)}, change: unsaved, want: []string{"refill orders-001"}},
		"the same, and it is being filled":   {nodes: []seen{member(1, dead)}, change: unsaved, look: func(l *look) { l.filling = true }},
		"the same, and its snapshot is gone": {nodes: []seen{member(1, dead)}, change: unsaved, look: func(l *look) { l.cannotRefill = true }, want: []string{"startNode orders-001", "noteEmptied orders-001"}},
		"it cannot be started": {nodes: []seen{member(1, and(dead, fails(false))), member(2, dead)},
			want: []string{"complain orders-001"}, says: "The node orders-001 could not be started."},
		"and was spoken of: no replica is started": {nodes: []seen{member(1, and(dead, fails(false), func(v *seen) { v.trouble = "Told." })), member(2, dead)}},
		"it ended again at once":                   {nodes: []seen{member(1, and(dead, started)), member(2, dead)}},
		"it is not known what it has saved":        {nodes: []seen{member(1, and(dead, func(v *seen) { v.unsure = errors.New("no disk") }))}, want: []string{"giveUp"}, says: "look for the RDB of orders-001: no disk"},
		"it was appointed and is still a replica": {nodes: []seen{member(1, and(dead, replica)), member(2, and(promoted, has(saved("h", 1))))},
			want: []string{"promote orders-002", "configure orders-002", "startNode orders-001", "say orders-001"}, says: "warning: The node orders-001 had stopped. It was started again as a replica of orders-002."},
		"an appointment failed": {nodes: []seen{member(1, dead), member(2, func(v *seen) { v.handled = true })}},
		"it was led astray": {nodes: []seen{member(1, follows("10.0.0.1:6379"))},
			want: []string{"promote orders-001", "noteReplaced orders-001", "configure orders-001"}},
		"it was led astray and has its data": {nodes: []seen{member(1, and(follows("10.0.0.1:6379"), func(v *seen) { v.owned = "h" }))},
			want: []string{"promote orders-001", "say orders-001", "configure orders-001"}, says: "before it had taken over any data"},
		"it was led astray and loads": {nodes: []seen{member(1, and(follows("10.0.0.1:6379"), func(v *seen) { v.owned, v.state.Loading = "h", true }))},
			want: []string{"promote orders-001", "noteReplaced orders-001", "configure orders-001"}},
		"its memory differs":   {nodes: []seen{member(1, func(v *seen) { v.state.MaxMemory = 5 })}, want: []string{"configure orders-001"}},
		"it was told just now": {nodes: []seen{member(1, func(v *seen) { v.state.MaxMemory, v.handled = 5, true })}},
		"it does not answer":   {nodes: []seen{member(1, func(v *seen) { v.answers = false }), member(2, nil)}},
	})
}

func TestPlanForAPrimaryThatHangs(t *testing.T) {
	t.Parallel()
	hangs := func(v *seen) {
		v.answers, v.lives, v.state = false, false, State{}
		v.silent = silence{probes: 20, since: noon, last: noon.Add(61 * time.Second)}
	}
	unheard := func(v *seen) { v.state.Heard = 61 * time.Second }
	limit := func(l *look) { l.limit = time.Minute }
	checkPlans(t, map[string]planned{
		"its process is ended": {nodes: []seen{member(1, hangs), member(2, unheard)}, look: limit, want: []string{"endNode orders-001", "say orders-001"},
			says: "error: The primary orders-001 had not answered for 1m1s, and its replicas had not heard from it."},
		"which failed":                    {nodes: []seen{member(1, and(hangs, fails(false))), member(2, unheard)}, look: limit, want: []string{"complain orders-001"}},
		"not twice":                       {nodes: []seen{member(1, and(hangs, func(v *seen) { v.ended = true })), member(2, unheard)}, look: limit},
		"not when nobody is to take over": {nodes: []seen{member(1, hangs), member(2, unheard)}},
		"then a replica takes over": {nodes: []seen{member(1, and(hangs, dead)), member(2, unheard)}, look: limit,
			want: []string{"appoint orders-002", "say orders-002"}, says: "The replica orders-002 was promoted"},
	})
}

func TestPlanForAShardThatComesBackFromADisk(t *testing.T) {
	t.Parallel()
	down := func(n int, changes ...func(*seen)) seen {
		return member(n, and(append([]func(*seen){dead}, changes...)...))
	}
	const comesBack = "The primary orders-001 had stopped and no replica was alive."
	checkPlans(t, map[string]planned{
		"from its primary's": {nodes: []seen{down(1, has(saved("h", 9))), down(2, has(saved("h", 5)))}, want: []string{"startNode orders-001", "say orders-001"}, says: "warning: " + comesBack},
		"from a replica's": {nodes: []seen{down(1, has(saved("h", 5))), down(2, has(saved("h", 9)))},
			want: []string{"appoint orders-002", "startNode orders-002", "say orders-002"}, says: comesBack + " The cluster comes back from the RDB that orders-002 saved"},
		"from the next when the freshest is damaged": {nodes: []seen{down(1, replica, has(saved("h", 5))), down(2, promoted, has(saved("h", 9)), fails(true))},
			want: []string{"appoint orders-001", "startNode orders-001", "say orders-001"},
			says: "error: " + comesBack + " The RDB that orders-002 saved at 2026-01-05 12:00:00 UTC cannot be loaded. Why not. The cluster comes back from the RDB that orders-001 saved"},
		"not from the next when another thing is wrong": {nodes: []seen{down(1, replica, has(saved("h", 5))), down(2, promoted, has(saved("h", 9)), fails(false))},
			want: []string{"complain orders-002"}, says: "The node orders-002 could not be started."},
		"from none": {nodes: []seen{down(1, promoted, has(saved("h", 5)), fails(true)), down(2, replica, has(saved("h", 9)), fails(true))},
			want: []string{"appoint orders-002", "complain orders-002"}, says: "The RDB that orders-002 saved at 2026-01-05 12:00:00 UTC cannot be loaded. Why not. The RDB that orders-001 saved"},
		"not from its only one": {nodes: []seen{down(1, has(saved("h", 5)), fails(true)), down(2)}, want: []string{"complain orders-001"}, says: "The node orders-001 could not be started."},
		"with the replicas, once it is up": {nodes: []seen{member(1, and(started, has(saved("h", 5)))), down(2, halted)},
			want: []string{"startNode orders-002", "say orders-002"}, says: "info: The node orders-002, which was stopped with the console, was started again as a replica of orders-001."},
	})
}

func TestPlanInClusterMode(t *testing.T) {
	t.Parallel()
	clustered := func(c *models.Cluster) { c.ClusterMode = true }
	serves := func(v *seen) { v.state.Replica, v.state.Primary, v.state.Slots = false, "", "0-16383" }
	first, second := member(1, nil).node.Address(), member(2, nil).node.Address()
	silent := func(v *seen) { v.answers = false }
	checkPlans(t, map[string]planned{
		"all is well": {nodes: []seen{member(1, serves), member(2, has(saved("h", 50)))}, change: clustered},
		"the nodes have elected another": {nodes: []seen{member(1, follows(second)), member(2, serves)}, change: clustered,
			want: []string{"appoint orders-002", "say orders-002"}, says: "warning: The nodes of orders have made orders-002 the primary of its shard in place of orders-001."},
		"while theirs hangs":       {nodes: []seen{member(1, silent), member(2, serves)}, change: clustered, want: []string{"appoint orders-002", "say orders-002"}},
		"or is gone":               {nodes: []seen{member(1, dead), member(2, serves)}, change: clustered, want: []string{"appoint orders-002", "say orders-002"}},
		"and that does not answer": {nodes: []seen{member(1, follows(second)), member(2, silent)}, change: clustered},
		"and that is gone": {nodes: []seen{member(1, follows(second)), member(2, and(dead, has(saved("h", 1))))}, change: clustered,
			want: []string{"promote orders-001", "configure orders-001", "startNode orders-002", "say orders-002"}},
		"one does not know yet that it was replaced": {nodes: []seen{member(1, serves), member(2, serves)}, change: clustered},
		"one has no slots and follows nobody": {nodes: []seen{member(1, serves), member(2, func(v *seen) { v.state.Replica, v.state.Primary = false, "" })}, change: clustered,
			want: []string{"follow orders-002", "say orders-002", "configure orders-002"}},
		"the primary has ended, and a replica is in step": {nodes: []seen{member(1, dead), member(2, follows(first))}, change: clustered,
			want: []string{"appoint orders-002", "say orders-002"}, says: "The replica orders-002 was promoted"},
		"all have ended before they had saved: the other shards live on": {nodes: []seen{member(1, dead)},
			change: func(c *models.Cluster) { c.ClusterMode, c.UnsavedFrom = true, "s1" }, want: []string{"startNode orders-001", "noteEmptied orders-001"}},
	})
}

func TestPlanOfAMigratingCluster(t *testing.T) {
	t.Parallel()
	const source = "10.0.0.5:6379"
	migrating := func(c *models.Cluster) {
		c.Status, c.Migration = models.ClusterMigrating, models.Migration{Source: "db1:6379", Address: source}
	}
	first := follows(source)
	linkDown := func(v *seen) { v.state.LinkUp = false }
	hangs := func(v *seen) {
		v.answers, v.lives, v.silent = false, false, silence{probes: 99, since: noon, last: noon.Add(time.Hour)}
	}
	checkPlans(t, map[string]planned{
		"all is well":                      {nodes: []seen{member(1, first), member(2, nil)}, change: migrating},
		"the link is down":                 {nodes: []seen{member(1, and(first, linkDown)), member(2, linkDown)}, change: migrating},
		"the source is written otherwise":  {nodes: []seen{member(1, first)}, change: func(c *models.Cluster) { migrating(c); c.Migration.Address = "[::ffff:10.0.0.5]:6379" }},
		"somebody has made it a primary":   {nodes: []seen{member(1, nil)}, change: migrating, want: []string{"followSource orders-001", "say orders-001"}, says: "warning: The node orders-001 follows db1:6379 again, as its migration requires. It had become an independent primary"},
		"somebody has it follow another":   {nodes: []seen{member(1, follows("10.0.0.9:1"))}, change: migrating, want: []string{"followSource orders-001", "say orders-001"}, says: "It had become a replica of 10.0.0.9:1."},
		"it was told just now":             {nodes: []seen{member(1, func(v *seen) { v.handled = true })}, change: migrating},
		"it has ended: nobody is promoted": {nodes: []seen{member(1, dead), member(2, nil)}, change: migrating, want: []string{"startNode orders-001", "say orders-001"}, says: "was started again as a replica of db1:6379."},
		"with all the others":              {nodes: []seen{member(1, dead), member(2, and(dead, has(saved("h", 9))))}, change: migrating, want: []string{"startNode orders-001", "say orders-001", "startNode orders-002", "say orders-002"}},
		"its RDB cannot be loaded":         {nodes: []seen{member(1, and(dead, fails(true)))}, change: migrating, want: []string{"setAside orders-001"}},
		"it cannot be started":             {nodes: []seen{member(1, and(dead, fails(false)))}, change: migrating, want: []string{"complain orders-001"}},
		"and was spoken of":                {nodes: []seen{member(1, and(dead, func(v *seen) { v.trouble = "Told." })), member(2, nil)}, change: migrating},
		"it hangs: nobody is promoted":     {nodes: []seen{member(1, hangs), member(2, func(v *seen) { v.state.Heard = time.Hour })}, change: migrating, look: func(l *look) { l.limit = time.Second }},
		"a replica has ended":              {nodes: []seen{member(1, first), member(2, dead)}, change: migrating, want: []string{"startNode orders-002", "say orders-002"}},
		"a replica follows the source":     {nodes: []seen{member(1, first), member(2, first)}, change: migrating, want: []string{"follow orders-002", "say orders-002", "configure orders-002"}},
		"a setting did not reach it":       {nodes: []seen{member(1, and(first, func(v *seen) { v.state.MaxMemory = 5 }))}, change: migrating, want: []string{"configure orders-001"}},
		"parameters have changed":          {nodes: []seen{member(1, first)}, change: func(c *models.Cluster) { migrating(c); c.ParametersWanted = 1 }, want: []string{"setParameters"}},
	})
}

func TestReportOfAMigratingCluster(t *testing.T) {
	t.Parallel()
	known := func(v *seen) {
		at := noon
		v.node.State, v.node.SeenAt, v.node.Keys, v.node.LagBytes, v.state.LinkUp = "available", &at, v.state.Keys, 20, true
	}
	first := and(follows("10.0.0.5:6379"), known)
	copied := func(c *models.Cluster) { c.Migration.Copied = true }
	for name, test := range map[string]struct {
		v      seen
		change func(*models.Cluster)
		want   []string
		lag    int64
	}{
		"it follows":                {v: member(1, first), want: []string{"noteCopied"}, lag: 20},
		"it does so for long":       {v: member(1, first), change: copied, lag: 20},
		"it is being copied":        {v: member(1, and(first, func(v *seen) { v.state.Syncing, v.state.SyncLeft = true, 7 })), want: []string{"noteNode orders-001"}, lag: 7},
		"the link is down":          {v: member(1, and(first, func(v *seen) { v.state.LinkUp = false })), want: []string{"noteNode orders-001"}, lag: -1},
		"it follows another":        {v: member(1, and(follows("10.0.0.9:1"), known)), lag: 20},
		"it is silent: no red mark": {v: member(1, and(first, func(v *seen) { v.answers, v.silent.probes = false, 9 })), want: []string{"noteNode orders-001"}, lag: 20},
	} {
		l := look{nodes: []seen{test.v}, source: 120}
		cluster := clusterOf(l, func(c *models.Cluster) {
			c.Status, c.Migration = models.ClusterMigrating, models.Migration{Source: "db1:6379", Address: "10.0.0.5:6379"}
			if test.change != nil {
				test.change(c)
			}
		})
		steps := report(cluster, []look{l}, noon)
		if got := texts(steps); !slices.Equal(got, test.want) {
			t.Errorf("%s: the steps are %v, want %v", name, got, test.want)
		}
		if n := describedIn(cluster, l, test.v, l.head(), noon); n.LagBytes != test.lag {
			t.Errorf("%s: it is %d behind, want %d", name, n.LagBytes, test.lag)
		}
	}
}

func TestSlotsThatAPrimaryHasAreWrittenDown(t *testing.T) {
	t.Parallel()
	serves := func(v *seen) { v.node.Slots, v.state.Slots = "0-99", "0-98" }
	l := look{nodes: []seen{member(1, serves), member(2, serves)}}
	for clusterMode, want := range map[bool]bool{true: true, false: false} {
		got := texts(report(clusterOf(l, func(c *models.Cluster) { c.ClusterMode = clusterMode }), []look{l}, noon))
		if slices.Contains(got, "noteSlots orders-001") != want || slices.Contains(got, "noteSlots orders-002") {
			t.Errorf("cluster mode %v: %v", clusterMode, got)
		}
	}
}

func TestPlanForReplicas(t *testing.T) {
	t.Parallel()
	whole := member(1, has(saved("h", 1)))
	setAsideBefore := func(v *seen) { v.aside, v.refused = "damaged.rdb", " Why not." }
	checkPlans(t, map[string]planned{
		"one has ended":             {nodes: []seen{whole, member(2, dead)}, want: []string{"startNode orders-002", "say orders-002"}, says: "The node orders-002 had stopped. It was started again as a replica of orders-001."},
		"it was started":            {nodes: []seen{whole, member(2, started)}},
		"it ended again at once":    {nodes: []seen{whole, member(2, and(dead, started))}},
		"it cannot be started":      {nodes: []seen{whole, member(2, and(dead, fails(false)))}, want: []string{"complain orders-002"}, says: "The node orders-002 could not be started."},
		"its RDB cannot be loaded":  {nodes: []seen{whole, member(2, and(dead, fails(true)))}, want: []string{"setAside orders-002"}, silent: true},
		"and was set aside":         {nodes: []seen{whole, member(2, and(dead, setAsideBefore))}, want: []string{"startNode orders-002", "say orders-002", "say orders-002"}, says: "The replica orders-002 could not load its dump.rdb. Why not. The file is damaged.rdb in the node's folder now"},
		"also without it":           {nodes: []seen{whole, member(2, and(dead, setAsideBefore, fails(true)))}, want: []string{"complain orders-002"}},
		"one is a primary":          {nodes: []seen{whole, member(2, func(v *seen) { v.state.Replica, v.state.Primary = false, "" })}, want: []string{"follow orders-002", "say orders-002", "configure orders-002"}, says: "It had become an independent primary"},
		"one is another's":          {nodes: []seen{whole, member(2, follows("10.0.0.1:6379"))}, want: []string{"follow orders-002", "say orders-002", "configure orders-002"}, says: "It had become a replica of 10.0.0.1:6379."},
		"one follows another node":  {nodes: []seen{whole, member(2, follows("127.0.0.1:7003")), member(3, nil)}, want: []string{"follow orders-002", "configure orders-002"}, silent: true},
		"one differs in its memory": {nodes: []seen{whole, member(2, func(v *seen) { v.state.MaxMemory = 5 })}, want: []string{"configure orders-002"}},
		"one does not answer":       {nodes: []seen{whole, member(2, func(v *seen) { v.answers, v.state = false, State{} })}},
		"each by itself": {nodes: []seen{whole, member(2, dead), member(3, follows("10.0.0.1:6379"))},
			want: []string{"startNode orders-002", "say orders-002", "follow orders-003", "say orders-003", "configure orders-003"}},
	})
}

func TestPlanForParametersAndCaches(t *testing.T) {
	t.Parallel()
	wanted := func(c *models.Cluster) { c.ParametersWanted = 1 }
	cached := func(c *models.Cluster) { c.Engine = models.EngineMemcached }
	cache := func(v *seen) { v.node.Role, v.state = models.RoleCache, State{} }
	whole := member(1, has(saved("h", 1)))
	checkPlans(t, map[string]planned{
		"parameters have changed":     {nodes: []seen{whole, member(2, nil)}, change: wanted, want: []string{"setParameters"}},
		"not before all nodes answer": {nodes: []seen{whole, member(2, func(v *seen) { v.answers = false })}, change: wanted},
		"nor while one loads":         {nodes: []seen{whole, member(2, func(v *seen) { v.state.Loading = true })}, change: wanted},
		"nor after a step has failed": {nodes: []seen{whole, member(2, nil)}, change: wanted, look: func(l *look) { l.failed = true }},
		"what is wrong comes first":   {nodes: []seen{whole, member(2, dead)}, change: wanted, want: []string{"startNode orders-002", "say orders-002"}},
		"a cache has ended":           {nodes: []seen{member(1, cache), member(2, and(cache, dead))}, change: cached, want: []string{"startNode orders-002", "say orders-002"}, says: "It was started again, empty."},
		"a cache cannot be started":   {nodes: []seen{member(1, and(cache, dead, fails(true)))}, change: cached, want: []string{"complain orders-001"}},
		"caches are well":             {nodes: []seen{member(1, cache), member(2, cache)}, change: cached},
	})
}

func TestPlanToHaveTheDataOnADisk(t *testing.T) {
	t.Parallel()
	unsaved := func(c *models.Cluster) { c.UnsavedFrom = "s1" }
	checkPlans(t, map[string]planned{
		"a replica saves":                         {nodes: []seen{member(1, nil), member(2, nil)}, want: []string{"saveNode orders-002"}},
		"one RDB of the history is enough":        {nodes: []seen{member(1, nil), member(2, nil), member(3, has(saved("h", 1)))}},
		"one of another history is not":           {nodes: []seen{member(1, has(saved("before", 1))), member(2, nil)}, want: []string{"saveNode orders-002"}},
		"what was restored is saved now":          {nodes: []seen{member(1, nil), member(2, has(saved("h", 1)))}, change: unsaved, want: []string{"noteSaved"}},
		"a node without replicas saves by itself": {nodes: []seen{member(1, nil)}},
		"but not when it was just filled":         {nodes: []seen{member(1, nil)}, change: unsaved, want: []string{"saveNode orders-001"}},
		"then any RDB will do":                    {nodes: []seen{member(1, has(saved("other", 1)))}, change: unsaved, want: []string{"noteSaved"}},
		"the primary only without a replica":      {nodes: []seen{member(1, nil), member(2, func(v *seen) { v.state.LinkUp = false })}},
		"a replica of another history does not":   {nodes: []seen{member(1, nil), member(2, func(v *seen) { v.state.History = "i" })}},
		"not while one is saving":                 {nodes: []seen{member(1, nil), member(2, func(v *seen) { v.state.Saving = true })}},
		"not an empty one":                        {nodes: []seen{member(1, func(v *seen) { v.state.Keys = 0 }), member(2, nil)}},
		"not twice in a round":                    {nodes: []seen{member(1, nil), member(2, nil)}, look: func(l *look) { l.triedToSave = true }},
		"not after a step has failed":             {nodes: []seen{member(1, nil), member(2, nil)}, look: func(l *look) { l.failed = true }},
	})
}

func TestReportOfWhatWasSeen(t *testing.T) {
	t.Parallel()
	mute := func(probes int) func(*seen) {
		return func(v *seen) { v.answers, v.silent.probes = false, probes }
	}
	known := func(v *seen) { // as the catalog has it already
		at := noon
		v.node.State, v.node.SeenAt, v.node.Keys = "available", &at, v.state.Keys
	}
	unreachable := func(why string) func(*models.Cluster) {
		return func(c *models.Cluster) { c.Status, c.StatusReason = models.ClusterUnreachable, why }
	}
	const doesNotAnswer = "The primary orders-001 does not answer."
	for name, test := range map[string]planned{
		"nothing new":                 {nodes: []seen{member(1, known), member(2, known)}},
		"a node is new":               {nodes: []seen{member(1, known), member(2, nil)}, want: []string{"noteNode orders-002"}},
		"a node serves again":         {nodes: []seen{member(1, known), member(2, and(known, func(v *seen) { v.node.State = "starting" }))}, want: []string{"noteNode orders-002", "noteRecovered orders-002"}},
		"a node has ended":            {nodes: []seen{member(1, known), member(2, and(known, dead))}, want: []string{"noteNode orders-002"}},
		"the primary keeps silent":    {nodes: []seen{member(1, and(known, mute(3)))}, want: []string{"noteNode orders-001", "mark"}, says: doesNotAnswer},
		"but not for long":            {nodes: []seen{member(1, and(known, mute(2)))}, want: []string{"noteNode orders-001"}},
		"a replica keeps silent":      {nodes: []seen{member(1, known), member(2, and(known, mute(9)))}, want: []string{"noteNode orders-002"}},
		"as the catalog says already": {nodes: []seen{member(1, and(mute(4), func(v *seen) { v.node.State = "unreachable" }))}, change: unreachable(doesNotAnswer)},
		"for another reason": {nodes: []seen{member(1, and(mute(4), func(v *seen) { v.node.State, v.refuses = "unreachable", true }))}, change: unreachable(doesNotAnswer),
			want: []string{"mark"}, says: "does not accept the console's password"},
		"the primary answers again": {nodes: []seen{member(1, known)}, change: unreachable(doesNotAnswer), want: []string{"mark"}, says: "reachable"},
		"what is in its way":        {nodes: []seen{member(1, and(known, dead, func(v *seen) { v.trouble = "No disk." }))}, want: []string{"noteNode orders-001", "mark"}, says: "unreachable: No disk."},
		"what is in a replica's":    {nodes: []seen{member(1, known), member(2, and(known, dead, func(v *seen) { v.trouble = "No disk." }))}, want: []string{"noteNode orders-002"}, silent: true},
	} {
		l := look{nodes: test.nodes}
		steps := report(clusterOf(l, test.change), []look{l}, noon)
		if got := texts(steps); !slices.Equal(got, test.want) || !strings.Contains(said(steps), test.says) || test.silent && said(steps) != "" {
			t.Errorf("%s: the steps are %v, which say %q; want %v, %q", name, got, said(steps), test.want, test.says)
		}
	}
}

func TestStateOfANodeInTheCatalog(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]seen{
		"available": member(2, nil), "stopped": member(2, dead), "starting": member(2, started),
		"unreachable": member(2, func(v *seen) { v.answers = false }), "loading": member(2, func(v *seen) { v.state.Syncing = true }),
	} {
		if got := described(v, 110, noon); got.State != want || v.answers != (got.SeenAt != nil) || v.answers && got.LagBytes != 10 {
			t.Errorf("%s: it is %s, seen at %v, %d behind", want, got.State, got.SeenAt, got.LagBytes)
		}
	}
	if cut := described(member(2, func(v *seen) { v.state.LinkUp = false }), 110, noon); cut.LagBytes != -1 {
		t.Errorf("a replica whose link is down is %d behind", cut.LagBytes)
	}
}

func TestClustersWhoseConsoleIsAway(t *testing.T) {
	t.Parallel()
	cluster := func(name, home string, status models.ClusterStatus, why string) models.Cluster {
		return models.Cluster{Name: name, Home: home, Status: status, StatusReason: why}
	}
	var names []string
	for _, c := range away([]models.Cluster{
		cluster("here", "a", models.ClusterAvailable, ""), cluster("lost", "c", models.ClusterAvailable, ""), cluster("kept", "b", models.ClusterAvailable, ""),
		cluster("said", "c", models.ClusterUnreachable, hostAway), cluster("other", "c", models.ClusterUnreachable, "It is."), cluster("busy", "c", models.ClusterModifying, ""),
	}, "a", map[string]bool{"a": true, "b": true}) {
		names = append(names, c.Name)
	}
	if want := []string{"lost", "other"}; !slices.Equal(names, want) {
		t.Errorf("away are %v, want %v", names, want)
	}
}
