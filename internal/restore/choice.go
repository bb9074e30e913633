package restore

import (
	"fmt"
	"io"
	"time"

	"rekindle/internal/rdb"
)

// Choice says which keys of an RDB are brought back, under which names, and when they expire.
type Choice struct {
	Database  int                                      // -1: all
	Matches   func(name []byte) bool                   // which names
	Rename    func(name []byte) (as []byte, err error) // nil: they keep their names. What it returns is valid until the next call
	Deadlines Deadlines
	Into      rdb.Target       // see [Options]
	Now       func() time.Time // nil: time.Now
}

func (c Choice) takes(key rdb.Key) bool {
	return (c.Database < 0 || key.Database == c.Database) && c.Matches(key.Name)
}

func (c Choice) times() times { return timesOf(Options{Deadlines: c.Deadlines, Now: c.Now}) }

// as is the name that a key gets.
func (c Choice) as(name []byte) ([]byte, error) {
	if c.Rename == nil {
		return name, nil
	}
	return c.Rename(name)
}

// Chosen is what an RDB has of a choice.
type Chosen struct {
	Keys      int64 // that are chosen
	Expired   int64 // how many of them have expired by now
	Bytes     int64 // of the values of the others, as they are stored
	Databases int   // the highest number of their databases + 1
}

// Add adds what another RDB has.
func (c *Chosen) Add(other Chosen) {
	c.Keys += other.Keys
	c.Expired += other.Expired
	c.Bytes += other.Bytes
	c.Databases = max(c.Databases, other.Databases)
}

// Count looks for the chosen keys in an RDB, and writes nothing. Errors are those of [rdb.Visit] and of the choice's Rename, and [ErrValue] when a
// value can have no form that the engine reads.
func Count(r io.Reader, c Choice) (Chosen, error) {
	v := counter{choice: c, times: c.times()}
	_, err := rdb.Visit(r, &v)
	return v.sum, err
}

type counter struct {
	choice Choice
	times
	sum Chosen
}

// Library implements [rdb.Visitor]: functions are no keys.
func (*counter) Library([]byte) error { return nil }

// Key implements [rdb.Visitor].
func (c *counter) Key(key rdb.Key, value rdb.Value) error {
	if !c.choice.takes(key) {
		return nil
	}
	c.sum.Keys++
	if _, err := c.choice.as(key.Name); err != nil {
		return err
	}
	if c.over(c.expires(key)) {
		c.sum.Expired++
		return nil
	}
	if !value.WithFields(c.fields(key)).For(c.choice.Into).Readable() {
		return fmt.Errorf("a %s in database %d: %w", key.TypeName(), key.Database, ErrValue)
	}
	c.sum.Databases = max(c.sum.Databases, key.Database+1)
	n, err := value.WriteTo(io.Discard)
	c.sum.Bytes += n
	return err
}
