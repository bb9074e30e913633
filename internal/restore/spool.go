package restore

import (
	"errors"
	"fmt"
	"io"
	"os"

	"rekindle/internal/rdb"
)

// inMemory is how much of a value is kept in memory. The rest of a longer one goes into a file.
const inMemory = 4 << 20

// spool holds one value until its length is known.
type spool struct {
	folder string
	head   []byte   // the first inMemory bytes
	file   *os.File // the others; its name has been removed
	rest   int64    // how many those are
	sum    uint64   // CRC64 of all
}

// begin makes room for a value of this type.
func (s *spool) begin(objectType byte) {
	s.head = append(s.head[:0], objectType)
	s.rest = 0
	s.sum = rdb.UpdateCRC(0, s.head)
}

func (s *spool) Write(p []byte) (int, error) {
	s.sum = rdb.UpdateCRC(s.sum, p)
	room := min(len(p), inMemory-len(s.head))
	s.head = append(s.head, p[:room]...)
	if room == len(p) {
		return room, nil
	}
	if s.file == nil {
		file, err := os.CreateTemp(s.folder, "value-*")
		if err != nil {
			return room, fmt.Errorf("%w: %w", ErrSpool, err)
		}
		s.file = file
		if err := os.Remove(file.Name()); err != nil { // the file goes with the process, however that ends
			return room, fmt.Errorf("%w: %w", ErrSpool, err)
		}
	}
	n, err := s.file.WriteAt(p[room:], s.rest)
	s.rest += int64(n)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrSpool, err)
	}
	return room + n, err
}

// size is the length of type and value.
func (s *spool) size() int64 { return int64(len(s.head)) + s.rest }

// aside reads the part that is not in memory.
func (s *spool) aside() io.Reader { return io.NewSectionReader(s.file, 0, s.rest) }

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Truncate(0), s.file.Close())
}
