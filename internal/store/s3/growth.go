package s3

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// S3's limits for a multipart upload.
const (
	maxParts  = 10_000
	maxObject = 5 << 40 // bytes
)

// An upload has two parts in memory: one on its way, one being filled. Their size decides how much memory the console needs. S3 accepts no more than
// 10,000 parts, so an object of 5 TiB needs at least 525 MiB each; but how long the stream will be is not known. So parts stay small as long as
// possible, and then grow quickly: part n, from 1, has
//
//	size(n) = 8 MiB                                                for n <= 4000
//	size(n) = min(8 MiB * 2^(1+floor((n-4001)/600)), 3 GiB)        for n >  4000
//
// which makes the memory of an upload 16 MiB up to 31 GiB stored, 32 MiB up to 40 GiB, 64 MiB up to 59 GiB, 128 MiB up to 96 GiB, and so on, and
// allows 5.8 TiB with all 10,000 parts. Those are the stored bytes of one shard, whose data is three or four times as large. Two uploads at
// 8 MiB parts keep the console below 96 MiB.
const (
	firstPart  = 8 << 20 // bytes
	lastPart   = 3 << 30
	smallParts = 4000
	partsAlike = 600
	chunkSize  = 1 << 20
)

// With part_size all parts but the last have the same size: some servers (Cloudflare R2) accept no others. An object is then limited to 10,000 of
// them.
const (
	minPartSize = 5 << 20 // S3's
	maxPartSize = 1 << 30 // enough for any object
)

// partSize is the size of a part, by its number from 1.
func (c Config) partSize(number int) int64 {
	if c.PartSize > 0 {
		return c.PartSize
	}
	return partSize(number)
}

// largest is how long an object can be.
func (c Config) largest() int64 {
	if c.PartSize > 0 {
		return min(maxObject, maxParts*c.PartSize)
	}
	return maxObject
}

// tooLarge is the error for a longer object.
func (c Config) tooLarge() error {
	if largest := c.largest(); largest < maxObject {
		return fmt.Errorf("the object is larger than 10,000 parts of %d MiB (%d GiB): raise part_size= in --store, or split the cluster into more shards", c.PartSize>>20, largest>>30)
	}
	return errors.New("the object is larger than S3 allows (5 TiB): split the cluster into more shards")
}

// parseSize reads "64MiB" or "1GiB".
func parseSize(text string) (int64, bool) {
	for unit, shift := range map[string]int{"MiB": 20, "GiB": 30} {
		if digits, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseUint(digits, 10, 16)
			return int64(n) << shift, err == nil
		}
	}
	return 0, false
}

// partSize is the size of a part, by its number from 1, if parts may grow.
func partSize(number int) int64 {
	if number <= smallParts {
		return firstPart
	}
	return min(int64(firstPart)<<(1+(number-smallParts-1)/partsAlike), lastPart)
}
