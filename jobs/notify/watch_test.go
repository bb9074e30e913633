package notify

import (
	"strings"
	"testing"

	"rekindle/models"
)

func TestASingleNodeIsReportedWhenTwoLooksFindItSilent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.webhook("program", newReceiver(t).URL)
	cluster := b.replicated("orders")
	see := func(state string) {
		t.Helper()
		for _, n := range cluster.Nodes {
			now := b.DB.Now()
			if n.State, n.SeenAt = state, &now; n.Role == models.RolePrimary {
				n.State = "available"
			}
			if err := b.DB.Nodes.Seen(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(what string, want ...string) {
		t.Helper()
		b.look(t.Context())
		var got []string
		for _, d := range b.all() {
			got = append(got, d.Title)
		}
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("%s: the messages are %q, want %q", what, got, want)
		}
	}
	see("unreachable")
	b.clock.Advance(models.SilentAfter)
	expect("one look")
	see("available")
	expect("it answers")
	see("unreachable")
	b.clock.Advance(models.SilentAfter)
	expect("one look, later")
	const begins = "The node orders-002 is unreachable"
	expect("a second one", begins)
	expect("a third one", begins)
	b.Notifier = New(b.Config) // started again
	see("available")
	expect("it answers again", begins, "The alarm about the node orders-002 is over")
}

// replicated is an available cluster with a replica. Nobody looks after it.
func (b *bench) replicated(name string) models.Cluster {
	b.t.Helper()
	shard := models.FoundShard{Nodes: []models.FoundNode{
		{Address: "127.0.0.1:6379", Role: models.RolePrimary, State: "available", Answers: true},
		{Address: "127.0.0.2:6379", Role: models.RoleReplica, State: "available", Answers: true},
	}}
	cluster, err := b.DB.Attachments.Attach(b.t.Context(), models.AttachSpec{Name: name, Access: models.Access{Addresses: models.Lines{"127.0.0.1:6379"}}, RequestedBy: "admin"},
		models.Found{Topology: "replicated", Engine: models.Engine{Name: "redis", Version: "7.0.15"}, Shards: []models.FoundShard{shard}})
	if err != nil {
		b.t.Fatal(err)
	}
	return cluster
}
