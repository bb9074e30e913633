package contents

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"rekindle/internal/rdb"
)

// Check says whether these can be the contents of something: they may come from anywhere.
func (c Contents) Check() error {
	switch {
	case len(c.Holdings) > (maxDatabases+1)*int(rdb.Encodings) || len(c.Biggest) > maxBiggest || len(c.Prefixes) > 2*maxListed || len(c.Functions) > maxLibraries || len(c.Expiries) > 100:
		return errors.New("longer lists than there can be")
	case !plain(c.Unknown):
		return fmt.Errorf("the reason %.60q", c.Unknown)
	case !counts(c.Libraries, c.WithoutPrefix.Keys, c.WithoutPrefix.Bytes, c.Unlisted.Keys, c.Unlisted.Bytes):
		return errors.New("a number that is out of its range")
	}
	for _, h := range c.Holdings {
		if h.Database < OtherDatabases || !plain(h.Type, h.Encoding) || h.Type == "" || !counts(h.Keys, h.Bytes, h.Expires) || h.Expires > h.Keys {
			return fmt.Errorf("keys of the type %.60q in database %d", h.Type, h.Database)
		}
	}
	for _, e := range c.Expiries {
		if e.AtMost < -1 || !counts(e.Keys) {
			return fmt.Errorf("%d keys with %d seconds left", e.Keys, e.AtMost)
		}
	}
	for _, l := range c.Functions {
		if !plain(l.Engine, l.Name) {
			return fmt.Errorf("a library called %.60q", l.Name)
		}
	}
	return c.checkNames()
}

func (c Contents) checkNames() error {
	for _, k := range c.Biggest {
		if k.Database < 0 || !plain(k.Type, k.Encoding) || !counts(k.Bytes, k.Name.length) || len(k.Name.text) > rdb.MaxObservedName {
			return fmt.Errorf("a key of %d bytes called %.60q", k.Bytes, k.Name.text)
		}
	}
	for _, p := range c.Prefixes {
		_, cut := p.Name.Cut()
		if p.Level < 1 || p.Level > prefixLevels || cut || p.Name.text == "" || len(p.Name.text) > maxPrefix || !counts(p.Keys, p.Bytes, p.Over.Keys, p.Over.Bytes) {
			return fmt.Errorf("the prefix %.60q", p.Name.text)
		}
	}
	return nil
}

// counts tells whether all of these can be numbers of keys or bytes, which can be added up.
func counts(numbers ...int64) bool {
	for _, n := range numbers {
		if n < 0 || n > 1<<50 {
			return false
		}
	}
	return true
}

// plain tells whether texts are short and can play no tricks.
func plain(texts ...string) bool {
	for _, text := range texts {
		if len(text) > maxWord || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			return false
		}
	}
	return true
}
