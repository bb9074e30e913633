package models

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"rekindle/internal/secret"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func channelOf(kind ChannelKind) Channel {
	c := Channel{Name: "On call", Kind: kind, Conditions: Lines{string(ConditionFailed)}, RepeatHours: 24, Ends: true}
	switch kind {
	case ChannelMail:
		c.Host, c.Port, c.Security, c.Username, c.Secret, c.Sender, c.Recipients = "smtp.example.org", 587, MailStartTLS, "rekindle", "correct horse", "rekindle@example.org", Lines{"ops@example.org"}
	case ChannelTelegram:
		c.Secret, c.Recipients = "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZ012345678", Lines{"-1001234567890"}
	case ChannelWebhook:
		c.URL, c.Secret = "https://alarms.example.org/in?key=hidden", "0123456789abcdef"
	default:
		c.URL = "https://hooks.example.org/services/T0/B0/hidden"
	}
	return c
}

func TestChannelsOfEachKindAreAccepted(t *testing.T) {
	t.Parallel()
	for _, kind := range ChannelKinds() {
		c := channelOf(kind)
		if faults := CheckChannel(&c); len(faults) > 0 {
			t.Errorf("%s: %v", kind, faults)
		}
		if to := c.Destination(); to == "" || contains(to, "hidden") || contains(to, c.Secret.Reveal()+"!") || kind.Label() == string(kind) {
			t.Errorf("%s is %q and goes to %q", kind, kind.Label(), to)
		}
	}
}

func TestMistakesInChannelsAreNamedAtTheirFields(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   ChannelKind
		change func(*Channel)
		field  string
	}{
		"no name":                     {ChannelSlack, func(c *Channel) { c.Name = " " }, "name"},
		"a line break in the name":    {ChannelSlack, func(c *Channel) { c.Name = "a\nb" }, "name"},
		"no kind":                     {ChannelSlack, func(c *Channel) { c.Kind = "pager" }, "kind"},
		"no conditions":               {ChannelSlack, func(c *Channel) { c.Conditions = nil }, "conditions"},
		"an unknown condition":        {ChannelSlack, func(c *Channel) { c.Conditions = Lines{"rain"} }, "conditions"},
		"too many hours":              {ChannelSlack, func(c *Channel) { c.RepeatHours = 1000 }, "repeat_hours"},
		"fewer than no hours":         {ChannelSlack, func(c *Channel) { c.RepeatHours = -1 }, "repeat_hours"},
		"a broken pattern":            {ChannelSlack, func(c *Channel) { c.Clusters = Lines{"shop-["} }, "clusters"},
		"no address":                  {ChannelSlack, func(c *Channel) { c.URL = "" }, "url"},
		"a file":                      {ChannelSlack, func(c *Channel) { c.URL = "file:///etc/passwd" }, "url"},
		"no host":                     {ChannelTeams, func(c *Channel) { c.URL = "https:///hook" }, "url"},
		"a password in the address":   {ChannelDiscord, func(c *Channel) { c.URL = "https://a:b@example.org/" }, "url"},
		"a fragment":                  {ChannelDiscord, func(c *Channel) { c.URL = "https://example.org/#a" }, "url"},
		"a short key":                 {ChannelWebhook, func(c *Channel) { c.Secret = "short" }, "key"},
		"no token":                    {ChannelTelegram, func(c *Channel) { c.Secret = "" }, "token"},
		"a token with a path":         {ChannelTelegram, func(c *Channel) { c.Secret = "123456:../../getMe?aaaaaaaaaaaaaaaaaaaaaaaa" }, "token"},
		"no chat":                     {ChannelTelegram, func(c *Channel) { c.Recipients = nil }, "chat"},
		"no mail server":              {ChannelMail, func(c *Channel) { c.Host = "" }, "host"},
		"a mail server with its port": {ChannelMail, func(c *Channel) { c.Host = "smtp.example.org:25" }, "host"},
		"no port":                     {ChannelMail, func(c *Channel) { c.Port = 0 }, "port"},
		"no protection chosen":        {ChannelMail, func(c *Channel) { c.Security = "" }, "security"},
		"a password in the clear":     {ChannelMail, func(c *Channel) { c.Security = MailPlain }, "security"},
		"no password":                 {ChannelMail, func(c *Channel) { c.Secret = "" }, "password"},
		"no sender":                   {ChannelMail, func(c *Channel) { c.Sender = "me" }, "sender"},
		"a header in the sender":      {ChannelMail, func(c *Channel) { c.Sender = "me@example.org\r\nBcc: all@example.org" }, "sender"},
		"no recipients":               {ChannelMail, func(c *Channel) { c.Recipients = nil }, "recipients"},
		"no mail address":             {ChannelMail, func(c *Channel) { c.Recipients = Lines{"ops"} }, "recipients"},
	} {
		c := channelOf(test.kind)
		test.change(&c)
		if faults := CheckChannel(&c); faults.Fields()[test.field] == "" {
			t.Errorf("%s: nothing is said at %s, only %v", name, test.field, faults)
		} else if contains(faults.Error(), "hidden") || contains(faults.Error(), "correct horse") {
			t.Errorf("%s: a secret is said: %v", name, faults)
		}
	}
}

func TestSecretsAreKeptOnlyForWhereTheyWent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   ChannelKind
		change func(*Channel)
		keeps  bool
	}{
		"another name":             {ChannelMail, func(c *Channel) { c.Name = "Nights" }, true},
		"another mail server":      {ChannelMail, func(c *Channel) { c.Host = "mail.example.net" }, false},
		"less protection":          {ChannelMail, func(c *Channel) { c.Security = MailTLS }, false},
		"another chat":             {ChannelTelegram, func(c *Channel) { c.Recipients = Lines{"-2"} }, true},
		"another Telegram server":  {ChannelTelegram, func(c *Channel) { c.URL = "https://bots.example.net" }, false},
		"a webhook elsewhere":      {ChannelWebhook, func(c *Channel) { c.URL = "https://other.example.org" }, true},
		"another kind altogether":  {ChannelWebhook, func(c *Channel) { c.Kind = ChannelTelegram }, false},
		"a mail user of that name": {ChannelMail, func(c *Channel) { c.Username = "other" }, false},
	} {
		before := channelOf(test.kind)
		c := before
		c.Secret = ""
		test.change(&c)
		if c.Keep(before); (c.Secret == before.Secret) != test.keeps {
			t.Errorf("%s: the secret is kept: %t", name, !test.keeps)
		}
	}
	before := channelOf(ChannelSlack)
	c := before
	c.URL = ""
	if c.Keep(before); c.URL != before.URL {
		t.Error("the address that was left empty did not stay")
	}
	c.Kind, c.URL = ChannelDiscord, ""
	if c.Keep(before); c.URL != secret.Text("") {
		t.Error("the address of another kind was kept")
	}
}

func TestChannelsWantWhatTheyWereMadeFor(t *testing.T) {
	t.Parallel()
	c := Channel{Conditions: Lines{string(ConditionFailed), string(ConditionStore)}, Clusters: Lines{"orders", "shop-*"}}
	for _, test := range []struct {
		alarm Alarm
		wants bool
	}{
		{Alarm{Condition: ConditionFailed, ClusterName: "orders"}, true},
		{Alarm{Condition: ConditionFailed, ClusterName: "shop-eu"}, true},
		{Alarm{Condition: ConditionFailed, ClusterName: "orders-2"}, false},
		{Alarm{Condition: ConditionMissed, ClusterName: "orders"}, false},
		{Alarm{Condition: ConditionStore}, true},
		{Alarm{Condition: ConditionFull}, false},
	} {
		if c.Wants(test.alarm) != test.wants {
			t.Errorf("%+v: wanted %t", test.alarm, !test.wants)
		}
	}
	if c.Paused = true; c.Wants(Alarm{Condition: ConditionStore}) {
		t.Error("a channel that is paused wants something")
	}
	if !(Channel{}).Covers("anything") {
		t.Error("a channel without names is not for all clusters")
	}
}

func TestMessagesAreNotSentWhereNoOperatorWantsThem(t *testing.T) {
	t.Parallel()
	private := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct {
		address string
		allowed []netip.Prefix
		denied  bool
	}{
		{"169.254.169.254", nil, true}, {"::ffff:169.254.169.254", nil, true}, {"fe80::1", nil, true}, {"fd00:ec2::254", nil, true}, {"0.0.0.0", nil, true}, {"224.0.0.1", nil, true},
		{"127.0.0.1", nil, false}, {"10.1.2.3", nil, false}, {"203.0.113.7", nil, false},
		{"10.1.2.3", private, false}, {"127.0.0.1", private, true}, {"203.0.113.7", private, true}, {"169.254.169.254", private, true},
		{"169.254.169.254", []netip.Prefix{netip.MustParsePrefix("169.254.169.254/32")}, false},
	} {
		if why := DeniedReceiver(netip.MustParseAddr(test.address), test.allowed); (why != "") != test.denied || contains(why, "attach") {
			t.Errorf("%s with %v: %q", test.address, test.allowed, why)
		}
	}
	if !slices.Contains(ChannelKinds(), ChannelMail) {
		t.Error("there is no mail")
	}
}

func TestChannelsFromARecordLackTheirSecrets(t *testing.T) {
	t.Parallel()
	conditions := Lines{string(ConditionFailed)}
	mail := Channel{Name: "x", Kind: ChannelMail, Host: "smtp.example.org", Port: 587, Security: MailStartTLS, Sender: "a@example.org", Recipients: Lines{"b@example.org"}}
	signsIn, noServer := mail, mail
	signsIn.Username, noServer.Host = "console", ""
	for name, c := range map[string]struct {
		channel Channel
		lacks   string
		wrong   string // the field
	}{
		"mail":             {channel: mail},
		"mail with a user": {channel: signsIn, lacks: "password"},
		"a chat":           {channel: Channel{Name: "x", Kind: ChannelTeams}, lacks: "address"},
		"a webhook":        {channel: Channel{Name: "x", Kind: ChannelWebhook}, lacks: "address, signing key"},
		"a bot":            {channel: Channel{Name: "x", Kind: ChannelTelegram, Recipients: Lines{"@ops"}}, lacks: "token"},
		"another kind":     {channel: Channel{Name: "x", Kind: "pigeon"}, wrong: "kind"},
		"no name":          {channel: Channel{Kind: ChannelSlack}, lacks: "address", wrong: "name"},
		"no server":        {channel: noServer, wrong: "host"},
	} {
		c.channel.Conditions = conditions
		if lacks := strings.Join(c.channel.Lacks(), ", "); lacks != c.lacks {
			t.Errorf("%s lacks %q", name, lacks)
		}
		faults := CheckRecordedChannel(&c.channel)
		if c.wrong == "" && len(faults) > 0 || c.wrong != "" && (len(faults) != 1 || faults[0].Field != c.wrong) {
			t.Errorf("%s: %v", name, faults)
		}
		if c.channel.Paused != (c.lacks != "") {
			t.Errorf("%s: paused is %t", name, c.channel.Paused)
		}
		if c.channel.Paused = false; c.lacks != "" && len(CheckChannel(&c.channel)) == 0 {
			t.Errorf("%s can be turned on without its secrets", name)
		}
	}
}
