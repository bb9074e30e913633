package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"rekindle/internal/testkit"
)

// posted keeps what is posted to it.
type posted struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func newPosted(t *testing.T) *posted {
	t.Helper()
	p := &posted{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.bodies = append(p.bodies, string(body))
		_, _ = io.WriteString(w, "Noted.")
	}))
	t.Cleanup(p.Close)
	return p
}

// count counts what was posted with this text in it.
func (p *posted) count(text string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, body := range p.bodies {
		if strings.Contains(body, text) {
			n++
		}
	}
	return n
}

// clickLabelled presses the button with this label.
func (b *tab) clickLabelled(label string) {
	b.t.Helper()
	b.do("click "+label, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector('main button[aria-label=%q]').click()`, label)))
}

// awaitMessage waits until the page says what was just done.
func (b *tab) awaitMessage(text string) {
	b.t.Helper()
	b.await(fmt.Sprintf("%q above the page", text), fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// TestBrowserNotifies goes the way of somebody who wants to be told: add channels to a real mail server and a real receiver, try them out, lose a
// cluster, read what came of it, and send it again.
func TestBrowserNotifies(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	node, mails, program := testkit.Redis(t), testkit.Mails(t, testkit.MailOptions{}), newPosted(t)
	b := newTab(t, s.url)
	b.openAgain("/settings/notifications") // signs in
	b.inspect("notifications-empty", "/settings/notifications")
	b.inspect("messages-empty", "/settings/notifications/messages")
	b.inspect("channel-new", "/settings/notifications/-/new")
	b.inspectAfter("channel-wrong", func() {
		b.open("/settings/notifications/-/new")
		b.fill("name", "On call")
		b.fill("port", "smtp")
		b.fill("clusters", "nobody")
		b.submit("/settings/notifications/-/new")
		b.awaitText("fields need another look")
	})

	b.open("/settings/notifications/-/new")
	b.fill("name", "Pager")
	b.fill("kind", "webhook")
	b.await("only the fields of a webhook", `getComputedStyle(document.getElementById('f-host').closest('.nested')).display === 'none' && getComputedStyle(document.getElementById('f-key').closest('.nested')).display !== 'none'`)
	b.fill("url", program.URL+"/in/unspeakable")
	b.fill("key", "0123456789abcdef0123456789abcdef")
	b.submit("/settings/notifications")
	b.awaitMessage("The channel Pager was added.")
	b.open("/settings/notifications/-/new")
	b.fill("name", "On call")
	b.fill("recipients", "oncall@example.org")
	b.fill("sender", "rekindle@example.org")
	b.fill("host", mails.Host)
	b.fill("port", fmt.Sprint(mails.Port))
	b.fill("security", "none")
	b.submit("/settings/notifications")
	b.awaitMessage("The channel On call was added.")
	b.clickLabelled("Test Pager")
	b.awaitMessage("The receiver answered: 200 OK: Noted.")
	mails.Refuse("The mailbox is full.")
	b.clickLabelled("Test On call")
	b.awaitMessage("The mailbox is full.")
	mails.Refuse("")
	b.inspect("notifications", "/settings/notifications")

	b.open("/clusters/-/attach")
	b.fill("id", "shop")
	b.fill("addresses", node.Addr)
	b.submit("/clusters/shop")
	node.Kill()
	testkit.WaitFor(t, "people and programs to be told", func() bool {
		s.clock.Advance(5 * time.Second)
		return program.count(`"condition":"cluster-unreachable"`) == 1 && len(mails.Messages()) == 1
	})
	if got := mails.Messages()[0]; got.Header.Get("Subject") != "[Rekindle] The cluster shop is unreachable" || !strings.Contains(got.Body, "It is looked at again and again.") {
		t.Errorf("the mail is %+v", got)
	}
	testkit.WaitFor(t, "that to be written down", func() bool {
		b.open("/settings/notifications/messages?cluster=shop&state=delivered")
		n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.querySelectorAll('main tbody tr').length`))
		return err == nil && n == 2
	})
	b.inspect("messages", "/settings/notifications/messages")
	b.open("/settings/notifications/messages?channel=Pager&cluster=shop")
	b.clickLabelled("Send again: The cluster shop is unreachable")
	b.awaitMessage("is sent again within seconds")
	testkit.WaitFor(t, "the message to arrive again", func() bool {
		s.clock.Advance(5 * time.Second)
		return program.count(`"condition":"cluster-unreachable"`) == 2
	})
	today := s.clock.Now().UTC().Format(time.DateOnly)
	b.inspect("events-filtered", "/events?severity=error&from="+today+"&to="+today)
	b.awaitText("The cluster shop is unreachable.")
	b.open("/events?to=2000-01-01")
	b.awaitText("Nothing matches")

	b.inspect("channel", "/settings/notifications/1")
	b.inspect("channel-delete", "/settings/notifications/1/delete")
	b.open("/settings/notifications/1/delete")
	b.fill("confirm", "Pager")
	b.submit("/settings/notifications")
	b.awaitMessage("The channel Pager was deleted.")
	if page, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.documentElement.outerHTML`)); err != nil || strings.Contains(page, "unspeakable") {
		t.Errorf("a secret is on the page, or %v", err)
	}
}
