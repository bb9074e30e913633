package models

import (
	"context"
	"fmt"
)

// Legacy is what a cluster leaves when it is deleted, and what of its snapshots goes with it. Only good ones count: those that failed, were
// cancelled or turned out to be damaged bring nothing back.
type Legacy struct {
	Automatic int       // good automatic snapshots, which go
	Manual    int       // good manual ones, which stay
	Newest    *Snapshot // of those that stay, by the age of its data
	Useless   int       // manual ones that stay and hold nothing that could be restored
	Earlier   int       // good manual ones of an earlier cluster of the same name
}

// Legacy looks at what a cluster would leave.
func (db *DB) Legacy(ctx context.Context, cluster Cluster) (Legacy, error) {
	var rows []Snapshot
	err := db.with(ctx).Where("cluster_id = ? OR (cluster_name = ? AND source = ?)", cluster.ID, cluster.Name, SourceManual).Order("created_at DESC, id DESC").Find(&rows).Error
	if err != nil {
		return Legacy{}, fmt.Errorf("list snapshots of %s: %w", cluster.Name, err)
	}
	var l Legacy
	for i, s := range rows {
		own := s.ClusterID == cluster.ID
		switch good := s.Usable() && !s.Damaged(); {
		case s.Source == SourceAutomatic && good:
			l.Automatic++
		case s.Source == SourceAutomatic:
		case !good && s.Status == SnapshotFailed:
			l.Useless++
		case good && own:
			if l.Manual++; l.Newest == nil {
				l.Newest = &rows[i]
			}
		case good:
			l.Earlier++
		}
	}
	return l, nil
}
