package web

import (
	"encoding/json"
	"io"
)

// document writes a JSON object whose lists may be longer than memory: each element is written as it comes. It has the form that
// json.Encoder with an indentation of two spaces gives the whole.
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

// list writes what each calls its argument with, as a list under a name.
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
	if count > 0 {
		d.text("\n  ")
	}
	d.text("]")
	if err != nil {
		return err
	}
	return d.err
}

func (d *document) end() error {
	d.text("\n}\n")
	return d.err
}

// marshalPlain is JSON without the escapes that only HTML needs.
func marshalPlain(v any, prefix string) ([]byte, error) {
	var b trimmed
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(prefix, "  ")
	err := encoder.Encode(v)
	return b.bytes(), err
}

// trimmed collects text without the line's end that an encoder writes.
type trimmed struct{ text []byte }

func (t *trimmed) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	return len(p), nil
}

func (t *trimmed) bytes() []byte {
	if n := len(t.text); n > 0 && t.text[n-1] == '\n' {
		return t.text[:n-1]
	}
	return t.text
}
