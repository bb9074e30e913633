package views

import (
	"strings"
	"time"

	"github.com/a-h/templ"
)

// The addresses of the pages about notifications.
const (
	NotificationsPath = "/settings/notifications"
	MessagesPath      = "/settings/notifications/messages"
	NewChannelPath    = "/settings/notifications/-/new"
)

// Channel is one way to tell people what happens.
type Channel struct {
	ID         string
	Name       string
	Kind       string // for people: "Mail"
	To         string // where messages go, without secrets
	Conditions int    // of how many things it tells
	Clusters   string // names and patterns; "": all
	Paused     bool
	Lacks      string   // "address", "address and signing key": secrets that were lost with the catalog
	Last       *Message // nil: none yet
}

// tells says in a few words what the channel is for.
func (c Channel) tells() string {
	of := "all clusters"
	if c.Clusters != "" {
		of = c.Clusters
	}
	return Plural(c.Conditions, "condition") + ", " + of
}

// Message is one message on its way to people, or one that has gone it.
type Message struct {
	ID            string
	Channel       string
	Title, Text   string
	Next          string // what happens next; may be empty
	Cluster       string
	ClusterExists bool
	State         string // "waiting", "delivered", "given-up"
	Attempts      int
	Answer        string // what the receiver answered last
	At            time.Time
	Due           time.Time // of the next attempt, while it waits
	Repeats       bool      // it can be sent again
}

// state is the state by which a pill is chosen. A message that has failed before is told from one that was not tried.
func (m Message) state() string {
	if m.State == "waiting" && m.Attempts > 0 && m.Answer != "" {
		return MessageRetried
	}
	return "message-" + m.State
}

// MessageRetried is the state of a message that did not arrive and is tried again.
const MessageRetried = "message-retried"

// answerLines are the lines of the answer, the status first.
func (m Message) answerLines() []string {
	lines := strings.Split(strings.TrimSpace(m.Answer), "\n")
	if len(lines) > 6 {
		lines = append(lines[:6:6], "…")
	}
	return lines
}

// Notifications is the page of the channels. Form: POST /settings/notifications with keep_events.
type Notifications struct {
	Fields
	Rows []Channel
}

// Messages is the list of messages, newest first. Filters: q, channel, state, cluster.
type Messages struct {
	List     List
	Rows     []Message
	Channels []Option
	Clusters Choices
	Any      bool
}

func (p Messages) filters() []Filter {
	return []Filter{
		{Name: "q", Label: "Text"},
		{Name: "channel", Label: "Channel", Options: p.Channels},
		{Name: "state", Label: "State", Options: []Option{{Value: "waiting", Label: "Waiting"}, {Value: "delivered", Label: "Delivered"}, {Value: "given-up", Label: "Given up"}}},
		p.Clusters.filter(),
		{Name: "from", Label: "From (UTC)", Day: true},
		{Name: "to", Label: "To (UTC)", Day: true},
	}
}

// ChannelForm makes a channel, or changes one. Form: POST to Action with name, kind, the fields of the kind, conditions, clusters, repeat_hours, ends, paused.
type ChannelForm struct {
	Fields
	Action     string
	Exists     bool
	Kinds      []Option
	Conditions []Option
	Chosen     map[string]bool // the conditions that are ticked
	Stored     map[string]bool // secrets that are kept if they are left empty
	Again      map[string]bool // secrets that were typed: they are not sent back
	To         string          // where messages of a channel that exists go
	Lacks      string          // as in [Channel]
	AWS        string          // the equivalent command
}

// lostText says which secrets were lost, and againText what to do about it.
func lostText(lacks string) string {
	if strings.Contains(lacks, " and ") {
		return "Its " + lacks + " were lost with the catalog."
	}
	return "Its " + lacks + " was lost with the catalog."
}

func againText(lacks string) string {
	if strings.Contains(lacks, " and ") {
		return "Give them again"
	}
	return "Give it again"
}

// secretHelp is the help of a field for a secret.
func (p ChannelForm) secretHelp(name, help string) string {
	switch {
	case p.Stored[name]:
		return "What is stored is not shown. Leave this empty to keep it." + p.keptFor(name)
	case p.Again[name]:
		return "Type it again: what was typed here is never sent back to a page."
	}
	return help
}

func (p ChannelForm) keptFor(name string) string {
	switch name {
	case "password":
		return " It is kept only while server, protection and user stay as they are."
	case "token":
		return " It is kept only while the server stays as it is."
	}
	return ""
}

var mailSecurity = []Option{
	{Value: "starttls", Label: "STARTTLS (usually port 587)"},
	{Value: "tls", Label: "TLS (usually port 465)"},
	{Value: "none", Label: "None: only without a user"},
}

// DeleteChannel asks before a channel is deleted. Form: POST /settings/notifications/{id}/delete with confirm (its name).
type DeleteChannel struct {
	Fields
	ID, Name, To string
}

// messageLink leads to the messages of a channel.
func messageLink(channel string) templ.SafeURL {
	return LinkQuery(MessagesPath, "channel", channel)
}
