package models

import (
	"fmt"
)

func MissedMessage(cluster Cluster, missed []Decision) string {
	const when = "2006-01-02 15:04"
	first, last := missed[0].Occurrence, missed[len(missed)-1].Occurrence
	if len(missed) == 1 {
		return fmt.Sprintf("No automatic snapshot of %s was taken in the window of %s to %s UTC: Rekindle was not running or the cluster was busy. "+
			"Take one by hand, or wait for the next window.", cluster.Name, first.Opens.Format(when), first.Closes.Format("15:04"))
	}
	return fmt.Sprintf("No automatic snapshots of %s were taken in %d windows from %s to %s UTC: Rekindle was not running. "+
		"Take one by hand, or wait for the next window.", cluster.Name, len(missed), first.Opens.Format(when), last.Closes.Format(when))
}
