package models

// Legacy says which snapshots stay and which go when a cluster is deleted. Only good ones count: those that failed, were cancelled or turned out to be
// damaged bring nothing back.
type Legacy struct {
	Automatic int       // good automatic snapshots, which go
	Manual    int       // good manual ones, which stay
	Newest    *Snapshot // of those that stay, by the age of its data
	Useless   int       // manual ones that stay although they cannot be restored
	Earlier   int       // good manual ones of an earlier cluster of the same name
}

// LegacyOf works out what would stay of these snapshots: the cluster's own, and the manual ones of earlier clusters of its name, the newest first.
func LegacyOf(cluster Cluster, snapshots []Snapshot) Legacy {
	var l Legacy
	for i, s := range snapshots {
		own := s.ClusterID == cluster.ID
		switch good := s.Usable() && !s.Damaged(); {
		case s.Source == SourceAutomatic && good:
			l.Automatic++
		case s.Source == SourceAutomatic:
		case !good && s.Status == SnapshotFailed:
			l.Useless++
		case good && own:
			if l.Manual++; l.Newest == nil {
				l.Newest = &snapshots[i]
			}
		case good:
			l.Earlier++
		}
	}
	return l
}
