package views

import "time"

// Restored is what a cluster was filled with, and what it stands in for.
type Restored struct {
	Snapshot               string
	Moment                 time.Time // up to which the journal was replayed behind it; zero: it was not
	Keys                   int64     // in the snapshot; -1: unknown
	Before, BeforeEndpoint string    // the cluster that the snapshot is of, and where that is reached; "": it is gone
}

// behindText says that a journal was replayed behind a snapshot up to a moment; "" for the zero time.
func behindText(moment time.Time) string {
	if moment.IsZero() {
		return ""
	}
	return " and the journal behind it, up to " + moment.UTC().Format(time.DateTime) + " UTC"
}

// keysText compares the keys that are there with those of the snapshot.
func (p Cluster) keysText() string {
	of := p.Restored.Keys
	switch {
	case of == 0 && p.Keys == 0:
		return "The snapshot has no keys."
	case of < 0 || p.Keys < 0:
		return "The keys were counted while they were loaded, and none was missing."
	case p.Keys == of:
		return "It has all " + Count(of) + " keys of the snapshot."
	case p.Keys < of:
		return "It has " + Count(p.Keys) + " keys. The snapshot has " + Count(of) + ", and all were loaded: the others have expired or were deleted since."
	}
	return "It has " + Count(p.Keys) + " keys. The snapshot has " + Count(of) + ", and all were loaded: the others were written since."
}
