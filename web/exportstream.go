package web

import (
	"bytes"
	"encoding/json"
	"io"
)

// document writes a JSON object whose lists may be longer than memory: each element is written as it comes. The result is formatted as by
// json.Encoder with an indentation of two spaces.
type document struct {
	to    io.Writer
	lists bool // one was written
	err   error
}

func (d *document) text(s string) {
	if d.err == nil {
		_, d.err = io.WriteString(d.to, s)
	}
}

func (d *document) value(v any, prefix string) {
	if d.err != nil {
		return
	}
	var text []byte
	if text, d.err = marshalPlain(v, prefix); d.err == nil {
		d.text(string(text))
	}
}

// field writes a value under a name.
func (d *document) field(name string, v any) {
	d.begin(name)
	d.value(v, "  ")
}

func (d *document) begin(name string) {
	if d.lists {
		d.text(",\n")
	} else {
		d.text("{\n")
	}
	d.lists = true
	d.text("  ")
	d.value(name, "")
	d.text(": ")
}

// list writes a list under a name: each value that each passes to its argument.
func (d *document) list(name string, each func(add func(v any)) error) error {
	d.begin(name)
	d.text("[")
	count := 0
	err := each(func(v any) {
		if count++; count > 1 {
			d.text(",")
		}
		d.text("\n    ")
		d.value(v, "    ")
	})
	if err != nil {
		return err // the list then has no end, so that nobody takes it for the whole
	}
	if count > 0 {
		d.text("\n  ")
	}
	d.text("]")
	return d.err
}

func (d *document) end() error {
	d.text("\n}\n")
	return d.err
}

// marshalPlain is JSON without the escapes that only HTML needs.
func marshalPlain(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(prefix, "  ")
	err := encoder.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err // the encoder adds a newline
}
