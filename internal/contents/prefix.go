package contents

// A prefix of a name ends with a separator and stands before an id: user:1001:cart has the prefix user:, cache:page:/home has cache: and cache:page:, and
// session-550e8400 has session-. The name of one of millions of things is no prefix, so that what people call their kinds of keys is left.
//
//   - The separators : / | end a prefix. So do . - _ before an id.
//   - What stands between separators is an id if it has a digit, unless it is as short as l10 or v2; if it has a control character; and if it is very long.
const (
	prefixLevels = 3
	maxPrefix    = 64 // bytes
	maxPart      = 32 // bytes between separators; longer is an id
	shortPart    = 3  // bytes: with a digit in it that is not its first, it is no id yet
)

const (
	letter = iota
	digit
	control
	separator     // ends a prefix
	weakSeparator // ends one before an id
)

var byteKinds = func() (kinds [256]uint8) {
	for b := range 0x20 {
		kinds[b] = control
	}
	kinds[0x7F] = control
	for b := '0'; b <= '9'; b++ {
		kinds[b] = digit
	}
	for _, b := range ":/|" {
		kinds[b] = separator
	}
	for _, b := range ".-_" {
		kinds[b] = weakSeparator
	}
	return kinds
}()

// prefixes finds the prefixes of a name: where each of them ends.
func prefixes(name []byte) (ends [prefixLevels]uint8, n int) {
	begin, weak, hasDigit := 0, false, false // of what stands after the last separator
	name = name[:min(len(name), maxPrefix)]
	for i := 0; i < len(name); i++ {
		for i < len(name)-1 && byteKinds[name[i]] == letter && !hasDigit { // nearly all of it
			i++
		}
		kind := byteKinds[name[i]]
		hasDigit = hasDigit || kind == digit
		length := i - begin // before this byte
		if kind < separator {
			length++
		}
		if hasDigit && (length > shortPart || length == 1) || length > maxPart || kind == control {
			if weak {
				ends[n] = uint8(begin)
				n++
			}
			break
		}
		if kind < separator {
			continue
		}
		if kind == separator {
			ends[n] = uint8(i + 1)
			if n++; n == prefixLevels {
				break
			}
		}
		begin, weak, hasDigit = i+1, kind == weakSeparator, false
	}
	return ends, n
}
