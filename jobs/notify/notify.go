// Package notify tells people what happens. What they are to be told is in the catalog already, written together with what it tells of; this package
// sends it, and looks for what nobody else notices: snapshots that become too old, a store that is away, a disk that fills.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/courier"
	"rekindle/internal/drain"
	"rekindle/jobs/tick"
	"rekindle/models"
	"rekindle/models/catalog"
)

const (
	// claimLasts is for how long messages that are being sent belong to this console. It is longer than sending as many as are claimed can take.
	claimLasts = 3 * time.Minute
	// claimedAtOnce is how many messages are claimed at a time.
	claimedAtOnce = 50
	// bundled is how many messages may wait for people before they are sent as one.
	bundled = 5
	// settlePatience is how long writing down what became of a message may take while the console is being stopped.
	settlePatience = 5 * time.Second
)

// Config is what a [Notifier] is built from.
type Config struct {
	DB        *catalog.DB
	Clock     clockwork.Clock
	Logger    *slog.Logger
	PublicURL string                                      // where people reach the console, without a slash at the end; "": nobody has said
	Mine      func(ctx context.Context) (bool, error)     // whether this console is the one that looks after what is shared
	Store     string                                      // where the snapshot store is, for people
	Present   func(ctx context.Context) error             // fails when the store does not answer, or is not the console's own
	Space     func(ctx context.Context) (s models.Space)  // of the store; zero: it does not say
	Sentence  func(err error) (sentence string, has bool) // words an error for people
}

// Notifier sends messages.
type Notifier struct {
	Config
	sending drain.Group
	mu      sync.Mutex
	busy    map[uint]bool   // channels through which messages are being sent, so that a slow one holds up no other
	away    int             // looks in a row for which the store was away
	silent  map[uint]bool   // nodes that did not answer at the last look
	stalled map[string]bool // clusters whose journals stood still at the last look
}

// New builds a notifier; nothing happens before its ticks.
func New(config Config) *Notifier {
	return &Notifier{Config: config, busy: make(map[uint]bool)}
}

// Ticks are the tasks that are repeated.
func (n *Notifier) Ticks() []tick.Tick {
	return []tick.Tick{
		{Name: "notify", Every: 5 * time.Second, Do: n.send},
		{Name: "alarms", Every: time.Minute, Do: n.look},
		{Name: "store-space", Every: 5 * time.Minute, Do: n.lookForSpace},
		{Name: "forget", Every: time.Hour, Do: n.sweep},
	}
}

// Start implements the loops of package jobs: the ticks are all there is to start.
func (n *Notifier) Start(context.Context) error { return nil }

// Stop waits until no message is on its way, or ctx ends. What cut them off is the end of the ticks' context.
func (n *Notifier) Stop(ctx context.Context) error { return n.sending.Close(ctx) }

// send begins to send what is due. It does not wait for receivers.
func (n *Notifier) send(ctx context.Context) {
	due, err := n.DB.Deliveries.Due(ctx)
	if err != nil {
		n.failed(ctx, "look for messages to send", err)
		return
	}
	for _, channel := range due {
		if !n.begin(channel) {
			continue
		}
		go func() {
			defer n.end(channel)
			if err := n.through(ctx, channel); err != nil {
				n.failed(ctx, "send messages", err)
			}
		}()
	}
}

func (n *Notifier) begin(channel uint) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.busy[channel] || !n.sending.Enter() {
		return false
	}
	n.busy[channel] = true
	return true
}

func (n *Notifier) end(channel uint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.busy, channel)
	n.sending.Leave()
}

func (n *Notifier) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		n.Logger.Error(what, "error", err)
	}
}

// through sends what is due through a channel, until nothing is or something does not arrive.
func (n *Notifier) through(ctx context.Context, id uint) error {
	channel, err := n.DB.Channels.Get(ctx, id)
	if models.HasCode(err, models.CodeChannelNotFound) || err == nil && channel.Paused {
		return nil
	} else if err != nil {
		return err
	}
	limit := claimedAtOnce
	if channel.Kind == models.ChannelWebhook {
		limit = 1 // programs get each message by itself
	}
	for ctx.Err() == nil {
		claimed, err := n.DB.Deliveries.Claim(ctx, id, limit, claimLasts)
		if err != nil || len(claimed) == 0 {
			return err
		}
		arrived, err := n.carry(ctx, channel, claimed)
		if err != nil || !arrived {
			return err
		}
	}
	return nil
}

// carry sends claimed messages, as one if they are many. It tells whether all have arrived.
func (n *Notifier) carry(ctx context.Context, channel models.Channel, claimed []models.Delivery) (arrived bool, err error) {
	if len(claimed) > bundled {
		answer, err := n.courier(channel).Carry(ctx, n.bundle(claimed))
		return err == nil, n.settle(ctx, answer, err, claimed...)
	}
	for i, d := range claimed {
		answer, err := n.courier(channel).Carry(ctx, n.message(d))
		if settled := n.settle(ctx, answer, err, d); settled != nil || err != nil {
			return false, joined(settled, n.release(ctx, claimed[i+1:]))
		}
	}
	return true, nil
}

func joined(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// settle writes down what became of messages. When the console is being stopped, nothing is known of them: they are sent again.
func (n *Notifier) settle(ctx context.Context, answer string, failure error, sent ...models.Delivery) error {
	if failure != nil && ctx.Err() != nil {
		return n.release(ctx, sent)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
	defer cancel()
	for _, d := range sent {
		var err error
		if failure == nil {
			err = n.DB.Deliveries.Delivered(ctx, d, answer)
		} else {
			var given bool
			given, err = n.DB.Deliveries.Failed(ctx, d, sentenceOf(failure))
			n.Logger.Warn("message not delivered", "channel", d.ChannelName, "message", d.Ref, "attempt", d.Attempts, "given_up", given, "error", failure)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Notifier) release(ctx context.Context, claimed []models.Delivery) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
	defer cancel()
	for _, d := range claimed {
		if err := n.DB.Deliveries.Release(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// sentenceOf makes a sentence of an error of a courier.
func sentenceOf(err error) string {
	text := strings.TrimSpace(err.Error())
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text
}

// Test sends a message through a channel at once, and returns what became of it.
func (n *Notifier) Test(ctx context.Context, channel models.Channel, by string) (models.Delivery, error) {
	if !n.sending.Enter() {
		return models.Delivery{}, drain.ErrStopping
	}
	defer n.sending.Leave()
	d, err := n.DB.Deliveries.Test(ctx, channel, by, claimLasts)
	if err != nil {
		return d, err
	}
	answer, failure := n.courier(channel).Carry(ctx, n.message(d))
	d.State, d.Answer = models.DeliveryDelivered, answer
	if failure != nil {
		d.State, d.Answer = models.DeliveryGivenUp, sentenceOf(failure)
	}
	return d, n.settle(context.WithoutCancel(ctx), answer, failure, d)
}

// message is what the receiver of a delivery gets.
func (n *Notifier) message(d models.Delivery) courier.Message {
	return courier.Message{Ref: d.Ref, Condition: string(d.Condition), Phase: string(d.Phase), Cluster: d.ClusterName, Snapshot: d.SnapshotName, Title: d.Title, Text: d.Text,
		Next: d.Next, Since: d.Since, At: n.Clock.Now(), Link: n.link(d.Path())}
}

func (n *Notifier) link(path string) string {
	if n.PublicURL == "" {
		return ""
	}
	return n.PublicURL + path
}

// bundle makes one message of several.
func (n *Notifier) bundle(all []models.Delivery) courier.Message {
	var text strings.Builder
	for _, d := range all {
		fmt.Fprintf(&text, "- %s (%s)\n", d.Title, d.CreatedAt.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return courier.Message{Ref: all[0].Ref, Phase: string(models.PhaseBegins), Title: fmt.Sprintf("%d messages: %s, and more", len(all), all[0].Title), Text: strings.TrimSpace(text.String()),
		At: n.Clock.Now(), Link: n.link("/events")}
}

// courier is how messages of a channel are carried.
func (n *Notifier) courier(c models.Channel) courier.Courier {
	switch c.Kind {
	case models.ChannelMail:
		return courier.Mail{Host: c.Host, Port: c.Port, Security: c.Security, Username: c.Username, Password: c.Secret, Sender: c.Sender, To: c.Recipients, Guard: guard}
	case models.ChannelSlack:
		return courier.Slack(c.URL, guard)
	case models.ChannelTeams:
		return courier.Teams(c.URL, guard)
	case models.ChannelDiscord:
		return courier.Discord(c.URL, guard)
	case models.ChannelTelegram:
		return courier.Telegram(c.TelegramServer(), c.Secret, strings.Join(c.Recipients, ""), guard)
	}
	return courier.Webhook(c.URL, c.Secret, guard)
}

// allowed is what [Allow] was told. Like the rules of a firewall it holds for the whole process.
var allowed atomic.Pointer[[]netip.Prefix]

// Allow has messages sent into these networks only; without any, into all but those that are always denied.
func Allow(networks []netip.Prefix) { allowed.Store(&networks) }

// deniedError says that an address is not connected to.
type deniedError struct{ why string }

func (e deniedError) Error() string { return e.why }

func guard(addr netip.AddrPort) error {
	var networks []netip.Prefix
	if set := allowed.Load(); set != nil {
		networks = *set
	}
	if why := models.DeniedReceiver(addr.Addr(), networks); why != "" {
		return deniedError{why}
	}
	return nil
}
