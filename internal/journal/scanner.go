package journal

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrMalformed says that the stream is not what a node sends to its replicas.
var ErrMalformed = errors.New("the replication stream is malformed")

// Unknown is a database that nothing has said yet: a stream has a SELECT only where the database changes, or behind a full synchronisation.
const Unknown = -1

const (
	keptArgs  = 3       // of a command: its name and the first two arguments
	keptBytes = 64      // of each of these
	maxBulk   = 1 << 40 // bytes of an argument; proto-max-bulk-len is 512 MiB by default
	maxArgs   = 1<<31 - 1
)

// Command is one command of the stream. Its slices are good until the function that got it returns.
type Command struct {
	Name     []byte    // in upper case, at most 64 bytes
	First    [2][]byte // the first two arguments, at most 64 bytes of each; nil: there is none
	Args     int64     // how many words it has, its name included
	From, To int64     // the places before and behind it
	Database int       // selected while it is carried out; Unknown
	Open     int64     // the place before the MULTI that it is in (or that it is, or that it ends); -1: it is in none
}

// Words looks at the words of commands while they are scanned, however long they are.
type Words interface {
	// Word begins a word of the command, the first of which is its name. Of the command, From, Args and Open are known by then; Open only if it is not
	// the command itself that opens a transaction.
	Word(c *Command, index, length int64)
	// Piece is what comes next of it.
	Piece(p []byte)
}

// Scanner finds commands in a stream that comes in any pieces. It keeps at most a few words of 64 bytes; the rest of each argument is skipped by its
// length. It starts at the beginning of a command.
type Scanner struct {
	each  func(*Command)
	watch Words // nil: nobody does

	offset int64 // place behind what was scanned
	cmd    Command
	words  [keptArgs][keptBytes]byte
	kept   [keptArgs]int

	state    state
	number   int64 // being read
	digits   int   // of it
	index    int64 // of the argument being read
	left     int64 // bytes of it
	database int
	open     int64 // place before the open MULTI; -1: none
	boundary int64 // last place between two commands
	safe     int64 // last boundary outside of MULTI
	selected int   // at safe
	err      error
}

// state is what the scanner expects next.
type state uint8

const (
	atCommand state = iota // '*', or an empty line
	atEmptyLF              // '\n' behind '\r' between commands
	atCount                // digits
	atCountLF
	atBulk // '$'
	atLength
	atLengthLF
	atBody
	atBodyCR
	atBodyLF
)

// NewScanner returns a Scanner for the stream behind a place, where this database is selected (Unknown is fine). each is called with each command; nil
// if nobody wants them.
func NewScanner(offset int64, database int, each func(*Command)) *Scanner {
	return &Scanner{each: each, offset: offset, database: database, open: -1, boundary: offset, safe: offset, selected: database}
}

// Watch has the words of commands looked at, from the next command on.
func (s *Scanner) Watch(w Words) { s.watch = w }

// Scanner returns one that begins where the first command of the segment does.
func (x Index) Scanner(each func(*Command)) *Scanner {
	s := NewScanner(x.Start.Offset, x.Start.Database, each)
	if x.Start.Open >= 0 {
		s.open, s.safe = x.Start.Open, x.Start.Open
	}
	return s
}

// Offset is the place behind everything that was written to the scanner.
func (s *Scanner) Offset() int64 { return s.offset }

// Boundary is the last place between two commands.
func (s *Scanner) Boundary() int64 { return s.boundary }

// Safe is the last place between two commands that is not within a transaction, and the database that is selected there.
func (s *Scanner) Safe() (offset int64, database int) { return s.safe, s.selected }

// Write scans the next bytes of the stream. The error wraps ErrMalformed and says where; from then on it stays.
func (s *Scanner) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	base := s.offset
	for i := 0; i < len(p); {
		if s.state == atBody {
			i += s.body(p[i:])
			continue
		}
		s.offset = base + int64(i)
		if !s.step(p[i]) {
			s.err = fmt.Errorf("%w at offset %d: byte %q is not expected there", ErrMalformed, s.offset, p[i])
			return i, s.err
		}
		i++
	}
	s.offset = base + int64(len(p))
	return len(p), nil
}

// body takes what there is of an argument.
func (s *Scanner) body(p []byte) int {
	n := int(min(s.left, int64(len(p))))
	if s.index < keptArgs {
		s.kept[s.index] += copy(s.words[s.index][s.kept[s.index]:], p[:n])
	}
	if s.watch != nil {
		s.watch.Piece(p[:n])
	}
	if s.left -= int64(n); s.left == 0 {
		s.state = atBodyCR
	}
	return n
}

// step takes one byte outside of an argument, and says whether it may be there.
func (s *Scanner) step(b byte) bool {
	switch s.state {
	case atCommand:
		return s.begin(b)
	case atEmptyLF:
		return b == '\n' && s.empty()
	case atCount, atLength:
		if b == '\r' {
			s.state++
			return s.digits > 0
		}
		return s.digit(b)
	case atCountLF:
		return b == '\n' && s.counted()
	case atBulk:
		s.number, s.digits, s.state = 0, 0, atLength
		return b == '$'
	case atLengthLF:
		s.left, s.state = s.number, atBody
		if s.left == 0 {
			s.state = atBodyCR
		}
		if b != '\n' || s.number > maxBulk {
			return false
		}
		if s.watch != nil {
			s.watch.Word(&s.cmd, s.index, s.number)
		}
		return true
	case atBodyCR:
		s.state = atBodyLF
		return b == '\r'
	case atBodyLF:
		return b == '\n' && s.argument()
	}
	return false
}

// begin takes the first byte of a command. A node that prepares something sends empty lines meanwhile.
func (s *Scanner) begin(b byte) bool {
	switch b {
	case '*':
		s.cmd = Command{From: s.offset, Open: s.open}
		s.number, s.digits, s.index, s.kept, s.state = 0, 0, 0, [keptArgs]int{}, atCount
		return true
	case '\r':
		s.state = atEmptyLF
		return true
	case '\n':
		return s.empty()
	}
	return false
}

// empty is the end of something that is no command.
func (s *Scanner) empty() bool {
	s.state = atCommand
	s.reached(s.offset + 1)
	return true
}

func (s *Scanner) digit(b byte) bool {
	if b < '0' || b > '9' || s.digits >= 18 {
		return false
	}
	s.number = s.number*10 + int64(b-'0')
	s.digits++
	return true
}

// counted is the end of a command's first line.
func (s *Scanner) counted() bool {
	s.cmd.Args, s.state = s.number, atBulk
	if s.number == 0 {
		return s.empty()
	}
	return s.number <= maxArgs
}

// argument is the end of an argument, which may be the command's end.
func (s *Scanner) argument() bool {
	if s.index++; s.index < s.cmd.Args {
		s.state = atBulk
		return true
	}
	s.state = atCommand
	s.complete()
	return true
}

// complete is the end of a command.
func (s *Scanner) complete() {
	c := &s.cmd
	c.To, c.Database = s.offset+1, s.database
	c.Name = upper(s.words[0][:s.kept[0]])
	for i := range c.First {
		if int64(i+1) < c.Args {
			c.First[i] = s.words[i+1][:s.kept[i+1]]
		}
	}
	switch string(c.Name) {
	case "SELECT":
		s.database = number(c.First[0])
		c.Database = s.database
	case "MULTI":
		if s.open < 0 {
			s.open = c.From
		}
	}
	c.Open = s.open
	if name := string(c.Name); name == "EXEC" || name == "DISCARD" {
		s.open = -1
	}
	s.reached(c.To)
	if s.each != nil {
		s.each(c)
	}
}

// reached notes a place between two commands.
func (s *Scanner) reached(offset int64) {
	s.boundary = offset
	if s.open < 0 {
		s.safe, s.selected = offset, s.database
	}
}

func upper(word []byte) []byte {
	for i, b := range word {
		if 'a' <= b && b <= 'z' {
			word[i] = b - 'a' + 'A'
		}
	}
	return word
}

// number is a small number in decimal, or Unknown.
func number(word []byte) int {
	n := 0
	for _, b := range bytes.TrimSpace(word) {
		if b < '0' || b > '9' || n > 1<<24 {
			return Unknown
		}
		n = n*10 + int(b-'0')
	}
	if len(word) == 0 {
		return Unknown
	}
	return n
}
