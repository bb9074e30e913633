package words

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNamesOfKeysAreWrittenAsTheyAreOrQuoted(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"cart:1":             "cart:1",
		"two words":          "two words",
		"käse 🧀":             "käse 🧀",
		`back\slash`:         `back\slash`,
		`"`:                  `"`,
		`"open`:              `"open`,
		`say "hi"`:           `say "hi"`,
		`"a" or "b"`:         `"a" or "b"`,
		`"\q"`:               `"\q"`,
		"":                   `""`,
		`""`:                 `"\"\""`,
		`"name"`:             `"\"name\""`,
		" led":               `" led"`,
		"two  spaces":        `"two  spaces"`,
		"a\nb":               `"a\nb"`,
		"\xff\x00abc":        `"\xff\x00abc"`,
		"\a\b\t\r\n\\\"\xc3": `"\a\b\t\r\n\\\"\xc3"`,
		"x\u202ey":           `"x\xe2\x80\xaey"`,
		"ä\x01":              `"ä\x01"`,
		"\ufffd":             "\ufffd",
	} {
		if got := KeyName(name); got != want {
			t.Errorf("%q is written %s, not %s", name, got, want)
		}
		if got := ReadKeyName(want); got != name {
			t.Errorf("%s is read as %q, not %q", want, got, name)
		}
	}
}

func TestOnlyWholeQuotesAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"\xFF\x0a"`: "\xff\n",
		`"a`:         `"a`,
		`a"`:         `a"`,
		`"\"`:        `"\"`,
		`"\xg0"`:     `"\xg0"`,
		`"\x+1"`:     `"\x+1"`,
		`"\x1"`:      `"\x1"`,
		` "a"`:       ` "a"`,
		`'a'`:        `'a'`,
		`\xff`:       `\xff`,
	} {
		if got := ReadKeyName(text); got != want {
			t.Errorf("%s is read as %q, not %q", text, got, want)
		}
	}
}

func TestTheBeginningOfANameHasNoHalfCharacter(t *testing.T) {
	t.Parallel()
	for start, want := range map[string]string{"ab\xc3": "ab", "ab\xf0\x9f\xa7": "ab", "abä": "abä", "ab\x80": `"ab\x80"`, "\xe2": `""`, "ab": "ab", "": `""`} {
		if got := KeyStart(start); got != want {
			t.Errorf("%q is written %s, not %s", start, got, want)
		}
	}
}

func FuzzNamesOfKeysCanBeCopiedAndPastedBack(f *testing.F) {
	for _, name := range []string{"cart:1", "\xff\x00abc", `"\xff"`, `"\"`, "a\nb", " ", "\u202e", `"a"b"`, "\x7f\xc3\xa4", `\x41`} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, written := range []string{KeyName(name), QuoteKey(name)} {
			if got := ReadKeyName(written); got != name {
				t.Errorf("%q is written %s, which is read as %q", name, written, got)
			}
			if !utf8.ValidString(written) || strings.ContainsAny(written, "\n\r\x00\u202e") || strings.TrimSpace(written) != written {
				t.Errorf("%q is written %q", name, written)
			}
		}
		if read := ReadKeyName(name); ReadKeyName(KeyName(read)) != read {
			t.Errorf("%q is read as %q, which does not stay itself", name, read)
		}
	})
}
