package rdb

import "bytes"

// SlotCount is how many slots a cluster in cluster mode has.
const SlotCount = 16384

// Slot is the slot of a key in cluster mode: the CRC16 (XMODEM) of its name, or of what stands between the first { and the } behind it unless that
// is empty. Source: Redis cluster specification, "Hash tags".
func Slot(name []byte) int {
	if open := bytes.IndexByte(name, '{'); open >= 0 {
		if tag := bytes.IndexByte(name[open+1:], '}'); tag > 0 {
			name = name[open+1 : open+1+tag]
		}
	}
	var crc uint16
	for _, b := range name {
		crc = crc<<8 ^ xmodem[byte(crc>>8)^b]
	}
	return int(crc % SlotCount)
}

// xmodem is the table of the CRC16 with polynomial 0x1021.
var xmodem = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()
