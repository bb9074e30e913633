package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestThingsAreFoundFromEveryPage(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders-archive")
	c.launch("orders")
	c.backUp("orders", "before-release")
	for text, want := range map[string][]string{
		"orders":         {`href="/clusters/orders"`, `href="/clusters/orders-archive"`, "Create orders-archive", `href="/runs/`},
		"before release": {"Nothing has “before release” in its name."},
		"before-rel":     {`href="/snapshots/before-release"`, "of orders, 2026-11-22 12:"},
		"access key":     {`href="/settings/access-keys"`},
		"bucket":         {`href="/settings/storage"`},
		"attach":         {`href="/clusters/-/attach"`},
		"":               {"Go to", `href="/snapshots/-/new"`},
	} {
		answer := c.get("/search?q=" + strings.ReplaceAll(text, " ", "+"))
		answer.is(http.StatusOK).says(want...)
	}
	body := c.get("/search?q=orders").body
	if strings.Index(body, `href="/clusters/orders"`) > strings.Index(body, `href="/clusters/orders-archive"`) {
		t.Error("what has exactly that name does not come first")
	}
	for i := range 8 {
		c.backUp("orders", fmt.Sprintf("nightly-%d", i))
	}
	c.get("/search?q=nightly").says("2 more", `href="/snapshots?q=nightly"`, "nightly-7").doesNotSay(`"/snapshots/nightly-1"`)
}

func TestEveryPageHasTheSearchAndTheListOfKeys(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/").says(`action="/search"`, `hx-select="#hits"`, "Go to Clusters", `data-go="c"`, "Use these keys in this browser")
}
