package archive

// SetBombFloor lowers what a compressed file may become whatever its length, and returns what was before.
func SetBombFloor(bytes int64) int64 {
	before := bombFloor
	bombFloor = bytes
	return before
}
