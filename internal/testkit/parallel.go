package testkit

import (
	"flag"
	"runtime"
	"strconv"
)

// AtOnce lets a package run so many tests at a time for each processor, unless -parallel says how many. It is for tests that wait for
// servers, for example for those that hang: more of them than there are processors leave none idle. It is called in TestMain.
func AtOnce(perProcessor int) {
	if !flag.Parsed() {
		flag.Parse()
	}
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(perProcessor*runtime.GOMAXPROCS(0)))
	}
}
