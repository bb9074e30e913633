package declared

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"rekindle/models"
)

// maxSize bounds the file and each file that it names.
const maxSize = 4 << 20

// Source is where clusters are declared. Getenv is asked for the secrets that come from the environment.
type Source struct {
	Path   string
	Getenv func(string) string
}

// File is what a clusters file declares, in its final form.
type File struct {
	Path     string
	Clusters []models.AttachSpec
}

// Mistakes is all that is wrong with a clusters file, in words. None of them contains a secret.
type Mistakes []string

// Error puts each mistake on a line of its own.
func (m Mistakes) Error() string { return strings.Join(m, "\n") }

// Load reads the clusters file and checks all that can be checked without reaching a cluster. An error is [Mistakes].
func (s Source) Load() (File, error) {
	text, err := readFile(s.Path)
	if err != nil {
		return File{}, Mistakes{fmt.Sprintf("%s: the clusters file cannot be read: %v", s.Path, err)}
	}
	r := &reader{file: s.Path, folder: filepath.Dir(s.Path), getenv: s.Getenv}
	file := File{Path: s.Path, Clusters: r.clusters(r.document(text))}
	if len(r.mistakes) > 0 {
		return File{}, r.mistakes
	}
	return file, nil
}

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

// document reads the file's only document; nil if there is none, which is reported.
func (r *reader) document(text []byte) *yaml.Node {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	err := decoder.Decode(&doc)
	if err == nil {
		if again := decoder.Decode(&more); again == nil {
			r.wrong(more.Line, "", "", "A second document begins here. Declare all clusters in one, without a line ---.")
			return nil
		} else if !errors.Is(again, io.EOF) {
			err = again
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		r.wrong(0, "", "", noClusters)
		return nil
	case err != nil:
		r.mistakes = append(r.mistakes, r.syntax(err))
		return nil
	}
	return doc.Content[0]
}

// syntax reports invalid YAML. What the parser quotes from the file may be a secret, so it is left out.
func (r *reader) syntax(err error) string {
	text, at := err.Error(), r.file
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
