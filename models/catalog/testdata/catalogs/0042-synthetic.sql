PRAGMA foreign_keys=OFF;
BEGIN;
CREATE TABLE `migrations` (`id` text,PRIMARY KEY (`id`));
CREATE TABLE clusters (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, description text NOT NULL, kind text NOT NULL,
			engine text NOT NULL, engine_version text NOT NULL, node_type text NOT NULL, shards integer NOT NULL, replicas integer NOT NULL,
			port integer NOT NULL, port_chosen boolean NOT NULL, password text NOT NULL, retention_limit integer NOT NULL, snapshot_window text NOT NULL,
			window_chosen boolean NOT NULL, schedule_since datetime NOT NULL, status text NOT NULL, status_reason text NOT NULL,
			restored_from text NOT NULL, created_at datetime NOT NULL, updated_at datetime NOT NULL, grouped boolean NOT NULL DEFAULT true, attributes text NOT NULL DEFAULT '', parameter_group text NOT NULL DEFAULT '', parameters_wanted integer NOT NULL DEFAULT 0, parameters_applied integer NOT NULL DEFAULT 0, emptied_at datetime, unsaved_from text NOT NULL DEFAULT '', loss_cause text NOT NULL DEFAULT '', databases integer NOT NULL DEFAULT 0, home text NOT NULL DEFAULT 'catalog', cluster_mode boolean NOT NULL DEFAULT false, declared text NOT NULL DEFAULT '', transit_encryption boolean NOT NULL DEFAULT false, ca text NOT NULL DEFAULT '', old_password text NOT NULL DEFAULT '', former_password text NOT NULL DEFAULT '', password_pending boolean NOT NULL DEFAULT false, password_changed_at datetime, user_group text NOT NULL DEFAULT '', former_user text NOT NULL DEFAULT '', users_wanted integer NOT NULL DEFAULT 0, users_applied integer NOT NULL DEFAULT 0, migration_source text NOT NULL DEFAULT '', migration_address text NOT NULL DEFAULT '', migration_copied boolean NOT NULL DEFAULT false, migration_since datetime);
CREATE UNIQUE INDEX idx_clusters_name ON clusters (name);
CREATE INDEX idx_clusters_status ON clusters (status);
CREATE TABLE nodes (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL REFERENCES clusters (id), name text NOT NULL,
			shard integer NOT NULL, role text NOT NULL, host text NOT NULL, port integer NOT NULL, created_at datetime NOT NULL,
			state text NOT NULL, used_memory integer NOT NULL, max_memory integer NOT NULL, keys integer NOT NULL, lag_bytes integer NOT NULL,
			seen_at datetime, zone text NOT NULL DEFAULT '', halted boolean NOT NULL DEFAULT false, slots text NOT NULL DEFAULT '', ident text NOT NULL DEFAULT '', announced text NOT NULL DEFAULT '');
CREATE INDEX idx_nodes_cluster_id ON nodes (cluster_id);
CREATE UNIQUE INDEX idx_nodes_name ON nodes (name);
CREATE UNIQUE INDEX idx_nodes_endpoint ON nodes (host, port);
CREATE TABLE snapshots (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, cluster_name text NOT NULL, cluster_id integer NOT NULL,
			source text NOT NULL, status text NOT NULL, status_reason text NOT NULL, description text NOT NULL, engine text NOT NULL,
			engine_version text NOT NULL, node_type text NOT NULL, shards integer NOT NULL, replicas integer NOT NULL, port integer NOT NULL,
			retention_limit integer NOT NULL, snapshot_window text NOT NULL, auth_enabled boolean NOT NULL, rdb_version integer NOT NULL,
			bytes integer NOT NULL, stored integer NOT NULL, keys integer NOT NULL, used_memory integer NOT NULL, served_by text NOT NULL,
			served_role text NOT NULL, warning text NOT NULL, created_at datetime NOT NULL, started_at datetime, completed_at datetime, verified_at datetime, verify_tried_at datetime, damage text NOT NULL DEFAULT '', origin text NOT NULL DEFAULT '', grouped boolean NOT NULL DEFAULT true, attributes text NOT NULL DEFAULT '', parameter_group text NOT NULL DEFAULT '', node text NOT NULL DEFAULT '', node_created_at datetime, attempt text NOT NULL DEFAULT '', manifest_sha256 text NOT NULL DEFAULT '', cluster_mode boolean NOT NULL DEFAULT false, transit_encryption boolean NOT NULL DEFAULT false, logical boolean NOT NULL DEFAULT false);
CREATE UNIQUE INDEX idx_snapshots_name ON snapshots (name);
CREATE INDEX idx_snapshots_cluster_name ON snapshots (cluster_name, created_at);
CREATE INDEX idx_snapshots_cluster_id ON snapshots (cluster_id);
CREATE INDEX idx_snapshots_created_at ON snapshots (created_at);
CREATE TABLE parts (id integer PRIMARY KEY AUTOINCREMENT, snapshot_id integer NOT NULL REFERENCES snapshots (id), number integer NOT NULL,
			object text NOT NULL, slots text NOT NULL, bytes integer NOT NULL, stored integer NOT NULL, keys integer NOT NULL,
			expires integer NOT NULL, digest text NOT NULL, stored_sha256 text NOT NULL, crc64 text NOT NULL, served_by text NOT NULL,
			served_role text NOT NULL, replication_id text NOT NULL, replication_offset integer NOT NULL, started_at datetime NOT NULL,
			completed_at datetime NOT NULL, databases integer NOT NULL DEFAULT 0, kinds text NOT NULL DEFAULT '', lifetimes text NOT NULL DEFAULT '');
CREATE INDEX idx_parts_snapshot_id ON parts (snapshot_id);
CREATE TABLE runs (id integer PRIMARY KEY AUTOINCREMENT, kind text NOT NULL, status text NOT NULL, cluster_name text NOT NULL,
			cluster_id integer NOT NULL, snapshot_name text NOT NULL, requested_by text NOT NULL, options text NOT NULL, owner text NOT NULL, attempts integer NOT NULL,
			cancel_requested boolean NOT NULL, stage text NOT NULL, bytes_done integer NOT NULL, bytes_total integer NOT NULL,
			keys_done integer NOT NULL, keys_total integer NOT NULL, error text NOT NULL, created_at datetime NOT NULL, started_at datetime,
			ended_at datetime, given_up text NOT NULL DEFAULT '', home text NOT NULL DEFAULT '', step integer NOT NULL DEFAULT 0, steps integer NOT NULL DEFAULT 0, step_since datetime, step_from integer NOT NULL DEFAULT 0);
CREATE INDEX idx_runs_status ON runs (status);
CREATE INDEX idx_runs_snapshot_name ON runs (snapshot_name);
CREATE TABLE window_marks (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL REFERENCES clusters (id), opens datetime NOT NULL,
			outcome text NOT NULL, attempts integer NOT NULL, tried datetime NOT NULL);
CREATE UNIQUE INDEX idx_window_marks_window ON window_marks (cluster_id, opens);
CREATE TABLE locks (name text PRIMARY KEY, owner text NOT NULL, at datetime NOT NULL);
CREATE TABLE events (id integer PRIMARY KEY AUTOINCREMENT, at datetime NOT NULL, severity text NOT NULL, cluster_name text NOT NULL,
			snapshot_name text NOT NULL, message text NOT NULL, source_type text NOT NULL DEFAULT '', kind text NOT NULL DEFAULT '', source text NOT NULL DEFAULT '');
CREATE INDEX idx_events_at ON events (at);
CREATE INDEX idx_events_cluster_name ON events (cluster_name);
CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE users (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, password_hash text NOT NULL, role text NOT NULL,
			created_at datetime NOT NULL);
CREATE UNIQUE INDEX idx_users_name ON users (name);
CREATE TABLE sessions (id integer PRIMARY KEY AUTOINCREMENT, token_hash text NOT NULL, user_id integer NOT NULL REFERENCES users (id),
			user_agent text NOT NULL, address text NOT NULL, created_at datetime NOT NULL, last_seen_at datetime NOT NULL, expires_at datetime NOT NULL);
CREATE UNIQUE INDEX idx_sessions_token_hash ON sessions (token_hash);
CREATE INDEX idx_sessions_user_id ON sessions (user_id);
CREATE TABLE sign_in_failures (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, address text NOT NULL, at datetime NOT NULL);
CREATE INDEX idx_sign_in_failures_name ON sign_in_failures (name, at);
CREATE INDEX idx_snapshots_verified_at ON snapshots (verified_at);
CREATE INDEX idx_snapshots_node ON snapshots (node);
CREATE TABLE access_keys (id integer PRIMARY KEY AUTOINCREMENT, key_id text NOT NULL, secret text NOT NULL, role text NOT NULL,
			description text NOT NULL, created_by text NOT NULL, created_at datetime NOT NULL, used_at datetime);
CREATE UNIQUE INDEX idx_access_keys_key_id ON access_keys (key_id);
CREATE TABLE invocations (id integer PRIMARY KEY AUTOINCREMENT, number text NOT NULL, at datetime NOT NULL);
CREATE UNIQUE INDEX idx_invocations_number ON invocations (number);
CREATE INDEX idx_invocations_at ON invocations (at);
CREATE TABLE signatures (id integer PRIMARY KEY AUTOINCREMENT, signature text NOT NULL, invocation text NOT NULL, attempt text NOT NULL,
			at datetime NOT NULL);
CREATE INDEX idx_signatures_signature ON signatures (signature);
CREATE INDEX idx_signatures_at ON signatures (at);
CREATE TABLE tags (id integer PRIMARY KEY AUTOINCREMENT, resource text NOT NULL, key text NOT NULL, value text NOT NULL);
CREATE UNIQUE INDEX idx_tags_key ON tags (resource, key);
CREATE TABLE subnet_groups (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, description text NOT NULL, subnets text NOT NULL,
			created_at datetime NOT NULL);
CREATE UNIQUE INDEX idx_subnet_groups_name ON subnet_groups (name);
CREATE TABLE parameter_groups (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, family text NOT NULL, description text NOT NULL,
			created_at datetime NOT NULL);
CREATE UNIQUE INDEX idx_parameter_groups_name ON parameter_groups (name);
CREATE TABLE parameter_values (id integer PRIMARY KEY AUTOINCREMENT, group_id integer NOT NULL REFERENCES parameter_groups (id),
			name text NOT NULL, value text NOT NULL);
CREATE UNIQUE INDEX idx_parameter_values_name ON parameter_values (group_id, name);
CREATE TABLE losses (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL REFERENCES clusters (id), at datetime NOT NULL);
CREATE INDEX idx_losses_cluster_id ON losses (cluster_id);
CREATE INDEX idx_snapshots_good ON snapshots (cluster_name, created_at, id, stored, status) WHERE status IN ('available', 'restoring', 'copying');
CREATE INDEX idx_snapshots_status_created ON snapshots (status, created_at);
CREATE INDEX idx_snapshots_source_created ON snapshots (source, created_at);
CREATE INDEX idx_runs_cluster_kind ON runs (cluster_name, kind, id);
CREATE TABLE tallies (cluster_name text PRIMARY KEY, snapshots integer NOT NULL, stored integer NOT NULL, newest_id integer NOT NULL DEFAULT 0, newest_at datetime, newest_stored integer NOT NULL DEFAULT 0);
CREATE TABLE owners (id text PRIMARY KEY, home text NOT NULL, host text NOT NULL, beat integer NOT NULL DEFAULT 0, lease integer NOT NULL, since datetime NOT NULL, seen datetime NOT NULL);
CREATE TABLE attachments (cluster_id integer PRIMARY KEY REFERENCES clusters (id), addresses text NOT NULL, mapped text NOT NULL, username text NOT NULL, psync text NOT NULL,
			primary_name text NOT NULL, sentinel_username text NOT NULL, sentinel_password text NOT NULL,
			tls boolean NOT NULL, ca text NOT NULL, certificate text NOT NULL, private_key text NOT NULL, server_name text NOT NULL, unverified boolean NOT NULL,
			topology text NOT NULL, since datetime, by_key boolean NOT NULL DEFAULT false, tuned boolean NOT NULL DEFAULT false);
CREATE TABLE standings (cluster_id integer PRIMARY KEY, cluster_name text NOT NULL, rank integer NOT NULL, newest_at datetime,
			newest_stored integer NOT NULL, late_at datetime, due_at datetime, outlive_at datetime, judged_at datetime, opens integer, closes integer, begins integer);
CREATE TABLE standing_sums (rank integer NOT NULL, restorable boolean NOT NULL, clusters integer NOT NULL, stored integer NOT NULL, PRIMARY KEY (rank, restorable));
CREATE TABLE tally_sums (bucket integer PRIMARY KEY, snapshots integer NOT NULL, stored integer NOT NULL);
CREATE INDEX idx_standings_cluster_name ON standings (cluster_name);
CREATE INDEX idx_standings_newest_at ON standings (newest_at, cluster_id);
CREATE INDEX idx_standings_late_at ON standings (late_at);
CREATE INDEX idx_standings_due_at ON standings (due_at);
CREATE INDEX idx_standings_outlive_at ON standings (outlive_at);
CREATE INDEX idx_standings_judged_at ON standings (judged_at);
CREATE TABLE record_marks (id integer PRIMARY KEY AUTOINCREMENT, cluster_name text NOT NULL);
CREATE UNIQUE INDEX idx_record_marks_cluster_name ON record_marks (cluster_name);
CREATE TABLE access_users (id integer PRIMARY KEY AUTOINCREMENT, user_id text NOT NULL, name text NOT NULL, engine text NOT NULL,
			access_string text NOT NULL, no_password boolean NOT NULL, hashes text NOT NULL, created_at datetime NOT NULL);
CREATE UNIQUE INDEX idx_access_users_user_id ON access_users (user_id);
CREATE TABLE user_groups (id integer PRIMARY KEY AUTOINCREMENT, group_id text NOT NULL, engine text NOT NULL, users text NOT NULL, created_at datetime NOT NULL);
CREATE UNIQUE INDEX idx_user_groups_group_id ON user_groups (group_id);
CREATE TABLE tunings (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL REFERENCES clusters (id), run_id integer NOT NULL, address text NOT NULL, parameter text NOT NULL,
			was text NOT NULL, tuned text NOT NULL, since datetime NOT NULL, told boolean NOT NULL DEFAULT false);
CREATE INDEX idx_tunings_cluster_id ON tunings (cluster_id);
CREATE INDEX idx_window_marks_missed ON window_marks (opens) WHERE outcome = 'missed';
CREATE TABLE channels (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, kind text NOT NULL, url text NOT NULL, secret text NOT NULL, host text NOT NULL,
			port integer NOT NULL, security text NOT NULL, username text NOT NULL, sender text NOT NULL, recipients text NOT NULL,
			conditions text NOT NULL, clusters text NOT NULL, repeat_hours integer NOT NULL, ends boolean NOT NULL, paused boolean NOT NULL, created_at datetime NOT NULL);
CREATE UNIQUE INDEX idx_channels_name ON channels (name);
CREATE TABLE alarms (id integer PRIMARY KEY AUTOINCREMENT, condition text NOT NULL, subject text NOT NULL, cluster_name text NOT NULL, snapshot_name text NOT NULL,
			message text NOT NULL, next text NOT NULL, since datetime NOT NULL, ended_at datetime);
CREATE UNIQUE INDEX idx_alarms_subject ON alarms (condition, subject);
CREATE INDEX idx_alarms_cluster_name ON alarms (cluster_name);
CREATE INDEX idx_alarms_ended_at ON alarms (ended_at);
CREATE TABLE tellings (channel_id integer NOT NULL, alarm_id integer NOT NULL, since datetime NOT NULL, at datetime NOT NULL, again_at datetime,
			PRIMARY KEY (channel_id, alarm_id));
CREATE INDEX idx_tellings_alarm_id ON tellings (alarm_id);
CREATE INDEX idx_tellings_again_at ON tellings (again_at);
CREATE TABLE deliveries (id integer PRIMARY KEY AUTOINCREMENT, ref text NOT NULL, channel_id integer NOT NULL, channel_name text NOT NULL, condition text NOT NULL,
			phase text NOT NULL, cluster_name text NOT NULL, snapshot_name text NOT NULL, title text NOT NULL, text text NOT NULL, next text NOT NULL,
			since datetime NOT NULL, state text NOT NULL, attempts integer NOT NULL, due_at datetime NOT NULL, answer text NOT NULL, created_at datetime NOT NULL,
			ended_at datetime);
CREATE UNIQUE INDEX idx_deliveries_ref ON deliveries (ref);
CREATE INDEX idx_deliveries_state ON deliveries (state, due_at);
CREATE INDEX idx_deliveries_channel ON deliveries (channel_id, created_at, id);
CREATE INDEX idx_deliveries_cluster_name ON deliveries (cluster_name, created_at, id);
CREATE INDEX idx_deliveries_created_at ON deliveries (created_at, id);
CREATE TABLE storage_samples (hour integer PRIMARY KEY, snapshots integer NOT NULL, stored integer NOT NULL, billable integer NOT NULL);
CREATE TABLE past_snapshots (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, cluster_name text NOT NULL, cluster_id integer NOT NULL, source text NOT NULL,
			bytes integer NOT NULL, stored integer NOT NULL, keys integer NOT NULL, took integer NOT NULL, created_at datetime NOT NULL, removed_at datetime NOT NULL);
CREATE INDEX idx_past_snapshots_cluster_name ON past_snapshots (cluster_name, removed_at);
CREATE INDEX idx_past_snapshots_removed_at ON past_snapshots (removed_at);
CREATE INDEX idx_standings_begins ON standings (begins, opens, closes, cluster_id);
CREATE INDEX idx_standings_rank ON standings (rank DESC, newest_at, cluster_name);
CREATE INDEX idx_tallies_stored ON tallies (stored DESC, cluster_name);
CREATE TABLE drills (id integer PRIMARY KEY AUTOINCREMENT, run_id integer NOT NULL, snapshot_name text NOT NULL, snapshot_id integer NOT NULL, cluster_name text NOT NULL,
			requested_by text NOT NULL, engine text NOT NULL, engine_version text NOT NULL, host text NOT NULL, started_at datetime NOT NULL, ended_at datetime NOT NULL,
			loaded_in integer NOT NULL, expected integer NOT NULL, keys integer NOT NULL, expired integer NOT NULL, sampled integer NOT NULL, differing integer NOT NULL,
			outcome text NOT NULL, reason text NOT NULL);
CREATE UNIQUE INDEX idx_drills_run_id ON drills (run_id);
CREATE INDEX idx_drills_snapshot_id ON drills (snapshot_id);
CREATE INDEX idx_drills_cluster_name ON drills (cluster_name, ended_at);
CREATE INDEX idx_drills_ended_at ON drills (ended_at);
CREATE TABLE drill_plans (cluster_id integer PRIMARY KEY REFERENCES clusters (id), every text NOT NULL, drill_window text NOT NULL, due_at datetime NOT NULL, day integer NOT NULL DEFAULT 0);
CREATE INDEX idx_drill_plans_due_at ON drill_plans (due_at);
CREATE TABLE run_impacts (run_id integer PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, impact text NOT NULL);
CREATE INDEX idx_events_source ON events (source);
CREATE TABLE journal_plans (cluster_id integer PRIMARY KEY REFERENCES clusters (id), kept boolean NOT NULL, days integer NOT NULL, promise integer NOT NULL,
			lone boolean NOT NULL, since datetime NOT NULL, synthetic boolean NOT NULL DEFAULT false);
CREATE TABLE journal_links (cluster_id integer NOT NULL REFERENCES clusters (id), shard integer NOT NULL, owner text NOT NULL, node text NOT NULL,
			role text NOT NULL, state text NOT NULL, reason text NOT NULL, run text NOT NULL, replication_id text NOT NULL, stored_offset integer NOT NULL,
			resume_offset integer NOT NULL, resume_db integer NOT NULL,
			stored_at datetime, since datetime NOT NULL, needs_base boolean NOT NULL, base_asked_at datetime, PRIMARY KEY (cluster_id, shard));
CREATE TABLE journal_segments (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL, shard integer NOT NULL, run text NOT NULL, replication_id text NOT NULL,
			from_offset integer NOT NULL, to_offset integer NOT NULL, begun_at datetime NOT NULL, ended_at datetime NOT NULL, size integer NOT NULL, writes integer NOT NULL,
			key text NOT NULL, damage text NOT NULL, verified_at datetime);
CREATE UNIQUE INDEX idx_journal_segments_key ON journal_segments (key);
CREATE INDEX idx_journal_segments_place ON journal_segments (cluster_id, shard, run, to_offset);
CREATE INDEX idx_journal_segments_history ON journal_segments (cluster_id, shard, replication_id, to_offset);
CREATE INDEX idx_journal_segments_verified_at ON journal_segments (damage, verified_at);
CREATE INDEX idx_journal_segments_ended_at ON journal_segments (cluster_id, ended_at);
CREATE TABLE journal_stretches (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL, shard integer NOT NULL, run text NOT NULL, from_offset integer NOT NULL,
			to_offset integer NOT NULL, begun_at datetime NOT NULL, ended_at datetime NOT NULL, gap text NOT NULL);
CREATE INDEX idx_journal_stretches_place ON journal_stretches (cluster_id, shard, run, to_offset);
CREATE TABLE journal_events (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL, shard integer NOT NULL, run text NOT NULL, at datetime NOT NULL,
			before_offset integer NOT NULL, after_offset integer NOT NULL, command text NOT NULL, db integer NOT NULL, keys integer NOT NULL);
CREATE INDEX idx_journal_events_at ON journal_events (cluster_id, at);
CREATE INDEX idx_parts_history ON parts (replication_id, replication_offset);
CREATE TABLE finds (run_id integer PRIMARY KEY, sought blob, matches integer NOT NULL, kept integer NOT NULL, created_at datetime NOT NULL);
CREATE INDEX idx_finds_created_at ON finds (created_at);
CREATE TABLE find_snapshots (run_id integer NOT NULL, place integer NOT NULL, snapshot_id integer NOT NULL, snapshot_name text NOT NULL, taken_at datetime NOT NULL,
			keys integer NOT NULL, parts integer NOT NULL, excluded integer NOT NULL, searched integer NOT NULL, matches integer NOT NULL, state text NOT NULL,
			reason text NOT NULL, PRIMARY KEY (run_id, place));
CREATE TABLE found_keys (id integer PRIMARY KEY AUTOINCREMENT, run_id integer NOT NULL, place integer NOT NULL, part integer NOT NULL, database integer NOT NULL, name blob,
			length integer NOT NULL, type text NOT NULL, encoding text NOT NULL, bytes integer NOT NULL, expires_at datetime, digest text NOT NULL);
CREATE INDEX idx_found_keys_run_id ON found_keys (run_id, place, id);
CREATE TABLE bring_backs (run_id integer PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, choice text NOT NULL, outcome text NOT NULL);
CREATE TABLE find_streams (run_id integer PRIMARY KEY, changes integer NOT NULL, kept integer NOT NULL, holes integer NOT NULL, done boolean NOT NULL);
CREATE TABLE found_changes (id integer PRIMARY KEY AUTOINCREMENT, run_id integer NOT NULL, at datetime NOT NULL, shard integer NOT NULL, run text NOT NULL, before_offset integer NOT NULL,
			after_offset integer NOT NULL, database integer NOT NULL, command text NOT NULL, kind text NOT NULL, word integer NOT NULL, bytes integer NOT NULL,
			name blob, length integer NOT NULL, other blob, other_database integer NOT NULL, expires_at datetime);
CREATE INDEX idx_found_changes_run_id ON found_changes (run_id, at, after_offset, id);
CREATE TABLE find_holes (id integer PRIMARY KEY AUTOINCREMENT, run_id integer NOT NULL, shard integer NOT NULL, begun_at datetime, ended_at datetime, reason text NOT NULL);
CREATE INDEX idx_find_holes_run_id ON find_holes (run_id, id);
CREATE TABLE journal_comparisons (id integer PRIMARY KEY AUTOINCREMENT, cluster_id integer NOT NULL, snapshot_id integer NOT NULL, snapshot_name text NOT NULL, base text NOT NULL,
			verdict text NOT NULL, reason text NOT NULL, compared_at datetime NOT NULL, seen_at datetime);
CREATE INDEX idx_journal_comparisons_cluster_id ON journal_comparisons (cluster_id, id);
CREATE INDEX idx_journal_comparisons_snapshot_id ON journal_comparisons (snapshot_id, id);
CREATE TABLE journal_tallies (cluster_id integer NOT NULL, at integer NOT NULL, writes integer NOT NULL, bytes integer NOT NULL, size integer NOT NULL,
			events integer NOT NULL, PRIMARY KEY (cluster_id, at));
INSERT INTO migrations (id) VALUES ('0001-tables');
INSERT INTO migrations (id) VALUES ('0002-verify');
INSERT INTO migrations (id) VALUES ('0003-origin');
INSERT INTO migrations (id) VALUES ('0004-api');
INSERT INTO migrations (id) VALUES ('0005-losses');
INSERT INTO migrations (id) VALUES ('0006-zone');
INSERT INTO migrations (id) VALUES ('0009-nodes');
INSERT INTO migrations (id) VALUES ('0010-files');
INSERT INTO migrations (id) VALUES ('0011-words');
INSERT INTO migrations (id) VALUES ('0013-attempts');
INSERT INTO migrations (id) VALUES ('0014-scale');
INSERT INTO migrations (id) VALUES ('0015-owners');
INSERT INTO migrations (id) VALUES ('0016-newest');
INSERT INTO migrations (id) VALUES ('0017-attached');
INSERT INTO migrations (id) VALUES ('0018-standings');
INSERT INTO migrations (id) VALUES ('0019-cluster-mode');
INSERT INTO migrations (id) VALUES ('0020-marks');
INSERT INTO migrations (id) VALUES ('0021-declared');
INSERT INTO migrations (id) VALUES ('0022-kinds');
INSERT INTO migrations (id) VALUES ('0023-encryption');
INSERT INTO migrations (id) VALUES ('0024-passwords');
INSERT INTO migrations (id) VALUES ('0025-access');
INSERT INTO migrations (id) VALUES ('0026-migration');
INSERT INTO migrations (id) VALUES ('0027-logical');
INSERT INTO migrations (id) VALUES ('0028-tuning');
INSERT INTO migrations (id) VALUES ('0029-lifetimes');
INSERT INTO migrations (id) VALUES ('0030-announced');
INSERT INTO migrations (id) VALUES ('0031-steps');
INSERT INTO migrations (id) VALUES ('0032-missed');
INSERT INTO migrations (id) VALUES ('0033-notices');
INSERT INTO migrations (id) VALUES ('0034-history');
INSERT INTO migrations (id) VALUES ('0035-drills');
INSERT INTO migrations (id) VALUES ('0036-impacts');
INSERT INTO migrations (id) VALUES ('0037-sources');
INSERT INTO migrations (id) VALUES ('0038-journal');
INSERT INTO migrations (id) VALUES ('0039-finds');
INSERT INTO migrations (id) VALUES ('0040-bring-backs');
INSERT INTO migrations (id) VALUES ('0041-find-changes');
INSERT INTO migrations (id) VALUES ('0042-synthetic');
INSERT INTO migrations (id) VALUES ('0043-journal-tallies');
INSERT INTO clusters (id, name, description, kind, engine, engine_version, node_type, shards, replicas, port, port_chosen, password, retention_limit, snapshot_window, window_chosen, schedule_since, status, status_reason, restored_from, created_at, updated_at, grouped, attributes, parameter_group, parameters_wanted, parameters_applied, emptied_at, unsaved_from, loss_cause, databases, home, cluster_mode, declared, transit_encryption, ca, old_password, former_password, password_pending, password_changed_at, user_group, former_user, users_wanted, users_applied, migration_source, migration_address, migration_copied, migration_since) VALUES (1, 'orders', 'all orders', 'launched', 'redis', '7.0.15', 'cache.t4g.micro', 1, 1, 7000, 0, 'a-password-of-16-letters', 3, '12:00-13:00', 1, '2026-01-06 12:10:00+00:00', 'available', '', '', '2026-01-05 10:00:00+00:00', '2026-01-06 13:00:00+00:00', 1, '{"maintenance_window":"sun:14:00-sun:15:00","subnet_group":"default","network_type":"ipv4","ip_discovery":"ipv4"}', 'default.redis7', 0, 0, NULL, '', '', 0, 'catalog', 0, '', 0, '', '', '', 0, NULL, '', '', 1, 0, '', '', 0, NULL);
INSERT INTO clusters (id, name, description, kind, engine, engine_version, node_type, shards, replicas, port, port_chosen, password, retention_limit, snapshot_window, window_chosen, schedule_since, status, status_reason, restored_from, created_at, updated_at, grouped, attributes, parameter_group, parameters_wanted, parameters_applied, emptied_at, unsaved_from, loss_cause, databases, home, cluster_mode, declared, transit_encryption, ca, old_password, former_password, password_pending, password_changed_at, user_group, former_user, users_wanted, users_applied, migration_source, migration_address, migration_copied, migration_since) VALUES (3, 'waiting', '', 'launched', 'redis', '7.0.15', 'cache.t4g.micro', 1, 0, 7002, 0, '', 0, '00:30-01:30', 0, '2026-01-06 13:00:00+00:00', 'creating', '', '', '2026-01-06 13:00:00+00:00', '2026-01-06 13:00:00+00:00', 1, '{"maintenance_window":"sun:02:30-sun:03:30","subnet_group":"default","network_type":"ipv4","ip_discovery":"ipv4"}', 'default.redis7', 0, 0, NULL, '', '', 0, 'catalog', 0, '', 0, '', '', '', 0, NULL, '', '', 1, 0, '', '', 0, NULL);
INSERT INTO nodes (id, cluster_id, name, shard, role, host, port, created_at, state, used_memory, max_memory, keys, lag_bytes, seen_at, zone, halted, slots, ident, announced) VALUES (1, 1, 'orders-001', 1, 'primary', '127.0.0.1', 7000, '2026-01-05 10:00:00+00:00', 'available', 0, 536870912, 0, 0, '2026-01-05 10:00:00+00:00', '', 0, '', '', '');
INSERT INTO nodes (id, cluster_id, name, shard, role, host, port, created_at, state, used_memory, max_memory, keys, lag_bytes, seen_at, zone, halted, slots, ident, announced) VALUES (2, 1, 'orders-002', 1, 'replica', '127.0.0.1', 7001, '2026-01-05 10:00:00+00:00', 'planned', 0, 536870912, 0, 0, NULL, '', 0, '', '', '');
INSERT INTO nodes (id, cluster_id, name, shard, role, host, port, created_at, state, used_memory, max_memory, keys, lag_bytes, seen_at, zone, halted, slots, ident, announced) VALUES (4, 3, 'waiting-001', 1, 'primary', '127.0.0.1', 7002, '2026-01-06 13:00:00+00:00', 'planned', 0, 536870912, 0, 0, NULL, '', 0, '', '', '');
INSERT INTO snapshots (id, name, cluster_name, cluster_id, source, status, status_reason, description, engine, engine_version, node_type, shards, replicas, port, retention_limit, snapshot_window, auth_enabled, rdb_version, bytes, stored, keys, used_memory, served_by, served_role, warning, created_at, started_at, completed_at, verified_at, verify_tried_at, damage, origin, grouped, attributes, parameter_group, node, node_created_at, attempt, manifest_sha256, cluster_mode, transit_encryption, logical) VALUES (1, 'by-hand', 'orders', 1, 'manual', 'available', '', 'all orders', 'redis', '7.0.15', 'cache.t4g.micro', 1, 1, 7000, 3, '12:00-13:00', 1, 10, 1000, 300, 7, 2000, 'n-002', 'replica', '', '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', NULL, '', '', 1, '{"maintenance_window":"sun:14:00-sun:15:00","subnet_group":"default","network_type":"ipv4","ip_discovery":"ipv4"}', 'default.redis7', 'orders-002', '2026-01-05 10:00:00+00:00', '', '', 0, 0, 0);
INSERT INTO snapshots (id, name, cluster_name, cluster_id, source, status, status_reason, description, engine, engine_version, node_type, shards, replicas, port, retention_limit, snapshot_window, auth_enabled, rdb_version, bytes, stored, keys, used_memory, served_by, served_role, warning, created_at, started_at, completed_at, verified_at, verify_tried_at, damage, origin, grouped, attributes, parameter_group, node, node_created_at, attempt, manifest_sha256, cluster_mode, transit_encryption, logical) VALUES (2, 'automatic.orders-2026-01-05-12-10', 'orders', 1, 'automatic', 'available', '', 'all orders', 'redis', '7.0.15', 'cache.t4g.micro', 1, 1, 7000, 3, '12:00-13:00', 1, 10, 1000, 300, 7, 2000, 'n-002', 'replica', '', '2026-01-05 12:10:00+00:00', '2026-01-05 12:10:00+00:00', '2026-01-05 12:10:00+00:00', '2026-01-05 12:10:00+00:00', NULL, '', '', 1, '{"maintenance_window":"sun:14:00-sun:15:00","subnet_group":"default","network_type":"ipv4","ip_discovery":"ipv4"}', 'default.redis7', '', NULL, '', '', 0, 0, 0);
INSERT INTO snapshots (id, name, cluster_name, cluster_id, source, status, status_reason, description, engine, engine_version, node_type, shards, replicas, port, retention_limit, snapshot_window, auth_enabled, rdb_version, bytes, stored, keys, used_memory, served_by, served_role, warning, created_at, started_at, completed_at, verified_at, verify_tried_at, damage, origin, grouped, attributes, parameter_group, node, node_created_at, attempt, manifest_sha256, cluster_mode, transit_encryption, logical) VALUES (3, 'automatic.orders-2026-01-06-12-10', 'orders', 1, 'automatic', 'available', '', 'all orders', 'redis', '7.0.15', 'cache.t4g.micro', 1, 1, 7000, 3, '12:00-13:00', 1, 10, 1000, 300, 7, 2000, 'n-002', 'replica', '', '2026-01-06 12:10:00+00:00', '2026-01-06 12:10:00+00:00', '2026-01-06 12:10:00+00:00', '2026-01-06 12:10:00+00:00', NULL, '', '', 1, '{"maintenance_window":"sun:14:00-sun:15:00","subnet_group":"default","network_type":"ipv4","ip_discovery":"ipv4"}', 'default.redis7', '', NULL, '', '', 0, 0, 0);
INSERT INTO snapshots (id, name, cluster_name, cluster_id, source, status, status_reason, description, engine, engine_version, node_type, shards, replicas, port, retention_limit, snapshot_window, auth_enabled, rdb_version, bytes, stored, keys, used_memory, served_by, served_role, warning, created_at, started_at, completed_at, verified_at, verify_tried_at, damage, origin, grouped, attributes, parameter_group, node, node_created_at, attempt, manifest_sha256, cluster_mode, transit_encryption, logical) VALUES (4, 'failed', 'orders', 1, 'manual', 'failed', 'Its source went away.', 'all orders', 'redis', '7.0.15', 'cache.t4g.micro', 1, 1, 7000, 3, '12:00-13:00', 1, 0, 0, 0, 0, 0, '', '', '', '2026-01-06 13:00:00+00:00', NULL, NULL, NULL, NULL, '', '', 1, '{"maintenance_window":"sun:14:00-sun:15:00","subnet_group":"default","network_type":"ipv4","ip_discovery":"ipv4"}', 'default.redis7', 'orders-002', '2026-01-05 10:00:00+00:00', '', '', 0, 0, 0);
INSERT INTO parts (id, snapshot_id, number, object, slots, bytes, stored, keys, expires, digest, stored_sha256, crc64, served_by, served_role, replication_id, replication_offset, started_at, completed_at, databases, kinds, lifetimes) VALUES (1, 1, 1, 'part-0001.rdb.zst', '0-16383', 1000, 300, 7, 0, '', '', '', '', '', '', 0, '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', 0, '', '');
INSERT INTO parts (id, snapshot_id, number, object, slots, bytes, stored, keys, expires, digest, stored_sha256, crc64, served_by, served_role, replication_id, replication_offset, started_at, completed_at, databases, kinds, lifetimes) VALUES (2, 2, 1, 'part-0001.rdb.zst', '0-16383', 1000, 300, 7, 0, '', '', '', '', '', '', 0, '2026-01-05 12:10:00+00:00', '2026-01-05 12:10:00+00:00', 0, '', '');
INSERT INTO parts (id, snapshot_id, number, object, slots, bytes, stored, keys, expires, digest, stored_sha256, crc64, served_by, served_role, replication_id, replication_offset, started_at, completed_at, databases, kinds, lifetimes) VALUES (3, 3, 1, 'part-0001.rdb.zst', '0-16383', 1000, 300, 7, 0, '', '', '', '', '', '', 0, '2026-01-06 12:10:00+00:00', '2026-01-06 12:10:00+00:00', 0, '', '');
INSERT INTO runs (id, kind, status, cluster_name, cluster_id, snapshot_name, requested_by, options, owner, attempts, cancel_requested, stage, bytes_done, bytes_total, keys_done, keys_total, error, created_at, started_at, ended_at, given_up, home, step, steps, step_since, step_from) VALUES (1, 'create', 'succeeded', 'orders', 1, '', 'admin', '{}', 'console', 1, 0, '', 0, 0, 0, 0, '', '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', '', 'catalog', 0, 0, NULL, 0);
INSERT INTO runs (id, kind, status, cluster_name, cluster_id, snapshot_name, requested_by, options, owner, attempts, cancel_requested, stage, bytes_done, bytes_total, keys_done, keys_total, error, created_at, started_at, ended_at, given_up, home, step, steps, step_since, step_from) VALUES (2, 'snapshot', 'succeeded', 'orders', 1, 'by-hand', 'admin', '{}', 'console', 1, 0, '', 0, 0, 0, 0, '', '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', '', 'catalog', 0, 0, NULL, 0);
INSERT INTO runs (id, kind, status, cluster_name, cluster_id, snapshot_name, requested_by, options, owner, attempts, cancel_requested, stage, bytes_done, bytes_total, keys_done, keys_total, error, created_at, started_at, ended_at, given_up, home, step, steps, step_since, step_from) VALUES (3, 'snapshot', 'succeeded', 'orders', 1, 'automatic.orders-2026-01-05-12-10', 'schedule', '{"window_opens":"2026-01-05T12:00:00Z","window_closes":"2026-01-05T13:00:00Z"}', 'console', 1, 0, '', 0, 0, 0, 0, '', '2026-01-05 12:10:00+00:00', '2026-01-05 12:10:00+00:00', '2026-01-05 12:10:00+00:00', '', 'catalog', 0, 0, NULL, 0);
INSERT INTO runs (id, kind, status, cluster_name, cluster_id, snapshot_name, requested_by, options, owner, attempts, cancel_requested, stage, bytes_done, bytes_total, keys_done, keys_total, error, created_at, started_at, ended_at, given_up, home, step, steps, step_since, step_from) VALUES (4, 'snapshot', 'succeeded', 'orders', 1, 'automatic.orders-2026-01-06-12-10', 'schedule', '{"window_opens":"2026-01-06T12:00:00Z","window_closes":"2026-01-06T13:00:00Z"}', 'console', 1, 0, '', 0, 0, 0, 0, '', '2026-01-06 12:10:00+00:00', '2026-01-06 12:10:00+00:00', '2026-01-06 12:10:00+00:00', '', 'catalog', 0, 0, NULL, 0);
INSERT INTO runs (id, kind, status, cluster_name, cluster_id, snapshot_name, requested_by, options, owner, attempts, cancel_requested, stage, bytes_done, bytes_total, keys_done, keys_total, error, created_at, started_at, ended_at, given_up, home, step, steps, step_since, step_from) VALUES (5, 'snapshot', 'failed', 'orders', 1, 'failed', 'admin', '{}', 'console', 1, 0, '', 0, 0, 0, 0, 'Its source went away.', '2026-01-06 13:00:00+00:00', '2026-01-06 13:00:00+00:00', '2026-01-06 13:00:00+00:00', '', 'catalog', 0, 0, NULL, 0);
INSERT INTO runs (id, kind, status, cluster_name, cluster_id, snapshot_name, requested_by, options, owner, attempts, cancel_requested, stage, bytes_done, bytes_total, keys_done, keys_total, error, created_at, started_at, ended_at, given_up, home, step, steps, step_since, step_from) VALUES (6, 'create', 'succeeded', 'gone', 2, '', 'admin', '{}', 'console', 1, 0, '', 0, 0, 0, 0, '', '2026-01-06 13:00:00+00:00', '2026-01-06 13:00:00+00:00', '2026-01-06 13:00:00+00:00', '', 'catalog', 0, 0, NULL, 0);
INSERT INTO runs (id, kind, status, cluster_name, cluster_id, snapshot_name, requested_by, options, owner, attempts, cancel_requested, stage, bytes_done, bytes_total, keys_done, keys_total, error, created_at, started_at, ended_at, given_up, home, step, steps, step_since, step_from) VALUES (7, 'delete', 'succeeded', 'gone', 2, '', 'admin', '{}', 'console', 1, 0, '', 0, 0, 0, 0, '', '2026-01-06 13:00:00+00:00', '2026-01-06 13:00:00+00:00', '2026-01-06 13:00:00+00:00', '', 'catalog', 0, 0, NULL, 0);
INSERT INTO runs (id, kind, status, cluster_name, cluster_id, snapshot_name, requested_by, options, owner, attempts, cancel_requested, stage, bytes_done, bytes_total, keys_done, keys_total, error, created_at, started_at, ended_at, given_up, home, step, steps, step_since, step_from) VALUES (8, 'create', 'queued', 'waiting', 3, '', 'admin', '{}', '', 0, 0, '', 0, 0, 0, 0, '', '2026-01-06 13:00:00+00:00', NULL, NULL, '', 'catalog', 0, 0, NULL, 0);
INSERT INTO window_marks (id, cluster_id, opens, outcome, attempts, tried) VALUES (1, 1, '2026-01-05 12:00:00+00:00', 'queued', 1, '2026-01-05 12:10:00+00:00');
INSERT INTO window_marks (id, cluster_id, opens, outcome, attempts, tried) VALUES (2, 1, '2026-01-06 12:00:00+00:00', 'queued', 1, '2026-01-06 12:10:00+00:00');
INSERT INTO locks (name, owner, at) VALUES ('orders', 'console', '2026-01-06 13:00:00+00:00');
INSERT INTO events (id, at, severity, cluster_name, snapshot_name, message, source_type, kind, source) VALUES (1, '2026-01-05 10:00:00+00:00', 'info', 'orders', '', 'It is there.', 'replication-group', '', '');
INSERT INTO events (id, at, severity, cluster_name, snapshot_name, message, source_type, kind, source) VALUES (2, '2026-01-05 10:00:00+00:00', 'info', 'orders', 'by-hand', 'The manual snapshot by-hand of orders is available.', 'replication-group', 'snapshot-succeeded', '');
INSERT INTO events (id, at, severity, cluster_name, snapshot_name, message, source_type, kind, source) VALUES (3, '2026-01-05 12:10:00+00:00', 'info', 'orders', 'automatic.orders-2026-01-05-12-10', 'The automatic snapshot automatic.orders-2026-01-05-12-10 of orders is available.', 'replication-group', 'snapshot-succeeded', '');
INSERT INTO events (id, at, severity, cluster_name, snapshot_name, message, source_type, kind, source) VALUES (4, '2026-01-06 12:10:00+00:00', 'info', 'orders', 'automatic.orders-2026-01-06-12-10', 'The automatic snapshot automatic.orders-2026-01-06-12-10 of orders is available.', 'replication-group', 'snapshot-succeeded', '');
INSERT INTO events (id, at, severity, cluster_name, snapshot_name, message, source_type, kind, source) VALUES (5, '2026-01-06 13:00:00+00:00', 'error', 'orders', 'failed', 'The snapshot failed of orders failed. Its source went away.', 'replication-group', 'snapshot-failed', '');
INSERT INTO events (id, at, severity, cluster_name, snapshot_name, message, source_type, kind, source) VALUES (6, '2026-01-06 13:00:00+00:00', 'info', 'gone', '', 'It is there.', 'replication-group', '', '');
INSERT INTO events (id, at, severity, cluster_name, snapshot_name, message, source_type, kind, source) VALUES (7, '2026-01-06 13:00:00+00:00', 'info', 'gone', '', 'The cluster gone was deleted.', 'replication-group', '', '');
INSERT INTO events (id, at, severity, cluster_name, snapshot_name, message, source_type, kind, source) VALUES (8, '2026-01-06 13:00:00+00:00', 'info', '', '', 'The access key RKIA3APRHVGNUNPH7TJV was created by admin; it may operate.', '', '', '');
INSERT INTO settings (name, value) VALUES ('currency', 'EUR');
INSERT INTO settings (name, value) VALUES ('manual_quota', '50');
INSERT INTO settings (name, value) VALUES ('price', '0.02');
INSERT INTO settings (name, value) VALUES ('signed in:admin', '{"this host":"2026-01-05T10:00:00Z"}');
INSERT INTO users (id, name, password_hash, role, created_at) VALUES (1, 'admin', '$argon2id$v=19$m=64,t=2,p=1$QUSIto8LMET7H9E4evWkTA$7bMF8K5+V6C6Dg2wL5Bt2/I5G25oWGGjhO47uizOiCY', 'administer', '2026-01-05 10:00:00+00:00');
INSERT INTO sessions (id, token_hash, user_id, user_agent, address, created_at, last_seen_at, expires_at) VALUES (1, 'f9d71a7b69373bf0ef8ba9ee3fcebbd79ece75f635611e8e35d33b636f95092d', 1, 'test', '::1', '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00', '2026-01-12 10:00:00+00:00');
INSERT INTO sign_in_failures (id, name, address, at) VALUES (2, 'admin', 'this host', '2026-01-05 10:00:00+00:00');
INSERT INTO access_keys (id, key_id, secret, role, description, created_by, created_at, used_at) VALUES (1, 'RKIA3APRHVGNUNPH7TJV', '27M7RG4DTPYPHIG2KE2ZZDGIKRAM7MULSZ27LCBN', 'operate', 'a script', 'admin', '2026-01-06 13:00:00+00:00', NULL);
INSERT INTO invocations (id, number, at) VALUES (1, '0123', '2026-01-06 13:00:00+00:00');
INSERT INTO signatures (id, signature, invocation, attempt, at) VALUES (1, 'abc', '0123', '1', '2026-01-06 13:00:00+00:00');
INSERT INTO tags (id, resource, key, value) VALUES (1, 'replicationgroup:orders', 'team', 'shop');
INSERT INTO tags (id, resource, key, value) VALUES (2, 'replicationgroup:orders', 'once', 'yes');
INSERT INTO subnet_groups (id, name, description, subnets, created_at) VALUES (1, 'default', 'Default subnet group', 'subnet-default', '2026-11-29 15:20:29');
INSERT INTO subnet_groups (id, name, description, subnets, created_at) VALUES (2, 'private', 'one subnet', 'subnet-1', '2026-01-06 13:00:00+00:00');
INSERT INTO parameter_groups (id, name, family, description, created_at) VALUES (1, 'tuned', 'redis7', 'no eviction', '2026-01-06 13:00:00+00:00');
INSERT INTO parameter_values (id, group_id, name, value) VALUES (1, 1, 'maxmemory-policy', 'noeviction');
INSERT INTO tallies (cluster_name, snapshots, stored, newest_id, newest_at, newest_stored) VALUES ('orders', 3, 900, 3, '2026-01-06 12:10:00+00:00', 300);
INSERT INTO owners (id, home, host, beat, lease, since, seen) VALUES ('console', 'catalog', '', 0, 60000000000, '2026-01-05 10:00:00+00:00', '2026-01-05 10:00:00+00:00');
INSERT INTO standings (cluster_id, cluster_name, rank, newest_at, newest_stored, late_at, due_at, outlive_at, judged_at, opens, closes, begins) VALUES (1, 'orders', -1, '2026-01-06 12:10:00+00:00', 300, '2026-01-07 13:00:00+00:00', '2026-01-07 12:05:00+00:00', '2026-01-08 12:10:00+00:00', '2026-01-06 12:20:00+00:00', 720, 780, 725);
INSERT INTO standings (cluster_id, cluster_name, rank, newest_at, newest_stored, late_at, due_at, outlive_at, judged_at, opens, closes, begins) VALUES (3, 'waiting', -1, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO standing_sums (rank, restorable, clusters, stored) VALUES (-1, 0, 1, 0);
INSERT INTO standing_sums (rank, restorable, clusters, stored) VALUES (-1, 1, 1, 300);
INSERT INTO standing_sums (rank, restorable, clusters, stored) VALUES (2, 1, 0, 0);
INSERT INTO tally_sums (bucket, snapshots, stored) VALUES (0, 3, 900);
INSERT INTO record_marks (id, cluster_name) VALUES (12, 'orders');
INSERT INTO record_marks (id, cluster_name) VALUES (18, 'gone');
INSERT INTO record_marks (id, cluster_name) VALUES (20, 'waiting');
INSERT INTO alarms (id, condition, subject, cluster_name, snapshot_name, message, next, since, ended_at) VALUES (1, 'snapshot-failed', 'orders', 'orders', 'failed', 'The snapshot failed of orders failed. Its source went away.', 'The next snapshot is taken at 2026-01-07 12:05 UTC.', '2026-01-06 13:00:00+00:00', NULL);
CREATE TRIGGER snapshots_counted AFTER INSERT ON snapshots WHEN NEW.status IN ('available', 'restoring', 'copying') BEGIN
			INSERT INTO tallies (cluster_name, snapshots, stored) VALUES (NEW.cluster_name, 1, NEW.stored)
				ON CONFLICT (cluster_name) DO UPDATE SET snapshots = snapshots + 1, stored = stored + NEW.stored;
			UPDATE tallies SET newest_id = n.id, newest_at = n.created_at, newest_stored = n.stored FROM (SELECT id, created_at, stored FROM snapshots
				WHERE cluster_name = NEW.cluster_name AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1) AS n WHERE tallies.cluster_name = NEW.cluster_name;
		END;
CREATE TRIGGER snapshots_discounted AFTER DELETE ON snapshots WHEN OLD.status IN ('available', 'restoring', 'copying') BEGIN
			UPDATE tallies SET snapshots = snapshots - 1, stored = stored - OLD.stored WHERE cluster_name = OLD.cluster_name;
			DELETE FROM tallies WHERE cluster_name = OLD.cluster_name AND snapshots = 0;
			UPDATE tallies SET newest_id = n.id, newest_at = n.created_at, newest_stored = n.stored FROM (SELECT id, created_at, stored FROM snapshots
				WHERE cluster_name = OLD.cluster_name AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1) AS n WHERE tallies.cluster_name = OLD.cluster_name;
		END;
CREATE TRIGGER snapshots_recounted AFTER UPDATE OF cluster_name, status, stored, created_at ON snapshots
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
		END;
CREATE TRIGGER tallies_summed AFTER INSERT ON tallies BEGIN
			UPDATE tally_sums SET snapshots = snapshots + NEW.snapshots, stored = stored + NEW.stored;
		END;
CREATE TRIGGER tallies_resummed AFTER UPDATE OF snapshots, stored ON tallies BEGIN
			UPDATE tally_sums SET snapshots = snapshots + NEW.snapshots - OLD.snapshots, stored = stored + NEW.stored - OLD.stored;
		END;
CREATE TRIGGER tallies_unsummed AFTER DELETE ON tallies BEGIN
			UPDATE tally_sums SET snapshots = snapshots - OLD.snapshots, stored = stored - OLD.stored;
		END;
CREATE TRIGGER standings_summed AFTER INSERT ON standings BEGIN
			INSERT INTO standing_sums (rank, restorable, clusters, stored) VALUES (NEW.rank, NEW.newest_at IS NOT NULL, 1, NEW.newest_stored)
				ON CONFLICT (rank, restorable) DO UPDATE SET clusters = clusters + 1, stored = stored + NEW.newest_stored;
		END;
CREATE TRIGGER standings_unsummed AFTER DELETE ON standings BEGIN
			UPDATE standing_sums SET clusters = clusters - 1, stored = stored - OLD.newest_stored WHERE rank = OLD.rank AND restorable = (OLD.newest_at IS NOT NULL);
		END;
CREATE TRIGGER standings_resummed AFTER UPDATE OF rank, newest_at, newest_stored ON standings
			WHEN OLD.rank <> NEW.rank OR (OLD.newest_at IS NULL) <> (NEW.newest_at IS NULL) OR OLD.newest_stored <> NEW.newest_stored BEGIN
			UPDATE standing_sums SET clusters = clusters - 1, stored = stored - OLD.newest_stored WHERE rank = OLD.rank AND restorable = (OLD.newest_at IS NOT NULL);
			INSERT INTO standing_sums (rank, restorable, clusters, stored) VALUES (NEW.rank, NEW.newest_at IS NOT NULL, 1, NEW.newest_stored)
				ON CONFLICT (rank, restorable) DO UPDATE SET clusters = clusters + 1, stored = stored + NEW.newest_stored;
		END;
CREATE TRIGGER clusters_joined AFTER INSERT ON clusters BEGIN
			INSERT INTO standings (cluster_id, cluster_name, rank, newest_at, newest_stored)
				VALUES (NEW.id, NEW.name, -1, (SELECT newest_at FROM tallies WHERE cluster_name = NEW.name), 0);
		END;
CREATE TRIGGER clusters_left AFTER DELETE ON clusters BEGIN
			DELETE FROM standings WHERE cluster_id = OLD.id;
		END;
CREATE TRIGGER clusters_changed AFTER UPDATE OF name, engine, node_type, status, status_reason, retention_limit, snapshot_window, schedule_since, created_at ON clusters BEGIN
			UPDATE standings SET rank = -1, cluster_name = NEW.name WHERE cluster_id = NEW.id AND (rank <> -1 OR cluster_name <> NEW.name);
		END;
CREATE TRIGGER tallies_changed AFTER UPDATE ON tallies BEGIN
			UPDATE standings SET rank = -1, newest_at = NEW.newest_at WHERE cluster_name = NEW.cluster_name AND (rank <> -1 OR newest_at IS NOT NEW.newest_at);
		END;
CREATE TRIGGER tallies_left AFTER DELETE ON tallies BEGIN
			UPDATE standings SET rank = -1, newest_at = NULL WHERE cluster_name = OLD.cluster_name;
		END;
CREATE TRIGGER snapshots_begun AFTER INSERT ON snapshots BEGIN UPDATE standings SET rank = -1 WHERE cluster_id = NEW.cluster_id AND rank <> -1; END;
CREATE TRIGGER snapshots_moved AFTER UPDATE OF cluster_id, source, status, damage, retention_limit, created_at ON snapshots BEGIN UPDATE standings SET rank = -1 WHERE cluster_id IN (OLD.cluster_id, NEW.cluster_id) AND rank <> -1; END;
CREATE TRIGGER runs_begun AFTER INSERT ON runs WHEN NEW.kind = 'snapshot' AND NEW.requested_by = 'schedule' BEGIN UPDATE standings SET rank = -1 WHERE cluster_name = NEW.cluster_name AND rank <> -1; END;
CREATE TRIGGER runs_moved AFTER UPDATE OF status ON runs WHEN NEW.kind = 'snapshot' AND NEW.requested_by = 'schedule' BEGIN UPDATE standings SET rank = -1 WHERE cluster_name = NEW.cluster_name AND rank <> -1; END;
CREATE TRIGGER runs_gone AFTER DELETE ON runs WHEN OLD.kind = 'snapshot' AND OLD.requested_by = 'schedule' BEGIN UPDATE standings SET rank = -1 WHERE cluster_name = OLD.cluster_name AND rank <> -1; END;
CREATE TRIGGER windows_marked AFTER INSERT ON window_marks BEGIN UPDATE standings SET rank = -1 WHERE cluster_id = NEW.cluster_id AND rank <> -1; END;
CREATE TRIGGER windows_remarked AFTER UPDATE ON window_marks BEGIN UPDATE standings SET rank = -1 WHERE cluster_id = NEW.cluster_id AND rank <> -1; END;
CREATE TRIGGER windows_unmarked AFTER DELETE ON window_marks BEGIN UPDATE standings SET rank = -1 WHERE cluster_id = OLD.cluster_id AND rank <> -1; END;
CREATE TRIGGER losses_added AFTER INSERT ON losses BEGIN UPDATE standings SET rank = -1 WHERE cluster_id = NEW.cluster_id AND rank <> -1; END;
CREATE TRIGGER losses_gone AFTER DELETE ON losses BEGIN UPDATE standings SET rank = -1 WHERE cluster_id = OLD.cluster_id AND rank <> -1; END;
CREATE TRIGGER records_begun AFTER INSERT ON clusters BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT NEW.name); INSERT INTO record_marks (cluster_name) SELECT NEW.name; END;
CREATE TRIGGER records_left AFTER DELETE ON clusters BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT OLD.name); INSERT INTO record_marks (cluster_name) SELECT OLD.name; END;
CREATE TRIGGER records_renamed AFTER UPDATE OF name ON clusters BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT OLD.name); INSERT INTO record_marks (cluster_name) SELECT OLD.name; END;
CREATE TRIGGER records_moved AFTER UPDATE OF name, description, kind, engine, engine_version, node_type, cluster_mode, shards, replicas, port, port_chosen, password, retention_limit, snapshot_window, window_chosen, status,
		created_at, grouped, attributes, parameter_group ON clusters BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT NEW.name); INSERT INTO record_marks (cluster_name) SELECT NEW.name; END;
CREATE TRIGGER records_joined AFTER INSERT ON nodes BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = NEW.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = NEW.cluster_id; END;
CREATE TRIGGER records_parted AFTER DELETE ON nodes BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = OLD.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = OLD.cluster_id; END;
CREATE TRIGGER records_attached AFTER INSERT ON attachments BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = NEW.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = NEW.cluster_id; END;
CREATE TRIGGER records_detached AFTER DELETE ON attachments BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = OLD.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = OLD.cluster_id; END;
CREATE TRIGGER records_reached AFTER UPDATE OF cluster_id, addresses, mapped, username, psync, primary_name, sentinel_username, sentinel_password, tls, ca, certificate, private_key, server_name, unverified, by_key ON attachments BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = NEW.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = NEW.cluster_id; END;
CREATE TRIGGER records_tuned AFTER UPDATE OF tuned ON attachments BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = NEW.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = NEW.cluster_id; END;
CREATE TRIGGER records_planned AFTER INSERT ON drill_plans BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = NEW.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = NEW.cluster_id; END;
CREATE TRIGGER records_replanned AFTER UPDATE OF every, drill_window, day ON drill_plans BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = NEW.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = NEW.cluster_id; END;
CREATE TRIGGER records_unplanned AFTER DELETE ON drill_plans BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = OLD.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = OLD.cluster_id; END;
CREATE TRIGGER records_journaled AFTER INSERT ON journal_plans BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = NEW.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = NEW.cluster_id; END;
CREATE TRIGGER records_unjournaled AFTER DELETE ON journal_plans BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = OLD.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = OLD.cluster_id; END;
CREATE TRIGGER records_rejournaled AFTER UPDATE OF kept, days, promise, lone, synthetic ON journal_plans BEGIN DELETE FROM record_marks WHERE cluster_name = (SELECT name FROM clusters WHERE id = NEW.cluster_id); INSERT INTO record_marks (cluster_name) SELECT name FROM clusters WHERE id = NEW.cluster_id; END;
COMMIT;
