package restore

import (
	"io"
	"strconv"

	"rekindle/internal/rdb"
)

// command is a command, or several, as they go to a node.
type command struct{ bytes []byte }

// begin writes the beginning of a command of n words.
func (c *command) begin(n int) { c.number('*', int64(n)) }

func (c *command) number(kind byte, n int64) {
	c.bytes = append(c.bytes, kind)
	c.bytes = strconv.AppendInt(c.bytes, n, 10)
	c.bytes = append(c.bytes, '\r', '\n')
}

func (c *command) word(text string) { c.blob([]byte(text)) }

func (c *command) blob(text []byte) {
	c.number('$', int64(len(text)))
	c.bytes = append(c.bytes, text...)
	c.bytes = append(c.bytes, '\r', '\n')
}

// value writes a value as a dump. If a part of it was put aside, everything up to that goes straight to the node.
func (c *command) value(s *spool, node io.Writer) error {
	sum, err := s.checksum()
	if err != nil {
		return err
	}
	c.number('$', s.size()+rdb.DumpFooterSize)
	c.bytes = append(c.bytes, s.head...)
	if s.rest > 0 {
		if _, err := node.Write(c.bytes); err != nil {
			return err
		}
		c.bytes = c.bytes[:0]
		if _, err := io.Copy(node, s.aside()); err != nil {
			return err
		}
	}
	c.bytes = append(rdb.AppendDumpFooter(c.bytes, sum), '\r', '\n')
	return nil
}
