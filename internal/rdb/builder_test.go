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

// sealUnchecked appends what a server that was told not to compute checksums writes.
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

// little is n in that many bytes, the lowest first.
func little(n uint64, bytes int) []byte { return binary.LittleEndian.AppendUint64(nil, n)[:bytes] }

// long is a string object of any length, with its length in 4 bytes.
func long(text []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0x80}, uint32(len(text))), text...)
}

// lzfString is a string object that is stored compressed and claims to have size bytes.
func lzfString(size int, compressed ...any) []byte {
	data := join(compressed...)
	head := binary.BigEndian.AppendUint32([]byte{0xC3, 0x80}, uint32(len(data)))
	return append(binary.BigEndian.AppendUint64(append(head, 0x81), uint64(size)), data...)
}

// literally is text in LZF without any compression.
func literally(text []byte) []byte {
	var out []byte
	for len(text) > 0 {
		n := min(len(text), 32)
		out = append(append(out, byte(n-1)), text[:n]...)
		text = text[n:]
	}
	return out
}

// listpack packs strings shorter than 64 bytes and ints from 0 to 127, as Redis does.
func listpack(elements ...any) []byte {
	var body []byte
	for _, e := range elements {
		entry := join(e)
		if text, ok := e.(string); ok {
			entry = append([]byte{0x80 | byte(len(text))}, text...)
		}
		body = append(append(body, entry...), byte(len(entry)))
	}
	return join(little(uint64(len(body)+7), 4), little(uint64(len(elements)), 2), body, 0xFF)
}

// ziplist packs strings shorter than 64 bytes and ints from 0 to 12, as Redis before 7.0 does.
func ziplist(elements ...any) []byte {
	var body []byte
	before, last := 0, 10
	for _, e := range elements {
		last = 10 + len(body)
		entry := []byte{byte(before)}
		switch e := e.(type) {
		case int:
			entry = append(entry, 0xF1+byte(e))
		case string:
			entry = append(append(entry, byte(len(e))), e...)
		}
		body, before = append(body, entry...), len(entry)
	}
	return join(little(uint64(len(body)+11), 4), little(uint64(last), 4), little(uint64(len(elements)), 2), body, 0xFF)
}

// intset packs numbers of size bytes.
func intset(size int, numbers ...int64) []byte {
	out := join(little(uint64(size), 4), little(uint64(len(numbers)), 4))
	for _, n := range numbers {
		out = append(out, little(uint64(n), size)...)
	}
	return out
}

// change is data with what stands at a place replaced.
func change(data []byte, at int, by ...any) []byte {
	data = bytes.Clone(data)
	if at < 0 {
		at += len(data)
	}
	copy(data[at:], join(by...))
	return data
}
