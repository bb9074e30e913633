package rdb

import "slices"

// Object types: the byte before a key. From RDB_TYPE_* in redis and valkey rdb.h.
const (
	typeString               = 0
	typeList                 = 1
	typeSet                  = 2
	typeZSet                 = 3
	typeHash                 = 4
	typeZSet2                = 5 // scores in binary
	typeModule               = 6 // release candidates of 4.0; cannot be walked without the module
	typeModule2              = 7
	typeHashZipmap           = 9
	typeListZiplist          = 10
	typeSetIntset            = 11
	typeZSetZiplist          = 12
	typeHashZiplist          = 13
	typeListQuicklist        = 14
	typeStreamListpacks      = 15
	typeHashListpack         = 16 // from 16 on: 7.0
	typeZSetListpack         = 17
	typeListQuicklist2       = 18
	typeStreamListpacks2     = 19
	typeSetListpack          = 20 // from 20 on: 7.2
	typeStreamListpacks3     = 21
	typeHashTTLPreGA         = 22 // Redis 7.4 release candidates; under a VALKEY header it is Valkey 9's
	typeHashListpackTTLPreGA = 23
	typeHashTTL              = 24 // from 24 on: 7.4
	typeHashListpackTTL      = 25
	typeCount                = 26 // 26 (a stream of Redis 8.6) and later are not known here
)

// typeNames are the names that TYPE gives, except for modules.
var typeNames = [typeCount]string{
	typeString: "string",
	typeList:   "list", typeListZiplist: "list", typeListQuicklist: "list", typeListQuicklist2: "list",
	typeSet: "set", typeSetIntset: "set", typeSetListpack: "set",
	typeZSet: "zset", typeZSet2: "zset", typeZSetZiplist: "zset", typeZSetListpack: "zset",
	typeHash: "hash", typeHashZipmap: "hash", typeHashZiplist: "hash", typeHashListpack: "hash",
	typeHashTTLPreGA: "hash", typeHashListpackTTLPreGA: "hash", typeHashTTL: "hash", typeHashListpackTTL: "hash",
	typeModule2:         "module",
	typeStreamListpacks: "stream", typeStreamListpacks2: "stream", typeStreamListpacks3: "stream",
}

// Values within a module's data: RDB_MODULE_OPCODE_* in rdb.h.
const (
	moduleEOF = iota
	moduleSigned
	moduleUnsigned
	moduleFloat
	moduleDouble
	moduleString
)

// Sizes in bytes of what is stored in binary.
const (
	sizeTime     = 8  // milliseconds since 1970
	sizeSeconds  = 4  // seconds since 1970
	sizeDouble   = 8  // a score
	sizeFloat    = 4  // within module data
	sizeStreamID = 16 // an entry's id in a pending list
)

// skipValue walks over the value of a key.
func (s *Scanner) skipValue(objectType byte) error {
	if s.strict {
		if done, err := s.checkPacked(objectType); done || err != nil {
			return err
		}
	}
	switch objectType {
	case typeString, typeHashZipmap, typeListZiplist, typeSetIntset, typeZSetZiplist, typeHashZiplist,
		typeHashListpack, typeZSetListpack, typeSetListpack, typeHashListpackTTLPreGA:
		return s.skipString() // one blob, whatever is in it
	case typeHashListpackTTL:
		if err := s.discard(sizeTime); err != nil { // the earliest expiry
			return err
		}
		return s.skipString()
	case typeModule2:
		return s.skipModule()
	case typeStreamListpacks, typeStreamListpacks2, typeStreamListpacks3:
		return s.skipStream(objectType)
	case typeHashTTL:
		if err := s.earliestTTL(); err != nil {
			return err
		}
	}
	n, err := s.count()
	if err == nil && n == 0 && s.strict {
		err = s.corrupt("a %s of 0 elements", typeNames[objectType])
	}
	if err != nil {
		return err
	}
	switch objectType {
	case typeList, typeSet, typeListQuicklist:
		return s.skipStrings(n)
	case typeHash:
		for ; n > 0; n-- { // not n*2, which could overflow
			if err := s.skipStrings(2); err != nil {
				return err
			}
		}
		return nil
	}
	for ; n > 0; n-- {
		if err := s.skipElement(objectType); err != nil {
			return err
		}
	}
	return nil
}

// skipElement walks over one element of those types whose elements are more than strings.
func (s *Scanner) skipElement(objectType byte) error {
	switch {
	case objectType == typeZSet:
		if err := s.skipString(); err != nil {
			return err
		}
		return s.textScore()
	case objectType == typeZSet2:
		if err := s.skipString(); err != nil {
			return err
		}
		return s.binaryScore()
	case objectType == typeListQuicklist2:
		if _, err := s.count(); err != nil { // packed or plain
			return err
		}
		return s.skipString()
	case objectType == typeHashTTLPreGA && s.valkey: // field, value, expiry in binary
		if err := s.skipStrings(2); err != nil {
			return err
		}
		_, err := s.valkeyTTL()
		return err
	default: // typeHashTTL and its precursor: expiry as a length, field, value
		if _, err := s.fieldTTL(objectType); err != nil {
			return err
		}
		return s.skipStrings(2)
	}
}

// skipModule walks over a module's value, or its auxiliary data: an id, then tagged values up to an end tag.
func (s *Scanner) skipModule() error {
	id, err := s.count()
	if err != nil {
		return err
	}
	s.noteModule(id)
	return s.skipModuleValues()
}

// moduleLetters are the letters of modules' names: 9 letters of 6 bits each are in the ID, above 10 bits of a version.
const moduleLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func (s *Scanner) noteModule(id uint64) {
	var name [9]byte
	for i := range name {
		name[i] = moduleLetters[id>>(58-6*i)&0x3F]
	}
	if known := s.summary.Modules; len(known) < maxModules && !slices.Contains(known, string(name[:])) {
		s.summary.Modules = append(known, string(name[:]))
	}
}

func (s *Scanner) skipModuleValues() error {
	for {
		tag, err := s.count()
		if err != nil {
			return err
		}
		switch tag {
		case moduleEOF:
			return nil
		case moduleSigned, moduleUnsigned:
			_, err = s.count()
		case moduleFloat:
			err = s.discard(sizeFloat)
		case moduleDouble:
			err = s.discard(sizeDouble)
		case moduleString:
			err = s.skipString()
		default:
			return s.corrupt("module value of kind %d", tag)
		}
		if err != nil {
			return err
		}
	}
}

// skipStream walks over a stream: its entries in listpacks, its ids, its consumer groups.
func (s *Scanner) skipStream(objectType byte) error {
	listpacks, err := s.count()
	if err != nil {
		return err
	}
	empty := true
	for ; listpacks > 0; listpacks-- {
		if s.strict {
			err = s.streamNode()
		} else {
			err = s.skipStrings(2) // first id, entries
		}
		if err != nil {
			return err
		}
		empty = false
	}
	length, err := s.count()
	if err == nil && s.strict && empty && length > 0 {
		err = s.corrupt("a stream of %d entries that has none", length)
	}
	if err != nil {
		return err
	}
	if err := s.skipCounts(2); err != nil { // last id
		return err
	}
	if objectType >= typeStreamListpacks2 { // first id, greatest deleted id, entries ever added
		if err := s.since(typeStreamListpacks2, func() error { return s.skipCounts(5) }); err != nil {
			return err
		}
	}
	groups, err := s.count()
	if err != nil {
		return err
	}
	for ; groups > 0; groups-- {
		if err := s.skipGroup(objectType); err != nil {
			return err
		}
	}
	return nil
}

// since walks over what streams have since a type. Whoever wants an older one does not get it.
func (s *Scanner) since(objectType byte, walk func() error) error {
	if s.older == 0 || s.older >= objectType {
		return walk()
	}
	to := s.copy
	if err := s.copyEnd(); err != nil {
		return err
	}
	err := walk()
	s.copyTo(to)
	return err
}

// skipGroup walks over a consumer group of a stream.
func (s *Scanner) skipGroup(objectType byte) error {
	if err := s.skipString(); err != nil {
		return err
	}
	if err := s.skipCounts(2); err != nil { // last delivered id
		return err
	}
	if objectType >= typeStreamListpacks2 { // entries read
		if err := s.since(typeStreamListpacks2, func() error { return s.skipCounts(1) }); err != nil {
			return err
		}
	}
	pending, err := s.count()
	if err != nil {
		return err
	}
	ofGroup, ofConsumers := pel{s: s}, pel{s: s}
	for ; pending > 0; pending-- {
		if err := ofGroup.entry(); err != nil {
			return err
		}
		if err := s.discard(sizeTime); err != nil {
			return err
		}
		if _, err := s.count(); err != nil { // deliveries
			return err
		}
	}
	consumers, err := s.count()
	if err != nil {
		return err
	}
	for ; consumers > 0; consumers-- {
		if err := s.skipConsumer(objectType, &ofConsumers); err != nil {
			return err
		}
	}
	return ofGroup.same(ofConsumers)
}

// skipConsumer walks over a consumer of a group, with the entries that it has not acknowledged.
func (s *Scanner) skipConsumer(objectType byte, pending *pel) error {
	if err := s.skipString(); err != nil {
		return err
	}
	if err := s.discard(sizeTime); err != nil { // seen
		return err
	}
	if objectType >= typeStreamListpacks3 { // active
		if err := s.since(typeStreamListpacks3, func() error { return s.discard(sizeTime) }); err != nil {
			return err
		}
	}
	ids, err := s.count()
	if err != nil {
		return err
	}
	pending.begin()
	for ; ids > 0; ids-- { // not ids*16, which could overflow
		if err := pending.entry(); err != nil {
			return err
		}
	}
	return nil
}
