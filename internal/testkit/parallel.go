package testkit

import (
	"flag"
	"runtime"
	"strconv"
)

// AtOnce sets how many tests of a package run at a time for each processor, unless -parallel is given. It is for packages whose tests mostly
// wait for servers: with one test per processor, the processors would be idle. Call it in TestMain.
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
