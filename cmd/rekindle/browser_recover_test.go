package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"rekindle/internal/archive"
	"rekindle/internal/journal"
	follower "rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

// Somebody has flushed a cluster, and gets it back as it was a second before.
func TestBrowserRecoversAClusterToAMoment(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	node := testkit.Redis(t)
	testkit.Fill(t, node.Client(), 500)
	b := newTab(t, s.url)
	b.openAgain("/clusters/-/attach") // signs in
	b.fill("id", "shop")
	b.fill("addresses", node.Addr)
	b.fill("password", node.Password())
	b.submit("/clusters/shop")
	b.inspect("recover-nothing", "/clusters/shop/recover")
	b.open("/clusters/shop/snapshot")
	b.fill("name", "base")
	b.submit("/clusters/shop")
	b.awaitText("Succeeded")

	st := must(dir.Open(filepath.Join(s.data, "snapshots")))(t)
	t.Cleanup(func() { _ = st.Close() })
	part := must(archive.New(st).Manifest(t.Context(), archive.Ref{Cluster: "shop", Snapshot: "base"}))(t).Parts[0]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	link := must(follower.Follow(ctx, follower.Source{Options: resp.Options{Addr: node.Addr}}, follower.At{ReplicationID: part.ReplicationID, Offset: part.ReplicationOffset}, follower.Options{}))(t)
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		_ = journal.Record(ctx, link, st, journal.Place{Cluster: "shop", Shard: 1}, journal.NewRun(), journal.RecorderOptions{Clock: s.clock})
	}()
	write := func(command ...any) {
		for _, c := range [][]any{command, {"PUBLISH", "news", "behind it"}} { // what came before the last has been given its time
			must(node.Client().Do(t.Context(), c...).Result())(t)
			offset := resp.ParseInfo(node.Client().Info(t.Context(), "replication").Val()).Int("master_repl_offset")
			testkit.WaitFor(t, "the link", func() bool { return link.Offset() >= offset })
		}
	}
	write("SET", "last", "order")
	want := testkit.Digests(t, node.Client())
	moment := s.clock.Now().Add(time.Second)
	s.clock.Advance(2 * time.Second)
	write("FLUSHALL")
	cancel()
	<-recorded

	b.openAgain("/clusters/shop")
	b.do("open the menu", chromedp.Evaluate[chromedp.Void](`document.querySelector('main details.menu summary').click()`))
	b.do("recover", chromedp.Evaluate[chromedp.Void](`document.querySelector('main a[href="/clusters/shop/recover"]').click()`))
	b.awaitText("There is no second that shop can be brought back to yet.") // the console keeps no journal, but the store has one
	b.inspectAfter("recover-wrong", func() {
		b.open("/clusters/shop/recover")
		b.fill("moment", "yesterday")
		b.fill("name", "back")
		b.submit("/clusters/shop/recover")
		b.awaitText("Write it like 2026-11-27 10:41:07")
	})
	typed := moment.UTC().Format(time.DateTime)
	b.inspect("recover-linked", "/clusters/shop/recover?moment="+moment.UTC().Format(time.RFC3339)+"&name=back")
	b.open("/clusters/shop/recover")
	b.fill("moment", typed)
	b.fill("name", "back")
	b.submit("/snapshots/back")
	b.awaitText("Recovered to " + typed + " UTC, exact to ")
	b.awaitText("replayed from base and ")
	b.inspect("recovered", "/snapshots/back")
	b.inspect("recovered-run", "/runs?kind=recover")

	s.clock.Advance(time.Second)
	b.open("/clusters/shop/recover")
	b.fill("moment", s.clock.Now().UTC().Format(time.DateTime))
	b.fill("name", "too-late")
	b.submit("/snapshots/too-late")
	b.awaitText("The journal of shard 1 is stored up to ")
	b.inspect("recover-failed", "/snapshots/too-late")

	b.open("/snapshots/back/restore")
	b.fill("id", "again")
	b.submit("/clusters/again")
	b.awaitText("available")
	again := must(s.db.Clusters.Get(t.Context(), "again"))(t)
	testkit.WaitFor(t, "the restored cluster", func() bool {
		again = must(s.db.Clusters.Get(t.Context(), "again"))(t)
		return again.Status == "available"
	})
	if diff := testkit.Diff(want, testkit.Digests(t, client(t, again, again.Nodes[0]))); diff != "" {
		t.Error(diff)
	}

	// The same without the snapshot in between.
	b.open("/clusters/shop/recover?moment=" + moment.UTC().Format(time.RFC3339))
	b.inspectAfter("recover-straight", func() {
		b.js("into a new cluster", `document.querySelector('input[name=into][value=cluster]').click()`)
		b.awaitText("--into shop-restored")
	})
	b.fill("id", "straight")
	b.submit("/clusters/straight")
	b.awaitText("Restored from base and the journal behind it, up to " + typed + " UTC")
	b.inspect("recovered-straight", "/clusters/straight")
	straight := must(s.db.Clusters.Get(t.Context(), "straight"))(t)
	if diff := testkit.Diff(want, testkit.Digests(t, client(t, straight, straight.Nodes[0]))); diff != "" {
		t.Error(diff)
	}
}
