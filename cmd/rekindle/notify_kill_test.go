package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// A console that is killed while it sends a message leaves it to the next one, under the same name.
func TestAKilledConsolesMessagesAreSentByTheNext(t *testing.T) {
	t.Parallel()
	node := testkit.Redis(t)
	bodies, hang := make(chan string, 10), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(receiver.Close)
	p := newProcess(t)
	p.start()
	p.signIn()
	const key = "the-key-that-signs-0123456789"
	p.must("/settings/notifications/-/new", url.Values{"name": {"Program"}, "kind": {"webhook"}, "url": {receiver.URL + "/in/unspeakable"}, "key": {key},
		"conditions": {string(models.ConditionUnreachable)}, "repeat_hours": {"24"}})
	p.must("/clusters/-/attach", url.Values{"id": {"orders"}, "addresses": {node.Addr}, "action": {"attach"}})
	node.Kill()
	first := <-bodies
	p.kill()
	close(hang)
	db := p.catalog()
	waiting, err := db.Deliveries.List(t.Context(), models.List{Equal: map[string]string{"state": string(models.DeliveryWaiting)}})
	if err != nil || len(waiting.Rows) != 1 || waiting.Rows[0].Attempts != 1 || time.Until(waiting.Rows[0].DueAt) < time.Minute {
		t.Fatalf("what waits is %+v, %v", waiting.Rows, err)
	}
	// As if the time had passed for which it belonged to the one that was killed.
	if err := db.Deliveries.Release(t.Context(), waiting.Rows[0]); err != nil {
		t.Fatal(err)
	}
	p.start()
	second := <-bodies
	name := regexp.MustCompile(`"id":"\w+"`)
	if !strings.Contains(first, `"title":"The cluster orders is unreachable"`) || name.FindString(first) == "" || name.FindString(first) != name.FindString(second) {
		t.Errorf("first came\n%s\nand then\n%s", first, second)
	}
	testkit.WaitFor(t, "it to be settled", func() bool {
		done, err := db.Deliveries.List(t.Context(), models.List{Equal: map[string]string{"state": string(models.DeliveryDelivered)}})
		return err == nil && len(done.Rows) == 1
	})
	for _, secret := range []string{"unspeakable", key} {
		if strings.Contains(p.output.tail(1<<20), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

func TestMessagesGoOnlyWhereTheyMay(t *testing.T) {
	t.Parallel()
	receiver := newPosted(t)
	p := newProcess(t)
	p.start("--notify-allow", "192.0.2.0/24")
	p.signIn()
	p.must("/settings/notifications/-/new", url.Values{"name": {"Program"}, "kind": {"webhook"}, "url": {receiver.URL}, "key": {"0123456789abcdef"},
		"conditions": {string(models.ConditionUnreachable)}, "repeat_hours": {"24"}})
	if _, body := p.post("/settings/notifications/1/test", nil); !strings.Contains(body, "127.0.0.1 is not among the addresses that --notify-allow names: this console sends no messages there.") {
		t.Errorf("the page says:\n%.2000s", body)
	}
	if receiver.count("") > 0 {
		t.Error("a message arrived")
	}
}
