package find

import (
	"bytes"
	"strconv"
	"time"

	"rekindle/internal/journal"
	"rekindle/internal/keyspec"
)

// Change is what a command of the stream did to a key that is looked for, or may have done to it.
type Change struct {
	// At is when the last command of its second had come: the change came within that second, by the clock of who recorded.
	At            time.Time
	Before, After int64 // the safe places around it: those of its transaction, if it came in one
	Database      int   // journal.Unknown: not known

	Command string // in upper case, at most 64 bytes
	Effect  keyspec.Effect
	Sweep   keyspec.Sweep // what it did to keys that it does not name, this one perhaps among them; then Effect is none
	Guess   bool          // the command is not known, and its first argument is taken for a key
	Word    int64         // which word of the command names the key; 0: none
	Bytes   int64         // of the whole command in the stream

	Name          []byte // at most MaxName bytes; nothing with a Sweep
	Length        int    // of the whole name
	Other         []byte // the other key of RENAME and COPY, at most MaxName bytes
	OtherLength   int
	OtherDatabase int       // of COPY, MOVE and SWAPDB; journal.Unknown: there is none
	Expires       time.Time // the instant that the command says; zero: it says none
}

const keptWords = 8 // of a command, for what it says beside the keys

// words are the beginnings of a command's words.
type words struct {
	text    [keptWords + 1][MaxName]byte // the last one is that of the word that is read, when it is further behind
	kept    [keptWords + 1]int
	length  [keptWords + 1]int64
	current int
}

func (w *words) begin(index, length int64) {
	w.current = int(min(index, keptWords))
	w.kept[w.current], w.length[w.current] = 0, length
}

func (w *words) piece(p []byte) {
	w.kept[w.current] += copy(w.text[w.current][w.kept[w.current]:], p)
}

// last is the word that is read.
func (w *words) last() []byte { return w.text[w.current][:w.kept[w.current]] }

// at is one of the first words of a command that has so many; nothing if it does not have it.
func (w *words) at(i int, args int64) []byte {
	if i >= keptWords || int64(i) >= args {
		return nil
	}
	return w.text[i][:w.kept[i]]
}

// describe adds what the command says beside the key's name.
func (w *words) describe(c *Change, args int64) {
	other := 0
	switch c.Effect {
	case keyspec.RenamedTo, keyspec.CopiedTo:
		other = 2
	case keyspec.RenamedFrom, keyspec.CopiedFrom:
		other = 1
	case keyspec.MovedTo:
		c.OtherDatabase = small(w.at(2, args))
	case keyspec.ExpirySet, keyspec.Written:
		c.Expires = w.expires(c.Command, args)
	}
	if c.Sweep == keyspec.Swaps {
		c.Database, c.OtherDatabase = small(w.at(1, args)), small(w.at(2, args))
	}
	if other > 0 {
		c.Other, c.OtherLength = bytes.Clone(w.at(other, args)), int(w.length[other])
	}
	if to := w.copiedTo(c.Command, args); to != journal.Unknown {
		if c.OtherDatabase = to; c.Effect == keyspec.CopiedFrom {
			c.Database, c.OtherDatabase = to, c.Database
		}
	}
}

// copiedTo is the database behind the option DB of COPY.
func (w *words) copiedTo(command string, args int64) int {
	for i := 3; command == "COPY" && int64(i) < min(args, keptWords); i++ {
		if bytes.EqualFold(w.at(i, args), []byte("DB")) {
			return small(w.at(i+1, args))
		}
	}
	return journal.Unknown
}

// expires is the instant at which the key is to expire, by what a primary passes on: it makes instants of all lifetimes.
func (w *words) expires(command string, args int64) time.Time {
	switch command {
	case "PEXPIREAT":
		return instant(w.at(2, args), time.Millisecond)
	case "EXPIREAT":
		return instant(w.at(2, args), time.Second)
	case "RESTORE", "RESTORE-ASKING":
		for i := 4; int64(i) < min(args, keptWords); i++ {
			if bytes.EqualFold(w.at(i, args), []byte("ABSTTL")) {
				return instant(w.at(2, args), time.Millisecond)
			}
		}
	case "SET":
		for i := 3; int64(i) < min(args, keptWords); i++ {
			switch option := w.at(i, args); {
			case bytes.EqualFold(option, []byte("PXAT")):
				return instant(w.at(i+1, args), time.Millisecond)
			case bytes.EqualFold(option, []byte("EXAT")):
				return instant(w.at(i+1, args), time.Second)
			}
		}
	}
	return time.Time{}
}

// instant reads a Unix time in units; zero if it is none, or after the year 9999.
func instant(text []byte, unit time.Duration) time.Time {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if last := int64(253402300799) * int64(time.Second/unit); err != nil || n <= 0 || n > last {
		return time.Time{}
	}
	perSecond := int64(time.Second / unit)
	return time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC()
}

// small is the number of a database.
func small(text []byte) int {
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return journal.Unknown
	}
	return int(n)
}
