package words

import (
	"math"
	"testing"
)

func TestNumbersAreWrittenForPeople(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		Number(0): "0", Number(999): "999", Number(1000): "1,000", Number(-4_000_000): "-4,000,000", Number(int64(math.MinInt64)): "-9,223,372,036,854,775,808",
		Plural(1, "node"): "1 node", Plural(0, "key"): "0 keys", Plural(2000, "address"): "2,000 addresses", Plural(3, "entry"): "3 entries", Plural(2, "crash"): "2 crashes",
		Size(-1): "unknown", Size(999): "999 B", Size(1000): "1 KB", Size(999_499): "999 KB", Size(999_500): "1.0 MB", Size(9_949_999): "9.9 MB", Size(9_950_000): "10 MB",
		Size(999_499_999): "999 MB", Size(999_500_000): "1.0 GB", Size(1_234_567_890): "1.2 GB", Size(999_949_999_999): "999.9 GB", Size(999_950_000_000): "1,000 GB",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
