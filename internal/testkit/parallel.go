package testkit

import (
	"flag"
	"runtime"
	"strconv"
)

// MostlyWaiting is for a package whose tests mostly wait, for example for servers that hang: more of them run at once than there are
// processors, unless -parallel says how many. It is called in TestMain.
func MostlyWaiting() {
	if !flag.Parsed() {
		flag.Parse()
	}
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	}
}
