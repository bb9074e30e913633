package keyspec

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// commandsText has a line for each command: its name, with that of the subcommand, and where its keys are.
//
//	1+0/1:rw        keys from word 1 on, up to 0 words behind it, each first word of 1; below 0 counted from the end, -1 is the last word
//	n1+0+1/2:ow     as many keys as the number in word 1+0 says, from word 1+1 on, each first word of 2
//	store6:ow       the key behind the last of the options STORE and STOREDIST, from word 6 on
//	sort2:ow        the same in SORT, which has patterns and numbers behind other options
//
// The flags are those of COMMAND INFO: rw read and written, ow overwritten, rm removed, ro only read; rd is rw for taking something out.
//
//go:embed commands.txt
var commandsText string

// more are commands that no server of the tests has: from the sources of Redis 8.2 and later, and of its modules JSON and time series.
const more = `
DELEX 1+0/1:rm
HIMPORT
JSON.MSET 1+-1/3:rw
TRIMSLOTS
TS.CREATERULE 1+1/1:rw
TS.MADD 1+-1/3:rw
XACKDEL 1+0/1:rw
XCFGSET 1+0/1:rw
XDELEX 1+0/1:rd
`

// form is how the keys of a specification are found.
type form uint8

const (
	byRange form = iota
	byNumber
	byStore
	bySort
)

// spec is where some keys of a command are.
type spec struct {
	form              form
	begin, last, step int64
	number            int64 // word with the number of keys; -1: none
	effect            Effect
}

type command struct {
	name      string
	specs     []spec
	container bool // it is known by its subcommand
}

var table = sync.OnceValue(func() map[string]*command {
	commands := make(map[string]*command)
	for _, line := range strings.Split(commandsText+more, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		c, err := parseLine(line)
		if err != nil {
			panic(err) // a test reads the whole table
		}
		commands[c.name] = c
		if container, _, sub := strings.Cut(c.name, " "); sub && commands[container] == nil {
			commands[container] = &command{name: container, container: true}
		}
	}
	return commands
})

// parseLine reads a line of the table. The name ends at the first word that has a digit and a colon or a plus sign.
func parseLine(line string) (*command, error) {
	words := strings.Fields(line)
	n := len(words)
	for n > 0 && strings.Contains(words[n-1], ":") {
		n--
	}
	c := &command{name: strings.Join(words[:n], " ")}
	for i, word := range words[n:] {
		s, err := parseSpec(word)
		if err != nil {
			return nil, fmt.Errorf("the key specification %q: %w", line, err)
		}
		if effects := byName[c.name]; i < len(effects) {
			s.effect = effects[i]
		}
		c.specs = append(c.specs, s)
	}
	return c, nil
}

func parseSpec(word string) (spec, error) {
	place, flags, _ := strings.Cut(word, ":")
	s := spec{number: -1, step: 1}
	var known bool
	if s.effect, known = byFlags[flags]; !known {
		return s, fmt.Errorf("flags %q", flags)
	}
	var err error
	switch {
	case strings.HasPrefix(place, "store"):
		s.form = byStore
		_, err = fmt.Sscanf(place, "store%d", &s.begin)
	case strings.HasPrefix(place, "sort"):
		s.form = bySort
		_, err = fmt.Sscanf(place, "sort%d", &s.begin)
	case strings.HasPrefix(place, "n"):
		s.form = byNumber
		s.form = byNumber
		_, err = fmt.Sscanf(place, "n%d+%d+%d/%d", &s.begin, &s.number, &s.last, &s.step)
		s.number, s.begin, s.last = s.begin+s.number, s.begin+s.last, 0
	default:
		_, err = fmt.Sscanf(place, "%d+%d/%d", &s.begin, &s.last, &s.step)
	}
	return s, err
}
