package rdb

import "encoding/binary"

// dumpVersion is the RDB version in the footer of a dump. Every engine accepts this one; whether it can read the value depends on the type alone.
const dumpVersion = 9

// DumpFooterSize is the length of what follows the value in a dump.
const DumpFooterSize = 10

// AppendDumpFooter completes a dump: what DUMP answers and RESTORE takes, which is a value's type and the value as in an RDB, the RDB version and a
// CRC64. sum is the CRC64 of type and value, see [UpdateCRC]. Source: createDumpPayload in redis and valkey cluster.c.
func AppendDumpFooter(p []byte, sum uint64) []byte {
	version := binary.LittleEndian.AppendUint16(nil, dumpVersion)
	return binary.LittleEndian.AppendUint64(append(p, version...), UpdateCRC(sum, version))
}
