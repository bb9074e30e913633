package rdb

import "strconv"

// Engines store the same value in different forms, and each reads only those that were known when it was made. Written key by key, a value may take
// another form on its way: an older one, or that of the other engine.

// form is how a value is stored: the number of its type, except where Valkey has given one of Redis's another meaning.
type form byte

// formValkeyHashTTL is what Valkey 9 stores as type 22.
const formValkeyHashTTL = form(typeHashTTLPreGA | formOfValkey)

const formOfValkey = 0x80

// number is the type as an RDB has it.
func (f form) number() byte { return byte(f) &^ formOfValkey }

// fieldsExpire tells whether it is that of a hash whose fields may have deadlines.
func (f form) fieldsExpire() bool {
	return f.number() >= typeHashTTLPreGA && f.number() <= typeHashListpackTTL
}

// instead are the forms that a value can take when a server does not read the one it has; of several, the one that keeps most comes first. A stream of
// an older form lacks what the servers that read no other do not know of a stream: how many entries it ever had, the greatest ID that was deleted, how
// far a group has read, when a consumer last got something.
var instead = map[form][]form{
	typeHashListpack:         {typeHash},
	typeZSetListpack:         {typeZSet2},
	typeListQuicklist2:       {typeList},
	typeSetListpack:          {typeSet},
	typeStreamListpacks2:     {typeStreamListpacks},
	typeStreamListpacks3:     {typeStreamListpacks2, typeStreamListpacks},
	typeHashTTLPreGA:         {formValkeyHashTTL},
	typeHashListpackTTLPreGA: {formValkeyHashTTL},
	typeHashTTL:              {formValkeyHashTTL},
	typeHashListpackTTL:      {formValkeyHashTTL},
	formValkeyHashTTL:        {typeHashTTL},
}

// Target is an engine that values are written into. The zero value is any engine: it gets them as they are.
type Target struct {
	engine       string
	major, minor int
}

// TargetOf is an engine ("redis" or "valkey", version as "7.0.15"). ok is false, and the target zero, if it is not understood here.
func TargetOf(engine, version string) (t Target, ok bool) {
	major, minor, ok := parseVersion(version)
	if !ok || engine != "redis" && engine != "valkey" {
		return Target{}, false
	}
	return Target{engine, major, minor}, true
}

// reading is the first engine version whose RESTORE reads types up to a number.
type reading struct{ major, minor, last int }

// Newest first. Measured on Redis 6.0, 7.0, 8.0 and Valkey 8.0, 8.1, 9.1, else from rdbIsObjectType in the engines' rdb.h. An engine newer than the
// list reads what its newest does.
var (
	redisTypes  = []reading{{7, 4, typeHashListpackTTL}, {7, 2, typeStreamListpacks3}, {7, 0, typeStreamListpacks2}, {5, 0, typeStreamListpacks}, {4, 0, typeListQuicklist}}
	valkeyTypes = []reading{{7, 2, typeStreamListpacks3}}
)

// reads tells whether its RESTORE reads this form.
func (t Target) reads(f form) bool {
	if f == formValkeyHashTTL {
		return t.engine == "valkey" && t.major >= 9
	}
	types := redisTypes
	if t.engine == "valkey" {
		types = valkeyTypes
	}
	for _, r := range types {
		if t.major > r.major || t.major == r.major && t.minor >= r.minor {
			return int(f) <= r.last
		}
	}
	return false
}

// gets is the form in which a value is written into the engine. ok is false if it can have none that the engine reads; then it stays as it is.
func (t Target) gets(f form, fields FieldDeadlines) (to form, ok bool) {
	if fields.Drop && f.fieldsExpire() {
		f = typeHash
	}
	if t == (Target{}) || t.reads(f) {
		return f, true
	}
	for _, other := range instead[f] {
		if t.reads(other) {
			return other, true
		}
	}
	return f, false
}

// formOf is the form that a word of Kinds stands for.
func formOf(kind string) (f form, ok bool) {
	if kind == valkeysHashTTL {
		return formValkeyHashTTL, true
	}
	number, err := strconv.Atoi(kind)
	return form(number), err == nil && number >= 0 && number < typeCount
}
