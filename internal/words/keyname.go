package words

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// KeyName writes the name of a key, which may be any bytes, so that it can be seen, copied and given to [ReadKeyName]: as it is if it is plain text, and
// otherwise in double quotes as redis-cli does.
func KeyName(name string) string {
	if plainKey(name) {
		return name
	}
	return QuoteKey(name)
}

// QuoteKey writes a name in double quotes, for a place where others follow. Control characters, bytes that are no UTF-8, and characters that are not to be seen or turn the
// direction of text are escaped as redis-cli escapes bytes: \n \r \t \a \b \\ \" and \xff.
func QuoteKey(name string) string {
	var text strings.Builder
	text.WriteByte('"')
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		switch letter := strings.IndexByte(escaped, name[0]); {
		case letter >= 0:
			text.WriteByte('\\')
			text.WriteByte(letters[letter])
		case strconv.IsPrint(r) && (r != utf8.RuneError || size > 1):
			text.WriteString(name[:size])
		default:
			for i := range size {
				text.WriteString(`\x`)
				text.WriteByte(digits[name[i]>>4])
				text.WriteByte(digits[name[i]&15])
			}
		}
		name = name[size:]
	}
	text.WriteByte('"')
	return text.String()
}

// What stands for itself behind a backslash, and how it is written there.
const (
	escaped = "\n\r\t\a\b\\\""
	letters = "nrtab\\\""
	digits  = "0123456789abcdef"
)

// plainKey tells whether a name can be seen and copied as it is, and is read as itself.
func plainKey(name string) bool {
	if name == "" || name[0] == ' ' || name[len(name)-1] == ' ' || strings.Contains(name, "  ") || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return ReadKeyName(name) == name
}

// ReadKeyName reads the name of a key as somebody has typed or copied it. What begins and ends with a double quote, with nothing between them but characters
// and the escapes of [QuoteKey], stands for what is escaped there; anything else is the name as it is. So a name that has such quotes itself is typed in quotes: "\"name\"".
func ReadKeyName(text string) string {
	inner, begins := strings.CutPrefix(text, `"`)
	inner, ends := strings.CutSuffix(inner, `"`)
	if !begins || !ends {
		return text
	}
	name := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		switch {
		case inner[i] == '"':
			return text
		case inner[i] != '\\':
			name = append(name, inner[i])
		default:
			b, more, ok := unescape(inner[i+1:])
			if !ok {
				return text
			}
			name, i = append(name, b), i+more
		}
	}
	return string(name)
}

// unescape reads what follows a backslash, which may be nothing, and how long that is.
func unescape(text string) (b byte, length int, ok bool) {
	if len(text) >= 3 && text[0] == 'x' {
		n, err := strconv.ParseUint(text[1:3], 16, 8)
		return byte(n), 3, err == nil
	}
	if text == "" {
		return 0, 0, false
	}
	i := strings.IndexByte(letters, text[0])
	if i < 0 {
		return 0, 0, false
	}
	return escaped[i], 1, true
}

// KeyStart writes the beginning of a name that is longer than what is kept of it. A character that was cut in two is left out.
func KeyStart(start string) string {
	for i := 1; i < utf8.UTFMax && i <= len(start); i++ {
		if tail := start[len(start)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRuneInString(tail) {
				start = start[:len(start)-i]
			}
			break
		}
	}
	return KeyName(start)
}
