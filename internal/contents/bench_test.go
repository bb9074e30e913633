package contents_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"rekindle/internal/contents"
	"rekindle/internal/rdb"
)

// BenchmarkScan scans small strings with and without statistics, where they cost most.
func BenchmarkScan(b *testing.B) {
	body := []byte("REDIS0010")
	for i := range 300_000 {
		key := fmt.Sprintf("%s:%s:%07d", word(i%13), word(i%7), i)
		value := fmt.Sprintf(`{"id":%d,"name":"user number %d","email":"user%d@example.com"}`, i, i, i)
		body = append(append(append(body, 0, byte(len(key))), key...), 0x40|byte(len(value)>>8), byte(len(value)))
		body = append(body, value...)
	}
	body = append(body, 0xFF)
	data := binary.LittleEndian.AppendUint64(body, rdb.UpdateCRC(0, body))
	for _, names := range []string{"off", "without names", "on"} {
		b.Run(names, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				var options []rdb.Option
				if names != "off" {
					options = append(options, rdb.Observe(contents.New(names == "on")))
				}
				if sum, err := rdb.NewScanner(bytes.NewReader(data), options...).Scan(); err != nil || sum.Keys != 300_000 {
					b.Fatal(err, sum)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/300_000, "ns/key")
		})
	}
}
