package restore

import (
	"strconv"
	"time"

	"rekindle/internal/rdb"
)

// visitor sends what it is told about an RDB.
type visitor struct{ *Writer }

// Library sends a library of functions to every node, because each has all of them.
func (v visitor) Library(code []byte) error {
	if !v.fresh(code) {
		return nil
	}
	for _, l := range v.to {
		words := []string{"FUNCTION", "LOAD"}
		if v.options.Policy == Replace {
			words = append(words, "REPLACE")
		}
		l.begin(len(words) + 1)
		for _, word := range words {
			l.word(word)
		}
		l.blob(code)
		if err := l.end(sent{library: true}.named(code)); err != nil {
			return err
		}
	}
	return nil
}

// Key sends a key to the node that has its slot.
func (v visitor) Key(key rdb.Key, value rdb.Value) error {
	l, err := v.of(key.Name)
	if err != nil {
		return err
	}
	value = value.WithFields(v.fields(key)).For(v.options.Into)
	v.spool.begin(value.Type())
	if _, err := value.WriteTo(v.spool); err != nil {
		return err
	}
	if err := l.choose(key.Database, sent{chooses: key.Database + 1}); err != nil {
		return err
	}
	expires := v.expires(key)
	words := modifiers(key, expires)
	if v.options.Policy == Replace {
		words = append([]string{"REPLACE"}, words...)
	}
	l.begin(4 + len(words))
	l.word("RESTORE")
	l.blob(key.Name)
	l.word(deadline(expires))
	if err := l.value(v.spool); err != nil {
		return err
	}
	for _, word := range words {
		l.word(word)
	}
	expired := v.over(expires)
	return l.end(sent{expired: expired, kind: key.TypeName()}.named(key.Name))
}

// deadline is a time in milliseconds since 1970; "0" means never.
func deadline(expires time.Time) string {
	if expires.IsZero() {
		return "0"
	}
	return strconv.FormatInt(max(1, expires.UnixMilli()), 10)
}

// modifiers are what follows the value, and perhaps REPLACE, in RESTORE. IDLETIME and FREQ exclude each other, and so do the server policies that record them.
func modifiers(key rdb.Key, expires time.Time) (words []string) {
	if !expires.IsZero() {
		words = append(words, "ABSTTL")
	}
	switch {
	case key.Freq >= 0:
		words = append(words, "FREQ", strconv.Itoa(key.Freq))
	case key.Idle >= 0:
		words = append(words, "IDLETIME", strconv.FormatInt(key.Idle, 10))
	}
	return words
}
