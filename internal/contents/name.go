package contents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Name is the name of a key, or a prefix of names: any bytes at all. In JSON it is a string if it is text, and otherwise an object with the bytes in base64,
// {"base64": "..."}. A name that was cut is an object too and has its whole length: {"text": "...", "length": 300}.
type Name struct {
	text   string
	length int64 // of the whole name
}

// NameOf is a name of this whole length, of which p is all that is kept.
func NameOf(p []byte, length int64) Name { return Name{string(p), length} }

// String returns the bytes that are kept.
func (n Name) String() string { return n.text }

// Cut tells whether more than what is kept belongs to the name, and how long it is.
func (n Name) Cut() (length int64, cut bool) { return n.length, n.length > int64(len(n.text)) }

// Known tells whether there is a name at all.
func (n Name) Known() bool { return n.text != "" || n.length > 0 }

type nameObject struct {
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	Length int64  `json:"length,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (n Name) MarshalJSON() ([]byte, error) {
	_, cut := n.Cut()
	if utf8.ValidString(n.text) && !cut {
		return json.Marshal(n.text)
	}
	o := nameObject{Text: n.text}
	if !utf8.ValidString(n.text) {
		o = nameObject{Base64: []byte(n.text)}
	}
	if cut {
		o.Length = n.length
	}
	return json.Marshal(o)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *Name) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		if err := json.Unmarshal(data, &n.text); err != nil {
			return err
		}
		n.length = int64(len(n.text))
		return nil
	}
	var o nameObject
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	if o.Text != "" && len(o.Base64) > 0 {
		return errors.New("a name that is both text and base64")
	}
	n.text = o.Text + string(o.Base64)
	n.length = max(o.Length, int64(len(n.text)))
	if o.Length != 0 && o.Length < int64(len(n.text)) {
		return fmt.Errorf("a name of %d bytes that says it has %d", len(n.text), o.Length)
	}
	return nil
}
