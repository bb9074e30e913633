package rdb

import (
	"encoding/binary"
	"fmt"
)

// These append what an RDB consists of, for who has the values as an engine has stored them; see [Header] for its beginning. From rdb.c.

// AppendMagic appends the first 9 bytes of an RDB of a version.
func AppendMagic(p []byte, version int) []byte {
	if version >= valkeyFirst {
		return fmt.Appendf(p, "VALKEY%03d", version)
	}
	return fmt.Appendf(p, "REDIS%04d", version)
}

// AppendAux appends a field that an RDB has about itself.
func AppendAux(p []byte, name, value string) []byte {
	return AppendString(AppendString(append(p, opAux), name), value)
}

// AppendSelectDB appends that the keys which follow are in this database.
func AppendSelectDB(p []byte, database int) []byte {
	return appendLength(append(p, opSelectDB), uint64(database))
}

// AppendExpiry appends that the key which follows expires at this time, in milliseconds since 1970.
func AppendExpiry(p []byte, at int64) []byte {
	return binary.LittleEndian.AppendUint64(append(p, opExpireMs), uint64(at))
}

// AppendString appends a string as it is.
func AppendString(p []byte, text string) []byte {
	return append(appendLength(p, uint64(len(text))), text...)
}

// AppendEnd appends the end mark. The CRC64 of everything up to it follows, the lowest byte first.
func AppendEnd(p []byte) []byte { return append(p, opEOF) }
