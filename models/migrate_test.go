package models

import (
	"flag"
)

// update writes down what is new. What is there already it never changes.
var update = flag.Bool("update", false, "write the sums and catalogs of new migrations into testdata")
