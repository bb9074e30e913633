package attached

import (
	"context"

	"rekindle/internal/resp"
)

// tuning is whether a node would be tuned while a snapshot begins.
type tuning int

const (
	tuningOff       tuning = iota // nobody wants it
	tuningAllowed                 // it would
	tuningForbidden               // the user may not do it
	tuningUnknown                 // the server does not know CONFIG by this name
	tuningByDisk                  // the node writes its RDB to its disk first
)

// sentence says so; "" when nobody wants it.
func (t tuning) sentence() string {
	const untuned = " Snapshots are taken untuned: the node compresses what is compressed again here, which doubles what a snapshot costs it, and waits repl-diskless-sync-delay (5 seconds) before it begins."
	switch t {
	case tuningAllowed:
		return "Allowed: while a snapshot begins, the node that serves it has rdbcompression no and repl-diskless-sync-delay 0. Both are put back when it has forked."
	case tuningForbidden:
		return "The user is not allowed to, which does no harm." + untuned
	case tuningUnknown:
		return "The server does not know CONFIG: it was renamed or removed, which does no harm." + untuned
	case tuningByDisk:
		return "The node writes its RDB to its own disk first (repl-diskless-sync no), so it is left alone: uncompressed, the file might not fit there."
	}
	return ""
}

// askTuning finds out whether a node could be tuned, without doing so: the setting that is to be changed exists nowhere.
func askTuning(ctx context.Context, conn *resp.Conn) (tuning, error) {
	diskless, err := conn.Do(ctx, "CONFIG", "GET", "repl-diskless-sync")
	reads, err := may(diskless, err)
	if err != nil {
		return tuningOff, err
	}
	writes, err := may(conn.Do(ctx, "CONFIG", "SET", "rekindle-looks-whether-it-may", "no"))
	if err != nil {
		return tuningOff, err
	}
	switch pair := diskless.Strings(); {
	case reads == unknown || writes == unknown:
		return tuningUnknown, nil
	case reads == forbidden || writes == forbidden:
		return tuningForbidden, nil
	case len(pair) == 2 && pair[1] == "no":
		return tuningByDisk, nil
	}
	return tuningAllowed, nil
}
