package keyspec

import "bytes"

// Key is what a command does to a word of it.
type Key struct {
	Effect  Effect
	Place   int  // which of the command's keys: 0 for the first specification
	Instead bool // it stands instead of the key of this place before, which is none after all: of several options STORE the last one counts
	Guess   bool // the command is not known, and its first argument is taken for a key
}

// Walk goes along the words of a command, in their order, and says which of them are keys that it changes. It needs no more of them than [MaxWord] bytes
// each, and none at all of keys. It can be used again for the next command.
type Walk struct {
	args    int64
	command *command
	ranges  []keys
	store   *spec
	option  int64 // the word from which an option STORE may be
	after   int64 // the word behind an option STORE; 0: none
	stores  int
	place   int // of store
}

// MaxWord is how many bytes of a word a [Walk] looks at.
const MaxWord = 64

// keys are every so many words from one on, up to another one.
type keys struct {
	first, last, step int64
	Key
}

// Begin begins a command of so many words, its name included.
func (w *Walk) Begin(args int64) {
	*w = Walk{args: args, ranges: w.ranges[:0]}
}

// Word tells the walk what a word is: its beginning, up to MaxWord bytes. Words that [Walk.Key] has called keys may be left out.
func (w *Walk) Word(index int64, word []byte) {
	switch {
	case index == 0:
		w.named(word)
	case index == 1 && w.command != nil && w.command.container:
		w.subcommand(word)
	case w.store != nil && index >= w.option:
		w.optional(index, word)
	}
	if w.command == nil {
		return
	}
	for i := range w.command.specs {
		if s := &w.command.specs[i]; s.form == byNumber && s.number == index {
			if n, is := count(word); is && s.begin+(n-1)*s.step < w.args { // otherwise a server refuses it
				w.add(keys{s.begin, s.begin + (n-1)*s.step, s.step, Key{Effect: s.effect, Place: i}})
			}
		}
	}
}

// named begins with the specifications of a command.
func (w *Walk) named(word []byte) {
	var buffer [MaxWord]byte
	if w.command = table()[string(appendUpper(buffer[:0], word))]; w.command == nil {
		w.add(keys{1, 1, 1, Key{Effect: MayChange, Guess: true}})
		return
	}
	w.specified()
}

// subcommand is named for a command that is known by two words. XGROUP is the only one whose subcommands have keys that they change.
func (w *Walk) subcommand(word []byte) {
	var buffer [2*MaxWord + 1]byte
	container := w.command.name
	if w.command = table()[string(appendUpper(append(append(buffer[:0], container...), ' '), word))]; w.command != nil {
		w.specified()
	} else if container == "XGROUP" {
		w.add(keys{2, 2, 1, Key{Effect: MayChange, Guess: true}})
	}
}

func (w *Walk) specified() {
	for i := range w.command.specs {
		switch s := &w.command.specs[i]; s.form {
		case byRange:
			last := s.begin + s.last
			if s.last < 0 {
				last = w.args + s.last
			}
			w.add(keys{s.begin, min(last, w.args-1), s.step, Key{Effect: s.effect, Place: i}})
		case byStore, bySort:
			w.store, w.option, w.place = s, s.begin, i
		}
	}
}

func appendUpper(to, word []byte) []byte {
	for _, b := range word[:min(len(word), MaxWord)] {
		if 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		to = append(to, b)
	}
	return to
}

func (w *Walk) add(k keys) {
	if k.first <= k.last {
		w.ranges = append(w.ranges, k)
	}
}

// optional looks at a word that may be an option with a key behind it.
func (w *Walk) optional(index int64, word []byte) {
	if index == w.after { // the key itself
		return
	}
	is := func(option string) bool { return bytes.EqualFold(word, []byte(option)) }
	switch sort := w.store.form == bySort; {
	case is("STORE") || !sort && is("STOREDIST"):
		if index+1 < w.args {
			w.after, w.option, w.stores = index+1, index+2, w.stores+1
		}
	case sort && (is("BY") || is("GET")):
		w.option = index + 2
	case sort && is("LIMIT"):
		w.option = index + 3
	}
}

// Key says whether a word is a key that the command changes. The words before it have been told.
func (w *Walk) Key(index int64) (Key, bool) {
	if index == 0 {
		return Key{}, false
	}
	if index == w.after {
		return Key{Effect: w.store.effect, Place: w.place, Instead: w.stores > 1}, true
	}
	for _, k := range w.ranges {
		if index >= k.first && index <= k.last && (index-k.first)%k.step == 0 && k.Effect != None {
			return k.Key, true
		}
	}
	return Key{}, false
}

// count reads the number of keys.
func count(word []byte) (n int64, is bool) {
	if len(word) == 0 || len(word) > 10 {
		return 0, false
	}
	for _, c := range word {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
