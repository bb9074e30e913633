package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jonboulle/clockwork"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"rekindle/internal/secret"
)

// postgresDatabase is a catalog in a database of a PostgreSQL server.
type postgresDatabase struct{ place Place }

// There is one writer at a time, as in SQLite: each transaction begins by taking one lock for the whole catalog. So whatever a transaction reads
// before it writes is safe, and nothing can deadlock. The catalog's transactions are short.
const catalogLock = 0x72656b69 // "reki"

// What each connection is told. A console that is frozen in the middle of a transaction must not stop the others for long. And with a stricter
// isolation level, a snapshot of the data from before the lock would be older than the last writer.
var postgresParameters = map[string]string{
	"default_transaction_isolation":       "read committed",
	"idle_in_transaction_session_timeout": "5000", // ms
	"lock_timeout":                        "15000",
	"timezone":                            "UTC",
}

const (
	postgresConnections = 16
	postgresPatience    = 10 * time.Second // for a connection, and for a server to acknowledge what was sent
)

//go:embed postgres.sql
var postgresTables string

// postgresMigrations is append-only, like [sqliteMigrations]. It begins with everything those had done when support for PostgreSQL was added.
var postgresMigrations = []migration{
	{"0015-owners", execute(postgresTables)},
	{"0016-newest", execute(
		`ALTER TABLE tallies ADD COLUMN newest_id bigint NOT NULL DEFAULT 0, ADD COLUMN newest_at timestamptz, ADD COLUMN newest_stored bigint NOT NULL DEFAULT 0`,
		`CREATE FUNCTION note_newest(whose text) RETURNS void LANGUAGE sql AS $$
			UPDATE tallies SET newest_id = n.id, newest_at = n.created_at, newest_stored = n.stored FROM (SELECT id, created_at, stored FROM snapshots
				WHERE cluster_name = whose AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1) AS n WHERE tallies.cluster_name = whose
		$$`,
		`CREATE OR REPLACE FUNCTION count_snapshot() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP <> 'INSERT' AND OLD.status IN ('available', 'restoring', 'copying') THEN
				UPDATE tallies SET snapshots = snapshots - 1, stored = stored - OLD.stored WHERE cluster_name = OLD.cluster_name;
			END IF;
			IF TG_OP <> 'DELETE' AND NEW.status IN ('available', 'restoring', 'copying') THEN
				INSERT INTO tallies (cluster_name, snapshots, stored) VALUES (NEW.cluster_name, 1, NEW.stored)
					ON CONFLICT (cluster_name) DO UPDATE SET snapshots = tallies.snapshots + 1, stored = tallies.stored + EXCLUDED.stored;
			END IF;
			IF TG_OP <> 'INSERT' THEN
				DELETE FROM tallies WHERE cluster_name = OLD.cluster_name AND snapshots = 0;
				PERFORM note_newest(OLD.cluster_name);
			END IF;
			IF TG_OP <> 'DELETE' THEN
				PERFORM note_newest(NEW.cluster_name);
			END IF;
			RETURN NULL;
		END $$`,
		`DROP TRIGGER snapshots_counted ON snapshots`,
		`CREATE TRIGGER snapshots_counted AFTER INSERT OR DELETE OR UPDATE OF cluster_name, status, stored, created_at ON snapshots
			FOR EACH ROW EXECUTE FUNCTION count_snapshot()`,
		`UPDATE tallies SET (newest_id, newest_at, newest_stored) = (SELECT id, created_at, stored FROM snapshots WHERE snapshots.cluster_name = tallies.cluster_name
			AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC, id DESC LIMIT 1)`,
	)},
	{"0017-attached", execute(
		`ALTER TABLE nodes ADD COLUMN slots text NOT NULL DEFAULT '', ADD COLUMN ident text NOT NULL DEFAULT ''`,
		`CREATE TABLE attachments (cluster_id bigint PRIMARY KEY REFERENCES clusters (id), addresses text NOT NULL, mapped text NOT NULL, username text NOT NULL, psync text NOT NULL,
			primary_name text NOT NULL, sentinel_username text NOT NULL, sentinel_password text NOT NULL,
			tls boolean NOT NULL, ca text NOT NULL, certificate text NOT NULL, private_key text NOT NULL, server_name text NOT NULL, unverified boolean NOT NULL,
			topology text NOT NULL, since timestamptz)`,
	)},
	{"0018-standings", execute(
		`CREATE TABLE standings (cluster_id bigint PRIMARY KEY, cluster_name text COLLATE "C" NOT NULL, rank bigint NOT NULL, newest_at timestamptz,
			newest_stored bigint NOT NULL, late_at timestamptz, due_at timestamptz, outlive_at timestamptz, judged_at timestamptz)`,
		`CREATE TABLE standing_sums (rank bigint NOT NULL, restorable boolean NOT NULL, clusters bigint NOT NULL, stored bigint NOT NULL, PRIMARY KEY (rank, restorable))`,
		// In buckets, because each change of a row leaves a dead one behind, and a transaction that writes many snapshots would have to skip all of
		// those.
		`CREATE TABLE tally_sums (bucket bigint PRIMARY KEY, snapshots bigint NOT NULL, stored bigint NOT NULL)`,
		`INSERT INTO standings (cluster_id, cluster_name, rank, newest_at, newest_stored) SELECT id, name, -1, newest_at, 0 FROM clusters LEFT JOIN tallies ON cluster_name = name`,
		`INSERT INTO standing_sums (rank, restorable, clusters, stored) SELECT -1, newest_at IS NOT NULL, COUNT(*), 0 FROM standings GROUP BY 2`,
		`INSERT INTO tally_sums (bucket, snapshots, stored) SELECT n, 0, 0 FROM generate_series(0, 63) AS n`,
		`UPDATE tally_sums SET snapshots = t.snapshots, stored = t.stored FROM (SELECT hashtext(cluster_name) & 63 AS bucket, SUM(snapshots) AS snapshots, SUM(stored) AS stored
			FROM tallies GROUP BY 1) AS t WHERE t.bucket = tally_sums.bucket`,
		`CREATE INDEX idx_standings_rank ON standings (rank DESC, cluster_name)`,
		`CREATE INDEX idx_standings_cluster_name ON standings (cluster_name)`,
		`CREATE INDEX idx_standings_newest_at ON standings (newest_at NULLS FIRST, cluster_id)`,
		`CREATE INDEX idx_standings_late_at ON standings (late_at)`,
		`CREATE INDEX idx_standings_due_at ON standings (due_at)`,
		`CREATE INDEX idx_standings_outlive_at ON standings (outlive_at)`,
		`CREATE INDEX idx_standings_judged_at ON standings (judged_at)`,

		`CREATE FUNCTION sum_tally() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP <> 'INSERT' THEN
				UPDATE tally_sums SET snapshots = snapshots - OLD.snapshots, stored = stored - OLD.stored WHERE bucket = hashtext(OLD.cluster_name) & 63;
			END IF;
			IF TG_OP <> 'DELETE' THEN
				UPDATE tally_sums SET snapshots = snapshots + NEW.snapshots, stored = stored + NEW.stored WHERE bucket = hashtext(NEW.cluster_name) & 63;
			END IF;
			RETURN NULL;
		END $$`,
		`CREATE TRIGGER tallies_summed AFTER INSERT OR DELETE ON tallies FOR EACH ROW EXECUTE FUNCTION sum_tally()`,
		`CREATE TRIGGER tallies_resummed AFTER UPDATE ON tallies FOR EACH ROW
			WHEN ((OLD.snapshots, OLD.stored) IS DISTINCT FROM (NEW.snapshots, NEW.stored)) EXECUTE FUNCTION sum_tally()`,

		`CREATE FUNCTION sum_standing() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP <> 'INSERT' THEN
				UPDATE standing_sums SET clusters = clusters - 1, stored = stored - OLD.newest_stored WHERE rank = OLD.rank AND restorable = (OLD.newest_at IS NOT NULL);
			END IF;
			IF TG_OP <> 'DELETE' THEN
				INSERT INTO standing_sums (rank, restorable, clusters, stored) VALUES (NEW.rank, NEW.newest_at IS NOT NULL, 1, NEW.newest_stored)
					ON CONFLICT (rank, restorable) DO UPDATE SET clusters = standing_sums.clusters + 1, stored = standing_sums.stored + EXCLUDED.stored;
			END IF;
			RETURN NULL;
		END $$`,
		`CREATE TRIGGER standings_summed AFTER INSERT OR DELETE ON standings FOR EACH ROW EXECUTE FUNCTION sum_standing()`,
		`CREATE TRIGGER standings_resummed AFTER UPDATE ON standings FOR EACH ROW
			WHEN ((OLD.rank, OLD.newest_at IS NULL, OLD.newest_stored) IS DISTINCT FROM (NEW.rank, NEW.newest_at IS NULL, NEW.newest_stored)) EXECUTE FUNCTION sum_standing()`,

		`CREATE FUNCTION note_cluster() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP = 'INSERT' THEN
				INSERT INTO standings (cluster_id, cluster_name, rank, newest_at, newest_stored)
					VALUES (NEW.id, NEW.name, -1, (SELECT newest_at FROM tallies WHERE cluster_name = NEW.name), 0);
			ELSIF TG_OP = 'DELETE' THEN
				DELETE FROM standings WHERE cluster_id = OLD.id;
			ELSE
				UPDATE standings SET rank = -1, cluster_name = NEW.name WHERE cluster_id = NEW.id AND (rank <> -1 OR cluster_name <> NEW.name);
			END IF;
			RETURN NULL;
		END $$`,
		`CREATE TRIGGER clusters_changed AFTER INSERT OR DELETE OR UPDATE OF name, engine, node_type, status, status_reason, retention_limit, snapshot_window, schedule_since, created_at
			ON clusters FOR EACH ROW EXECUTE FUNCTION note_cluster()`,
		`CREATE FUNCTION note_tally() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP = 'DELETE' THEN
				UPDATE standings SET rank = -1, newest_at = NULL WHERE cluster_name = OLD.cluster_name;
			ELSE
				UPDATE standings SET rank = -1, newest_at = NEW.newest_at WHERE cluster_name = NEW.cluster_name AND (rank <> -1 OR newest_at IS DISTINCT FROM NEW.newest_at);
			END IF;
			RETURN NULL;
		END $$`,
		`CREATE TRIGGER tallies_changed AFTER DELETE OR UPDATE ON tallies FOR EACH ROW EXECUTE FUNCTION note_tally()`,
		`CREATE FUNCTION unjudge_id() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP <> 'INSERT' THEN
				UPDATE standings SET rank = -1 WHERE cluster_id = OLD.cluster_id AND rank <> -1;
			END IF;
			IF TG_OP <> 'DELETE' THEN
				UPDATE standings SET rank = -1 WHERE cluster_id = NEW.cluster_id AND rank <> -1;
			END IF;
			RETURN NULL;
		END $$`,
		`CREATE TRIGGER snapshots_moved AFTER INSERT OR UPDATE OF cluster_id, source, status, damage, retention_limit, created_at ON snapshots FOR EACH ROW EXECUTE FUNCTION unjudge_id()`,
		`CREATE TRIGGER windows_marked AFTER INSERT OR DELETE OR UPDATE ON window_marks FOR EACH ROW EXECUTE FUNCTION unjudge_id()`,
		`CREATE TRIGGER losses_added AFTER INSERT OR DELETE ON losses FOR EACH ROW EXECUTE FUNCTION unjudge_id()`,
		`CREATE FUNCTION unjudge_run() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP = 'DELETE' THEN
				UPDATE standings SET rank = -1 WHERE cluster_name = OLD.cluster_name AND rank <> -1 AND OLD.kind = 'snapshot' AND OLD.requested_by = 'schedule';
			ELSE
				UPDATE standings SET rank = -1 WHERE cluster_name = NEW.cluster_name AND rank <> -1 AND NEW.kind = 'snapshot' AND NEW.requested_by = 'schedule';
			END IF;
			RETURN NULL;
		END $$`,
		`CREATE TRIGGER runs_moved AFTER INSERT OR DELETE OR UPDATE OF status ON runs FOR EACH ROW EXECUTE FUNCTION unjudge_run()`,
	)},
	{"0019-cluster-mode", execute(append([]string{
		`ALTER TABLE clusters ADD COLUMN cluster_mode boolean NOT NULL DEFAULT false`,
		`ALTER TABLE snapshots ADD COLUMN cluster_mode boolean NOT NULL DEFAULT false`,
	}, clusterMode...)...)},
	{"0020-marks", execute(
		`CREATE TABLE record_marks (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, cluster_name text COLLATE "C" NOT NULL)`,
		`CREATE UNIQUE INDEX idx_record_marks_cluster_name ON record_marks (cluster_name)`,
		`INSERT INTO record_marks (cluster_name) SELECT name FROM clusters`,
		`CREATE FUNCTION mark_record(cluster text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			DELETE FROM record_marks WHERE cluster_name = cluster;
			INSERT INTO record_marks (cluster_name) SELECT cluster WHERE cluster IS NOT NULL;
		END $$`,
		`CREATE FUNCTION mark_cluster() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP <> 'INSERT' THEN
				PERFORM mark_record(OLD.name);
			END IF;
			IF TG_OP = 'INSERT' THEN
				PERFORM mark_record(NEW.name);
			ELSIF TG_OP = 'UPDATE' THEN
				IF NEW.name <> OLD.name THEN
					PERFORM mark_record(NEW.name);
				END IF;
			END IF;
			RETURN NULL;
		END $$`,
		`CREATE FUNCTION mark_cluster_of() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP = 'DELETE' THEN
				PERFORM mark_record((SELECT name FROM clusters WHERE id = OLD.cluster_id));
			ELSE
				PERFORM mark_record((SELECT name FROM clusters WHERE id = NEW.cluster_id));
			END IF;
			RETURN NULL;
		END $$`,
		`CREATE TRIGGER records_moved AFTER INSERT OR DELETE OR UPDATE OF `+recordedColumns+` ON clusters FOR EACH ROW EXECUTE FUNCTION mark_cluster()`,
		`CREATE TRIGGER records_joined AFTER INSERT OR DELETE ON nodes FOR EACH ROW EXECUTE FUNCTION mark_cluster_of()`,
		`CREATE TRIGGER records_attached AFTER INSERT OR DELETE OR UPDATE OF `+recordedAccess+` ON attachments FOR EACH ROW EXECUTE FUNCTION mark_cluster_of()`,
	)},
	{"0021-declared", execute(`ALTER TABLE clusters ADD COLUMN declared text NOT NULL DEFAULT ''`)},
	{"0022-kinds", execute(`ALTER TABLE parts ADD COLUMN kinds text NOT NULL DEFAULT ''`)},
	{"0023-encryption", execute(encryption...)},
	{"0024-passwords", execute(append(passwords, `ALTER TABLE clusters ADD COLUMN password_changed_at timestamptz`)...)},
	{"0025-access", execute(access("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", `text COLLATE "C"`, "bigint", "timestamptz")...)},
	{"0026-migration", execute(append(following, `ALTER TABLE clusters ADD COLUMN migration_since timestamptz`)...)},
	{"0027-logical", execute(slices.Concat(logical, []string{
		`DROP TRIGGER records_attached ON attachments`,
		`CREATE TRIGGER records_attached AFTER INSERT OR DELETE OR UPDATE OF ` + recordedAccess + `, by_key ON attachments FOR EACH ROW EXECUTE FUNCTION mark_cluster_of()`,
	})...)},
	{"0028-tuning", execute(append(tuning("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "bigint", `text COLLATE "C"`, "timestamptz"),
		`CREATE TRIGGER records_tuned AFTER UPDATE OF tuned ON attachments FOR EACH ROW EXECUTE FUNCTION mark_cluster_of()`)...)},
	{"0029-lifetimes", execute(`ALTER TABLE parts ADD COLUMN lifetimes text NOT NULL DEFAULT ''`)},
	{"0030-announced", execute(`ALTER TABLE nodes ADD COLUMN announced text NOT NULL DEFAULT ''`)},
	// Which step a run is at, and since when, so that its pace is that of this step.
	{"0031-steps", execute(steps("bigint", "timestamptz")...)},
	{"0032-missed", execute(missed)},
	{"0033-notices", execute(notices("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", `text COLLATE "C"`, "bigint", "timestamptz")...)},
	{"0034-history", execute(history("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", `text COLLATE "C"`, "bigint", "timestamptz", "newest_at NULLS FIRST")...)},
	// Snapshots that were loaded into a node, to see whether they can be, and when that is due.
	{"0035-drills", execute(drills("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "bigint", `text COLLATE "C"`, "timestamptz")...)},
	{"0036-impacts", execute(runImpacts("bigint", `text COLLATE "C"`))},
	{"0037-sources", execute(append(sources("bigint", `text COLLATE "C"`),
		`CREATE TRIGGER records_planned AFTER INSERT OR DELETE OR UPDATE OF every, drill_window, day ON drill_plans FOR EACH ROW EXECUTE FUNCTION mark_cluster_of()`)...)},
	{"0038-journal", execute(append(journal("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "bigint", `text COLLATE "C"`, "timestamptz"),
		`CREATE TRIGGER records_journaled AFTER INSERT OR DELETE OR UPDATE OF kept, days, promise, lone ON journal_plans FOR EACH ROW EXECUTE FUNCTION mark_cluster_of()`)...)},
	// Searches for keys in snapshots, and what they found.
	{"0039-finds", execute(finds("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "bigint", `text COLLATE "C"`, "bytea", "timestamptz")...)},
	// Which keys were brought back, and what became of them.
	{"0040-bring-backs", execute(bringBacks("bigint", `text COLLATE "C"`))},
	// What searches for keys found in journals.
	{"0041-find-changes", execute(findChanges("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "bigint", `text COLLATE "C"`, "bytea", "timestamptz")...)},
	// Daily snapshots that are made from the journal, and how they compare with those of the cluster.
	{"0042-synthetic", execute(append(synthetic("bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "bigint", `text COLLATE "C"`, "timestamptz"),
		`DROP TRIGGER records_journaled ON journal_plans`,
		`CREATE TRIGGER records_journaled AFTER INSERT OR DELETE OR UPDATE OF kept, days, promise, lone, synthetic ON journal_plans FOR EACH ROW EXECUTE FUNCTION mark_cluster_of()`)...)},
	{"0043-journal-tallies", execute(journalTallies("bigint", func(at string) string { return "CAST(floor(EXTRACT(EPOCH FROM " + at + ")) AS bigint)" })...)},
}

func (d postgresDatabase) connect(clock clockwork.Clock) (*gorm.DB, error) {
	config, err := postgresConfig(d.place.URL)
	if err != nil {
		return nil, err
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, postgresPatience)
	config.DialFunc = (&net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: postgresPatience, Interval: postgresPatience / 3, Count: 3},
		Control:         limitUnacknowledged,
	}).DialContext
	for name, value := range postgresParameters {
		config.RuntimeParams[name] = value
	}
	config.RuntimeParams["application_name"] = cmp.Or(config.RuntimeParams["application_name"], "rekindle")
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
		c.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		return nil
	}), stdlib.OptionShouldPing(suspicious))
	pool.SetMaxOpenConns(postgresConnections)
	pool.SetMaxIdleConns(postgresConnections / 2)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return gorm.Open(postgres.New(postgres.Config{Conn: postgresPool{postgresConn{pool}, pool}}), gormConfig(clock))
}

// suspicious tells whether a connection from the pool must be asked whether it still works before it is used again. By default pgx only asks those
// that were idle for a second; after a server restart, each of the others would fail one query.
func suspicious(_ context.Context, c stdlib.ShouldPingParams) bool {
	return c.IdleDuration > time.Second || spoken(c.Conn.PgConn().Conn())
}

var errPostgresURL = errors.New("must look like postgres://user:password@host:5432/database?sslmode=verify-full, with a password whose special characters are written " +
	"with percent signs; files for sslrootcert, sslcert and sslkey must be there")

func postgresConfig(url secret.Text) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url.Reveal())
	if err != nil {
		return nil, errPostgresURL // the driver's error may contain the URL
	}
	return config, nil
}

func (postgresDatabase) migrations() []migration { return postgresMigrations }

// check also fails on a standby, which answers but takes no writes.
func (postgresDatabase) check(db *gorm.DB) error {
	var setting []string
	if err := db.Raw("SHOW transaction_read_only").Scan(&setting).Error; err != nil {
		return err
	} else if slices.Contains(setting, "on") {
		return ErrCatalogReadOnly
	}
	return nil
}

func (postgresDatabase) using(table, _ string) string { return table }

func (postgresDatabase) lastID(db *gorm.DB, table string) (last int64, err error) {
	err = db.Raw("SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence(?, 'id')::regclass), 0)", table).Scan(&last).Error
	return last, err
}

func (postgresDatabase) setLastID(db *gorm.DB, table string, id int64) error {
	var set int64
	return db.Raw("SELECT setval(pg_get_serial_sequence(?, 'id'), ?)", table, id).Scan(&set).Error
}

func (postgresDatabase) like() string { return "ILIKE" }

// keep makes no copy: tables are changed in one transaction, and a server has its own backups.
func (postgresDatabase) keep(context.Context, *gorm.DB, string, time.Time) error { return nil }

// postgresConn gives the driver the same plain values that SQLite's driver gets, instead of what pgx makes of a type. PostgreSQL refuses text that is
// not UTF-8 or contains a zero byte, such as somebody's search.
type postgresConn struct{ gorm.ConnPool }

func (c postgresConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	plain, err := plainValues(args)
	if err != nil {
		return nil, err
	}
	result, err := c.ConnPool.ExecContext(ctx, query, plain...)
	return result, away(ctx, err)
}

func (c postgresConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	plain, err := plainValues(args)
	if err != nil {
		return nil, err
	}
	rows, err := c.ConnPool.QueryContext(ctx, query, plain...)
	return rows, away(ctx, err)
}

func (c postgresConn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if plain, err := plainValues(args); err == nil { // otherwise the driver says what is wrong with it
		args = plain
	}
	return c.ConnPool.QueryRowContext(ctx, query, args...)
}

func plainValues(args []any) ([]any, error) {
	plain := make([]any, len(args))
	for i, arg := range args {
		if mode, ok := arg.(pgx.QueryExecMode); ok { // GORM uses this to say how a query is to be sent
			plain[i] = mode
			continue
		}
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return nil, fmt.Errorf("value %d of a query: %w", i+1, err)
		}
		if text, ok := value.(string); ok {
			value = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		}
		plain[i] = value
	}
	return plain, nil
}

// postgresPool takes the catalog's lock at the beginning of each transaction. GORM wraps every write in one.
type postgresPool struct {
	postgresConn
	pool *sql.DB
}

func (p postgresPool) GetDBConn() (*sql.DB, error) { return p.pool, nil }

func (p postgresPool) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := p.pool.BeginTx(ctx, options)
	if err != nil {
		return nil, away(ctx, err)
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", catalogLock); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for whoever writes to the catalog: %w", away(ctx, err)), tx.Rollback())
	}
	return &postgresTx{postgresConn{tx}, ctx, tx}, nil
}

type postgresTx struct {
	postgresConn
	ctx context.Context // of the transaction
	tx  *sql.Tx
}

func (t *postgresTx) Commit() error   { return away(t.ctx, t.tx.Commit()) }
func (t *postgresTx) Rollback() error { return t.tx.Rollback() }
