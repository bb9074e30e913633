package resp

import "strings"

// Kinds of a [Value]: the byte that starts it on the wire.
const (
	KindSimple  byte = '+'
	KindError   byte = '-'
	KindInteger byte = ':'
	KindBulk    byte = '$'
	KindArray   byte = '*'
)

// Value is one RESP2 reply.
type Value struct {
	Kind  byte    // one of the Kind constants
	Str   string  // text of a simple string, an error or a bulk string
	Int   int64   // value of an integer
	Array []Value // elements of an array
	Null  bool    // a null bulk string or a null array
}

// Strings returns the texts of an array's elements; nil when v is not an array.
func (v Value) Strings() []string {
	if v.Kind != KindArray || v.Null {
		return nil
	}
	texts := make([]string, len(v.Array))
	for i, e := range v.Array {
		texts[i] = e.Str
	}
	return texts
}

// Error is an error reply of the server, as sent: "NOAUTH Authentication required.".
type Error string

// Error returns the server's message.
func (e Error) Error() string { return string(e) }

// Code returns the first word when it is an error code ("NOAUTH", "LOADING", "ERR"), else "".
func (e Error) Code() string {
	word, _, _ := strings.Cut(string(e), " ")
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return ""
	}
	return word
}

// PasswordRefused reports whether the server refused the password, requires one and got none, or has none and got one.
// Servers before 6.0 say so with the code ERR.
func (e Error) PasswordRefused() bool {
	if code := e.Code(); code != "ERR" {
		return code == "WRONGPASS" || code == "NOAUTH"
	}
	text := strings.ToLower(string(e))
	return strings.Contains(text, "invalid password") || strings.Contains(text, "without any password configured") || strings.Contains(text, "no password is set")
}

// UnknownCommand reports whether the server does not know the command: never had it, or it was renamed.
func (e Error) UnknownCommand() bool {
	return strings.HasPrefix(strings.ToLower(string(e)), "err unknown command")
}
