package testkit

import (
	"flag"
	"strconv"
)

// SideBySide lets a package whose tests mostly wait run at least n of them at once, whatever the number of cores. Call it
// first in TestMain. A -parallel that asks for more is left alone.
func SideBySide(n int) {
	flag.Parse()
	parallel := flag.Lookup("test.parallel")
	if now, err := strconv.Atoi(parallel.Value.String()); err != nil || now < n {
		_ = parallel.Value.Set(strconv.Itoa(n))
	}
}
