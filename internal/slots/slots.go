// Package slots knows the hash slots of cluster mode: which slot a key has, and how sets of slots are written. Source: Redis cluster specification.
package slots

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Count is how many slots there are.
const Count = 16384

// Of is the slot of a key: the CRC16 (XMODEM) of its name, or of what is between the first { and the next }, unless that is empty.
func Of(name []byte) int {
	if open := bytes.IndexByte(name, '{'); open >= 0 {
		if tag := bytes.IndexByte(name[open+1:], '}'); tag > 0 {
			name = name[open+1 : open+1+tag]
		}
	}
	var crc uint16
	for _, b := range name {
		crc = crc<<8 ^ xmodem[byte(crc>>8)^b]
	}
	return int(crc % Count)
}

// xmodem is the table of the CRC16 with polynomial 0x1021.
var xmodem = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// Range is a run of consecutive slots.
type Range struct{ First, Last int }

// Parse reads a set of slots: "0-5460,9000". The error contains the piece that cannot be read.
func Parse(text string) ([]Range, error) {
	var ranges []Range
	for piece := range strings.SplitSeq(text, ",") {
		first, last, several := strings.Cut(piece, "-")
		if !several {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, bad := strconv.Atoi(last)
		if err != nil || bad != nil || from < 0 || to < from || to >= Count {
			return nil, &Error{piece}
		}
		ranges = append(ranges, Range{from, to})
	}
	return ranges, nil
}

// Spread divides the slots evenly and in order, like redis-cli, which is the default.
func Spread(shards int) []string {
	sets := make([]string, shards)
	first := 0
	for i := range sets {
		last := (Count*(i+1)+shards/2)/shards - 1
		sets[i] = fmt.Sprintf("%d-%d", first, last)
		first = last + 1
	}
	return sets
}

// Error is a piece of a set of slots that cannot be read.
type Error struct{ Piece string }

func (e *Error) Error() string { return fmt.Sprintf("%q is not a set of slots", e.Piece) }

// Map says which of several sets a slot is in.
type Map [Count]int16

// NewMap returns the map of these sets. If several sets have a slot, the last one counts.
func NewMap(sets []string) (*Map, error) {
	var m Map
	for slot := range m {
		m[slot] = -1
	}
	for i, set := range sets {
		ranges, err := Parse(set)
		if err != nil {
			return nil, err
		}
		for _, r := range ranges {
			for slot := r.First; slot <= r.Last; slot++ {
				m[slot] = int16(i)
			}
		}
	}
	return &m, nil
}

// Find returns the index of the set that has a slot; -1 if none has.
func (m *Map) Find(slot int) int { return int(m[slot]) }

// Missing says which slots are in none of the sets, or in more than one; "" if each is in exactly one.
func Missing(sets []string) (string, error) {
	var owners [Count]uint8
	for _, set := range sets {
		ranges, err := Parse(set)
		if err != nil {
			return "", err
		}
		for _, r := range ranges {
			for slot := r.First; slot <= r.Last; slot++ {
				owners[slot] = min(owners[slot]+1, 2)
			}
		}
	}
	var wrong []string
	for slot := 0; slot < Count; slot++ {
		if owners[slot] == 1 {
			continue
		}
		from := slot
		for slot+1 < Count && owners[slot+1] != 1 {
			slot++
		}
		if from == slot {
			wrong = append(wrong, strconv.Itoa(from))
		} else {
			wrong = append(wrong, fmt.Sprintf("%d-%d", from, slot))
		}
	}
	return strings.Join(wrong, ","), nil
}
