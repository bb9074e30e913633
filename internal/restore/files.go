package restore

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"rekindle/internal/rdb"
)

// Files writes the keys of RDBs into new ones, one for each node of a cluster that has not been started yet: for nodes that load an RDB but are not to be
// fed one by replication, and for other numbers of shards than a snapshot has. Of the options, Route, Deadlines, Into and Spool count: nothing exists there yet.
//
// A key that two RDBs have is in the new one twice, and a server refuses to load that.
type Files struct {
	times
	spread[*file]
	into  rdb.Target
	spool *spool // of values that take another form
}

// file is one of the new RDBs.
type file struct {
	*rdb.Writer
	content Content
	written atomic.Int64 // keys, for who looks meanwhile
}

// Content is what a new RDB has in it.
type Content struct {
	Bytes  int64
	Keys   int64 // how many
	Mortal int64 // how many of them may expire some day: a hash goes with the last of its fields
}

// NewFiles begins an RDB of this version in each of to.
func NewFiles(to []io.Writer, version int, options Options) *Files {
	f := &Files{times: timesOf(options), spread: newSpread[*file](options.Route), into: options.Into, spool: &spool{folder: options.Spool}}
	for _, w := range to {
		f.to = append(f.to, &file{Writer: rdb.NewWriter(w, version)})
	}
	return f
}

// Write writes the keys of one RDB, which is known to be whole when it returns without an error. It may be called again for another one. Errors are those of
// [rdb.Visit] and of the writers, and ErrSpool.
func (f *Files) Write(r io.Reader) (rdb.Summary, error) {
	sum, err := rdb.Visit(r, splitter{f})
	return sum, errors.Join(err, f.spool.close())
}

// Close ends the new RDBs, and says what is in each.
func (f *Files) Close() ([]Content, error) {
	var all []Content
	for _, file := range f.to {
		size, err := file.Writer.Close()
		if err != nil {
			return nil, fmt.Errorf("end an RDB: %w", err)
		}
		file.content.Bytes = size
		all = append(all, file.content)
	}
	return all, nil
}

// Keys may be called at any time: how many keys have been written so far.
func (f *Files) Keys() int64 {
	var sum int64
	for _, file := range f.to {
		sum += file.written.Load()
	}
	return sum
}

// splitter gives each key to the file that has its slot.
type splitter struct{ *Files }

// Library writes a library of functions into every file, because each node has all of them.
func (s splitter) Library(code []byte) error {
	if !s.fresh(code) {
		return nil
	}
	for _, file := range s.to {
		if err := file.Library(code); err != nil {
			return fmt.Errorf("write a library: %w", err)
		}
	}
	return nil
}

// Key writes a key.
func (s splitter) Key(key rdb.Key, value rdb.Value) error {
	file, err := s.of(key.Name)
	if err != nil {
		return err
	}
	value = value.WithFields(s.fields(key)).For(s.into)
	key.Expires = s.expires(key)
	if value.Rewritten() {
		err = s.rewritten(file, key, value)
	} else {
		err = file.Key(key, value)
	}
	if err != nil {
		return fmt.Errorf("write %s %s: %w", key.TypeName(), quoted(key.Name[:min(len(key.Name), nameKept)], len(key.Name)), err)
	}
	file.content.Keys++
	file.written.Add(1)
	if !key.Expires.IsZero() || value.FieldsExpire() {
		file.content.Mortal++
	}
	return nil
}

// rewritten writes a key whose value takes another form, which is put together before it is written.
func (s splitter) rewritten(file *file, key rdb.Key, value rdb.Value) error {
	s.spool.begin(value.Type())
	if _, err := value.WriteTo(s.spool); err != nil {
		return err
	}
	if err := file.Begin(key, value.Type()); err != nil {
		return err
	}
	return s.spool.pass(file)
}
