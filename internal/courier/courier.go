// Package courier carries messages to people: by mail, into chats, and to programs by a signed webhook. It says what the receiver has answered. When
// to send what to whom is decided elsewhere.
package courier

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// Message is what people are told.
type Message struct {
	Ref       string // unique; the same when a message is sent again
	Condition string // what it is about, for programs: "snapshot-failed"
	Phase     string // "begins", "lasts", "ends" or "test"
	Cluster   string
	Snapshot  string
	Title     string // a few words
	Text      string // what happened, in sentences
	Next      string // what happens next, in a sentence
	Since     time.Time
	At        time.Time // when it is sent
	Link      string    // the page about it; "": nobody has said where the console is reached
}

// Courier carries messages to one receiver.
type Courier interface {
	// Carry sends a message and returns what the receiver answered. If it did not arrive, the error says so in words, without any secret.
	Carry(ctx context.Context, m Message) (answer string, err error)
}

// Timeout bounds the way of one message.
const Timeout = 20 * time.Second

// maxAnswer is how much of an answer is read and kept, in bytes.
const maxAnswer = 4 << 10

// Guard says whether an address may be connected to, by an error that says why not.
type Guard func(netip.AddrPort) error

// dialer connects to addresses that the guard lets through, whatever name led to them.
func (g Guard) dialer() *net.Dialer {
	return &net.Dialer{Timeout: Timeout, Control: func(_, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("read address %s: %w", address, err)
		}
		return g(addr)
	}}
}

// plain is the message as a text without any markup.
func (m Message) plain() string {
	var b strings.Builder
	b.WriteString(m.Text)
	if m.Next != "" {
		b.WriteString("\n\n" + m.Next)
	}
	b.WriteString("\n")
	for _, fact := range m.facts() {
		b.WriteString("\n" + fact[0] + ": " + fact[1])
	}
	if m.Link != "" {
		b.WriteString("\n" + m.Link)
	}
	return strings.TrimSpace(b.String())
}

// facts are the names and values that stand below a message.
func (m Message) facts() [][2]string {
	var facts [][2]string
	if m.Cluster != "" {
		facts = append(facts, [2]string{"Cluster", m.Cluster})
	}
	if m.Snapshot != "" {
		facts = append(facts, [2]string{"Snapshot", m.Snapshot})
	}
	if !m.Since.IsZero() && m.Phase != "test" {
		facts = append(facts, [2]string{"Since", m.Since.UTC().Format("2006-01-02 15:04 UTC")})
	}
	return facts
}

// answerText makes what a receiver has sent fit to be kept and shown.
func answerText(text string) string {
	if len(text) > maxAnswer {
		text = text[:maxAnswer]
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.TrimSpace(text)
}

// short cuts a text to so many characters.
func short(text string, characters int) string {
	if utf8.RuneCountInString(text) <= characters {
		return text
	}
	return string([]rune(text)[:characters-1]) + "…"
}
