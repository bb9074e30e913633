package restore_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/restore"
)

func TestWhatHasExpiredNeedsNoRoomAndNoDatabase(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_800_000_000_000)
	mortal := string(binary.LittleEndian.AppendUint64([]byte{0xFC}, uint64(at.UnixMilli())))
	data := append([]byte("REDIS0010\xFE\x02\x00\x01a\x03one\xFE\x05"), mortal+"\x00\x01b\x05three\xFF"...)
	data = binary.LittleEndian.AppendUint64(data, rdb.UpdateCRC(0, data))
	for now, want := range map[time.Time]restore.Chosen{
		at.Add(-time.Second): {Keys: 2, Bytes: 10, Databases: 6},
		at.Add(time.Second):  {Keys: 2, Expired: 1, Bytes: 4, Databases: 3},
	} {
		choice := matching("*")
		choice.Now = func() time.Time { return now }
		if got, err := restore.Count(bytes.NewReader(data), choice); err != nil || got != want {
			t.Errorf("at %v: %+v, want %+v: %v", now, got, want, err)
		}
	}
}
