package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

var monday = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

// bench is a notifier with a catalog of its own.
type bench struct {
	*Notifier
	t     *testing.T
	clock *clockwork.FakeClock
	log   *logged
	store error
	space models.Space
}

// logged is a log that can be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, clock: clockwork.NewFakeClockAt(monday), log: &logged{}}
	db, err := catalog.Open(t.Context(), catalog.File(filepath.Join(t.TempDir(), "rekindle.db")), b.clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Notifier = New(Config{DB: db, Clock: b.clock, Logger: slog.New(slog.NewTextHandler(b.log, nil)), PublicURL: "https://rekindle.example.org", Store: "dir:/store",
		Mine: func(context.Context) (bool, error) { return true, nil }, Present: func(context.Context) error { return b.store },
		Space:    func(context.Context) models.Space { return b.space },
		Sentence: func(err error) (string, bool) { return err.Error(), true }})
	t.Cleanup(func() {
		if err := b.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return b
}

// channel creates a channel that is told of everything.
func (b *bench) channel(c models.Channel) models.Channel {
	b.t.Helper()
	c.Ends, c.RepeatHours = true, 24
	for _, condition := range models.Conditions() {
		c.Conditions = append(c.Conditions, string(condition))
	}
	made, err := b.DB.Channels.Create(b.t.Context(), c, "admin")
	if err != nil {
		b.t.Fatal(err)
	}
	return made
}

func (b *bench) webhook(name, to string) models.Channel {
	b.t.Helper()
	return b.channel(models.Channel{Name: name, Kind: models.ChannelWebhook, URL: secret.Text(to + "/in/hidden"), Secret: "0123456789abcdef"})
}

// raise raises an alarm about a cluster.
func (b *bench) raise(cluster string) {
	b.t.Helper()
	err := b.DB.Events.Add(b.t.Context(), models.Event{Severity: models.SeverityError, ClusterName: cluster, Message: "The snapshot failed.", Raises: models.ConditionFailed})
	if err != nil {
		b.t.Fatal(err)
	}
}

// all are the messages, the oldest first.
func (b *bench) all() []models.Delivery {
	b.t.Helper()
	rows, err := b.DB.Deliveries.List(b.t.Context(), models.List{})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.SortFunc(rows.Rows, func(a, b models.Delivery) int { return int(a.ID) - int(b.ID) })
	return rows.Rows
}

// idle waits until nothing is being sent.
func (b *bench) idle() {
	b.t.Helper()
	testkit.WaitFor(b.t, "the messages to be sent", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.busy) == 0
	})
}

// receiver keeps what is posted to it, and answers with a status.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.status == http.StatusOK {
			r.bodies = append(r.bodies, string(body))
		}
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, "as you say")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

func TestMessagesArriveWithALink(t *testing.T) {
	t.Parallel()
	b, hook, mails := newBench(t), newReceiver(t), testkit.Mails(t, testkit.MailOptions{})
	b.webhook("program", hook.URL)
	b.channel(models.Channel{Name: "people", Kind: models.ChannelMail, Host: mails.Host, Port: mails.Port, Security: models.MailPlain, Sender: "rekindle@example.org",
		Recipients: models.Lines{"ops@example.org"}})
	b.raise("orders")
	b.send(t.Context())
	b.idle()
	if got := hook.got(); len(got) != 1 || !strings.Contains(got[0], `"link":"https://rekindle.example.org/clusters/orders"`) || !strings.Contains(got[0], `"condition":"snapshot-failed"`) {
		t.Errorf("the program got %q", got)
	}
	if got := mails.Messages(); len(got) != 1 || got[0].Header.Get("Subject") != "[Rekindle] A snapshot of orders failed" || !strings.Contains(got[0].Body, "https://rekindle.example.org/clusters/orders") {
		t.Errorf("people got %+v", got)
	}
	for _, d := range b.all() {
		if d.State != models.DeliveryDelivered || d.Answer == "" || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
	}
	b.send(t.Context())
	b.idle()
	if len(hook.got()) != 1 {
		t.Error("it was sent twice")
	}
}

func TestAReceiverThatWasDownGetsItLater(t *testing.T) {
	t.Parallel()
	b, hook := newBench(t), newReceiver(t)
	b.webhook("program", hook.URL)
	hook.answers(http.StatusServiceUnavailable)
	b.raise("orders")
	for range 3 {
		b.send(t.Context())
		b.idle()
	}
	if d := b.all()[0]; d.State != models.DeliveryWaiting || d.Attempts != 1 || d.Answer != "503 Service Unavailable\nas you say" || !d.DueAt.Equal(monday.Add(time.Minute)) {
		t.Errorf("after the first attempt: %+v", d)
	}
	hook.answers(http.StatusOK)
	b.clock.Advance(time.Minute)
	b.send(t.Context())
	b.idle()
	if d := b.all()[0]; d.State != models.DeliveryDelivered || d.Attempts != 2 || len(hook.got()) != 1 {
		t.Errorf("after the second attempt: %+v", d)
	}
}

func TestAReceiverThatStaysDownIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.webhook("program", "http://127.0.0.1:1")
	b.raise("orders")
	for range 20 {
		b.send(t.Context())
		b.idle()
		b.clock.Advance(6 * time.Hour)
	}
	if d := b.all()[0]; d.State != models.DeliveryGivenUp || d.Attempts != 6 || !strings.Contains(d.Answer, "refused") {
		t.Errorf("it is %+v", d)
	}
	events, err := b.DB.Events.List(t.Context(), models.List{Text: "could not be delivered through the channel program"})
	if err != nil || len(events.Rows) != 1 {
		t.Errorf("%d events say so, %v", len(events.Rows), err)
	}
	if log := b.log.String(); strings.Contains(log, "hidden") || !strings.Contains(log, "message not delivered") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestASlowReceiverHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b, hook := newBench(t), newReceiver(t)
	asked, answer := make(chan struct{}, 10), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		<-answer
	}))
	t.Cleanup(slow.Close)
	b.webhook("a slow one", slow.URL)
	b.webhook("another", hook.URL)
	b.raise("orders")
	b.send(t.Context())
	<-asked
	b.raise("carts") // whoever settles a run does not wait
	testkit.WaitFor(t, "the other receiver to get both", func() bool {
		b.send(t.Context())
		return len(hook.got()) == 2
	})
	if len(asked) > 0 {
		t.Error("the slow one is asked again before it has answered")
	}
	close(answer)
	b.idle()
	b.send(t.Context())
	b.idle()
	for _, d := range b.all() {
		if d.State != models.DeliveryDelivered {
			t.Errorf("%+v", d)
		}
	}
}

// Whoever is killed after a message was written, or while it is being sent, leaves it to the next.
func TestMessagesOutliveTheConsole(t *testing.T) {
	t.Parallel()
	b, hook := newBench(t), newReceiver(t)
	channel := b.webhook("program", hook.URL)
	b.raise("orders")
	claimed, err := b.DB.Deliveries.Claim(t.Context(), channel.ID, 1, claimLasts) // and killed
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	next := New(b.Config)
	next.send(t.Context())
	if err := next.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(hook.got()) != 0 {
		t.Fatal("what another console sends is sent by this one too")
	}
	b.clock.Advance(claimLasts)
	b.send(t.Context())
	b.idle()
	if got := hook.got(); len(got) != 1 || !strings.Contains(got[0], claimed[0].Ref) {
		t.Errorf("the receiver got %q", got)
	}
}

func TestAConsoleThatStopsLeavesItsMessagesToTheNext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := make(chan struct{}, 1)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	b.webhook("a slow one", slow.URL)
	b.raise("orders")
	ctx, cancel := context.WithCancel(t.Context())
	b.send(ctx)
	<-asked
	cancel()
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := b.all()[0]; d.State != models.DeliveryWaiting || d.Attempts != 0 || !d.DueAt.Equal(monday) {
		t.Errorf("it is %+v", d)
	}
	if _, err := b.Test(t.Context(), models.Channel{}, "admin"); err == nil {
		t.Error("a test begins after the end")
	}
}

func TestManyMessagesForPeopleBecomeOne(t *testing.T) {
	t.Parallel()
	b, hook, chat := newBench(t), newReceiver(t), newReceiver(t)
	b.webhook("program", hook.URL)
	b.channel(models.Channel{Name: "people", Kind: models.ChannelSlack, URL: secret.Text(chat.URL + "/services")})
	for i := range 30 {
		b.raise(fmt.Sprintf("shop-%02d", i))
	}
	b.send(t.Context())
	b.idle()
	if got := chat.got(); len(got) != 1 || !strings.Contains(got[0], "30 messages: A snapshot of shop-00 failed, and more") || !strings.Contains(got[0], "shop-29") {
		t.Errorf("people got %d messages: %.500q", len(got), got)
	}
	if got := hook.got(); len(got) != 30 {
		t.Errorf("the program got %d messages", len(got))
	}
	for _, d := range b.all() {
		if d.State != models.DeliveryDelivered {
			t.Errorf("%+v", d)
		}
	}
}

func TestAPausedChannelSendsNothing(t *testing.T) {
	t.Parallel()
	b, hook := newBench(t), newReceiver(t)
	c := b.webhook("program", hook.URL)
	b.raise("orders")
	c.Paused = true
	if _, err := b.DB.Channels.Change(t.Context(), c, "admin"); err != nil {
		t.Fatal(err)
	}
	b.raise("carts")
	b.send(t.Context())
	b.idle()
	if len(hook.got()) != 0 || len(b.all()) != 1 {
		t.Errorf("it got %q of %d messages", hook.got(), len(b.all()))
	}
	c.Paused = false
	if _, err := b.DB.Channels.Change(t.Context(), c, "admin"); err != nil {
		t.Fatal(err)
	}
	b.send(t.Context())
	b.idle()
	if got := hook.got(); len(got) != 2 || !strings.Contains(got[0], "orders") || !strings.Contains(got[1], "carts") {
		t.Errorf("afterwards, it got %q", got)
	}
}

func TestATestShowsTheAnswer(t *testing.T) {
	t.Parallel()
	b, hook := newBench(t), newReceiver(t)
	c := b.webhook("program", hook.URL)
	d, err := b.Test(t.Context(), c, "admin")
	if err != nil || d.State != models.DeliveryDelivered || d.Answer != "200 OK\nas you say" || len(hook.got()) != 1 || !strings.Contains(hook.got()[0], `"phase":"test"`) {
		t.Errorf("%+v, %v, and it got %q", d, err, hook.got())
	}
	hook.answers(http.StatusForbidden)
	d, err = b.Test(t.Context(), c, "admin")
	if err != nil || d.State != models.DeliveryGivenUp || d.Answer != "403 Forbidden\nas you say" {
		t.Errorf("%+v, %v", d, err)
	}
	b.clock.Advance(24 * time.Hour)
	b.send(t.Context())
	b.idle()
	all := b.all()
	if len(all) != 2 || all[1].State != models.DeliveryGivenUp || all[1].Attempts != 1 {
		t.Errorf("the messages are %+v", all)
	}
}

func TestNothingIsSentToMetadata(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, to := range []string{"http://169.254.169.254", "http://[fe80::1]", "http://[::ffff:169.254.169.254]", "http://0.0.0.0"} {
		c := b.webhook(fmt.Sprint(i), to)
		d, err := b.Test(t.Context(), c, "admin")
		if err != nil || d.State != models.DeliveryGivenUp || !strings.Contains(d.Answer, "is a link-local address") && !strings.Contains(d.Answer, "not the address of a single host") {
			t.Errorf("%s: %+v, %v", to, d, err)
		}
	}
	mail := models.Channel{Name: "mail", Kind: models.ChannelMail, Host: "169.254.169.254", Port: 25, Security: models.MailPlain, Sender: "a@example.org", Recipients: models.Lines{"b@example.org"}}
	if d, err := b.Test(t.Context(), b.channel(mail), "admin"); err != nil || !strings.Contains(d.Answer, "is a link-local address") {
		t.Errorf("mail: %+v, %v", d, err)
	}
}

func TestAStoreThatIsAwayIsToldOnceItStaysAway(t *testing.T) {
	t.Parallel()
	b, hook := newBench(t), newReceiver(t)
	b.webhook("program", hook.URL)
	expect := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, d := range b.all() {
			got = append(got, d.Title)
		}
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("%s: the messages are %q, want %q", what, got, want)
		}
	}
	const away, back = "The snapshot store cannot be used", "The snapshot store can be used again"
	b.look(t.Context())
	b.store = errors.New("The bucket does not answer.")
	b.look(t.Context())
	b.look(t.Context())
	b.store = nil
	b.look(t.Context())
	b.store = errors.New("The bucket does not answer.")
	b.look(t.Context())
	b.look(t.Context())
	expect("two looks are not enough")
	for range 5 {
		b.look(t.Context())
	}
	expect("it stays away", away)
	if d := b.all()[0]; !strings.Contains(d.Text, "The bucket does not answer.") || d.Path() != "/settings/storage" {
		t.Errorf("%+v", d)
	}
	b.Notifier = New(b.Config) // started again
	b.clock.Advance(time.Minute)
	b.store = nil
	b.look(t.Context())
	b.look(t.Context())
	expect("it is back", away, back)
}

func TestAStoreThatFillsIsTold(t *testing.T) {
	t.Parallel()
	b, hook := newBench(t), newReceiver(t)
	b.webhook("program", hook.URL)
	for _, step := range []struct {
		free     int64
		messages int
	}{{500, 0}, {90, 1}, {80, 1}, {110, 1}, {200, 2}, {90, 2}} { // the last is told when it stays, see Channel.Tell
		b.space = models.Space{Free: step.free << 20, Total: 1000 << 20}
		b.lookForSpace(t.Context())
		if got := len(b.all()); got != step.messages {
			t.Errorf("with %d of 1000 MiB free there are %d messages, want %d", step.free, got, step.messages)
		}
		b.clock.Advance(time.Minute)
	}
	space, err := b.DB.Disk.Space()
	if err != nil {
		t.Fatal(err)
	}
	if !sameDisk(space, models.Space{Free: space.Free - 1000, Total: space.Total}) || sameDisk(space, models.Space{Free: space.Free, Total: space.Total + 1}) {
		t.Error("a disk is not known again")
	}
}
