package views

import "time"

// ClustersFile says how far the clusters file that this console was started with is in force.
type ClustersFile struct {
	Path        string        // "": there is none
	Refused     string        // what is wrong with it now; "": nothing
	Outstanding []Outstanding // clusters that are not yet as it says
}

// Outstanding is a cluster that is not yet as the clusters file says.
type Outstanding struct {
	Name         string
	Attached     bool // it is attached, but not as the file says
	Reason       string
	Since, Tried time.Time
}

// head says how many clusters are outstanding.
func (f ClustersFile) head() string {
	attached := 0
	for _, o := range f.Outstanding {
		if o.Attached {
			attached++
		}
	}
	switch n := len(f.Outstanding); attached {
	case 0:
		return "From " + f.Path + ", not attached yet: " + Plural(n, "cluster") + ". Each is tried again every minute."
	case n:
		return "Not yet as " + f.Path + " says: " + Plural(n, "cluster") + ". Each is tried again every minute."
	default:
		return "From " + f.Path + ", not attached yet or not yet as it says: " + Plural(n, "cluster") + ". Each is tried again every minute."
	}
}
