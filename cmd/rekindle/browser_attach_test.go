package main

import (
	"testing"

	"github.com/chromedp/chromedp"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// press presses the button that tests a form. The script puts what it finds in its place.
func (b *tab) press(value string) {
	b.t.Helper()
	b.do("press "+value, chromedp.Evaluate[chromedp.Void](`document.querySelector('main button[name=action][value=`+value+`]').click()`))
}

// TestBrowserAttaches goes the way of somebody who has a cluster already: try it out until it is found, attach it, look at it, take a snapshot,
// and let go of it.
func TestBrowserAttaches(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	node := testkit.Redis(t, "--requirepass", "s3cret-of-the-node")
	b := newTab(t, s.url)
	b.openAgain("/clusters") // signs in
	b.inspect("attach", "/clusters/-/attach")
	b.inspectAfter("attach-wrong", func() {
		b.open("/clusters/-/attach")
		b.fill("id", "shop--")
		b.fill("mapped", "nowhere")
		b.submit("/clusters/-/attach")
		b.awaitText("3 fields need another look")
	})

	b.open("/clusters/-/attach")
	b.fill("id", "shop")
	b.fill("mapped", "nowhere")
	b.fill("addresses", node.Addr)
	b.press("test")
	b.await("what is wrong, beside the form", `document.querySelector('#found a[href="#f-mapped"]')`)
	b.do("follow it", chromedp.Evaluate[chromedp.Void](`document.querySelector('#found a[href="#f-mapped"]').click()`))
	b.await("the field, in its section", `document.activeElement.id === 'f-mapped' && document.activeElement.closest('details').open`)
	b.fill("mapped", "")
	b.fill("password", "wrong")
	b.press("test")
	b.awaitText("do not accept this user and password")
	tested := func() {
		b.fill("password", "s3cret-of-the-node")
		b.press("test")
		b.awaitText("nothing stands in the way of a snapshot")
	}
	tested()
	b.await("the password that was typed", `document.getElementById('f-password').value === 's3cret-of-the-node'`)
	b.await("what was found to be read out", `document.getElementById('said').textContent.includes('nothing stands in the way')`)
	b.fill("window_preference", "given")
	b.fill("window_start", "05:00")
	b.await("the plan to follow the schedule", `document.getElementById('plan').innerText.includes('at 05:')`)
	b.await("the password to stay", `document.getElementById('f-password').value === 's3cret-of-the-node'`)
	b.inspectAfter("attach-tested", func() {
		b.open("/clusters/-/attach")
		b.fill("addresses", node.Addr)
		tested()
	})
	b.fill("id", "shop")
	b.fill("retention", "3")
	b.submit("/clusters/shop")
	b.open("/clusters/shop/snapshot")
	b.fill("name", "by-hand")
	b.submit("/clusters/shop")
	b.awaitText("Succeeded")
	for _, page := range [][2]string{{"attached", "/clusters/shop"}, {"attached-connect", "/clusters/shop?tab=connect"}, {"attached-access", "/clusters/shop/access"}, {"attached-modify", "/clusters/shop/modify"},
		{"attached-snapshot", "/clusters/shop/snapshot"}, {"attached-detach", "/clusters/shop/delete"}, {"clusters-attached", "/clusters"}} {
		b.inspect(page[0], page[1])
	}

	b.open("/clusters/shop/access")
	b.fill("psync", "SYNCING")
	b.press("test")
	b.awaitText("does not know the command SYNCING")
	b.open("/clusters/shop/delete")
	b.fill("final", "")
	b.fill("confirm", "shop")
	b.submit("/clusters")
	testkit.WaitFor(t, "the cluster to be let go of", func() bool {
		_, err := s.db.Clusters.Get(t.Context(), "shop")
		return models.HasCode(err, models.CodeClusterNotFound)
	})
	if err := node.Client().Ping(t.Context()).Err(); err != nil {
		t.Errorf("the node does not run on: %v", err)
	}
}
