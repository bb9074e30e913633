package declared

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"rekindle/internal/secret"
)

const noClusters = "The key clusters is missing. Declare clusters below it, or write clusters: {} for none."

// reader reads values from YAML, and goes on after a wrong one, so that all mistakes are reported at once.
type reader struct {
	file, folder string
	getenv       func(string) string
	mistakes     Mistakes
}

// value is a part of the file, and its name in messages.
type value struct {
	*yaml.Node
	cluster, key string
}

// below is a value under a key of this one.
func (v value) below(key string, n *yaml.Node) value {
	if v.key != "" {
		key = v.key + "." + key
	}
	return value{n, v.cluster, key}
}

func (r *reader) wrong(line int, cluster, key, text string) {
	at := r.file
	if line > 0 {
		at += ":" + strconv.Itoa(line)
	}
	var about []string
	if cluster != "" {
		about = append(about, "cluster "+cluster)
	}
	if key != "" {
		about = append(about, key)
	}
	if len(about) > 0 {
		text = strings.Join(about, ", ") + ": " + text
	}
	r.mistakes = append(r.mistakes, at+": "+text)
}

func (r *reader) refuse(v value, text string, args ...any) {
	r.wrong(v.Line, v.cluster, v.key, fmt.Sprintf(text, args...))
}

// keys are the keys that a mapping may have, each with what reads its value.
type keys map[string]func(v value)

// mapping reads a mapping. It does not look below an unknown key.
func (r *reader) mapping(v value, known keys) {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	r.each(v, func(key *yaml.Node, below value) {
		if read, is := known[key.Value]; is {
			read(below)
			return
		}
		r.wrong(key.Line, v.cluster, v.key, fmt.Sprintf("There is no key %.50q here. The keys are %s.", key.Value, strings.Join(names, ", ")))
	})
}

// each goes through a mapping in the order of the file, and refuses repeated keys.
func (r *reader) each(v value, do func(key *yaml.Node, below value)) {
	if v.Node = resolve(v.Node); v.Kind != yaml.MappingNode {
		r.refuse(v, "This must be keys with their values, one per line and indented.")
		return
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(v.Content); i += 2 {
		key := resolve(v.Content[i])
		if key.Kind != yaml.ScalarNode {
			r.wrong(v.Content[i].Line, v.cluster, v.key, "A key must be plain text.")
			continue
		}
		if line, again := lines[key.Value]; again {
			r.wrong(key.Line, v.cluster, v.key, fmt.Sprintf("The key %.50q was already given in line %d. Keep one of them.", key.Value, line))
			continue
		}
		lines[key.Value] = key.Line
		do(key, v.below(key.Value, v.Content[i+1]))
	}
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// text reads text into a variable.
func (r *reader) text(into *string) func(value) {
	return func(v value) {
		if text, is := r.scalar(v, "!!str", "text; put it in quotes if it looks like a number or a word such as yes"); is {
			*into = text
		}
	}
}

func (r *reader) number(into *int) func(value) {
	return func(v value) {
		text, is := r.scalar(v, "!!int", "a whole number, without quotes")
		if !is {
			return
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			r.refuse(v, "This must be a whole number, such as 7.")
		}
		*into = n
	}
}

func (r *reader) truth(into *bool) func(value) {
	return func(v value) {
		if text, is := r.scalar(v, "!!bool", "true or false"); is {
			*into = strings.EqualFold(text, "true")
		}
	}
}

// scalar reads one value of a type.
func (r *reader) scalar(v value, tag, must string) (string, bool) {
	v.Node = resolve(v.Node)
	if v.Kind == yaml.ScalarNode && v.ShortTag() == "!!null" {
		r.refuse(v, "There is no value here. Give one, or leave the key out.")
		return "", false
	}
	if v.Kind != yaml.ScalarNode || v.ShortTag() != tag {
		r.refuse(v, "This must be %s.", must)
		return "", false
	}
	return v.Value, true
}

// lines reads a list of texts.
func (r *reader) lines(into *[]string) func(value) {
	return func(v value) {
		if v.Node = resolve(v.Node); v.Kind != yaml.SequenceNode {
			r.refuse(v, "This must be a list: [one, other], or one entry per line, after a dash.")
			return
		}
		for _, item := range v.Content {
			var text string
			r.text(&text)(value{item, v.cluster, v.key})
			if text != "" {
				*into = append(*into, text)
			}
		}
	}
}

// secret reads a value from elsewhere, {env: NAME} or {file: path}. Neither the value nor what stands in its place gets into a message.
func (r *reader) secret(into *secret.Text) func(value) {
	return func(v value) {
		v.Node = resolve(v.Node)
		name := v.key[strings.LastIndexByte(v.key, '.')+1:]
		if v.Kind != yaml.MappingNode || len(v.Content) != 2 || v.Content[0].Value != "env" && v.Content[0].Value != "file" {
			r.refuse(v, "This must not be in the file itself. Say where it comes from: %s: {env: NAME} or %s: {file: path}.", name, name)
			return
		}
		var from string
		kind := v.Content[0].Value
		r.text(&from)(v.below(kind, v.Content[1]))
		switch {
		case from == "":
		case kind == "env":
			if *into = secret.Text(r.getenv(from)); *into == "" {
				r.refuse(v, "The environment variable %.100s is not set, or empty. Set it for the console, or use a file.", from)
			}
		default:
			*into = r.held(v, from)
		}
	}
}

// held returns the content of a file, without the newline at its end.
func (r *reader) held(v value, path string) secret.Text {
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.folder, path)
	}
	text, err := readFile(path)
	if err != nil {
		r.refuse(v, "The file %s cannot be read: %v. Put it there, and let the console's user read it.", path, err)
		return ""
	}
	content := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if content == "" {
		r.refuse(v, "The file %s is empty.", path)
	}
	return secret.Text(content)
}

// public also reads a value from elsewhere, but one that is not secret.
func (r *reader) public(into *string) func(value) {
	return func(v value) {
		var text secret.Text
		r.secret(&text)(v)
		*into = text.Reveal()
	}
}
