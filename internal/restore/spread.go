package restore

import (
	"crypto/sha256"
	"fmt"

	"rekindle/internal/slots"
)

// spread says which of several nodes, or files for them, a key goes to, and which libraries of functions all of them have.
type spread[T any] struct {
	to    []T
	route func(slot int) int // nil: there is one
	known map[[32]byte]bool
}

func newSpread[T any](route func(slot int) int) spread[T] {
	return spread[T]{route: route, known: make(map[[32]byte]bool)}
}

// of is what has the slot of a key.
func (s spread[T]) of(name []byte) (one T, err error) {
	if s.route == nil {
		return s.to[0], nil
	}
	slot := slots.Of(name)
	if i := s.route(slot); i >= 0 && i < len(s.to) {
		return s.to[i], nil
	}
	return one, fmt.Errorf("restore %s: no node has the slot %d", quoted(name[:min(len(name), nameKept)], len(name)), slot)
}

// fresh tells whether a library has not been there yet: every part of a snapshot has the same ones.
func (s spread[T]) fresh(code []byte) bool {
	sum := sha256.Sum256(code)
	had := s.known[sum]
	s.known[sum] = true
	return !had
}
