package main

import (
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"rekindle/internal/secret"
	"rekindle/internal/words"
	"rekindle/internal/yamlfile"
)

const configUsage = "configuration `file` (YAML) with the settings of serve, by the names of its flags; flags and environment win (docs/running.md)"

// declareConfig has a command take a configuration file.
func declareConfig(flags *flagSet) { flags.config = flags.string("config", "", configUsage) }

// fileReader reads the settings of a configuration file into flags.
type fileReader struct {
	yamlfile.Reader
	flags *flagSet
}

// readFile takes from a configuration file what neither the arguments nor the environment have set. What only serve knows is checked but not used.
func (f *flagSet) readFile(path string) error {
	whole, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find %s: %w", path, err)
	}
	f.file = whole
	r := &fileReader{yamlfile.Reader{File: whole, Getenv: f.getenv}, f}
	if top, is := r.Top("configuration file"); is {
		r.Mapping(top, r.keys())
	}
	if len(r.Mistakes) > 0 {
		return misuse("%s in the configuration file:\n%s", words.Plural(len(r.Mistakes), "mistake"), r.Mistakes.Error())
	}
	return nil
}

// keys are those of all settings of serve.
func (r *fileReader) keys() yamlfile.Keys {
	keys := make(yamlfile.Keys)
	all, _ := serveFlags("serve", "", &config{}, r.Getenv, io.Discard)
	all.VisitAll(func(known *flag.Flag) {
		if known.Name != "config" {
			keys[known.Name] = func(v yamlfile.Value) { r.setting(v, known, slices.Contains(all.lists, known.Name)) }
		}
	})
	for name := range all.secrets {
		keys[name] = r.secret
	}
	return keys
}

// setting reads one setting, as what its flag is.
func (r *fileReader) setting(v yamlfile.Value, known *flag.Flag, list bool) {
	before := len(r.Mistakes)
	text := r.text(v, known, list)
	if len(r.Mistakes) > before {
		return
	}
	if err := known.Value.Set(text); err != nil {
		r.Refuse(v, "This must look like %s.", known.DefValue)
		return
	}
	r.flags.warnOfPassword(r.File, known.Name, v, text)
	if r.flags.Lookup(known.Name) == nil || r.flags.given(known.Name) {
		return
	}
	r.flags.from[known.Name] = r.origin(v)
	_ = r.flags.Set(known.Name, text) // the same flag has just taken it
}

func (r *fileReader) text(v yamlfile.Value, known *flag.Flag, list bool) (text string) {
	getter, _ := known.Value.(flag.Getter)
	switch getter.Get().(type) {
	case bool:
		var is bool
		r.Truth(&is)(v)
		return strconv.FormatBool(is)
	case int:
		var n int
		r.Number(&n)(v)
		return strconv.Itoa(n)
	}
	switch yamlfile.Resolve(v.Node).Kind {
	case yaml.MappingNode:
		r.Public(&text)(v)
	case yaml.SequenceNode:
		if !list {
			r.Refuse(v, "This must be one value, not a list.")
			return ""
		}
		var items []string
		r.Lines(&items)(v)
		text = strings.Join(items, ",")
	default:
		r.Text(&text)(v)
	}
	return text
}

func (r *fileReader) origin(v yamlfile.Value) origin {
	return origin{fromFile, r.File + ":" + strconv.Itoa(v.Line)}
}

// secret reads a setting that comes from elsewhere. Other commands do not look there.
func (r *fileReader) secret(v yamlfile.Value) {
	into, known := r.flags.secrets[v.Key]
	if !known {
		return
	}
	var value secret.Text
	if slices.Contains(r.flags.open, v.Key) && yamlfile.Resolve(v.Node).Kind == yaml.ScalarNode {
		var text string
		r.Text(&text)(v)
		value = secret.Text(text)
	} else {
		r.Secret(&value)(v)
	}
	if !r.flags.given(v.Key) {
		*into, r.flags.from[v.Key] = value, r.origin(v)
	}
}

// warnOfPassword notes that everybody can read a file with a password in it.
func (f *flagSet) warnOfPassword(path, name string, v yamlfile.Value, text string) {
	address, err := url.Parse(text)
	if err != nil || yamlfile.Resolve(v.Node).Kind != yaml.ScalarNode {
		return
	}
	_, has := address.User.Password()
	info, err := os.Stat(path)
	if (has || address.Query().Has("password")) && err == nil && info.Mode()&0o004 != 0 {
		f.notes = append(f.notes, fmt.Sprintf("%s can be read by everybody on this host, and %s has a password in it: chmod 600 the file, or write %s: {file: path}", path, name, name))
	}
}
