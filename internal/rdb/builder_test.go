package rdb_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc64"
	"os"
	"path/filepath"
	"testing"
)

var jones = crc64.MakeTable(0x95AC9329AC4BC9B5)

// file reads an RDB that a real server wrote; testdata/generate.sh made them.
func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// seal appends the end mark and the checksum.
func seal(body []byte) []byte {
	body = append(bytes.Clone(body), 0xFF)
	return binary.LittleEndian.AppendUint64(body, ^crc64.Update(^uint64(0), jones, body))
}

// sealUnchecked appends what a server writes that was told not to compute checksums.
func sealUnchecked(body []byte) []byte {
	return append(bytes.Clone(body), 0xFF, 0, 0, 0, 0, 0, 0, 0, 0)
}

// join builds an RDB's body: strings are taken as they are, ints are single bytes.
func join(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case int:
			out = append(out, byte(p))
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

// str is a string object shorter than 64 bytes.
func str(text string) []byte { return append([]byte{byte(len(text))}, text...) }

const (
	eight   = "\x01\x02\x03\x04\x05\x06\x07\x08" // a time or a score in binary
	sixteen = eight + eight                      // a stream id in binary
)
