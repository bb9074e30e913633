package restore

import (
	"fmt"
	"strings"
	"sync/atomic"

	"rekindle/internal/resp"
)

// writing is the lane by which a [Writer] restores keys into one node.
type writing struct {
	lane[sent]
	options Options

	written, kept, expired, libraries atomic.Int64
}

func newWriting(conn *resp.Conn, addr string, options Options) *writing {
	w := &writing{options: options}
	w.start(conn, addr, w.hear)
	return w
}

// sent is a command that waits for its answer.
type sent struct {
	name    [nameKept]byte
	length  int // of the whole name
	kind    string
	chooses int // the database that is selected + 1; 0: none is
	library bool
	expired bool
}

func (s sent) named(name []byte) sent {
	s.length = len(name)
	copy(s.name[:], name)
	return s
}

// hear reads the answer to a command.
func (l *writing) hear(s sent) error {
	answer, err := l.conn.Reader().ReadValue()
	if err != nil {
		return fmt.Errorf("restore %s into %s: read the answer: %w: %w", s, l.addr, ErrGone, err)
	}
	return l.judge(s, answer)
}

// judge counts what a node has accepted, and reports what it has not and why.
func (l *writing) judge(s sent, answer resp.Value) error {
	if answer.Kind == resp.KindError {
		return l.refused(s, answer.Str)
	}
	switch {
	case s.chooses > 0:
	case s.library:
		l.libraries.Add(1)
	default:
		l.written.Add(1)
		if s.expired {
			l.expired.Add(1)
		}
	}
	return nil
}

func (l *writing) refused(s sent, answer string) error {
	if exists(s, answer) {
		switch {
		case s.library && (l.options.KeepLibraries || l.options.Policy == Keep):
			return nil
		case !s.library && l.options.Policy == Keep:
			l.kept.Add(1)
			return nil
		}
		return l.because(s, ErrExists)
	}
	return l.because(s, meaning(answer))
}

// meaning is what the error that a node answers means here.
func meaning(answer string) error {
	for _, known := range []struct {
		text string
		err  error
	}{
		{"ERR Bad data format", ErrValue},
		{"MOVED ", ErrMoved}, {"ASK ", ErrMoved}, {"CLUSTERDOWN ", ErrMoved},
		{"READONLY ", ErrNotPrimary}, {"MASTERDOWN ", ErrNotPrimary},
		{"OOM ", ErrFull},
		{"ERR DB index is out of range", ErrDatabase}, {"ERR SELECT is not allowed in cluster mode", ErrDatabase},
		{"NOPERM ", ErrDenied},
	} {
		if strings.HasPrefix(answer, known.text) {
			return known.err
		}
	}
	return resp.Error(answer)
}

// exists tells whether the node already has such a key or library.
func exists(s sent, answer string) bool {
	return strings.HasPrefix(answer, "BUSYKEY ") || s.library && strings.HasSuffix(answer, " already exists")
}

func (l *writing) because(s sent, err error) error {
	if s.chooses > 0 {
		return fmt.Errorf("select database %d of %s: %w", s.chooses-1, l.addr, err)
	}
	return fmt.Errorf("restore %s into %s: %w", s, l.addr, err)
}

// String names what was sent.
func (s sent) String() string {
	if s.library {
		name, _, _ := strings.Cut(string(s.name[:min(s.length, nameKept)]), "\n")
		return fmt.Sprintf("the functions %q", name)
	}
	return s.kind + " " + quoted(s.name[:min(s.length, nameKept)], s.length)
}

// quoted is a key's name, or its beginning.
func quoted(name []byte, length int) string {
	if length > nameKept {
		return fmt.Sprintf("%q and %d more bytes", name[:nameKept], length-nameKept)
	}
	return fmt.Sprintf("%q", name)
}
