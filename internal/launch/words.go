package launch

import (
	"regexp"
	"strings"
)

// KeyTwice is what [Historian.LastWords] says of a node that found the key $1 twice, in the database $2.
const KeyTwice = "The data has the key “$1” twice, in database $2."

// named is how that begins, with what follows the name, if that was not cut.
var named = regexp.MustCompile(`^The data has the key “(?s:.*)” twice(, in database \d+\.)$`)

// WithoutKey is a sentence of [Historian.LastWords] without the name of a key.
func WithoutKey(sentence string) string {
	begins, _, _ := strings.Cut(KeyTwice, "$1")
	if !strings.HasPrefix(sentence, begins) {
		return sentence
	}
	if found := named.FindStringSubmatch(sentence); found != nil {
		return "The data has a key twice" + found[1]
	}
	return "The data has a key twice."
}
