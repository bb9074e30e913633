package rdb

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Kinds are the ways in which what an RDB holds is stored, of which each came with some version of some engine: whoever writes it into another one
// key by key has to know whether that reads them all. The text is words such as 0 and 16=cart%3A7,cart%3A8: numbers of rdb.h, those of types and those
// of the opcodes that stand for something by themselves, with a V before them where Valkey has given the same number another meaning; and the first
// few keys that are stored so, as in a URL's query, unless every engine reads that. "none" alone says that there is nothing; "" that it is not known.
type Kinds string

// NoKinds are those of an RDB that has nothing in it.
const NoKinds Kinds = kindsNone

const (
	kindsNone    = "none"
	maxKinds     = 1 << 15 // bytes
	kindKeys     = 3       // that are named
	kindKeyBytes = 64      // of a name, else it is left out
	usual        = typeStreamListpacks

	fieldsExpireFrom = 12 // the first version of RDB with hashes whose fields expire
)

// kindNames say what is stored so, to whoever's engine cannot read it.
var kindNames = map[string]string{
	numbered(typeModule2):        "keys of modules",
	numbered(typeHashListpack):   "hashes",
	numbered(typeZSetListpack):   "sorted sets",
	numbered(typeListQuicklist2): "lists",
	numbered(typeSetListpack):    "sets", numbered(typeStreamListpacks2): "streams", numbered(typeStreamListpacks3): "streams",
	numbered(typeHashTTLPreGA): fieldsExpire, numbered(typeHashListpackTTLPreGA): fieldsExpire,
	numbered(typeHashTTL): fieldsExpire, numbered(typeHashListpackTTL): fieldsExpire,
	valkeysHashTTL: fieldsExpire, numbered(opFunction2): "functions", numbered(opFunctionPreGA): "functions of a release candidate of Redis 7.0",
	numbered(opKeyMeta): "keys with what modules have attached to them", valkeysImport: "a slot that is moving between shards",
}

const (
	valkeysHashTTL = "V22"
	valkeysImport  = "V243"
	fieldsExpire   = "hashes whose fields expire"
)

func numbered(number byte) string { return strconv.Itoa(int(number)) }

// Valid tells whether it is such a text.
func (k Kinds) Valid() bool {
	_, ok := k.read()
	return ok && len(k) <= maxKinds
}

// read returns the keys by their kind.
func (k Kinds) read() (all map[string][]string, ok bool) {
	all = map[string][]string{}
	for word := range strings.FieldsSeq(string(k)) {
		kind, keys, named := strings.Cut(word, "=")
		all[kind] = nil
		if !named {
			continue
		}
		for key := range strings.SplitSeq(keys, ",") {
			plain, err := url.QueryUnescape(key)
			if err != nil {
				return nil, false
			}
			all[kind] = append(all[kind], plain)
		}
	}
	delete(all, kindsNone)
	return all, true
}

// FieldsExpire tells whether an RDB of this version that holds this may have hashes whose fields expire.
func (k Kinds) FieldsExpire(rdbVersion int) bool {
	all, known := k.read()
	if k == "" || !known {
		return rdbVersion >= fieldsExpireFrom
	}
	for kind := range all {
		if kindNames[kind] == fieldsExpire {
			return true
		}
	}
	return false
}

func byNumber(a, b string) int { return cmp.Or(len(a)-len(b), cmp.Compare(a, b)) }

func kindsOf(all map[string][]string) Kinds {
	var words []string
	for _, kind := range slices.SortedFunc(maps.Keys(all), byNumber) {
		word := kind
		for i, key := range all[kind] {
			word += []string{"=", ","}[min(i, 1)] + url.QueryEscape(key)
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		return kindsNone
	}
	return Kinds(strings.Join(words, " "))
}

// WithoutNames are the same kinds without the names of keys.
func (k Kinds) WithoutNames() Kinds {
	words := strings.Fields(string(k))
	for i, word := range words {
		words[i], _, _ = strings.Cut(word, "=")
	}
	return Kinds(strings.Join(words, " "))
}

// And is what two RDBs hold together.
func (k Kinds) And(other Kinds) Kinds {
	mine, known := k.read()
	others, theirs := other.read()
	if k == "" || other == "" || !known || !theirs {
		return ""
	}
	for kind, keys := range others {
		both := append(mine[kind], keys...)
		mine[kind] = both[:min(len(both), kindKeys)]
	}
	return kindsOf(mine)
}

// Obstacle is something that an engine cannot read.
type Obstacle struct {
	What string   // in words: "hashes whose fields expire"
	Keys []string // the first of them, where that has been written down
}

// Obstacles are what stands in the way when what an RDB of this version holds is written into an engine key by key, with these deadlines of fields.
// known is false when that is not known: then there may be others, or none.
func Obstacles(engine, engineVersion string, rdbVersion int, k Kinds, fields FieldDeadlines) (all []Obstacle, known bool) {
	values, ok := k.read()
	if k == "" || !ok {
		return nil, false
	}
	target, understood := TargetOf(engine, engineVersion)
	found := map[string]*Obstacle{}
	var order []string
	for _, kind := range slices.SortedFunc(maps.Keys(values), byNumber) {
		if understood && target.takesKind(rdbVersion, kind, fields) {
			continue
		}
		what := kindNames[kind]
		if what == "" {
			what = "what is not known here"
		}
		if found[what] == nil {
			found[what] = &Obstacle{What: what}
			order = append(order, what)
		}
		found[what].Keys = append(found[what].Keys, values[kind]...)
	}
	for _, what := range order {
		all = append(all, *found[what])
	}
	return all, true
}

// takesKind tells whether an engine takes what is stored so, in that form or in another one. What belongs to modules it is trusted with when it could
// load the whole RDB: which modules it has is not known.
func (t Target) takesKind(rdbVersion int, kind string, fields FieldDeadlines) bool {
	switch kind {
	case numbered(typeModule2):
		return t.loads(rdbVersion)
	case numbered(opFunction2):
		return t.major >= 7
	}
	f, ok := formOf(kind)
	if ok {
		_, ok = t.gets(f, fields)
	}
	return ok
}

// names tells whether the name of the next key of a type is to be kept.
func (s *Scanner) names(objectType byte) bool {
	return (objectType > usual || objectType == typeModule2) && len(s.named[objectType]) < kindKeys && !s.nameless
}

// noteKind walks over the name of a key that is stored in a way which not every engine reads, and keeps it where it is one of the first.
func (s *Scanner) noteKind(objectType byte) error {
	name, ok, err := s.shortString(kindKeyBytes)
	if err == nil && ok {
		s.named[objectType] = append(s.named[objectType], string(name))
	}
	return err
}

// kinds are those of the whole RDB.
func (s *Scanner) kinds() Kinds {
	all := map[string][]string{}
	for t, n := range s.types {
		if n == 0 {
			continue
		}
		kind := numbered(byte(t))
		if s.valkey && t == typeHashTTLPreGA {
			kind = valkeysHashTTL
		}
		all[kind] = s.named[t]
	}
	for opcode := range s.beside {
		kind := numbered(opcode)
		if s.valkey && opcode == opSlotImport {
			kind = valkeysImport
		}
		all[kind] = nil
	}
	return kindsOf(all)
}
