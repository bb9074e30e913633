package rdb

// What a server of 64 bits takes in memory, in bytes, about: what the entry of a table takes, with its share of the table, and what stands before and
// behind each string. Engines differ, and so do allocators; later ones take less.
const (
	memoryEntry  = 24 + 16
	memoryObject = 16
	memoryText   = 12
	memoryNode   = 48 // an element of a skip list, or of a list of packed blocks
	packedText   = 4
)

// memoryKey is what a key takes in memory beside its value.
func memoryKey(key Key) int64 {
	n := int64(memoryEntry + memoryObject + memoryText + len(key.Name))
	if !key.Expires.IsZero() {
		n += memoryEntry
	}
	return n
}

// Memory is what the key takes in a server's memory, about, once its value has been read by WriteTo, which wrote n bytes.
func (v Value) Memory(key Key, n int64) int64 {
	texts, bytes := v.s.texts-v.texts, v.s.textBytes-v.textBytes
	value := max(n, int64(bytes)+int64(texts)*perText(v.form.number()))
	return memoryKey(key) + value
}

// perText is what each of the strings takes of which a value of this type consists, beside its bytes.
func perText(objectType byte) int64 {
	switch objectType {
	case typeSet:
		return memoryEntry + memoryText
	case typeHash, typeHashTTL, typeHashTTLPreGA: // two make an entry
		return memoryEntry/2 + memoryText
	case typeZSet, typeZSet2:
		return memoryEntry + memoryNode + memoryText
	case typeListQuicklist, typeListQuicklist2, typeStreamListpacks, typeStreamListpacks2, typeStreamListpacks3:
		return memoryNode
	case typeList:
		return packedText
	}
	return memoryText
}
