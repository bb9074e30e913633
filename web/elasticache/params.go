package elasticache

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekindle/models"
)

// params reads a request's parameters. An empty one counts as absent, one that no code reads is ignored, and one that cannot be parsed is
// noted: see wrong.
type params struct {
	values url.Values
	faults models.Faults
}

// wrong returns the mistakes noted so far as a refusal, or nil.
func (p *params) wrong() error {
	if len(p.faults) == 0 {
		return nil
	}
	return p.faults
}

func (p *params) mistake(code models.Code, format string, args ...any) {
	p.faults = append(p.faults, models.Fault{Code: code, Message: fmt.Sprintf(format, args...)})
}

// text returns a parameter, "" when it is absent.
func (p *params) text(name string) string { return strings.TrimSpace(p.values.Get(name)) }

// id returns a parameter that names something, in lower case: names are not case-sensitive.
func (p *params) id(name string) string { return strings.ToLower(p.text(name)) }

// required returns a parameter that must be present.
func (p *params) required(name string) string {
	text := p.text(name)
	if text == "" {
		p.mistake(codeMissing, "The request must contain the parameter %s.", name)
	}
	return text
}

// requiredID is required for a parameter that names something.
func (p *params) requiredID(name string) string { return strings.ToLower(p.required(name)) }

// number returns a whole number, and whether it was given.
func (p *params) number(name string) (int, bool) {
	text := p.text(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		p.mistake(models.CodeInvalid, "The parameter %s must be a whole number, not %.40q.", name, text)
		return 0, false
	}
	return n, true
}

// flag returns a boolean, and whether it was given.
func (p *params) flag(name string) (value, given bool) {
	switch text := p.text(name); strings.ToLower(text) {
	case "":
		return false, false
	case "true":
		return true, true
	case "false":
		return false, true
	default:
		p.mistake(models.CodeInvalid, "The parameter %s must be true or false, not %.40q.", name, text)
		return false, true
	}
}

// instant returns a time, and whether it was given.
func (p *params) instant(name string) (time.Time, bool) {
	text := p.text(name)
	if text == "" {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	p.mistake(models.CodeInvalid, "The parameter %s must be a time such as 2026-01-02T03:04:05Z, not %.40q.", name, text)
	return time.Time{}, true
}

// maxElements limits a list: no action accepts more.
const maxElements = 1000

// list returns the elements of a list in order, whatever they are called: clients use the model's name, "member", or none.
func (p *params) list(name string) []string {
	var elements []string
	for _, key := range p.elements(name) {
		if text := p.text(key); text != "" {
			elements = append(elements, text)
		}
	}
	return elements
}

// structs returns the elements of a list of structures.
func (p *params) structs(name string) []params {
	var elements []params
	for _, prefix := range p.elements(name) {
		values := url.Values{}
		for key, value := range p.values {
			if rest, ok := strings.CutPrefix(key, prefix+"."); ok {
				values[rest] = value
			}
		}
		elements = append(elements, params{values: values})
	}
	return elements
}

// elements returns the prefixes of the keys of a list's elements: "Tags.Tag.1", "Tags.Tag.2".
func (p *params) elements(name string) []string {
	found := make(map[string]int)
	for key := range p.values {
		rest, ok := strings.CutPrefix(key, name+".")
		if !ok {
			continue
		}
		words := strings.Split(rest, ".")
		for i := range min(2, len(words)) {
			if n, err := strconv.Atoi(words[i]); err == nil && n >= 0 {
				found[name+"."+strings.Join(words[:i+1], ".")] = n
				break
			}
		}
	}
	if len(found) > maxElements {
		p.mistake(models.CodeInvalid, "The list %s has more than %d elements.", name, maxElements)
		return nil
	}
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return found[a] - found[b] })
	return keys
}

// tags reads the parameter Tags.
func (p *params) tags() map[string]string {
	tags := make(map[string]string)
	for _, tag := range p.structs("Tags") {
		key := tag.values.Get("Key")
		if _, twice := tags[key]; twice {
			p.mistake(models.CodeInvalid, "The tag %.128q is given twice.", key)
		}
		tags[key] = tag.values.Get("Value")
	}
	return tags
}
