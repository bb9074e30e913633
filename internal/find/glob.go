package find

// pattern is a glob pattern by Redis's rules: "*" any bytes, "?" one byte, "[a-c]" one of these, "[^a-c]" another one, "\" takes the next byte as it is.
// Source: stringmatchlen in redis and valkey util.c.
type pattern []step

// step matches one byte; a star as many as it likes.
type step struct {
	star bool
	any  bool
	set  *[256]bool // nil: one byte
	one  byte
}

func (s *step) matches(c byte) bool {
	switch {
	case s.set != nil:
		return s.set[c]
	case s.any:
		return true
	}
	return s.one == c
}

// compile reads a pattern. Every text is one.
func compile(text string) pattern {
	var p pattern
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '*':
			if len(p) == 0 || !p[len(p)-1].star {
				p = append(p, step{star: true})
			}
		case c == '?':
			p = append(p, step{any: true})
		case c == '[':
			var set *[256]bool
			set, i = class(text, i+1)
			p = append(p, step{set: set})
		default:
			if c == '\\' && i+1 < len(text) {
				i++
			}
			p = append(p, step{one: text[i]})
		}
	}
	return p
}

// class reads what is between brackets, from its first byte on, and returns where it ends. A bracket that is missing at the end of the text is there.
func class(text string, i int) (*[256]bool, int) {
	set := new([256]bool)
	not := i < len(text) && text[i] == '^'
	if not {
		i++
	}
	for ; i < len(text) && text[i] != ']'; i++ {
		switch rest := text[i:]; {
		case rest[0] == '\\' && len(rest) >= 2:
			i++
			set[text[i]] = true
		case len(rest) >= 3 && rest[1] == '-':
			from, to := int8(rest[0]), int8(rest[2]) // a server on amd64 compares bytes as signed numbers
			for c := int(min(from, to)); c <= int(max(from, to)); c++ {
				set[byte(c)] = true
			}
			i += 2
		default:
			set[rest[0]] = true
		}
	}
	if not {
		for c := range set {
			set[c] = !set[c]
		}
	}
	return set, i
}

// matches tells whether the whole name matches. The time is at most in proportion to the pattern's length times the name's.
func (p pattern) matches(name []byte) bool {
	at, star, from := 0, -1, 0 // of the pattern, of its last star, of the name behind what that star took
	for i := 0; i < len(name); {
		switch {
		case at < len(p) && p[at].star:
			star, from = at, i
			at++
		case at < len(p) && p[at].matches(name[i]):
			at++
			i++
		case star >= 0: // the star takes one byte more
			from++
			at, i = star+1, from
		default:
			return false
		}
	}
	for at < len(p) && p[at].star {
		at++
	}
	return at == len(p)
}
