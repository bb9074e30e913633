package s3

import "time"

// Explain is for tests that ask the server past a Store.
var Explain = explain

// Mapped is how many MiB of parts all uploads have at the moment.
func Mapped() int64 { return mapped.Load() * chunkSize >> 20 }

// KeepProbes sets how old a probe must be to count as a killed console's.
func (s *Store) KeepProbes(age time.Duration) { s.probesKept = age }
