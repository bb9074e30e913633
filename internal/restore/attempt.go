package restore

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
)

// attempt is a chosen key on its way to the node that has it, or the selection of a database there.
type attempt struct {
	picked
	selects bool   // it is a SELECT or an ASKING, whose answer is one line
	addr    string // the node that is asked next
	asking  bool   // that it is asked to make an exception: the slot of the key is on its way there
	replace bool   // the key that is there

	sent     bool
	answered bool
	answer   string // its first line, if that is an error
	there    bool   // the rehearsal has found the key
	alike    bool   // and it is stored in the same bytes
	bytes    int64  // that the key there has as a dump

	settled bool
	fate    Fate
}

// hearing reads the answers of one node.
type hearing struct{ *resp.Conn }

// hear reads the answer to an attempt; nil is one that was cut off.
func (h hearing) hear(a *attempt) error {
	line, err := h.Reader().ReadLine()
	if err != nil {
		return fmt.Errorf("read the answer: %w: %w", ErrGone, err)
	}
	if a == nil {
		a = &attempt{selects: true}
	}
	if strings.HasPrefix(line, "-") {
		a.answer = line
	} else if size, isDump := strings.CutPrefix(line, "$"); isDump && !a.selects {
		if err := h.dump(a, size); err != nil {
			return err
		}
	}
	a.answered = true
	return nil
}

// dump reads the answer to DUMP, and tells whether it is there and stored in the same bytes: as many, with the same checksum.
func (h hearing) dump(a *attempt, length string) error {
	size, err := strconv.ParseInt(length, 10, 64)
	if err != nil {
		return fmt.Errorf("DUMP is answered with a length of %.20q: %w", length, resp.ErrProtocol)
	}
	if size < 0 {
		return nil
	}
	a.there, a.bytes = true, size
	sum := uint64(0)
	body := io.LimitReader(patient(h), max(0, size-rdb.DumpFooterSize))
	if _, err = io.Copy(summing{&sum}, body); err == nil {
		_, err = io.CopyN(io.Discard, patient(h), min(size, rdb.DumpFooterSize)+2)
	}
	if err != nil {
		return fmt.Errorf("read a value: %w: %w", ErrGone, err)
	}
	a.alike = size == a.size+rdb.DumpFooterSize && sum == a.sum
	return nil
}

// summing sums up what is written.
type summing struct{ sum *uint64 }

func (s summing) Write(p []byte) (int, error) {
	*s.sum = rdb.UpdateCRC(*s.sum, p)
	return len(p), nil
}

// redirected reads where a node of a cluster in cluster mode sends its clients, if it does.
func redirected(answer, from string) (to string, slot int, once, is bool) {
	fields := strings.Fields(answer)
	if len(fields) != 3 || fields[0] != "-MOVED" && fields[0] != "-ASK" {
		return "", 0, false, false
	}
	slot, err := strconv.Atoi(fields[1])
	to = fields[2]
	if strings.HasPrefix(to, ":") { // the node does not know its own address
		to = from[:strings.LastIndexByte(from, ':')] + to
	}
	return to, slot, fields[0] == "-ASK", err == nil && slot >= 0
}

func isThere(answer string) bool { return strings.HasPrefix(answer, "-BUSYKEY ") }
