package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// migration is a change of the tables, known by its ID.
type migration struct {
	id string
	do gormigrate.MigrateFunc
}

// sqliteMigrations is append-only. Each migration is frozen SQL, not the live structs: those change, and what was done to somebody's catalog must
// not. To add one, append it here and to [postgresMigrations], run `go test ./models/catalog -run Migration -update`, and commit what that wrote.
var sqliteMigrations = []migration{
	{"0001-tables", execute(
		`CREATE TABLE clusters (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, description text NOT NULL, kind text NOT NULL,
			engine text NOT NULL, engine_version text NOT NULL, node_type text NOT NULL, shards integer NOT NULL, replicas integer NOT NULL,
			port integer NOT NULL, port_chosen boolean NOT NULL, password text NOT NULL, retention_limit integer NOT NULL, snapshot_window text NOT NULL,
			window_chosen boolean NOT NULL, schedule_since datetime NOT NULL, status text NOT NULL, status_reason text NOT NULL,
			restored_from text NOT NULL, created_at datetime NOT NULL, updated_at datetime NOT NULL)`,
		`CREATE UNIQUE INDEX idx_clusters_name ON clusters (name)`,
		`CREATE INDEX idx_clusters_status ON clusters (status)`,

		`CREATE TABLE nodes (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL REFERENCES clusters (id), name text NOT NULL,
			shard integer NOT NULL, role text NOT NULL, host text NOT NULL, port integer NOT NULL, created_at datetime NOT NULL,
			state text NOT NULL, used_memory integer NOT NULL, max_memory integer NOT NULL, keys integer NOT NULL, lag_bytes integer NOT NULL,
			seen_at datetime)`,
		`CREATE INDEX idx_nodes_cluster_id ON nodes (cluster_id)`,
		`CREATE UNIQUE INDEX idx_nodes_name ON nodes (name)`,
		`CREATE UNIQUE INDEX idx_nodes_endpoint ON nodes (host, port)`,

		`CREATE TABLE snapshots (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, cluster_name text NOT NULL, cluster_id integer NOT NULL,
			source text NOT NULL, status text NOT NULL, status_reason text NOT NULL, description text NOT NULL, engine text NOT NULL,
			engine_version text NOT NULL, node_type text NOT NULL, shards integer NOT NULL, replicas integer NOT NULL, port integer NOT NULL,
			retention_limit integer NOT NULL, snapshot_window text NOT NULL, auth_enabled boolean NOT NULL, rdb_version integer NOT NULL,
			bytes integer NOT NULL, stored integer NOT NULL, keys integer NOT NULL, used_memory integer NOT NULL, served_by text NOT NULL,
			served_role text NOT NULL, warning text NOT NULL, created_at datetime NOT NULL, started_at datetime, completed_at datetime)`,
		`CREATE UNIQUE INDEX idx_snapshots_name ON snapshots (name)`,
		`CREATE INDEX idx_snapshots_cluster_name ON snapshots (cluster_name, created_at)`,
		`CREATE INDEX idx_snapshots_cluster_id ON snapshots (cluster_id)`,
		`CREATE INDEX idx_snapshots_status ON snapshots (status)`,
		`CREATE INDEX idx_snapshots_created_at ON snapshots (created_at)`,

		`CREATE TABLE parts (id integer PRIMARY KEY AUTOINCREMENT, snapshot_id integer NOT NULL REFERENCES snapshots (id), number integer NOT NULL,
			object text NOT NULL, slots text NOT NULL, bytes integer NOT NULL, stored integer NOT NULL, keys integer NOT NULL,
			expires integer NOT NULL, sha256 text NOT NULL, stored_sha256 text NOT NULL, crc64 text NOT NULL, served_by text NOT NULL,
			served_role text NOT NULL, replication_id text NOT NULL, replication_offset integer NOT NULL, started_at datetime NOT NULL,
			completed_at datetime NOT NULL)`,
		`CREATE INDEX idx_parts_snapshot_id ON parts (snapshot_id)`,

		`CREATE TABLE runs (id integer PRIMARY KEY AUTOINCREMENT, kind text NOT NULL, status text NOT NULL, cluster_name text NOT NULL,
			cluster_id integer NOT NULL, snapshot_name text NOT NULL, requested_by text NOT NULL, options text NOT NULL, owner text NOT NULL, attempts integer NOT NULL,
			cancel_requested boolean NOT NULL, stage text NOT NULL, bytes_done integer NOT NULL, bytes_total integer NOT NULL,
			keys_done integer NOT NULL, keys_total integer NOT NULL, error text NOT NULL, created_at datetime NOT NULL, started_at datetime,
			ended_at datetime)`,
		`CREATE INDEX idx_runs_status ON runs (status)`,
		`CREATE INDEX idx_runs_cluster_name ON runs (cluster_name)`,
		`CREATE INDEX idx_runs_snapshot_name ON runs (snapshot_name)`,

		`CREATE TABLE window_marks (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL REFERENCES clusters (id), opens datetime NOT NULL,
			outcome text NOT NULL, attempts integer NOT NULL, tried datetime NOT NULL)`,
		`CREATE UNIQUE INDEX idx_window_marks_window ON window_marks (cluster_id, opens)`,

		`CREATE TABLE locks (name text PRIMARY KEY, owner text NOT NULL, at datetime NOT NULL)`,

		`CREATE TABLE events (id integer PRIMARY KEY AUTOINCREMENT, at datetime NOT NULL, severity text NOT NULL, cluster_name text NOT NULL,
			snapshot_name text NOT NULL, message text NOT NULL)`,
		`CREATE INDEX idx_events_at ON events (at)`,
		`CREATE INDEX idx_events_cluster_name ON events (cluster_name)`,

		`CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL)`,

		`CREATE TABLE users (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, password_hash text NOT NULL, role text NOT NULL,
			created_at datetime NOT NULL)`,
		`CREATE UNIQUE INDEX idx_users_name ON users (name)`,
		`CREATE TABLE sessions (id integer PRIMARY KEY AUTOINCREMENT, token_hash text NOT NULL, user_id integer NOT NULL REFERENCES users (id),
			user_agent text NOT NULL, address text NOT NULL, created_at datetime NOT NULL, last_seen_at datetime NOT NULL, expires_at datetime NOT NULL)`,
		`CREATE UNIQUE INDEX idx_sessions_token_hash ON sessions (token_hash)`,
		`CREATE INDEX idx_sessions_user_id ON sessions (user_id)`,
		`CREATE TABLE sign_in_failures (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, address text NOT NULL, at datetime NOT NULL)`,
		`CREATE INDEX idx_sign_in_failures_name ON sign_in_failures (name, at)`,
	)},
	{"0002-verify", execute(
		`ALTER TABLE snapshots ADD COLUMN verified_at datetime`,
		`ALTER TABLE snapshots ADD COLUMN verify_tried_at datetime`,
		`ALTER TABLE snapshots ADD COLUMN damage text NOT NULL DEFAULT ''`,
		`UPDATE snapshots SET verified_at = completed_at WHERE status IN ('available', 'restoring', 'copying')`,
		`CREATE INDEX idx_snapshots_verified_at ON snapshots (verified_at)`,
	)},
	{"0003-origin", execute(`ALTER TABLE snapshots ADD COLUMN origin text NOT NULL DEFAULT ''`)},
	{"0004-api", execute(
		`ALTER TABLE clusters ADD COLUMN grouped boolean NOT NULL DEFAULT true`,
		`ALTER TABLE clusters ADD COLUMN attributes text NOT NULL DEFAULT ''`,
		`ALTER TABLE clusters ADD COLUMN parameter_group text NOT NULL DEFAULT ''`,
		`ALTER TABLE clusters ADD COLUMN parameters_wanted integer NOT NULL DEFAULT 0`,
		`ALTER TABLE clusters ADD COLUMN parameters_applied integer NOT NULL DEFAULT 0`,
		`ALTER TABLE nodes ADD COLUMN zone text NOT NULL DEFAULT ''`,
		`ALTER TABLE snapshots ADD COLUMN grouped boolean NOT NULL DEFAULT true`,
		`ALTER TABLE snapshots ADD COLUMN attributes text NOT NULL DEFAULT ''`,
		`ALTER TABLE snapshots ADD COLUMN parameter_group text NOT NULL DEFAULT ''`,
		`ALTER TABLE snapshots ADD COLUMN node text NOT NULL DEFAULT ''`,
		`UPDATE snapshots SET node = served_by`,
		`CREATE INDEX idx_snapshots_node ON snapshots (node)`,
		`ALTER TABLE events ADD COLUMN source_type text NOT NULL DEFAULT ''`,
		`UPDATE events SET source_type = 'replication-group' WHERE cluster_name <> ''`,

		`CREATE TABLE access_keys (id integer PRIMARY KEY AUTOINCREMENT, key_id text NOT NULL, secret text NOT NULL, role text NOT NULL,
			description text NOT NULL, created_by text NOT NULL, created_at datetime NOT NULL, used_at datetime)`,
		`CREATE UNIQUE INDEX idx_access_keys_key_id ON access_keys (key_id)`,
		`CREATE TABLE invocations (id integer PRIMARY KEY AUTOINCREMENT, number text NOT NULL, at datetime NOT NULL)`,
		`CREATE UNIQUE INDEX idx_invocations_number ON invocations (number)`,
		`CREATE INDEX idx_invocations_at ON invocations (at)`,
		`CREATE TABLE signatures (id integer PRIMARY KEY AUTOINCREMENT, signature text NOT NULL, invocation text NOT NULL, attempt text NOT NULL,
			at datetime NOT NULL)`,
		`CREATE INDEX idx_signatures_signature ON signatures (signature)`,
		`CREATE INDEX idx_signatures_at ON signatures (at)`,

		`CREATE TABLE tags (id integer PRIMARY KEY AUTOINCREMENT, resource text NOT NULL, key text NOT NULL, value text NOT NULL)`,
		`CREATE UNIQUE INDEX idx_tags_key ON tags (resource, key)`,
		`CREATE TABLE subnet_groups (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, description text NOT NULL, subnets text NOT NULL,
			created_at datetime NOT NULL)`,
		`CREATE UNIQUE INDEX idx_subnet_groups_name ON subnet_groups (name)`,
		`INSERT INTO subnet_groups (name, description, subnets, created_at) VALUES ('default', 'Default subnet group', 'subnet-default', CURRENT_TIMESTAMP)`,
		`CREATE TABLE parameter_groups (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, family text NOT NULL, description text NOT NULL,
			created_at datetime NOT NULL)`,
		`CREATE UNIQUE INDEX idx_parameter_groups_name ON parameter_groups (name)`,
		`CREATE TABLE parameter_values (id integer PRIMARY KEY AUTOINCREMENT, group_id integer NOT NULL REFERENCES parameter_groups (id),
			name text NOT NULL, value text NOT NULL)`,
		`CREATE UNIQUE INDEX idx_parameter_values_name ON parameter_values (group_id, name)`,
	)},
	{"0005-losses", execute(
		`ALTER TABLE clusters ADD COLUMN emptied_at datetime`,
		`ALTER TABLE nodes ADD COLUMN halted boolean NOT NULL DEFAULT false`,
		`CREATE TABLE losses (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL REFERENCES clusters (id), at datetime NOT NULL)`,
		`CREATE INDEX idx_losses_cluster_id ON losses (cluster_id)`,
	)},
	// 0004-api was changed after it had been used: older catalogs lacked the column.
	{"0006-zone", addMissing("nodes", "zone", "text NOT NULL DEFAULT ''")},
	{"0009-nodes", execute(
		`ALTER TABLE clusters ADD COLUMN unsaved_from text NOT NULL DEFAULT ''`,
		`ALTER TABLE clusters ADD COLUMN loss_cause text NOT NULL DEFAULT ''`,
		`ALTER TABLE clusters ADD COLUMN databases integer NOT NULL DEFAULT 0`,
	)},
	{"0010-files", execute(`ALTER TABLE parts ADD COLUMN databases integer NOT NULL DEFAULT 0`)},
	{"0011-words", execute(
		`UPDATE clusters SET status = 'rebooting cluster nodes' WHERE status = 'rebooting'`,
		`ALTER TABLE snapshots ADD COLUMN node_created_at datetime`,
		`UPDATE snapshots SET node_created_at = (SELECT n.created_at FROM nodes n WHERE n.name = snapshots.node AND n.cluster_id = snapshots.cluster_id)`,
	)},
	{"0013-attempts", execute(
		`ALTER TABLE snapshots ADD COLUMN attempt text NOT NULL DEFAULT ''`,
		`ALTER TABLE snapshots ADD COLUMN manifest_sha256 text NOT NULL DEFAULT ''`,
		`ALTER TABLE parts RENAME COLUMN sha256 TO digest`,
		`UPDATE parts SET digest = 'sha256:' || digest WHERE digest <> ''`,
	)},
	// Pages whose cost does not grow with the catalog: good snapshots by cluster and time, the runs of a cluster by kind, and sums that are kept.
	{"0014-scale", execute(
		`CREATE INDEX idx_snapshots_good ON snapshots (cluster_name, created_at, id, stored, status) WHERE status IN ('available', 'restoring', 'copying')`,
		`CREATE INDEX idx_snapshots_status_created ON snapshots (status, created_at)`,
		`DROP INDEX idx_snapshots_status`,
		`CREATE INDEX idx_snapshots_source_created ON snapshots (source, created_at)`,
		`CREATE INDEX idx_runs_cluster_kind ON runs (cluster_name, kind, id)`,
		`DROP INDEX idx_runs_cluster_name`,

		`CREATE TABLE tallies (cluster_name text PRIMARY KEY, snapshots integer NOT NULL, stored integer NOT NULL)`,
		`INSERT INTO tallies (cluster_name, snapshots, stored) SELECT cluster_name, COUNT(*), SUM(stored) FROM snapshots
			WHERE status IN ('available', 'restoring', 'copying') GROUP BY cluster_name`,
		`CREATE TRIGGER snapshots_counted AFTER INSERT ON snapshots WHEN NEW.status IN ('available', 'restoring', 'copying') BEGIN
			INSERT INTO tallies (cluster_name, snapshots, stored) VALUES (NEW.cluster_name, 1, NEW.stored)
				ON CONFLICT (cluster_name) DO UPDATE SET snapshots = snapshots + 1, stored = stored + NEW.stored;
		END`,
		`CREATE TRIGGER snapshots_discounted AFTER DELETE ON snapshots WHEN OLD.status IN ('available', 'restoring', 'copying') BEGIN
			UPDATE tallies SET snapshots = snapshots - 1, stored = stored - OLD.stored WHERE cluster_name = OLD.cluster_name;
			DELETE FROM tallies WHERE cluster_name = OLD.cluster_name AND snapshots = 0;
		END`,
		`CREATE TRIGGER snapshots_recounted AFTER UPDATE OF cluster_name, status, stored ON snapshots
			WHEN OLD.status IN ('available', 'restoring', 'copying') OR NEW.status IN ('available', 'restoring', 'copying') BEGIN
			UPDATE tallies SET snapshots = snapshots - 1, stored = stored - OLD.stored
				WHERE cluster_name = OLD.cluster_name AND OLD.status IN ('available', 'restoring', 'copying');
			INSERT INTO tallies (cluster_name, snapshots, stored) SELECT NEW.cluster_name, 1, NEW.stored
				WHERE NEW.status IN ('available', 'restoring', 'copying')
				ON CONFLICT (cluster_name) DO UPDATE SET snapshots = snapshots + 1, stored = stored + NEW.stored;
			DELETE FROM tallies WHERE cluster_name = OLD.cluster_name AND snapshots = 0;
		END`,
	)},
	// Consoles that share a catalog: a console whose lease has ended is gone, a failed run says so before its remains are removed, and nodes belong
	// to the console on whose host they are.
	{"0015-owners", execute(
		`CREATE TABLE owners (id text PRIMARY KEY, home text NOT NULL, host text NOT NULL, beat integer NOT NULL DEFAULT 0, lease integer NOT NULL, since datetime NOT NULL, seen datetime NOT NULL)`,
		`ALTER TABLE runs ADD COLUMN given_up text NOT NULL DEFAULT ''`,
		`ALTER TABLE runs ADD COLUMN home text NOT NULL DEFAULT ''`,
		`ALTER TABLE clusters ADD COLUMN home text NOT NULL DEFAULT 'catalog'`,
	)},
	// What pages say about every cluster: its newest good snapshot, kept beside the sums.
	{"0016-newest", execute(
		`ALTER TABLE tallies ADD COLUMN newest_id integer NOT NULL DEFAULT 0`,
		`ALTER TABLE tallies ADD COLUMN newest_at datetime`,
		`ALTER TABLE tallies ADD COLUMN newest_stored integer NOT NULL DEFAULT 0`,
		`UPDATE tallies SET (newest_id, newest_at, newest_stored) = (SELECT id, created_at, stored FROM snapshots WHERE snapshots.cluster_name = tallies.cluster_name
			AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1)`,
		`DROP TRIGGER snapshots_counted`,
		`CREATE TRIGGER snapshots_counted AFTER INSERT ON snapshots WHEN NEW.status IN ('available', 'restoring', 'copying') BEGIN
			INSERT INTO tallies (cluster_name, snapshots, stored) VALUES (NEW.cluster_name, 1, NEW.stored)
				ON CONFLICT (cluster_name) DO UPDATE SET snapshots = snapshots + 1, stored = stored + NEW.stored;
			UPDATE tallies SET newest_id = n.id, newest_at = n.created_at, newest_stored = n.stored FROM (SELECT id, created_at, stored FROM snapshots
				WHERE cluster_name = NEW.cluster_name AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1) AS n WHERE tallies.cluster_name = NEW.cluster_name;
		END`,
		`DROP TRIGGER snapshots_discounted`,
		`CREATE TRIGGER snapshots_discounted AFTER DELETE ON snapshots WHEN OLD.status IN ('available', 'restoring', 'copying') BEGIN
			UPDATE tallies SET snapshots = snapshots - 1, stored = stored - OLD.stored WHERE cluster_name = OLD.cluster_name;
			DELETE FROM tallies WHERE cluster_name = OLD.cluster_name AND snapshots = 0;
			UPDATE tallies SET newest_id = n.id, newest_at = n.created_at, newest_stored = n.stored FROM (SELECT id, created_at, stored FROM snapshots
				WHERE cluster_name = OLD.cluster_name AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1) AS n WHERE tallies.cluster_name = OLD.cluster_name;
		END`,
		`DROP TRIGGER snapshots_recounted`,
		`CREATE TRIGGER snapshots_recounted AFTER UPDATE OF cluster_name, status, stored, created_at ON snapshots
			WHEN OLD.status IN ('available', 'restoring', 'copying') OR NEW.status IN ('available', 'restoring', 'copying') BEGIN
			UPDATE tallies SET snapshots = snapshots - 1, stored = stored - OLD.stored
				WHERE cluster_name = OLD.cluster_name AND OLD.status IN ('available', 'restoring', 'copying');
			INSERT INTO tallies (cluster_name, snapshots, stored) SELECT NEW.cluster_name, 1, NEW.stored
				WHERE NEW.status IN ('available', 'restoring', 'copying')
				ON CONFLICT (cluster_name) DO UPDATE SET snapshots = snapshots + 1, stored = stored + NEW.stored;
			DELETE FROM tallies WHERE cluster_name = OLD.cluster_name AND snapshots = 0;
			UPDATE tallies SET newest_id = n.id, newest_at = n.created_at, newest_stored = n.stored FROM (SELECT id, created_at, stored FROM snapshots
				WHERE cluster_name = OLD.cluster_name AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1) AS n WHERE tallies.cluster_name = OLD.cluster_name;
			UPDATE tallies SET newest_id = n.id, newest_at = n.created_at, newest_stored = n.stored FROM (SELECT id, created_at, stored FROM snapshots
				WHERE cluster_name = NEW.cluster_name AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1) AS n WHERE tallies.cluster_name = NEW.cluster_name;
		END`,
	)},
	// Clusters that were there before: how they are reached, and what their nodes are in cluster mode.
	{"0017-attached", execute(
		`ALTER TABLE nodes ADD COLUMN slots text NOT NULL DEFAULT ''`,
		`ALTER TABLE nodes ADD COLUMN ident text NOT NULL DEFAULT ''`,
		`CREATE TABLE attachments (cluster_id integer PRIMARY KEY REFERENCES clusters (id), addresses text NOT NULL, mapped text NOT NULL, username text NOT NULL, psync text NOT NULL,
			primary_name text NOT NULL, sentinel_username text NOT NULL, sentinel_password text NOT NULL,
			tls boolean NOT NULL, ca text NOT NULL, certificate text NOT NULL, private_key text NOT NULL, server_name text NOT NULL, unverified boolean NOT NULL,
			topology text NOT NULL, since datetime)`,
	)},
	// How each cluster stands, judged when something about it has changed, so that neither pages nor ticks look at all of them: see standing.go.
	// Triggers notice changes and keep sums; the rules stay in Go.
	{"0018-standings", execute(slices.Concat([]string{
		`CREATE TABLE standings (cluster_id integer PRIMARY KEY, cluster_name text NOT NULL, rank integer NOT NULL, newest_at datetime,
			newest_stored integer NOT NULL, late_at datetime, due_at datetime, outlive_at datetime, judged_at datetime)`,
		`CREATE TABLE standing_sums (rank integer NOT NULL, restorable boolean NOT NULL, clusters integer NOT NULL, stored integer NOT NULL, PRIMARY KEY (rank, restorable))`,
		`CREATE TABLE tally_sums (bucket integer PRIMARY KEY, snapshots integer NOT NULL, stored integer NOT NULL)`,
		`INSERT INTO standings (cluster_id, cluster_name, rank, newest_at, newest_stored) SELECT id, name, -1, newest_at, 0 FROM clusters LEFT JOIN tallies ON cluster_name = name`,
		`INSERT INTO standing_sums (rank, restorable, clusters, stored) SELECT -1, newest_at IS NOT NULL, COUNT(*), 0 FROM standings GROUP BY 2`,
		`INSERT INTO tally_sums (bucket, snapshots, stored) SELECT 0, COALESCE(SUM(snapshots), 0), COALESCE(SUM(stored), 0) FROM tallies`,
		`CREATE INDEX idx_standings_rank ON standings (rank DESC, cluster_name)`,
		`CREATE INDEX idx_standings_cluster_name ON standings (cluster_name)`,
		`CREATE INDEX idx_standings_newest_at ON standings (newest_at, cluster_id)`,
		`CREATE INDEX idx_standings_late_at ON standings (late_at)`,
		`CREATE INDEX idx_standings_due_at ON standings (due_at)`,
		`CREATE INDEX idx_standings_outlive_at ON standings (outlive_at)`,
		`CREATE INDEX idx_standings_judged_at ON standings (judged_at)`,

		`CREATE TRIGGER tallies_summed AFTER INSERT ON tallies BEGIN
			UPDATE tally_sums SET snapshots = snapshots + NEW.snapshots, stored = stored + NEW.stored;
		END`,
		`CREATE TRIGGER tallies_resummed AFTER UPDATE OF snapshots, stored ON tallies BEGIN
			UPDATE tally_sums SET snapshots = snapshots + NEW.snapshots - OLD.snapshots, stored = stored + NEW.stored - OLD.stored;
		END`,
		`CREATE TRIGGER tallies_unsummed AFTER DELETE ON tallies BEGIN
			UPDATE tally_sums SET snapshots = snapshots - OLD.snapshots, stored = stored - OLD.stored;
		END`,

		`CREATE TRIGGER standings_summed AFTER INSERT ON standings BEGIN
			INSERT INTO standing_sums (rank, restorable, clusters, stored) VALUES (NEW.rank, NEW.newest_at IS NOT NULL, 1, NEW.newest_stored)
				ON CONFLICT (rank, restorable) DO UPDATE SET clusters = clusters + 1, stored = stored + NEW.newest_stored;
		END`,
		`CREATE TRIGGER standings_unsummed AFTER DELETE ON standings BEGIN
			UPDATE standing_sums SET clusters = clusters - 1, stored = stored - OLD.newest_stored WHERE rank = OLD.rank AND restorable = (OLD.newest_at IS NOT NULL);
		END`,
		`CREATE TRIGGER standings_resummed AFTER UPDATE OF rank, newest_at, newest_stored ON standings
			WHEN OLD.rank <> NEW.rank OR (OLD.newest_at IS NULL) <> (NEW.newest_at IS NULL) OR OLD.newest_stored <> NEW.newest_stored BEGIN
			UPDATE standing_sums SET clusters = clusters - 1, stored = stored - OLD.newest_stored WHERE rank = OLD.rank AND restorable = (OLD.newest_at IS NOT NULL);
			INSERT INTO standing_sums (rank, restorable, clusters, stored) VALUES (NEW.rank, NEW.newest_at IS NOT NULL, 1, NEW.newest_stored)
				ON CONFLICT (rank, restorable) DO UPDATE SET clusters = clusters + 1, stored = stored + NEW.newest_stored;
		END`,

		`CREATE TRIGGER clusters_joined AFTER INSERT ON clusters BEGIN
			INSERT INTO standings (cluster_id, cluster_name, rank, newest_at, newest_stored)
				VALUES (NEW.id, NEW.name, -1, (SELECT newest_at FROM tallies WHERE cluster_name = NEW.name), 0);
		END`,
		`CREATE TRIGGER clusters_left AFTER DELETE ON clusters BEGIN
			DELETE FROM standings WHERE cluster_id = OLD.id;
		END`,
		`CREATE TRIGGER clusters_changed AFTER UPDATE OF name, engine, node_type, status, status_reason, retention_limit, snapshot_window, schedule_since, created_at ON clusters BEGIN
			UPDATE standings SET rank = -1, cluster_name = NEW.name WHERE cluster_id = NEW.id AND (rank <> -1 OR cluster_name <> NEW.name);
		END`,
		`CREATE TRIGGER tallies_changed AFTER UPDATE ON tallies BEGIN
			UPDATE standings SET rank = -1, newest_at = NEW.newest_at WHERE cluster_name = NEW.cluster_name AND (rank <> -1 OR newest_at IS NOT NEW.newest_at);
		END`,
		`CREATE TRIGGER tallies_left AFTER DELETE ON tallies BEGIN
			UPDATE standings SET rank = -1, newest_at = NULL WHERE cluster_name = OLD.cluster_name;
		END`,
	}, unjudgedBy("snapshots_begun", "INSERT ON snapshots", "cluster_id = NEW.cluster_id"),
		unjudgedBy("snapshots_moved", "UPDATE OF cluster_id, source, status, damage, retention_limit, created_at ON snapshots", "cluster_id IN (OLD.cluster_id, NEW.cluster_id)"),
		unjudgedBy("runs_begun", "INSERT ON runs WHEN NEW.kind = 'snapshot' AND NEW.requested_by = 'schedule'", "cluster_name = NEW.cluster_name"),
		unjudgedBy("runs_moved", "UPDATE OF status ON runs WHEN NEW.kind = 'snapshot' AND NEW.requested_by = 'schedule'", "cluster_name = NEW.cluster_name"),
		unjudgedBy("runs_gone", "DELETE ON runs WHEN OLD.kind = 'snapshot' AND OLD.requested_by = 'schedule'", "cluster_name = OLD.cluster_name"),
		unjudgedBy("windows_marked", "INSERT ON window_marks", "cluster_id = NEW.cluster_id"),
		unjudgedBy("windows_remarked", "UPDATE ON window_marks", "cluster_id = NEW.cluster_id"),
		unjudgedBy("windows_unmarked", "DELETE ON window_marks", "cluster_id = OLD.cluster_id"),
		unjudgedBy("losses_added", "INSERT ON losses", "cluster_id = NEW.cluster_id"),
		unjudgedBy("losses_gone", "DELETE ON losses", "cluster_id = OLD.cluster_id"),
	)...)},
	{"0019-cluster-mode", execute(append([]string{
		`ALTER TABLE clusters ADD COLUMN cluster_mode boolean NOT NULL DEFAULT false`,
		`ALTER TABLE snapshots ADD COLUMN cluster_mode boolean NOT NULL DEFAULT false`,
	}, clusterMode...)...)},
	// The clusters whose records in the store must be looked at, because something about them has changed: see records.go.
	{"0020-marks", execute(slices.Concat([]string{
		`CREATE TABLE record_marks (id integer PRIMARY KEY AUTOINCREMENT, cluster_name text NOT NULL)`,
		`CREATE UNIQUE INDEX idx_record_marks_cluster_name ON record_marks (cluster_name)`,
		`INSERT INTO record_marks (cluster_name) SELECT name FROM clusters`,
	}, markedBy("records_begun", "INSERT ON clusters", "NEW.name"), markedBy("records_left", "DELETE ON clusters", "OLD.name"),
		markedBy("records_renamed", "UPDATE OF name ON clusters", "OLD.name"),
		markedBy("records_moved", "UPDATE OF "+recordedColumns+" ON clusters", "NEW.name"),
		markedBy("records_joined", "INSERT ON nodes", "name FROM clusters WHERE id = NEW.cluster_id"),
		markedBy("records_parted", "DELETE ON nodes", "name FROM clusters WHERE id = OLD.cluster_id"),
		markedBy("records_attached", "INSERT ON attachments", "name FROM clusters WHERE id = NEW.cluster_id"),
		markedBy("records_detached", "DELETE ON attachments", "name FROM clusters WHERE id = OLD.cluster_id"),
		markedBy("records_reached", "UPDATE OF "+recordedAccess+" ON attachments", "name FROM clusters WHERE id = NEW.cluster_id"),
	)...)},
	// The clusters that a file declares.
	{"0021-declared", execute(`ALTER TABLE clusters ADD COLUMN declared text NOT NULL DEFAULT ''`)},
	// How what is in a part is stored, by which it is judged which engines can take it.
	{"0022-kinds", execute(`ALTER TABLE parts ADD COLUMN kinds text NOT NULL DEFAULT ''`)},
	// Which clusters speak TLS, and whose certificates their nodes have.
	{"0023-encryption", execute(encryption...)},
	// Passwords that are changed while the nodes run.
	{"0024-passwords", execute(append(passwords, `ALTER TABLE clusters ADD COLUMN password_changed_at datetime`)...)},
	// Who may sign in at the nodes of launched clusters.
	{"0025-access", execute(access("integer PRIMARY KEY AUTOINCREMENT", "text", "integer", "datetime")...)},
	// Whom a cluster follows until data has been moved into it.
	{"0026-migration", execute(append(following, `ALTER TABLE clusters ADD COLUMN migration_since datetime`)...)},
	// Snapshots that are read key by key.
	{"0027-logical", execute(slices.Concat(logical, []string{`DROP TRIGGER records_reached`},
		markedBy("records_reached", "UPDATE OF "+recordedAccess+", by_key ON attachments", "name FROM clusters WHERE id = NEW.cluster_id"))...)},
	// Settings of attached nodes that are changed while a snapshot begins. Clusters from before were attached with the promise that nothing is.
	{"0028-tuning", execute(append(tuning("integer PRIMARY KEY AUTOINCREMENT", "integer", "text", "datetime"),
		markedBy("records_tuned", "UPDATE OF tuned ON attachments", "name FROM clusters WHERE id = NEW.cluster_id")...)...)},
	// How many keys of a snapshot have expired since. Not known of older ones.
	{"0029-lifetimes", execute(`ALTER TABLE parts ADD COLUMN lifetimes text NOT NULL DEFAULT ''`)},
	{"0030-announced", execute(`ALTER TABLE nodes ADD COLUMN announced text NOT NULL DEFAULT ''`)},
	// Which step a run is at, and since when, so that its pace is that of this step.
	{"0031-steps", execute(steps("integer", "datetime")...)},
	{"0032-missed", execute(missed)},
	// Whom is told what, and what is on its way to them.
	{"0033-notices", execute(notices("integer PRIMARY KEY AUTOINCREMENT", "text", "integer", "datetime")...)},
	// What space the snapshots took over time, what there was of those that are gone, and when on each day which cluster is snapshotted.
	{"0034-history", execute(history("integer PRIMARY KEY AUTOINCREMENT", "text", "integer", "datetime", "newest_at")...)},
	// Snapshots that were loaded into a node, to see whether they can be, and when that is due.
	{"0035-drills", execute(drills("integer PRIMARY KEY AUTOINCREMENT", "integer", "text", "datetime")...)},
	// What runs cost the nodes that they read.
	{"0036-impacts", execute(runImpacts("integer", "text"))},
	// Events for those who ask the API, in ElastiCache's words; and drills on a day that somebody has chosen, which the records of clusters have.
	{"0037-sources", execute(slices.Concat(sources("integer", "text"),
		markedBy("records_planned", "INSERT ON drill_plans", "name FROM clusters WHERE id = NEW.cluster_id"),
		markedBy("records_replanned", "UPDATE OF every, drill_window, day ON drill_plans", "name FROM clusters WHERE id = NEW.cluster_id"),
		markedBy("records_unplanned", "DELETE ON drill_plans", "name FROM clusters WHERE id = OLD.cluster_id"))...)},
	// The replication streams that are kept, so that a cluster can be brought back to a second.
	{"0038-journal", execute(slices.Concat(journal("integer PRIMARY KEY AUTOINCREMENT", "integer", "text", "datetime"),
		markedBy("records_journaled", "INSERT ON journal_plans", "name FROM clusters WHERE id = NEW.cluster_id"),
		markedBy("records_rejournaled", "UPDATE OF kept, days, promise, lone ON journal_plans", "name FROM clusters WHERE id = NEW.cluster_id"),
		markedBy("records_unjournaled", "DELETE ON journal_plans", "name FROM clusters WHERE id = OLD.cluster_id"))...)},
	// Searches for keys in snapshots, and what they found.
	{"0039-finds", execute(finds("integer PRIMARY KEY AUTOINCREMENT", "integer", "text", "blob", "datetime")...)},
	// Which keys were brought back, and what became of them.
	{"0040-bring-backs", execute(bringBacks("integer", "text"))},
	// What searches for keys found in journals.
	{"0041-find-changes", execute(findChanges("integer PRIMARY KEY AUTOINCREMENT", "integer", "text", "blob", "datetime")...)},
	// Daily snapshots that are made from the journal, and how they compare with those of the cluster.
	{"0042-synthetic", execute(slices.Concat(synthetic("integer PRIMARY KEY AUTOINCREMENT", "integer", "text", "datetime"), []string{`DROP TRIGGER records_rejournaled`},
		markedBy("records_rejournaled", "UPDATE OF kept, days, promise, lone, synthetic ON journal_plans", "name FROM clusters WHERE id = NEW.cluster_id"))...)},
	// How much a journal has in each ten minutes.
	{"0043-journal-tallies", execute(journalTallies("integer", func(at string) string { return "CAST(strftime('%s', substr(" + at + ", 1, 19)) AS integer)" })...)},
}

// notices makes the tables and the column of 0033-notices, with types as this database has them. Where a page goes on behind a row, the index ends with
// the row's id.
func notices(id, text, number, at string) []string {
	return []string{
		`ALTER TABLE events ADD COLUMN kind ` + text + ` NOT NULL DEFAULT ''`,
		`CREATE TABLE channels (id ` + id + `, name ` + text + ` NOT NULL, kind ` + text + ` NOT NULL, url ` + text + ` NOT NULL, secret ` + text + ` NOT NULL, host ` + text + ` NOT NULL,
			port ` + number + ` NOT NULL, security ` + text + ` NOT NULL, username ` + text + ` NOT NULL, sender ` + text + ` NOT NULL, recipients ` + text + ` NOT NULL,
			conditions ` + text + ` NOT NULL, clusters ` + text + ` NOT NULL, repeat_hours ` + number + ` NOT NULL, ends boolean NOT NULL, paused boolean NOT NULL, created_at ` + at + ` NOT NULL)`,
		`CREATE UNIQUE INDEX idx_channels_name ON channels (name)`,
		`CREATE TABLE alarms (id ` + id + `, condition ` + text + ` NOT NULL, subject ` + text + ` NOT NULL, cluster_name ` + text + ` NOT NULL, snapshot_name ` + text + ` NOT NULL,
			message ` + text + ` NOT NULL, next ` + text + ` NOT NULL, since ` + at + ` NOT NULL, ended_at ` + at + `)`,
		`CREATE UNIQUE INDEX idx_alarms_subject ON alarms (condition, subject)`,
		`CREATE INDEX idx_alarms_cluster_name ON alarms (cluster_name)`,
		`CREATE INDEX idx_alarms_ended_at ON alarms (ended_at)`,
		`CREATE TABLE tellings (channel_id ` + number + ` NOT NULL, alarm_id ` + number + ` NOT NULL, since ` + at + ` NOT NULL, at ` + at + ` NOT NULL, again_at ` + at + `,
			PRIMARY KEY (channel_id, alarm_id))`,
		`CREATE INDEX idx_tellings_alarm_id ON tellings (alarm_id)`,
		`CREATE INDEX idx_tellings_again_at ON tellings (again_at)`,
		`CREATE TABLE deliveries (id ` + id + `, ref ` + text + ` NOT NULL, channel_id ` + number + ` NOT NULL, channel_name ` + text + ` NOT NULL, condition ` + text + ` NOT NULL,
			phase ` + text + ` NOT NULL, cluster_name ` + text + ` NOT NULL, snapshot_name ` + text + ` NOT NULL, title ` + text + ` NOT NULL, text ` + text + ` NOT NULL, next ` + text + ` NOT NULL,
			since ` + at + ` NOT NULL, state ` + text + ` NOT NULL, attempts ` + number + ` NOT NULL, due_at ` + at + ` NOT NULL, answer ` + text + ` NOT NULL, created_at ` + at + ` NOT NULL,
			ended_at ` + at + `)`,
		`CREATE UNIQUE INDEX idx_deliveries_ref ON deliveries (ref)`,
		`CREATE INDEX idx_deliveries_state ON deliveries (state, due_at)`,
		`CREATE INDEX idx_deliveries_channel ON deliveries (channel_id, created_at, id)`,
		`CREATE INDEX idx_deliveries_cluster_name ON deliveries (cluster_name, created_at, id)`,
		`CREATE INDEX idx_deliveries_created_at ON deliveries (created_at, id)`,
	}
}

// sources are the columns of 0037-sources, with types as this database has them.
func sources(number, text string) []string {
	return []string{
		`ALTER TABLE events ADD COLUMN source ` + text + ` NOT NULL DEFAULT ''`,
		`CREATE INDEX idx_events_source ON events (source)`,
		`ALTER TABLE drill_plans ADD COLUMN day ` + number + ` NOT NULL DEFAULT 0`,
	}
}

// runImpacts makes the table of 0036-impacts, with types as this database has them.
func runImpacts(number, text string) string {
	return `CREATE TABLE run_impacts (run_id ` + number + ` PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, impact ` + text + ` NOT NULL)`
}

// history makes the tables, columns and indexes of 0034-history, with types as this database has them. All clusters are judged anew, which fills in the
// columns.
func history(id, text, number, at, newest string) []string {
	return []string{
		`CREATE TABLE storage_samples (hour ` + number + ` PRIMARY KEY, snapshots ` + number + ` NOT NULL, stored ` + number + ` NOT NULL, billable ` + number + ` NOT NULL)`,
		`CREATE TABLE past_snapshots (id ` + id + `, name ` + text + ` NOT NULL, cluster_name ` + text + ` NOT NULL, cluster_id ` + number + ` NOT NULL, source ` + text + ` NOT NULL,
			bytes ` + number + ` NOT NULL, stored ` + number + ` NOT NULL, keys ` + number + ` NOT NULL, took ` + number + ` NOT NULL, created_at ` + at + ` NOT NULL, removed_at ` + at + ` NOT NULL)`,
		`CREATE INDEX idx_past_snapshots_cluster_name ON past_snapshots (cluster_name, removed_at)`,
		`CREATE INDEX idx_past_snapshots_removed_at ON past_snapshots (removed_at)`,
		`ALTER TABLE standings ADD COLUMN opens ` + number,
		`ALTER TABLE standings ADD COLUMN closes ` + number,
		`ALTER TABLE standings ADD COLUMN begins ` + number,
		`CREATE INDEX idx_standings_begins ON standings (begins, opens, closes, cluster_id)`,
		`DROP INDEX idx_standings_rank`,
		`CREATE INDEX idx_standings_rank ON standings (rank DESC, ` + newest + `, cluster_name)`,
		`CREATE INDEX idx_tallies_stored ON tallies (stored DESC, cluster_name)`,
		`UPDATE standings SET rank = -1 WHERE rank <> -1`,
	}
}

// missed lets the windows that were missed lately be counted without a look at all the others.
const missed = `CREATE INDEX idx_window_marks_missed ON window_marks (opens) WHERE outcome = 'missed'`

// steps are the columns of 0031-steps, with types as this database has them.
func steps(number, at string) []string {
	return []string{
		`ALTER TABLE runs ADD COLUMN step ` + number + ` NOT NULL DEFAULT 0`,
		`ALTER TABLE runs ADD COLUMN steps ` + number + ` NOT NULL DEFAULT 0`,
		`ALTER TABLE runs ADD COLUMN step_since ` + at,
		`ALTER TABLE runs ADD COLUMN step_from ` + number + ` NOT NULL DEFAULT 0`,
	}
}

// drills makes the tables of 0035-drills, with types as this database has them.
func drills(id, number, text, at string) []string {
	return []string{
		`CREATE TABLE drills (id ` + id + `, run_id ` + number + ` NOT NULL, snapshot_name ` + text + ` NOT NULL, snapshot_id ` + number + ` NOT NULL, cluster_name ` + text + ` NOT NULL,
			requested_by ` + text + ` NOT NULL, engine ` + text + ` NOT NULL, engine_version ` + text + ` NOT NULL, host ` + text + ` NOT NULL, started_at ` + at + ` NOT NULL, ended_at ` + at + ` NOT NULL,
			loaded_in ` + number + ` NOT NULL, expected ` + number + ` NOT NULL, keys ` + number + ` NOT NULL, expired ` + number + ` NOT NULL, sampled ` + number + ` NOT NULL, differing ` + number + ` NOT NULL,
			outcome ` + text + ` NOT NULL, reason ` + text + ` NOT NULL)`,
		`CREATE UNIQUE INDEX idx_drills_run_id ON drills (run_id)`,
		`CREATE INDEX idx_drills_snapshot_id ON drills (snapshot_id)`,
		`CREATE INDEX idx_drills_cluster_name ON drills (cluster_name, ended_at)`,
		`CREATE INDEX idx_drills_ended_at ON drills (ended_at)`,
		`CREATE TABLE drill_plans (cluster_id ` + number + ` PRIMARY KEY REFERENCES clusters (id), every ` + text + ` NOT NULL, drill_window ` + text + ` NOT NULL, due_at ` + at + ` NOT NULL)`,
		`CREATE INDEX idx_drill_plans_due_at ON drill_plans (due_at)`,
	}
}

// tuning makes the table and the column of 0028-tuning, with types as this database has them.
func tuning(id, number, text, at string) []string {
	return []string{
		`ALTER TABLE attachments ADD COLUMN tuned boolean NOT NULL DEFAULT false`,
		`CREATE TABLE tunings (id ` + id + `, cluster_id ` + number + ` NOT NULL REFERENCES clusters (id), run_id ` + number + ` NOT NULL, address ` + text + ` NOT NULL, parameter ` + text + ` NOT NULL,
			was ` + text + ` NOT NULL, tuned ` + text + ` NOT NULL, since ` + at + ` NOT NULL, told boolean NOT NULL DEFAULT false)`,
		`CREATE INDEX idx_tunings_cluster_id ON tunings (cluster_id)`,
	}
}

// encryption is 0023-encryption.
var encryption = []string{
	`ALTER TABLE clusters ADD COLUMN transit_encryption boolean NOT NULL DEFAULT false`,
	`ALTER TABLE clusters ADD COLUMN ca text NOT NULL DEFAULT ''`,
	`ALTER TABLE snapshots ADD COLUMN transit_encryption boolean NOT NULL DEFAULT false`,
}

// passwords are the columns of 0024-passwords that are alike in all databases.
var passwords = []string{
	`ALTER TABLE clusters ADD COLUMN old_password text NOT NULL DEFAULT ''`,
	`ALTER TABLE clusters ADD COLUMN former_password text NOT NULL DEFAULT ''`,
	`ALTER TABLE clusters ADD COLUMN password_pending boolean NOT NULL DEFAULT false`,
}

// access makes the tables and columns of 0025-access, with types as this database has them.
func access(id, text, number, at string) []string {
	return []string{
		`CREATE TABLE access_users (id ` + id + `, user_id ` + text + ` NOT NULL, name ` + text + ` NOT NULL, engine ` + text + ` NOT NULL,
			access_string ` + text + ` NOT NULL, no_password boolean NOT NULL, hashes ` + text + ` NOT NULL, created_at ` + at + ` NOT NULL)`,
		`CREATE UNIQUE INDEX idx_access_users_user_id ON access_users (user_id)`,
		`CREATE TABLE user_groups (id ` + id + `, group_id ` + text + ` NOT NULL, engine ` + text + ` NOT NULL, users ` + text + ` NOT NULL, created_at ` + at + ` NOT NULL)`,
		`CREATE UNIQUE INDEX idx_user_groups_group_id ON user_groups (group_id)`,
		`ALTER TABLE clusters ADD COLUMN user_group text NOT NULL DEFAULT ''`,
		`ALTER TABLE clusters ADD COLUMN former_user text NOT NULL DEFAULT ''`,
		`ALTER TABLE clusters ADD COLUMN users_wanted ` + number + ` NOT NULL DEFAULT 0`,
		`ALTER TABLE clusters ADD COLUMN users_applied ` + number + ` NOT NULL DEFAULT 0`,
	}
}

// following are the columns of 0026-migration that are alike in all databases.
var following = []string{
	`ALTER TABLE clusters ADD COLUMN migration_source text NOT NULL DEFAULT ''`,
	`ALTER TABLE clusters ADD COLUMN migration_address text NOT NULL DEFAULT ''`,
	`ALTER TABLE clusters ADD COLUMN migration_copied boolean NOT NULL DEFAULT false`,
}

// logical are the columns of 0027-logical.
var logical = []string{
	`ALTER TABLE snapshots ADD COLUMN logical boolean NOT NULL DEFAULT false`,
	`ALTER TABLE attachments ADD COLUMN by_key boolean NOT NULL DEFAULT false`,
}

// clusterMode marks what is in cluster mode in a catalog that did not record it: clusters attached as such, and snapshots whose parts have slots.
var clusterMode = []string{
	`UPDATE clusters SET cluster_mode = true WHERE id IN (SELECT cluster_id FROM attachments WHERE topology = 'cluster')`,
	`UPDATE snapshots SET cluster_mode = true WHERE id IN (SELECT snapshot_id FROM parts WHERE slots <> '')`,
}

// The columns that the record of a cluster is made of, as of 0020-marks.
const (
	recordedColumns = `name, description, kind, engine, engine_version, node_type, cluster_mode, shards, replicas, port, port_chosen, password, retention_limit, snapshot_window, window_chosen, status,
		created_at, grouped, attributes, parameter_group`
	recordedAccess = `cluster_id, addresses, mapped, username, psync, primary_name, sentinel_username, sentinel_password, tls, ca, certificate, private_key, server_name, unverified`
)

// markedBy is the trigger in [sqliteMigrations] that has a cluster's record looked at after an event. Each mark has its own number.
func markedBy(name, event, cluster string) []string {
	return []string{"CREATE TRIGGER " + name + " AFTER " + event + " BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT " + cluster + "); INSERT INTO record_marks (cluster_name) SELECT " + cluster + "; END"}
}

// unjudgedBy is the trigger in [sqliteMigrations] that has clusters judged again after an event.
func unjudgedBy(name, event, which string) []string {
	return []string{"CREATE TRIGGER " + name + " AFTER " + event + " BEGIN UPDATE standings SET rank = -1 WHERE " + which + " AND rank <> -1; END"}
}

func execute(statements ...string) gormigrate.MigrateFunc {
	return func(tx *gorm.DB) error {
		for _, statement := range statements {
			if err := tx.Exec(statement).Error; err != nil {
				return fmt.Errorf("%.60s: %w", statement, err)
			}
		}
		return nil
	}
}

// addMissing adds a column if there is none of that name.
func addMissing(table, column, definition string) gormigrate.MigrateFunc {
	return func(tx *gorm.DB) error {
		var have int
		if err := tx.Raw("SELECT count(*) FROM pragma_table_info(?) WHERE name = ?", table, column).Scan(&have).Error; err != nil {
			return fmt.Errorf("look for %s.%s: %w", table, column, err)
		} else if have > 0 {
			return nil
		}
		return execute(fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, column, definition))(tx)
	}
}

// migrate applies what has not been applied yet. All of it is one transaction, so that only one of several starting consoles does it.
func migrate(ctx context.Context, db *gorm.DB, all []migration) error {
	options := *gormigrate.DefaultOptions
	options.ValidateUnknownMigrations = true
	steps := make([]*gormigrate.Migration, len(all))
	for i, m := range all {
		steps[i] = &gormigrate.Migration{ID: m.id, Migrate: m.do}
	}
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return gormigrate.New(tx, &options, steps).Migrate()
	})
}
