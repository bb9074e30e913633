package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// mailForm is the form of a channel as the page has it, with changes.
func mailForm(changes ...string) []string {
	form := []string{"name", "Nights", "kind", "mail", "host", "smtp.example.org", "port", "587", "security", "starttls", "username", "me", "password", "correct horse",
		"sender", "rekindle@example.org", "recipients", "ops@example.org\r\nnights@example.org", "conditions", "snapshot-failed", "conditions", "store-unusable", "clusters", "",
		"repeat_hours", "12", "ends", "on"}
	for i := 0; i+1 < len(changes); i += 2 {
		for j := 0; j < len(form); j += 2 {
			if form[j] == changes[i] {
				form[j+1] = changes[i+1]
			}
		}
	}
	return form
}

func TestAChannelIsAddedChangedTestedAndDeleted(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/settings/notifications").is(http.StatusOK).says("Nobody is told yet", "Add a channel")
	c.get("/settings/notifications/-/new").is(http.StatusOK).says("Who is told", "A snapshot failed")
	c.post("/settings/notifications/-/new", mailForm()...).redirects("/settings/notifications")
	page := c.get("/settings/notifications").is(http.StatusOK).says("Nights", "Mail", "ops@example.org, nights@example.org by smtp.example.org:587", "2 conditions, all clusters", "none yet")
	if strings.Contains(page.raw, "correct horse") {
		t.Error("the password is shown")
	}
	channels, err := c.db.Channels.All(t.Context())
	c.check(err)
	made := channels[0]
	if len(channels) != 1 || made.Secret.Reveal() != "correct horse" || made.RepeatHours != 12 || !made.Ends || made.Paused {
		t.Fatalf("the channel is %+v", channels)
	}
	path := fmt.Sprintf("/settings/notifications/%d", made.ID)
	page = c.get(path).is(http.StatusOK).says("What is stored is not shown.")
	if strings.Contains(page.raw, "correct horse") || !strings.Contains(page.raw, `value="store-unusable" checked`) || strings.Contains(page.raw, `value="window-missed" checked`) {
		t.Error("the form is not that of the channel, or has its password")
	}
	c.post(path, mailForm("password", "", "name", "Days", "conditions", "window-missed")...).redirects("/settings/notifications")
	if now, err := c.db.Channels.Get(t.Context(), made.ID); err != nil || now.Name != "Days" || now.Secret != made.Secret {
		t.Errorf("changed, it is %+v, %v", now, err)
	}
	c.post(path, mailForm("password", "", "host", "mail.example.net")...).is(http.StatusUnprocessableEntity).says("A user of the mail server needs a password.")

	c.post(path + "/test").redirects("/settings/notifications")
	c.get("/settings/notifications").says("The test was delivered through Days. The receiver answered: 200 OK")
	c.jobs.mu.Lock()
	c.jobs.test = func(models.Channel) models.Delivery {
		return models.Delivery{State: models.DeliveryGivenUp, Answer: "535 Wrong password"}
	}
	c.jobs.mu.Unlock()
	c.post(path + "/test").redirects("/settings/notifications")
	c.get("/settings/notifications").says("The test was not delivered through Days. 535 Wrong password")

	c.get(path+"/delete").is(http.StatusOK).says("To confirm, type", "Days")
	c.post(path+"/delete", "confirm", "Nights").is(http.StatusUnprocessableEntity).says("Type the channel's name Days")
	c.post(path+"/delete", "confirm", "Days").redirects("/settings/notifications")
	for _, gone := range []string{path, path + "/delete", "/settings/notifications/soon"} {
		c.get(gone).is(http.StatusNotFound).says("There is no such channel.")
	}
	c.post(path + "/test").is(http.StatusNotFound)
}

func TestMistakesInAChannelKeepTheFormButNoSecrets(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	page := c.post("/settings/notifications/-/new", mailForm("port", "smtp", "repeat_hours", "daily", "recipients", "nobody", "clusters", "order")...).is(http.StatusUnprocessableEntity).
		says("The port must be a whole number", "The number of hours must be a whole number", "is not a mail address", "There is no cluster", "4 fields", "Type it again")
	if !strings.Contains(page.raw, `value="smtp.example.org"`) || !strings.Contains(page.raw, ">order</textarea>") || strings.Contains(page.raw, "correct horse") {
		t.Error("the form is not as it was sent, or has the password")
	}
	c.post("/settings/notifications/-/new", mailForm("clusters", "order")...).is(http.StatusUnprocessableEntity).says("There is no cluster")
	c.post("/settings/notifications/-/new", "name", "x", "kind", "pager").is(http.StatusUnprocessableEntity).says("Choose by what people are told.")
	bot := c.post("/settings/notifications/-/new", "name", "x", "kind", "telegram", "server", "ftp://bots", "token", "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZ", "chat", "-1", "conditions", "snapshot-failed",
		"repeat_hours", "1").is(http.StatusUnprocessableEntity).says("The address must look like")
	if !strings.Contains(bot.raw, `id="e-server"`) || strings.Contains(bot.raw, "ABCDEFGHIJKLM") {
		t.Error("the mistake is not at the server's field, or the token is sent back")
	}
	if channels, err := c.db.Channels.All(t.Context()); err != nil || len(channels) > 0 {
		t.Errorf("there are %d channels, %v", len(channels), err)
	}
}

func TestMessagesAreListedAndSentAgain(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/settings/notifications/messages").is(http.StatusOK).says("No messages yet")
	c.launch("orders")
	c.post("/settings/notifications/-/new", "name", "Program", "kind", "webhook", "url", "https://alarms.example.org/unspeakable", "key", "0123456789abcdef", "conditions", "snapshot-failed",
		"repeat_hours", "24").redirects("/settings/notifications")
	c.check(c.db.Events.Add(t.Context(), models.Event{Severity: models.SeverityError, ClusterName: "orders", Message: "It failed.", Raises: models.ConditionFailed, Next: "It is tried again."}))
	page := c.get("/settings/notifications/messages").is(http.StatusOK).says("A snapshot of orders failed", "It failed. It is tried again.", "Program", "Waiting", "none yet")
	if strings.Contains(page.raw, "unspeakable") || strings.Contains(page.raw, "/again") {
		t.Error("the address is shown, or what still waits can be sent again")
	}
	claimed, err := c.db.Deliveries.Claim(t.Context(), 1, 10, time.Minute)
	c.check(err)
	_, err = c.db.Deliveries.Failed(t.Context(), claimed[0], "500 Oh no\nsomething <b>broke</b>")
	c.check(err)
	c.get("/settings/notifications/messages").says("Tried again", "500 Oh no", "something <b>broke</b>", "next attempt", "in 1 minute")
	c.clock.Advance(time.Minute)
	claimed, err = c.db.Deliveries.Claim(t.Context(), 1, 10, time.Minute)
	c.check(err)
	c.check(c.db.Deliveries.Delivered(t.Context(), claimed[0], "200 OK"))
	c.get("/settings/notifications").says("Delivered")
	c.get("/settings/notifications/messages?state=delivered&channel=Program&cluster=orders").says("A snapshot of orders failed", "2 attempts")
	c.get("/settings/notifications/messages?state=waiting").says("Nothing matches")
	c.post(fmt.Sprintf("/settings/notifications/messages/%d/again", claimed[0].ID)).redirects("/settings/notifications/messages")
	c.get("/settings/notifications/messages").says("is sent again within seconds", "Waiting")
	c.post("/settings/notifications/messages/99/again").is(http.StatusNotFound)
	c.post("/settings/notifications/messages/x/again").is(http.StatusNotFound)
	export := c.get("/export.json").is(http.StatusOK)
	if strings.Contains(export.raw, "unspeakable") || strings.Contains(export.raw, "0123456789abcdef") {
		t.Error("the export has secrets of a channel")
	}
}

func TestHowLongEventsAreKeptIsASetting(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for text, says := range map[string]string{"13": "Enter 14 to 3650 days.", "long": "must be a whole number", "": "Enter the number of days"} {
		c.post("/settings/notifications", "keep_events", text).is(http.StatusUnprocessableEntity).says(says)
	}
	c.post("/settings/notifications", "keep_events", "30").redirects("/settings/notifications")
	if page := c.get("/settings/notifications").says("kept for 30 days"); !strings.Contains(page.raw, `value="30"`) {
		t.Error("the form has another number")
	}
}

func TestEventsAreFilteredByDays(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	today := c.clock.Now().UTC()
	for days := range 3 {
		c.check(c.db.Events.Add(t.Context(), models.Event{At: today.AddDate(0, 0, -days), Severity: models.SeverityInfo, Message: fmt.Sprintf("It was %d days ago.", days)}))
	}
	day := func(ago int) string { return today.AddDate(0, 0, -ago).Format(time.DateOnly) }
	for query, want := range map[string]string{"": "012", "?from=" + day(1): "01", "?to=" + day(1): "12", "?from=" + day(1) + "&to=" + day(1): "1", "?from=yesterday": "012", "?from=" + day(0) + "&to=" + day(2): ""} {
		page := c.get("/events" + query).is(http.StatusOK)
		var got string
		for days := range 3 {
			if strings.Contains(page.body, fmt.Sprintf("It was %d days ago.", days)) {
				got += fmt.Sprint(days)
			}
		}
		if got != want {
			t.Errorf("%q shows the events of %q days ago, want %q", query, got, want)
		}
		if strings.HasPrefix(query, "?from="+day(1)) && !strings.Contains(page.raw, `name="from" value="`+day(1)+`"`) {
			t.Errorf("%q: the filter is not shown", query)
		}
	}
}

func TestAChannelThatLostItsSecretsSaysSo(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	found := []models.Channel{{Name: "Desk", Kind: models.ChannelWebhook, Conditions: models.Lines{string(models.ConditionFailed)}}}
	if _, refused, err := c.db.Channels.Adopt(t.Context(), found); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	channels, err := c.db.Channels.All(t.Context())
	c.check(err)
	address := "/settings/notifications/" + strconv.FormatUint(uint64(channels[0].ID), 10)
	c.get("/settings/notifications").says("Paused", "Its address and signing key were lost with the catalog.", "Give them again", `href="`+address+`"`)
	c.get(address).says("Give them again, and untick Paused below: until then nothing is sent.").doesNotSay("What is stored is not shown.")
	c.post(address + "/test").redirects("/settings/notifications")
	c.get("/settings/notifications").says("The test was not sent. Give the channel Desk its address and signing key again first.")
	change := []string{"name", "Desk", "kind", "webhook", "conditions", string(models.ConditionFailed), "repeat_hours", "24"}
	c.post(address, change...).is(http.StatusUnprocessableEntity).says("Enter the address that messages are posted to.", "Enter a key of 16")
	c.post(address, append(change, "url", "https://hooks.example.org/x", "key", "0123456789abcdef")...).redirects("/settings/notifications")
	c.get("/settings/notifications").doesNotSay("lost with the catalog", "Paused")
}
