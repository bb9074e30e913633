package courier

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"rekindle/internal/secret"
)

// The headers of a webhook's request; docs/notifications.md describes them.
const (
	SignatureHeader = "Rekindle-Signature"
	DeliveryHeader  = "Rekindle-Delivery"
)

// webhookMessage is the body of a webhook's request. Its names never change; new ones may come.
type webhookMessage struct {
	Version   int        `json:"version"`
	ID        string     `json:"id"`
	Condition string     `json:"condition,omitempty"`
	Phase     string     `json:"phase"`
	Cluster   string     `json:"cluster,omitempty"`
	Snapshot  string     `json:"snapshot,omitempty"`
	Title     string     `json:"title"`
	Text      string     `json:"text"`
	Next      string     `json:"next,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
	At        time.Time  `json:"at"`
	Link      string     `json:"link,omitempty"`
}

// Webhook posts signed JSON to a program.
func Webhook(to, key secret.Text, guard Guard) Courier {
	return post{to: to, guard: guard,
		body: func(m Message) any {
			body := webhookMessage{Version: 1, ID: m.Ref, Condition: m.Condition, Phase: m.Phase, Cluster: m.Cluster, Snapshot: m.Snapshot, Title: m.Title,
				Text: m.Text, Next: m.Next, At: m.At.UTC(), Link: m.Link}
			if since := m.Since.UTC(); !m.Since.IsZero() {
				body.Since = &since
			}
			return body
		},
		header: func(m Message, body []byte) map[string]string {
			return map[string]string{SignatureHeader: Sign(key, m.At, body), DeliveryHeader: m.Ref}
		}}
}

// Sign signs the body of a request: "t=<seconds since 1970>,v1=<hex of HMAC-SHA256 over "<t>.<body>">". The time is signed too, so that a receiver can
// refuse requests that somebody has recorded and sends again.
func Sign(key secret.Text, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
