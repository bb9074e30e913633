package yamlfile

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"rekindle/internal/secret"
)

// Reader reads values from a file, and goes on after a wrong one, so that all mistakes are reported at once.
type Reader struct {
	File     string              // its path; those of other files may be relative to it
	Getenv   func(string) string // is asked for what the file says comes from the environment
	Mistakes Mistakes
}

// Value is a part of the file, and its name in messages: Key, of what About names.
type Value struct {
	*yaml.Node
	About, Key string
}

// Below is a value under a key of this one.
func (v Value) Below(key string, n *yaml.Node) Value {
	if v.Key != "" {
		key = v.Key + "." + key
	}
	return Value{n, v.About, key}
}

// Top reads the file. Without a value there is nothing in it; if that is because it cannot be read, there is a mistake.
func (r *Reader) Top(what string) (Value, bool) {
	text, err := readFile(r.File)
	if err != nil {
		r.Wrong(0, "", "", fmt.Sprintf("the %s cannot be read: %v", what, err))
		return Value{}, false
	}
	top := r.document(text)
	return Value{Node: top}, top != nil
}

// Wrong reports a mistake in a line; 0: of the whole file.
func (r *Reader) Wrong(line int, about, key, text string) {
	at := r.File
	if line > 0 {
		at += ":" + strconv.Itoa(line)
	}
	var named []string
	for _, name := range []string{about, key} {
		if name != "" {
			named = append(named, name)
		}
	}
	if len(named) > 0 {
		text = strings.Join(named, ", ") + ": " + text
	}
	r.Mistakes = append(r.Mistakes, at+": "+text)
}

// Refuse reports a mistake in a value.
func (r *Reader) Refuse(v Value, text string, args ...any) {
	r.Wrong(v.Line, v.About, v.Key, fmt.Sprintf(text, args...))
}

// Keys are the keys that a mapping may have, each with what reads its value.
type Keys map[string]func(v Value)

// Mapping reads a mapping. It does not look below an unknown key.
func (r *Reader) Mapping(v Value, known Keys) {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	r.Each(v, func(key *yaml.Node, below Value) {
		if read, is := known[key.Value]; is {
			read(below)
			return
		}
		r.Wrong(key.Line, v.About, v.Key, fmt.Sprintf("There is no key %.50q here. The keys are %s.", key.Value, strings.Join(names, ", ")))
	})
}

// Each goes through a mapping in the order of the file, and refuses repeated keys.
func (r *Reader) Each(v Value, do func(key *yaml.Node, below Value)) {
	if v.Node = Resolve(v.Node); v.Kind != yaml.MappingNode {
		r.Refuse(v, "This must be keys with their values, one per line and indented.")
		return
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(v.Content); i += 2 {
		key := Resolve(v.Content[i])
		if key.Kind != yaml.ScalarNode {
			r.Wrong(v.Content[i].Line, v.About, v.Key, "A key must be plain text.")
			continue
		}
		if line, again := lines[key.Value]; again {
			r.Wrong(key.Line, v.About, v.Key, fmt.Sprintf("The key %.50q was already given in line %d. Keep one of them.", key.Value, line))
			continue
		}
		lines[key.Value] = key.Line
		do(key, v.Below(key.Value, v.Content[i+1]))
	}
}

// Resolve follows an alias to what it stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// Text reads text into a variable.
func (r *Reader) Text(into *string) func(Value) {
	return func(v Value) {
		if text, is := r.scalar(v, "!!str", "text; put it in quotes if it looks like a number or a word such as yes"); is {
			*into = text
		}
	}
}

// Number reads a whole number into a variable.
func (r *Reader) Number(into *int) func(Value) {
	return func(v Value) {
		text, is := r.scalar(v, "!!int", "a whole number, without quotes")
		if !is {
			return
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			r.Refuse(v, "This must be a whole number, such as 7.")
		}
		*into = n
	}
}

// Truth reads true or false into a variable.
func (r *Reader) Truth(into *bool) func(Value) {
	return func(v Value) {
		if text, is := r.scalar(v, "!!bool", "true or false"); is {
			*into = strings.EqualFold(text, "true")
		}
	}
}

// scalar reads one value of a type.
func (r *Reader) scalar(v Value, tag, must string) (string, bool) {
	v.Node = Resolve(v.Node)
	if v.Kind == yaml.ScalarNode && v.ShortTag() == "!!null" {
		r.Refuse(v, "There is no value here. Give one, or leave the key out.")
		return "", false
	}
	if v.Kind != yaml.ScalarNode || v.ShortTag() != tag {
		r.Refuse(v, "This must be %s.", must)
		return "", false
	}
	return v.Value, true
}

// Lines reads a list of texts.
func (r *Reader) Lines(into *[]string) func(Value) {
	return func(v Value) {
		if v.Node = Resolve(v.Node); v.Kind != yaml.SequenceNode {
			r.Refuse(v, "This must be a list: [one, other], or one entry per line, after a dash.")
			return
		}
		for _, item := range v.Content {
			var text string
			r.Text(&text)(Value{item, v.About, v.Key})
			if text != "" {
				*into = append(*into, text)
			}
		}
	}
}

// Secret reads a value from elsewhere, {env: NAME} or {file: path}. Neither the value nor what stands in its place gets into a message.
func (r *Reader) Secret(into *secret.Text) func(Value) {
	return func(v Value) {
		v.Node = Resolve(v.Node)
		name := v.Key[strings.LastIndexByte(v.Key, '.')+1:]
		if v.Kind != yaml.MappingNode || len(v.Content) != 2 || v.Content[0].Value != "env" && v.Content[0].Value != "file" {
			r.Refuse(v, "This must not be in the file itself. Say where it comes from: %s: {env: NAME} or %s: {file: path}.", name, name)
			return
		}
		var from string
		kind := v.Content[0].Value
		r.Text(&from)(v.Below(kind, v.Content[1]))
		switch {
		case from == "":
		case kind == "env":
			if *into = secret.Text(r.Getenv(from)); *into == "" {
				r.Refuse(v, "The environment variable %.100s is not set, or empty. Set it for the console, or use a file.", from)
			}
		default:
			*into = r.held(v, from)
		}
	}
}

// held returns the content of a file, without the newline at its end.
func (r *Reader) held(v Value, path string) secret.Text {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.File), path)
	}
	text, err := readFile(path)
	if err != nil {
		r.Refuse(v, "The file %s cannot be read: %v. Put it there, and let the console's user read it.", path, err)
		return ""
	}
	content := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if content == "" {
		r.Refuse(v, "The file %s is empty.", path)
	}
	return secret.Text(content)
}

// Public also reads a value from elsewhere, but one that is not secret.
func (r *Reader) Public(into *string) func(Value) {
	return func(v Value) {
		var text secret.Text
		r.Secret(&text)(v)
		*into = text.Reveal()
	}
}
