package rdb_test

import (
	"bytes"
	"fmt"
	"testing"

	"rekindle/internal/rdb"
)

// BenchmarkScan scans JSON strings of about 180 bytes, the data of DESIGN.md's measurements.
func BenchmarkScan(b *testing.B) {
	body := []byte("REDIS0010")
	for i := range 300_000 {
		key := fmt.Sprintf("user:%07d", i)
		value := fmt.Sprintf(`{"id":%d,"name":"user number %d","email":"user%d@example.com","active":%t,`+
			`"tags":["alpha","beta","gamma"],"score":%d.5,"created":"2024-01-02T03:04:05Z"}`, i, i, i, i%2 == 0, i%1000)
		body = append(body, 0, byte(len(key)))
		body = append(body, key...)
		body = append(body, 0x40|byte(len(value)>>8), byte(len(value)))
		body = append(body, value...)
	}
	data := seal(body)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if sum, err := rdb.NewScanner(bytes.NewReader(data)).Scan(); err != nil || sum.Keys != 300_000 {
			b.Fatal(err, sum)
		}
	}
}
