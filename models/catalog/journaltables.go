package catalog

// The tables of journals, and of what is found in them and brought back. A table never changes once it has been released: a later migration does.

// journal makes the tables of 0038-journal, with types as this database has them. A segment is in the store until its row is gone, so the rows outlive
// their cluster.
func journal(id, number, text, at string) []string {
	return []string{
		`CREATE TABLE journal_plans (cluster_id ` + number + ` PRIMARY KEY REFERENCES clusters (id), kept boolean NOT NULL, days ` + number + ` NOT NULL, promise ` + number + ` NOT NULL,
			lone boolean NOT NULL, since ` + at + ` NOT NULL)`,
		`CREATE TABLE journal_links (cluster_id ` + number + ` NOT NULL REFERENCES clusters (id), shard ` + number + ` NOT NULL, owner ` + text + ` NOT NULL, node ` + text + ` NOT NULL,
			role ` + text + ` NOT NULL, state ` + text + ` NOT NULL, reason ` + text + ` NOT NULL, run ` + text + ` NOT NULL, replication_id ` + text + ` NOT NULL, stored_offset ` + number + ` NOT NULL,
			resume_offset ` + number + ` NOT NULL, resume_db ` + number + ` NOT NULL,
			stored_at ` + at + `, since ` + at + ` NOT NULL, needs_base boolean NOT NULL, base_asked_at ` + at + `, PRIMARY KEY (cluster_id, shard))`,
		`CREATE TABLE journal_segments (id ` + id + `, cluster_id ` + number + ` NOT NULL, shard ` + number + ` NOT NULL, run ` + text + ` NOT NULL, replication_id ` + text + ` NOT NULL,
			from_offset ` + number + ` NOT NULL, to_offset ` + number + ` NOT NULL, begun_at ` + at + ` NOT NULL, ended_at ` + at + ` NOT NULL, size ` + number + ` NOT NULL, writes ` + number + ` NOT NULL,
			key ` + text + ` NOT NULL, damage ` + text + ` NOT NULL, verified_at ` + at + `)`,
		`CREATE UNIQUE INDEX idx_journal_segments_key ON journal_segments (key)`,
		`CREATE INDEX idx_journal_segments_place ON journal_segments (cluster_id, shard, run, to_offset)`,
		`CREATE INDEX idx_journal_segments_history ON journal_segments (cluster_id, shard, replication_id, to_offset)`,
		`CREATE INDEX idx_journal_segments_verified_at ON journal_segments (damage, verified_at)`,
		`CREATE INDEX idx_journal_segments_ended_at ON journal_segments (cluster_id, ended_at)`,
		`CREATE TABLE journal_stretches (id ` + id + `, cluster_id ` + number + ` NOT NULL, shard ` + number + ` NOT NULL, run ` + text + ` NOT NULL, from_offset ` + number + ` NOT NULL,
			to_offset ` + number + ` NOT NULL, begun_at ` + at + ` NOT NULL, ended_at ` + at + ` NOT NULL, gap ` + text + ` NOT NULL)`,
		`CREATE INDEX idx_journal_stretches_place ON journal_stretches (cluster_id, shard, run, to_offset)`,
		`CREATE TABLE journal_events (id ` + id + `, cluster_id ` + number + ` NOT NULL, shard ` + number + ` NOT NULL, run ` + text + ` NOT NULL, at ` + at + ` NOT NULL,
			before_offset ` + number + ` NOT NULL, after_offset ` + number + ` NOT NULL, command ` + text + ` NOT NULL, db ` + number + ` NOT NULL, keys ` + number + ` NOT NULL)`,
		`CREATE INDEX idx_journal_events_at ON journal_events (cluster_id, at)`,
		`CREATE INDEX idx_parts_history ON parts (replication_id, replication_offset)`,
	}
}

// finds makes the tables of 0039-finds, with types as this database has them.
func finds(id, number, text, bytes, at string) []string {
	return []string{
		`CREATE TABLE finds (run_id ` + number + ` PRIMARY KEY, sought ` + bytes + `, matches ` + number + ` NOT NULL, kept ` + number + ` NOT NULL, created_at ` + at + ` NOT NULL)`,
		`CREATE INDEX idx_finds_created_at ON finds (created_at)`,
		`CREATE TABLE find_snapshots (run_id ` + number + ` NOT NULL, place ` + number + ` NOT NULL, snapshot_id ` + number + ` NOT NULL, snapshot_name ` + text + ` NOT NULL, taken_at ` + at + ` NOT NULL,
			keys ` + number + ` NOT NULL, parts ` + number + ` NOT NULL, excluded ` + number + ` NOT NULL, searched ` + number + ` NOT NULL, matches ` + number + ` NOT NULL, state ` + text + ` NOT NULL,
			reason ` + text + ` NOT NULL, PRIMARY KEY (run_id, place))`,
		`CREATE TABLE found_keys (id ` + id + `, run_id ` + number + ` NOT NULL, place ` + number + ` NOT NULL, part ` + number + ` NOT NULL, database ` + number + ` NOT NULL, name ` + bytes + `,
			length ` + number + ` NOT NULL, type ` + text + ` NOT NULL, encoding ` + text + ` NOT NULL, bytes ` + number + ` NOT NULL, expires_at ` + at + `, digest ` + text + ` NOT NULL)`,
		`CREATE INDEX idx_found_keys_run_id ON found_keys (run_id, place, id)`,
	}
}

// bringBacks makes the table of 0040-bring-backs, with types as this database has them.
func bringBacks(number, text string) string {
	return `CREATE TABLE bring_backs (run_id ` + number + ` PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, choice ` + text + ` NOT NULL, outcome ` + text + ` NOT NULL)`
}

// findChanges makes the tables of 0041-find-changes, with types as this database has them.
func findChanges(id, number, text, bytes, at string) []string {
	return []string{
		`CREATE TABLE find_streams (run_id ` + number + ` PRIMARY KEY, changes ` + number + ` NOT NULL, kept ` + number + ` NOT NULL, holes ` + number + ` NOT NULL, done boolean NOT NULL)`,
		`CREATE TABLE found_changes (id ` + id + `, run_id ` + number + ` NOT NULL, at ` + at + ` NOT NULL, shard ` + number + ` NOT NULL, run ` + text + ` NOT NULL, before_offset ` + number + ` NOT NULL,
			after_offset ` + number + ` NOT NULL, database ` + number + ` NOT NULL, command ` + text + ` NOT NULL, kind ` + text + ` NOT NULL, word ` + number + ` NOT NULL, bytes ` + number + ` NOT NULL,
			name ` + bytes + `, length ` + number + ` NOT NULL, other ` + bytes + `, other_database ` + number + ` NOT NULL, expires_at ` + at + `)`,
		`CREATE INDEX idx_found_changes_run_id ON found_changes (run_id, at, after_offset, id)`,
		`CREATE TABLE find_holes (id ` + id + `, run_id ` + number + ` NOT NULL, shard ` + number + ` NOT NULL, begun_at ` + at + `, ended_at ` + at + `, reason ` + text + ` NOT NULL)`,
		`CREATE INDEX idx_find_holes_run_id ON find_holes (run_id, id)`,
	}
}

// synthetic makes the column and the table of 0042-synthetic, with types as this database has them.
func synthetic(id, number, text, at string) []string {
	return []string{
		`ALTER TABLE journal_plans ADD COLUMN synthetic boolean NOT NULL DEFAULT false`,
		`CREATE TABLE journal_comparisons (id ` + id + `, cluster_id ` + number + ` NOT NULL, snapshot_id ` + number + ` NOT NULL, snapshot_name ` + text + ` NOT NULL, base ` + text + ` NOT NULL,
			verdict ` + text + ` NOT NULL, reason ` + text + ` NOT NULL, compared_at ` + at + ` NOT NULL, seen_at ` + at + `)`,
		`CREATE INDEX idx_journal_comparisons_cluster_id ON journal_comparisons (cluster_id, id)`,
		`CREATE INDEX idx_journal_comparisons_snapshot_id ON journal_comparisons (snapshot_id, id)`,
	}
}

// journalTallies makes the table of 0043-journal-tallies, with a type as this database has it, and fills it with what the journals have already. seconds
// makes those since 1970 of a time.
func journalTallies(number string, seconds func(at string) string) []string {
	return []string{
		`CREATE TABLE journal_tallies (cluster_id ` + number + ` NOT NULL, at ` + number + ` NOT NULL, writes ` + number + ` NOT NULL, bytes ` + number + ` NOT NULL, size ` + number + ` NOT NULL,
			events ` + number + ` NOT NULL, PRIMARY KEY (cluster_id, at))`,
		`INSERT INTO journal_tallies (cluster_id, at, writes, bytes, size, events) SELECT cluster_id, ten, SUM(writes), SUM(bytes), SUM(size), SUM(events) FROM (
			SELECT cluster_id, ` + seconds("ended_at") + ` / 600 * 600 AS ten, CASE WHEN writes > 0 THEN writes ELSE 0 END AS writes, to_offset - from_offset AS bytes, size, 0 AS events FROM journal_segments
			UNION ALL SELECT cluster_id, ` + seconds("at") + ` / 600 * 600 AS ten, 0 AS writes, 0 AS bytes, 0 AS size, 1 AS events FROM journal_events) pieces GROUP BY cluster_id, ten`,
	}
}
