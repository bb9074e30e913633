package restore_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
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
		for _, room := range []int{1 << 20, 0} {
			selection := restore.NewSelection(choice, room)
			if _, err := selection.Read(bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			got := selection.Chosen()
			memory := slices.Max(append(got.Memory, 0))
			if got.Memory = nil; !reflect.DeepEqual(got, want) || memory == 0 {
				t.Errorf("at %v: %+v, want %+v; %d bytes of memory", now, got, want, memory)
			}
			if err := selection.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
