// Package reason has errors that are sentences for people already.
package reason

import (
	"errors"
	"fmt"
)

// because is an error with a sentence; the cause goes to the log.
type because struct {
	text  string
	cause error
}

func (b because) Error() string {
	if b.cause == nil {
		return b.text
	}
	return b.text + " (" + b.cause.Error() + ")"
}

func (b because) Unwrap() error { return b.cause }

// Because is an error that says this to people. The cause, which may be nil, is for the log.
func Because(cause error, format string, args ...any) error {
	return because{text: fmt.Sprintf(format, args...), cause: cause}
}

// Text returns the sentence of the outermost such error in err's tree.
func Text(err error) (text string, found bool) {
	b, found := errors.AsType[because](err)
	return b.text, found
}
