// Package secret holds the type for values that must never be printed: passwords, keys, tokens.
//
// A [Text] can be passed to fmt, slog and encoding/json without care: each of them sees only "***".
// Whoever really needs the value says so by calling [Text.Reveal].
package secret

import (
	"fmt"
	"log/slog"
)

// Text is a secret string. Its zero value is "no secret".
type Text string

const mask = "***"

// Reveal returns the secret itself, for the one place that sends or compares it.
func (t Text) Reveal() string { return string(t) }

// String returns "***", or "" when there is no secret.
func (t Text) String() string {
	if t == "" {
		return ""
	}
	return mask
}

// Format prints the mask for every verb, %#v and %x included.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// LogValue makes slog print the mask.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText makes encoding/json and friends print the mask.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
