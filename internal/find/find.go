// Package find looks for keys in an RDB, by their exact name or by a pattern, and says how each is stored and when it expires; and in a stored stream, for
// what happened to them. Values are not decoded.
package find

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"rekindle/internal/digest"
	"rekindle/internal/rdb"
)

// Query says which keys are looked for.
type Query struct {
	text    string
	pattern pattern // nil: the text is the name
	glob    bool
}

// Exact looks for the keys of this name, of which there may be one in each database.
func Exact(name string) Query { return Query{text: name} }

// Pattern looks for the keys whose names match a pattern, by Redis's rules.
func Pattern(text string) Query { return Query{text: text, pattern: compile(text), glob: true} }

// Name is the exact name that is looked for; false: a pattern is.
func (q Query) Name() (name []byte, exact bool) { return []byte(q.text), !q.glob }

// Matches tells whether a key of this name is looked for.
func (q Query) Matches(name []byte) bool {
	if !q.glob {
		return string(name) == q.text
	}
	return q.pattern.matches(name)
}

// MaxName is how many bytes of a name are kept of a key that was found.
const MaxName = 256

// Match is a key that was found.
type Match struct {
	Database int
	Name     []byte // at most MaxName bytes
	Length   int    // of the whole name
	Type     string // as TYPE names it, or "module"
	Encoding string // as OBJECT ENCODING names it; "" for strings
	Bytes    int64  // of the value as it is stored in the RDB
	Expires  time.Time
	Digest   digest.Digest // of the value's bytes; equal ones are equal values, different ones may be
}

// Scan reads an RDB to its end and reports the keys that are looked for, in the RDB's order. Whether the RDB is whole is only known when it returns nil.
// An error of each ends it. Other errors are those of [rdb.Visit].
func Scan(r io.Reader, q Query, each func(Match) error) error {
	_, err := rdb.Visit(r, &searcher{q, each}, rdb.Looking)
	if err != nil {
		return fmt.Errorf("look for a key: %w", err)
	}
	return nil
}

type searcher struct {
	query Query
	each  func(Match) error
}

// Library implements [rdb.Visitor].
func (*searcher) Library([]byte) error { return nil }

// Key implements [rdb.Visitor].
func (s *searcher) Key(key rdb.Key, value rdb.Value) error {
	if !s.query.Matches(key.Name) {
		return nil
	}
	m := Match{Database: key.Database, Name: bytes.Clone(key.Name[:min(len(key.Name), MaxName)]), Length: len(key.Name), Type: key.TypeName(), Expires: key.Expires}
	if _, m.Encoding = rdb.Encoding(key.Type).Names(); m.Type == "string" {
		m.Encoding = ""
	}
	sum := digest.New()
	_, _ = sum.Write([]byte{key.Type})
	n, err := value.WriteTo(sum)
	m.Bytes, m.Digest = n, sum.Digest()
	if err != nil {
		return err
	}
	return s.each(m)
}
