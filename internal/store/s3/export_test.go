package s3

// Explain is for tests that ask the server past a Store.
var Explain = explain

// Mapped is how many MiB of parts all uploads have at the moment.
func Mapped() int64 { return mapped.Load() * chunkSize >> 20 }
