// Package yamlfile reads YAML files that people write by hand: strictly, with all mistakes reported at once, each with its line, and none of them with
// a secret in it.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSize bounds the file and each file that it names.
const maxSize = 4 << 20

// Mistakes is all that is wrong with a file, in words. None of them contains a secret.
type Mistakes []string

// Error puts each mistake on a line of its own.
func (m Mistakes) Error() string { return strings.Join(m, "\n") }

// readFile is os.ReadFile for people's files. Its errors leave out the path, which the message says elsewhere.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(text) > maxSize {
		return nil, errors.New("it is larger than 4 MiB")
	}
	return text, nil
}

// cause is what is wrong with a file, without its path.
func cause(err error) error {
	if wrong, is := errors.AsType[*os.PathError](err); is {
		return wrong.Err
	}
	return err
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// document reads the file's only document. One that is empty has a nil node, one that is not YAML is a mistake.
func (r *Reader) document(text []byte) *yaml.Node {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	err := decoder.Decode(&doc)
	if err == nil {
		if again := decoder.Decode(&more); again == nil {
			r.Wrong(more.Line, "", "", "A second document begins here. Put everything in one, without a line ---.")
			return nil
		} else if !errors.Is(again, io.EOF) {
			err = again
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		r.Mistakes = append(r.Mistakes, r.syntax(err))
		return nil
	}
	return doc.Content[0]
}

// syntax reports invalid YAML. What the parser quotes from the file may be a secret, so it is left out.
func (r *Reader) syntax(err error) string {
	text, at := err.Error(), r.File
	if found := syntaxLine.FindStringSubmatch(text); found != nil {
		text = text[len(found[0]):]
		if found[1] != "" {
			at += ":" + found[1]
		}
	}
	if strings.Contains(text, "anchor") || strings.ContainsAny(text, "'\"`") {
		text = "an alias (*name) or a tag is undefined, or a character is out of place. Put text that begins with *, &, !, % or @ in quotes"
	}
	return fmt.Sprintf("%s: This is not valid YAML: %s.", at, text)
}
