package s3

import "testing"

func TestPartsGrowToFiveTebibytesAndNoFurtherThanS3Bears(t *testing.T) {
	t.Parallel()
	const smallest, largest = 5 << 20, 5 << 30 // S3's, of a part
	var sum, before int64
	reached := map[int64]int64{} // part size -> bytes stored when it began
	for number := 1; number <= maxParts; number++ {
		size := partSize(number)
		if size < before || size < smallest || size > largest || size%chunkSize != 0 {
			t.Fatalf("part %d has %d bytes after one of %d", number, size, before)
		}
		if size != before {
			reached[size] = sum
		}
		// Two parts in memory are never more than a small share of what has been stored.
		if size > firstPart && 2*size > sum/200 {
			t.Fatalf("part %d of %d MiB is too large behind %d MiB", number, size>>20, sum>>20)
		}
		sum, before = sum+size, size
	}
	if sum < maxObject {
		t.Errorf("all parts hold %d GiB, an object may have %d", sum>>30, int64(maxObject)>>30)
	}
	if partSize(1) != 8<<20 || reached[16<<20] < 31<<30 || reached[64<<20] < 59<<30 {
		t.Errorf("16 MiB parts begin after %d GiB, 64 MiB parts after %d GiB", reached[16<<20]>>30, reached[64<<20]>>30)
	}
	t.Logf("10,000 parts hold %.2f TiB; parts of more than 32 MiB begin at %.1f GiB", float64(sum)/(1<<40), float64(reached[64<<20])/(1<<30))
}

func TestNoUploadKeepsItsMemory(t *testing.T) {
	t.Parallel()
	m := new(memory)
	one, err := m.get()
	if err != nil {
		t.Fatal(err)
	}
	two, err := m.get()
	if err != nil {
		t.Fatal(err)
	}
	one[0], two[chunkSize-1] = 1, 2
	m.put([]*[chunkSize]byte{one})
	if again, err := m.get(); err != nil || again != one {
		t.Errorf("the chunk that was given back is not used again (%v)", err)
	}
	m.put([]*[chunkSize]byte{one})
	m.close()
	m.put([]*[chunkSize]byte{two}) // late
	if len(m.free) != 0 {
		t.Errorf("%d chunks are kept", len(m.free))
	}
}
