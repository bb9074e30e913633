package models

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rekindle/internal/secret"
)

// ChannelKind says by what a [Channel] reaches people.
type ChannelKind string

// The kinds of channels.
const (
	ChannelMail     ChannelKind = "mail"
	ChannelSlack    ChannelKind = "slack"
	ChannelTeams    ChannelKind = "teams"
	ChannelDiscord  ChannelKind = "discord"
	ChannelTelegram ChannelKind = "telegram"
	ChannelWebhook  ChannelKind = "webhook"
)

// channelNames are the kinds in the order of the form, with their names for people.
var channelNames = []struct {
	kind ChannelKind
	name string
}{{ChannelMail, "Mail"}, {ChannelSlack, "Slack"}, {ChannelTeams, "Microsoft Teams"}, {ChannelDiscord, "Discord"}, {ChannelTelegram, "Telegram"}, {ChannelWebhook, "Webhook"}}

// ChannelKinds are all kinds, in the order of the form.
func ChannelKinds() []ChannelKind {
	kinds := make([]ChannelKind, len(channelNames))
	for i, one := range channelNames {
		kinds[i] = one.kind
	}
	return kinds
}

// Label is the kind's name for people.
func (k ChannelKind) Label() string {
	for _, one := range channelNames {
		if one.kind == k {
			return one.name
		}
	}
	return string(k)
}

// posts tells whether messages of the kind are posted to an address that is itself a secret.
func (k ChannelKind) posts() bool {
	return k == ChannelSlack || k == ChannelTeams || k == ChannelDiscord || k == ChannelWebhook
}

// How mail is protected on its way to the server.
const (
	MailStartTLS = "starttls"
	MailTLS      = "tls"
	MailPlain    = "none"
)

// Channel is a way to tell people what happens.
type Channel struct {
	ID          uint
	Name        string
	Kind        ChannelKind
	URL         secret.Text `gorm:"column:url"` // that messages are posted to; of Telegram: of another Bot API server, or ""
	Secret      secret.Text // mail: the password; Telegram: the bot's token; webhook: the key that signs
	Host        string      // of the mail server
	Port        int
	Security    string // MailStartTLS, MailTLS, MailPlain
	Username    string // at the mail server; "": it asks for none
	Sender      string // the mail address that messages come from
	Recipients  Lines  // mail addresses, or the one chat of Telegram
	Conditions  Lines  // that it tells of
	Clusters    Lines  // names or patterns; none: all
	RepeatHours int    // after which something that goes on is told again; 0: never
	Ends        bool   // it also tells when something is over
	Paused      bool
	CreatedAt   time.Time
}

// DefaultRepeatHours is offered for a new channel.
const DefaultRepeatHours = 24

// TelegramAPI is where bots are reached, unless somebody runs a server of their own.
const TelegramAPI = "https://api.telegram.org"

const (
	maxRepeatHours = 14 * 24
	maxRecipients  = 20
	maxPatterns    = 200
	minSigningKey  = 16
	maxAddress     = 2000
	maxSecret      = 500
)

// Repeat is after how long something that goes on is told again; 0: never.
func (c Channel) Repeat() time.Duration { return time.Duration(c.RepeatHours) * time.Hour }

// Wants tells whether the channel tells of this alarm.
func (c Channel) Wants(a Alarm) bool {
	if c.Paused || !slices.Contains(c.Conditions, string(a.Condition.chosen())) {
		return false
	}
	return a.Condition.OfConsole() || c.Covers(a.ClusterName)
}

// Covers tells whether the channel is for this cluster.
func (c Channel) Covers(cluster string) bool {
	return len(c.Clusters) == 0 || slices.ContainsFunc(c.Clusters, func(pattern string) bool {
		matches, err := path.Match(pattern, cluster)
		return err == nil && matches
	})
}

// Destination says where messages go, without what is secret about it.
func (c Channel) Destination() string {
	switch c.Kind {
	case ChannelMail:
		return strings.Join(c.Recipients, ", ") + " by " + net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	case ChannelTelegram:
		return "chat " + strings.Join(c.Recipients, ", ") + " by " + hostOf(c.TelegramServer())
	}
	if c.URL == "" {
		return "an address that is not known any more"
	}
	return hostOf(c.URL.Reveal())
}

// TelegramServer is the address of the Bot API that the channel uses.
func (c Channel) TelegramServer() string {
	if c.URL == "" {
		return TelegramAPI
	}
	return c.URL.Reveal()
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// Keep fills in the secrets that somebody who changes the channel has left empty. A secret that is sent is kept only if it goes where it went before:
// otherwise whoever may change a channel could have it sent to an address of their own.
func (c *Channel) Keep(before Channel) {
	if c.Kind != before.Kind {
		return
	}
	if c.URL == "" && c.Kind.posts() {
		c.URL = before.URL
	}
	same := c.Kind == ChannelWebhook || // the key that signs is never sent
		c.Kind == ChannelMail && c.Host == before.Host && c.Port == before.Port && c.Security == before.Security && c.Username == before.Username ||
		c.Kind == ChannelTelegram && c.URL == before.URL
	if c.Secret == "" && same {
		c.Secret = before.Secret
	}
}

// Lacks says which secrets a channel needs and does not have: they were in a catalog that was lost.
func (c Channel) Lacks() []string {
	var lacks []string
	if c.Kind.posts() && c.URL == "" {
		lacks = append(lacks, "address")
	}
	if c.Secret != "" {
		return lacks
	}
	switch {
	case c.Kind == ChannelWebhook:
		lacks = append(lacks, "signing key")
	case c.Kind == ChannelTelegram:
		lacks = append(lacks, "token")
	case c.Kind == ChannelMail && c.Username != "":
		lacks = append(lacks, "password")
	}
	return lacks
}

// CheckRecordedChannel checks a channel from a record, which has no secrets. Without those that it needs it is paused.
func CheckRecordedChannel(c *Channel) Faults {
	lacks := len(c.Lacks()) > 0
	faults := CheckChannel(c)
	if !lacks {
		return faults
	}
	c.Paused = true
	return slices.DeleteFunc(faults, func(f Fault) bool { return slices.Contains([]string{"url", "key", "token", "password"}, f.Field) })
}

// CheckChannel checks a channel, and brings it into its final form. Fields that its kind does not have are emptied.
func CheckChannel(c *Channel) Faults {
	var faults Faults
	if c.Name = strings.TrimSpace(c.Name); c.Name == "" || utf8.RuneCountInString(c.Name) > 100 || !plainText(c.Name) {
		faults.Add(CodeInvalid, "name", "Give the channel a name of at most 100 characters, such as the people that it tells.")
	}
	switch {
	case c.Kind == ChannelMail:
		faults = append(faults, c.checkMail()...)
	case c.Kind == ChannelTelegram:
		faults = append(faults, c.checkTelegram()...)
	case c.Kind.posts():
		faults = append(faults, c.checkPosts()...)
	default:
		faults.Add(CodeInvalid, "kind", "Choose by what people are told.")
	}
	return append(faults, c.checkChoices()...)
}

func (c *Channel) checkChoices() Faults {
	var faults Faults
	if len(c.Conditions) == 0 {
		faults.Add(CodeInvalid, "conditions", "Choose at least one thing to be told about.")
	}
	for _, text := range c.Conditions {
		if !slices.Contains(Conditions(), Condition(text)) {
			faults.Add(CodeInvalid, "conditions", fmt.Sprintf("There is nothing called %.60q to be told about.", text))
		}
	}
	if c.RepeatHours < 0 || c.RepeatHours > maxRepeatHours {
		faults.Add(CodeInvalid, "repeat_hours", fmt.Sprintf("Enter 1 to %d hours, or 0 to be told only once.", maxRepeatHours))
	}
	if len(c.Clusters) > maxPatterns {
		faults.Add(CodeInvalid, "clusters", fmt.Sprintf("%d names are too many. Use patterns such as shop-*, or leave this empty for all clusters.", len(c.Clusters)))
	}
	for i, pattern := range c.Clusters {
		pattern = strings.ToLower(pattern)
		c.Clusters[i] = pattern
		if _, err := path.Match(pattern, ""); err != nil || len(pattern) > 200 {
			faults.Add(CodeInvalid, "clusters", fmt.Sprintf("%.60q is neither the name of a cluster nor a pattern such as shop-*.", pattern))
		}
	}
	return faults
}

func (c *Channel) checkMail() Faults {
	var faults Faults
	c.URL = ""
	if c.Host = strings.TrimSpace(c.Host); !hostName(c.Host) {
		faults.Add(CodeInvalid, "host", "Enter the mail server's name or address, such as smtp.example.org, without its port.")
	}
	if c.Port < 1 || c.Port > 65535 {
		faults.Add(CodeInvalid, "port", "Enter the mail server's port, 1 to 65535: usually 587 for STARTTLS, 465 for TLS, 25 without.")
	}
	if !slices.Contains([]string{MailStartTLS, MailTLS, MailPlain}, c.Security) {
		faults.Add(CodeInvalid, "security", "Choose how the connection to the mail server is protected.")
	}
	if c.Sender = strings.TrimSpace(c.Sender); !mailAddress(c.Sender) {
		faults.Add(CodeInvalid, "sender", "Enter the address that the messages come from, such as rekindle@example.org.")
	}
	switch {
	case len(c.Recipients) == 0:
		faults.Add(CodeInvalid, "recipients", "Enter at least one mail address.")
	case len(c.Recipients) > maxRecipients:
		faults.Add(CodeInvalid, "recipients", fmt.Sprintf("A message can go to at most %d addresses. Use a mailing list.", maxRecipients))
	}
	for _, address := range c.Recipients {
		if !mailAddress(address) {
			faults.Add(CodeInvalid, "recipients", fmt.Sprintf("%.100q is not a mail address.", address))
		}
	}
	if c.Username = strings.TrimSpace(c.Username); len(c.Username) > 255 || !plainText(c.Username) {
		faults.Add(CodeInvalid, "username", "The user may have at most 255 characters, without line breaks.")
	}
	switch {
	case c.Username == "":
		c.Secret = ""
	case c.Secret == "":
		faults.Add(CodeCombination, "password", "A user of the mail server needs a password. Enter it again when the server or the user has changed.")
	case c.Security == MailPlain:
		faults.Add(CodeCombination, "security", "Without TLS the password would be sent in the clear. Choose STARTTLS or TLS, or leave the user empty.")
	case len(c.Secret) > maxSecret:
		faults.Add(CodeInvalid, "password", fmt.Sprintf("The password may have at most %d characters.", maxSecret))
	}
	return faults
}

var (
	botToken = regexp.MustCompile(`^[0-9]{3,20}:[A-Za-z0-9_-]{20,100}$`)
	chatID   = regexp.MustCompile(`^(-?[0-9]{1,20}|@[A-Za-z0-9_]{3,64})$`)
)

func (c *Channel) checkTelegram() Faults {
	var faults Faults
	c.forgetMail()
	if !botToken.MatchString(c.Secret.Reveal()) {
		faults.Add(CodeInvalid, "token", "Enter the bot's token as @BotFather has given it, such as 123456:ABC-DEF... Enter it again when the server has changed.")
	}
	if len(c.Recipients) != 1 || !chatID.MatchString(c.Recipients[0]) {
		faults.Add(CodeInvalid, "chat", "Enter the chat's number, such as -1001234567890, or the @name of a channel.")
	}
	if c.URL != "" {
		faults = append(faults, checkPostURL(&c.URL)...)
	}
	return faults
}

func (c *Channel) checkPosts() Faults {
	c.forgetMail()
	c.Recipients = nil
	faults := checkPostURL(&c.URL)
	if c.Kind != ChannelWebhook {
		c.Secret = ""
		return faults
	}
	if n := len(c.Secret); n < minSigningKey || n > maxSecret {
		faults.Add(CodeInvalid, "key", fmt.Sprintf("Enter a key of %d to %d characters. Whoever receives the messages checks their signature with it.", minSigningKey, maxSecret))
	}
	return faults
}

func (c *Channel) forgetMail() {
	c.Host, c.Port, c.Security, c.Username, c.Sender = "", 0, "", "", ""
}

// checkPostURL checks an address that messages are posted to. Its sentences do not repeat it: it is a secret.
func checkPostURL(address *secret.Text) Faults {
	text := strings.TrimSpace(address.Reveal())
	*address = secret.Text(text)
	refused := func(sentence string) Faults { return Faults{{Code: CodeInvalid, Field: "url", Message: sentence}} }
	u, err := url.Parse(text)
	switch {
	case text == "":
		return refused("Enter the address that messages are posted to.")
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || len(text) > maxAddress || !plainText(text):
		return refused("The address must look like https://hooks.example.org/services/T00/B00/key.")
	case u.User != nil:
		return refused("Keep users and passwords out of the address.")
	case u.Fragment != "":
		return refused("The address must not have a part after #: it would not be sent.")
	}
	return nil
}

func plainText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func mailAddress(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text && len(text) <= 254 && plainText(text)
}

var dnsName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?$`)

func hostName(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil || dnsName.MatchString(text)
}

// DeniedReceiver says why no message is sent to an address, or "". The rules are those of [DeniedAddress], with a list of their own.
func DeniedReceiver(addr netip.Addr, allowed []netip.Prefix) string {
	switch addr = addr.Unmap().WithZone(""); judge(addr, allowed) {
	case manyHosts:
		return fmt.Sprintf("%s is not the address of a single host.", addr)
	case ofMetadata:
		return fmt.Sprintf("%s is a link-local address, where clouds have their metadata: nothing is sent there, unless --notify-allow names it.", addr)
	case notAllowed:
		return fmt.Sprintf("%s is not among the addresses that --notify-allow names: this console sends no messages there.", addr)
	}
	return ""
}
