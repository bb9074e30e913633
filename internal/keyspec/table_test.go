package keyspec

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
)

var update = flag.Bool("update", false, "write commands.txt")

const head = "# Which words of a command are keys, as servers from Redis 7.0 to Valkey 9.1 say it. Made by: go test ./internal/keyspec -run Table -update\n"

func engine(t *testing.T, name string) *redis.Client {
	t.Helper()
	return testkit.Engine(t, testkit.Fetched(t, name)).Client()
}

// described are the commands of a server that says where their keys are, and whether each changes something.
func described(t *testing.T, client *redis.Client) map[string][]string {
	t.Helper()
	answer, err := client.Do(context.Background(), "COMMAND").Slice()
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string][]string)
	var add func(commands []any)
	add = func(commands []any) {
		for _, each := range commands {
			c := each.([]any)
			name := strings.ToUpper(strings.ReplaceAll(c[0].(string), "|", " "))
			subcommands := c[9].([]any)
			if add(subcommands); len(subcommands) > 0 {
				continue
			}
			lines[name] = []string{}
			if slices.Contains(texts(c[2]), "readonly") && name != "PFCOUNT" { // which may write down what it has counted
				continue
			}
			for _, one := range c[8].([]any) {
				if text := specText(t, name, fields(one)); text != "" {
					lines[name] = append(lines[name], text)
				}
			}
		}
	}
	add(answer)
	return lines
}

func fields(answer any) map[string]any {
	if m, is := answer.(map[any]any); is {
		found := make(map[string]any)
		for k, v := range m {
			found[k.(string)] = v
		}
		return found
	}
	found, list := make(map[string]any), answer.([]any)
	for i := 0; i+1 < len(list); i += 2 {
		found[list[i].(string)] = list[i+1]
	}
	return found
}

// specText writes one key specification as it stands in the table; "" if the keys are only read.
func specText(t *testing.T, name string, one map[string]any) string {
	t.Helper()
	flags := flagsText(one["flags"])
	if slices.Contains(texts(one["flags"]), "not_key") { // a channel
		return ""
	}
	if flags == "ro" && name != "COPY" {
		return ""
	}
	begin, find := fields(one["begin_search"]), fields(one["find_keys"])
	from, how := fields(begin["spec"]), fields(find["spec"])
	switch {
	case name == "SORT":
		return "sort2:ow"
	case begin["type"] == "keyword" && strings.HasPrefix(from["keyword"].(string), "STORE"):
		return fmt.Sprintf("store%d:%s", from["startfrom"], flags)
	case name == "MIGRATE" && begin["type"] == "keyword": // the stream has what it does as DEL
		return ""
	case begin["type"] == "index" && find["type"] == "range" && how["limit"] == int64(0):
		return fmt.Sprintf("%d+%d/%d:%s", from["index"], how["lastkey"], how["keystep"], flags)
	case begin["type"] == "index" && find["type"] == "keynum":
		return fmt.Sprintf("n%d+%d+%d/%d:%s", from["index"], how["keynumidx"], how["firstkey"], how["keystep"], flags)
	}
	t.Errorf("%s has keys that it changes where the table cannot say: %v", name, one)
	return ""
}

func texts(answer any) (all []string) {
	switch list := answer.(type) {
	case []any:
		for _, f := range list {
			all = append(all, f.(string))
		}
	case map[any]any: // a set in RESP3
		for f := range list {
			all = append(all, f.(string))
		}
	}
	return all
}

func flagsText(answer any) string {
	flags := texts(answer)
	for _, f := range []string{"RO", "OW", "RM"} {
		if slices.Contains(flags, f) {
			return strings.ToLower(f)
		}
	}
	if slices.Contains(flags, "delete") {
		return "rd"
	}
	return "rw"
}

// The table is what the servers say of themselves, the later ones before the earlier ones.
func TestTableIsWhatServersSay(t *testing.T) {
	t.Parallel()
	all := make(map[string][]string)
	for _, name := range []string{"redis-7.0", "valkey-8.0", "valkey-8.1", "redis-8.0", "valkey-9.1"} {
		maps.Copy(all, described(t, engine(t, name)))
	}
	var text bytes.Buffer
	text.WriteString(head)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		specs := slices.Compact(all[name])
		text.WriteString(strings.TrimSpace(name+" "+strings.Join(specs, " ")) + "\n")
	}
	if *update {
		if err := os.WriteFile("commands.txt", text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text.String() != commandsText {
		t.Error("commands.txt is not what the servers say: go test ./internal/keyspec -run Table -update")
	}
	for _, line := range strings.Split(more, "\n") {
		if c, err := parseLine(line); err != nil || all[c.name] != nil {
			t.Errorf("%q: %v; servers say %v", line, err, all[c.name])
		}
	}
	for name := range byName {
		if all[name] == nil && !strings.Contains(more, "\n"+name+" ") {
			t.Errorf("no server has %s", name)
		}
	}
}

// judged compares what a walk finds with what a server says about the same command. Of the server, writes are the keys that it changes.
func judged(t *testing.T, words []string, writes, all []int64) {
	t.Helper()
	var found []int64
	for _, k := range changed(words) {
		found = append(found, k.word)
	}
	for _, word := range writes {
		if !slices.Contains(found, word) {
			t.Errorf("%q changes word %d, the walk found %v", words, word, found)
		}
	}
	for _, word := range found {
		if !slices.Contains(all, word) {
			t.Errorf("%q has no key at %d, its keys are %v", words, word, all)
		} else if !slices.Contains(writes, word) && words[0] != "COPY" && words[0] != "BITFIELD" {
			t.Errorf("%q does not change word %d", words, word)
		}
	}
}

type found struct {
	word int64
	Key
}

// changed are the keys of a whole command that it changes.
func changed(words []string) (all []found) {
	var w Walk
	w.Begin(int64(len(words)))
	for i, word := range words {
		key, is := w.Key(int64(i))
		if !is {
			w.Word(int64(i), []byte(word[:min(len(word), MaxWord)]))
			continue
		}
		if key.Instead {
			all = slices.DeleteFunc(all, func(f found) bool { return f.Place == key.Place })
		}
		all = append(all, found{int64(i), key})
	}
	return all
}

// asked asks a server which words are keys. Words are made different first, so that their places are known by them.
func asked(t *testing.T, client *redis.Client, words []string, flags bool) (writes, all []int64, is bool) {
	t.Helper()
	place := make(map[string]int64)
	args := []any{"COMMAND", "GETKEYS"}
	if flags {
		args[1] = "GETKEYSANDFLAGS"
	}
	for i, word := range words {
		place[word] = int64(i)
		args = append(args, word)
	}
	answer, err := client.Do(context.Background(), args...).Slice()
	if err != nil {
		return nil, nil, false
	}
	for _, one := range answer {
		name, writing := "", true
		if pair, is := one.([]any); is {
			name = pair[0].(string)
			writing = flagsText(pair[1]) != "ro"
		} else {
			name = one.(string)
		}
		at, known := place[name]
		if !known {
			t.Fatalf("%q: the server says that %q is a key", words, name)
		}
		if all = append(all, at); writing {
			writes = append(writes, at)
		}
	}
	return writes, all, true
}

// made is a command of random words, of which no two are the same.
func made(rnd *rand.Rand, name string) []string {
	words := strings.Fields(name)
	options := rnd.Perm(3)
	used, number := 0, rnd.IntN(4)
	for i := range 1 + rnd.IntN(11) {
		word := "w" + strconv.Itoa(i)
		switch rnd.IntN(5) {
		case 0:
			word = strconv.Itoa(number)
			number++
		case 1:
			if used < 2 {
				word = []string{"STORE", "LIMIT", "BY"}[options[used]]
				used++
			}
		}
		words = append(words, word)
	}
	return words
}

// Real servers are the judges of which words of a command are keys, and which of them it changes.
func TestWalkFindsTheKeysThatServersFind(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"redis-7.0", "redis-8.0", "valkey-8.1", "valkey-9.1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := engine(t, name)
			rnd, judgements := rand.New(rand.NewPCG(1, 2)), 0
			for _, command := range slices.Sorted(maps.Keys(described(t, client))) {
				known, c := 0, table()[command]
				if len(c.specs) == 0 {
					continue // of what is not passed on, it does not matter
				}
				for range 300 {
					words := made(rnd, command)
					writes, all, is := asked(t, client, words, true)
					if !is || unusual(words) {
						continue
					}
					judged(t, words, writes, all)
					if known++; known == 40 {
						break
					}
				}
				judgements += known
				if known == 0 && !unusual([]string{command}) {
					t.Errorf("the server never said which keys %s has", command)
				}
			}
			if judgements < 3000 {
				t.Errorf("only %d commands were compared", judgements)
			}
		})
	}
}

// Redis 6.0 says less: the keys of a command, not what becomes of them.
func TestWalkFindsOnlyKeysOfRedis6(t *testing.T) {
	t.Parallel()
	client := engine(t, "redis-6.0")
	answer, err := client.Do(context.Background(), "COMMAND").Slice()
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, each := range answer {
		c := each.([]any)
		name := strings.ToUpper(c[0].(string))
		if table()[name] == nil && !slices.Contains([]string{"STRALGO", "POST", "HOST:"}, name) {
			t.Errorf("%s is not in the table", name)
		}
		for range 100 {
			words := made(rnd, name)
			_, all, is := asked(t, client, words, false)
			if !is || name == "XGROUP" || name == "XINFO" || name == "MEMORY" || name == "OBJECT" {
				continue
			}
			for _, f := range changed(words) {
				if !slices.Contains(all, f.word) {
					t.Errorf("%q has no key at %d, its keys are %v", words, f.word, all)
				}
			}
		}
	}
}
