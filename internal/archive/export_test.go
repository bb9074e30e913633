package archive

import "rekindle/internal/contents"

// SetBombFloor lowers what a compressed file may become whatever its length, and returns what was before.
func SetBombFloor(bytes int64) int64 {
	before := bombFloor
	bombFloor = bytes
	return before
}

// ParseContents reads what is stored of what is in a snapshot.
func ParseContents(data []byte) (contents.Contents, error) {
	record, err := parseContents(data)
	return record.Contents, err
}
