package rdb

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Header is what an RDB says about itself before its first key.
type Header struct {
	Version           int               // of the RDB format
	Aux               map[string]string // all leading fields, as stored
	EngineVersion     string            // redis-ver or valkey-ver: the server that wrote it
	ReplicationID     string            // repl-id; empty when the server had no replicas
	ReplicationOffset int64             // repl-offset: how much of the stream the data contains
	UsedMemory        int64             // used-mem: bytes in use when it was written; 0: not said
}

// ReadHeader reads an RDB's version and its leading aux fields, at most a few KiB of r. It says nothing about whether the rest is whole. Errors:
// [ErrNotRDB], [ErrTruncated], [ErrCorrupt], or the reader's.
func ReadHeader(r io.Reader) (Header, error) {
	s := newScanner(r, 4<<10)
	if err := s.header(); err != nil {
		return Header{}, err
	}
	for {
		op, err := s.byte()
		if err == nil && op != opAux {
			break
		}
		if err == nil {
			err = s.aux()
		}
		if errors.Is(err, errEnd) {
			return Header{}, fmt.Errorf("within the header: %w", ErrTruncated)
		}
		if _, ok := errors.AsType[structureError](err); ok {
			return Header{}, fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
		if err != nil {
			return Header{}, fmt.Errorf("read the RDB's header: %w", err)
		}
	}
	aux := s.summary.Aux
	h := Header{Version: s.summary.Version, Aux: aux, ReplicationID: aux["repl-id"]}
	h.EngineVersion = aux["valkey-ver"]
	if h.EngineVersion == "" {
		h.EngineVersion = aux["redis-ver"]
	}
	h.ReplicationOffset, _ = strconv.ParseInt(aux["repl-offset"], 10, 64)
	h.UsedMemory, _ = strconv.ParseInt(aux["used-mem"], 10, 64)
	return h, nil
}
