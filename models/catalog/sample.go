package catalog

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"rekindle/models"
)

// Sample fills an empty catalog with idle clusters, with one replica each, and automatic snapshots of each, one a day until yesterday. There are no
// servers and no objects behind them: it is for measuring the cost of a catalog of that size.
func (db *DB) Sample(ctx context.Context, clusters, snapshots int) error {
	var there int64
	if err := db.with(ctx).Model(&models.Cluster{}).Count(&there).Error; err != nil {
		return fmt.Errorf("count clusters: %w", err)
	} else if there > 0 {
		return fmt.Errorf("fill the catalog: it has %d clusters; a sample goes into an empty one", there)
	}
	const batch = 500
	for from := 0; from < clusters; from += batch {
		err := db.transaction(ctx, func(tx *DB) error { return tx.sample(ctx, from, min(from+batch, clusters), snapshots) })
		if err != nil {
			return err
		}
	}
	if err := db.Schedule.Judge(ctx); err != nil { // as a running console would have done
		return err
	}
	marks, err := db.Records.Marked(ctx)
	if err != nil {
		return err
	}
	return db.Records.Unmark(ctx, marks)
}

func (db *DB) sample(ctx context.Context, from, to, snapshots int) error {
	now := db.Now().Truncate(time.Second)
	since := now.AddDate(0, 0, -snapshots-1)
	clusters := make([]models.Cluster, 0, to-from)
	for i := from; i < to; i++ {
		name := fmt.Sprintf("shop-%05d", i)
		c := models.Cluster{Name: name, Kind: "launched", Configuration: models.Configuration{Description: fmt.Sprintf("Orders of shop %d", i), Grouped: true,
			Engine: "redis", EngineVersion: "7.0.15", NodeType: "cache.t4g.micro", ShardCount: 1, Replicas: 1, Port: 6379, RetentionLimit: 35,
			SnapshotWindow: models.Window{Start: i * 7 % (24 * 60), Length: 60}},
			WindowChosen: true, ScheduleSince: now, Status: models.ClusterAvailable, CreatedAt: since, UpdatedAt: since}
		for n, role := range []models.Role{models.RolePrimary, models.RoleReplica} {
			at := 2*i + n
			c.Nodes = append(c.Nodes, models.Node{Name: models.NodeName(name, n+1), Shard: 1, Role: role, Host: fmt.Sprintf("127.%d.%d.%d", 1+at>>16, at>>8&255, at&255), Port: 6379,
				State: "available", UsedMemory: int64(1+i%400) << 20, MaxMemory: c.MaxMemory(), Keys: int64(1000 * (1 + i%400)), CreatedAt: since, SeenAt: &now})
		}
		clusters = append(clusters, c)
	}
	if err := db.with(ctx).Session(&gorm.Session{CreateBatchSize: 200}).Create(&clusters).Error; err != nil {
		return fmt.Errorf("write clusters: %w", err)
	}
	kept := make([]models.Setting, len(clusters)) // of records that were never written: a console that starts on this catalog writes them
	for i, c := range clusters {
		kept[i] = models.Setting{Name: keptPrefix + c.Name + "/cluster.json", Value: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
	}
	if err := db.with(ctx).Create(&kept).Error; err != nil {
		return fmt.Errorf("write what is kept of records: %w", err)
	}
	rows := make([]models.Snapshot, 0, len(clusters)*snapshots)
	for _, c := range clusters {
		for day := snapshots; day > 0; day-- {
			at := now.AddDate(0, 0, -day)
			done := at.Add(40 * time.Second)
			size := int64(1+int(c.ID)%400) << 19
			part := models.Part{Number: 1, Object: "part-0001-0123456789abcdef.rdb.zst", Bytes: size, Stored: size / 3, Keys: size >> 9, Digest: "xxh128:0123456789abcdef0123456789abcdef",
				StoredSHA256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", CRC64: "0123456789abcdef", ServedBy: c.Nodes[1].Name, ServedRole: models.RoleReplica,
				StartedAt: at, CompletedAt: done}
			rows = append(rows, models.Snapshot{Name: models.AutomaticName(c.Name, at), ClusterName: c.Name, ClusterID: c.ID, Source: models.SourceAutomatic, Status: models.SnapshotAvailable,
				Configuration: c.Configuration, Node: c.Nodes[1].Name, RDBVersion: 10, Bytes: size, Stored: size / 3, Keys: size >> 9,
				UsedMemory: 2 * size, ServedBy: c.Nodes[1].Name, ServedRole: models.RoleReplica, Attempt: "0123456789abcdef", VerifiedAt: &done, CreatedAt: at, StartedAt: &at, CompletedAt: &done,
				Parts: []models.Part{part}})
		}
	}
	if err := db.with(ctx).Session(&gorm.Session{CreateBatchSize: 200}).Create(&rows).Error; err != nil {
		return fmt.Errorf("write snapshots: %w", err)
	}
	return nil
}
