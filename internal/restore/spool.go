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
	sum    uint64   // CRC64 of all, unless it was changed afterwards
	stale  bool     // it was
}

// begin makes room for a value of this type.
func (s *spool) begin(objectType byte) {
	s.head = append(s.head[:0], objectType)
	s.rest, s.stale = 0, false
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

// WriteAt writes over what is there already, from an offset within the value.
func (s *spool) WriteAt(p []byte, at int64) (int, error) {
	s.stale = true
	at++ // the type
	n := 0
	if at < int64(len(s.head)) {
		n = copy(s.head[at:], p)
	}
	if n == len(p) {
		return n, nil
	}
	more, err := s.file.WriteAt(p[n:], at+int64(n)-int64(len(s.head)))
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrSpool, err)
	}
	return n + more, err
}

// checksum is the CRC64 of type and value.
func (s *spool) checksum() (uint64, error) {
	if !s.stale {
		return s.sum, nil
	}
	s.sum = rdb.UpdateCRC(0, s.head)
	if s.rest > 0 {
		if _, err := io.Copy(summed{s}, s.aside()); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrSpool, err)
		}
	}
	s.stale = false
	return s.sum, nil
}

// summed adds what is written to the sum.
type summed struct{ *spool }

func (w summed) Write(p []byte) (int, error) {
	w.sum = rdb.UpdateCRC(w.sum, p)
	return len(p), nil
}

// size is the length of type and value.
func (s *spool) size() int64 { return int64(len(s.head)) + s.rest }

// payload appends the value as RESTORE takes it. It has to be in memory as a whole.
func (s *spool) payload(p []byte, sum uint64) []byte {
	return rdb.AppendDumpFooter(append(p, s.head...), sum)
}

// aside reads the part that is not in memory.
func (s *spool) aside() io.Reader { return io.NewSectionReader(s.file, 0, s.rest) }

// pass writes the value, without its type.
func (s *spool) pass(w io.Writer) error {
	if _, err := w.Write(s.head[1:]); err != nil || s.rest == 0 {
		return err
	}
	_, err := io.Copy(w, s.aside())
	return err
}

// close removes the file. Another one is made when it is needed.
func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	return errors.Join(file.Truncate(0), file.Close())
}
