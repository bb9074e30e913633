package keyspec

// Effect is what a command does to a key.
type Effect uint8

// The effects. What a command does to keys that it does not name is a [Sweep].
const (
	None          Effect = iota // the word is no key, or one that is only read
	Written                     // the whole value is set
	Changed                     // a part of the value is
	Reduced                     // something is taken out of it; of most types a key that is empty then is gone
	Deleted                     // by hand, because its time had passed, or to make room: these look the same
	ExpirySet                   // it is to expire
	ExpiryRemoved               // it is not to expire any more
	FieldExpiry                 // some of its fields are to expire, or not any more
	RenamedTo                   // it has another name from now on
	RenamedFrom                 // it has the value of a key that was renamed to it
	MovedTo                     // it is in another database from now on
	CopiedTo                    // its value is copied to another key; it stays as it is
	CopiedFrom                  // its value is a copy of another key's
	MayChange                   // nobody knows: a script names it, or a command that is not in the table
)

// Sweep is what a command does to keys that it does not name.
type Sweep uint8

// The sweeps.
const (
	NoSweep         Sweep = iota
	FlushesAll            // every key of every database is deleted
	FlushesDatabase       // every key of the selected database is
	Swaps                 // two databases are exchanged
	TrimsSlots            // every key of some slots is deleted (TRIMSLOTS of Redis 8.4)
)

var sweeps = map[string]Sweep{"FLUSHALL": FlushesAll, "FLUSHDB": FlushesDatabase, "SWAPDB": Swaps, "TRIMSLOTS": TrimsSlots}

// SweepOf is what a command does to keys that it does not name; name is in upper case.
func SweepOf(name []byte) Sweep { return sweeps[string(name)] }

// byName are the effects of commands whose flags do not say them, in the order of their keys.
var byName = map[string][]Effect{
	"SET": {Written}, "GETSET": {Written}, "GETDEL": {Deleted},
	"EXPIRE": {ExpirySet}, "PEXPIRE": {ExpirySet}, "EXPIREAT": {ExpirySet}, "PEXPIREAT": {ExpirySet}, "GETEX": {ExpirySet}, "PERSIST": {ExpiryRemoved},
	"HEXPIRE": {FieldExpiry}, "HPEXPIRE": {FieldExpiry}, "HEXPIREAT": {FieldExpiry}, "HPEXPIREAT": {FieldExpiry}, "HPERSIST": {FieldExpiry}, "HGETEX": {FieldExpiry},
	"RENAME": {RenamedTo, RenamedFrom}, "RENAMENX": {RenamedTo, RenamedFrom}, "MOVE": {MovedTo}, "COPY": {CopiedTo, CopiedFrom},
	"EVAL": {MayChange}, "EVALSHA": {MayChange}, "FCALL": {MayChange}, "XGROUP DESTROY": {Changed},
}

// byFlags are the effects of all others.
var byFlags = map[string]Effect{"ow": Written, "rm": Deleted, "rw": Changed, "rd": Reduced, "ro": None}
