package main

import (
	"fmt"
	"testing"

	"rekindle/internal/testkit"
)

// TestBrowserBringsADeletedHashBack takes a snapshot of a cluster, loses a hash and a change to another one, and brings them back into the running
// cluster, with a snapshot before that. Nothing else is touched.
func TestBrowserBringsADeletedHashBack(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.openAgain("/clusters") // signs in
	b.open("/clusters/-/new")
	b.fill("id", "shop")
	b.fill("engine", engineValue())
	b.fill("replicas", "0")
	b.fill("auth", "none")
	b.submit("/clusters/shop")
	b.awaitText("Succeeded")
	shop, err := s.db.Clusters.Get(t.Context(), "shop")
	fine(t, err)
	primary, _ := shop.Shards()[0].Primary()
	app := client(t, shop, primary)
	for i := range 50 {
		fine(t, app.HSet(t.Context(), fmt.Sprint("cart:", i), "apples", i, "pears", "2").Err())
	}
	all := testkit.Digests(t, app)
	b.open("/clusters/shop/snapshot")
	b.fill("name", "good")
	b.submit("/clusters/shop")
	b.awaitText("good")
	b.open("/snapshots/good")
	b.awaitText("Available")
	fine(t, app.Del(t.Context(), "cart:7").Err())
	fine(t, app.HSet(t.Context(), "cart:8", "apples", "0").Err())
	fine(t, app.Set(t.Context(), "since", "new", 0).Err())

	b.inspect("keys", "/snapshots/good/keys")
	b.fill("names", "cart:7\ncart:8\ncart:none")
	b.fill("existing", "replace")
	b.click("main form.panel button[type=submit]", "Would be brought back")
	for _, text := range []string{"nothing was written", "Would be replaced", "One of the names is not in the snapshot."} {
		b.awaitText(text)
	}
	if n := app.Exists(t.Context(), "cart:7").Val(); n != 0 {
		t.Error("the rehearsal has written")
	}
	b.inspect("rehearsed", b.path())
	b.click(`a[href$="/bring-back"]`, "To confirm, type")
	b.inspect("confirm-keys", b.path())
	b.fill("confirm", "orders")
	b.click("main form.panel button[type=submit]", "Type the name shop to confirm")
	b.fill("confirm", "shop")
	b.click("main form.panel button[type=submit]", "What happened")
	for _, text := range []string{"1 new, 1 replaced.", `Written: "cart:`} { // in the order of the snapshot, which is none
		b.awaitText(text)
	}
	b.inspect("brought", b.path())
	fine(t, app.Del(t.Context(), "since").Err())
	if diff := testkit.Diff(all, testkit.Digests(t, app)); diff != "" {
		t.Errorf("the cluster has other data than before: %s", diff)
	}
	b.open("/snapshots")
	b.awaitText("shop-before-bring-back-")
}
