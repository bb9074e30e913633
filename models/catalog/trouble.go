package catalog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"

	"rekindle/models"
)

// ErrCatalogAway says that the database server of the catalog does not answer.
var ErrCatalogAway = errors.New("the catalog's database server does not answer")

// ErrCatalogReadOnly says that the database server of the catalog accepts no writes.
var ErrCatalogReadOnly = errors.New("the catalog's database is read-only")

// trouble is what prevents the console from writing or reading anything: its disk or its database server.
type trouble struct {
	what   string // a sentence
	remedy string // an imperative; "": the data may be damaged, and somebody has to look
	blind  bool   // nothing can be read either
}

// Trouble says in a sentence that the catalog cannot be written, or not even read, if that is what err is about; else "".
func Trouble(err error) string {
	t, is := troubleOf(err)
	switch {
	case !is:
		return ""
	case t.remedy == "":
		return t.what + " Look at the disk and at the host's log."
	case t.blind:
		return t.what + " " + t.remedy + " and try again."
	}
	return t.what + " What is there can still be looked at, but nothing can be changed. " + t.remedy + " and try again."
}

// TroubleAtStart is Trouble for a console that failed to start, where nothing can be looked at.
func TroubleAtStart(err error) string { return troubleAlone(err, "start") }

// TroubleInCommand is Trouble for a command other than the console.
func TroubleInCommand(err error) string { return troubleAlone(err, "try") }

func troubleAlone(err error, again string) string {
	t, is := troubleOf(err)
	switch {
	case !is:
		return ""
	case t.remedy == "":
		return t.what + " Look at the disk and at the host's log."
	}
	return t.what + " " + t.remedy + " and " + again + " again."
}

func troubleOf(err error) (trouble, bool) {
	var ofSQLite sqlite3.Error
	code := sqlite3.ErrNo(0)
	if errors.As(err, &ofSQLite) {
		code = ofSQLite.Code
	}
	var ofPostgres *pgconn.PgError
	switch {
	case errors.As(err, &ofPostgres):
		return postgresTrouble(ofPostgres)
	case errors.Is(err, ErrCatalogReadOnly):
		return postgresReadOnly, true
	case errors.Is(err, ErrCatalogAway):
		return trouble{"The database server of the catalog does not answer.", "Check that it runs and can be reached from here", true}, true
	case code == sqlite3.ErrFull, errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), code == sqlite3.ErrIoErr && ofSQLite.SystemErrno == syscall.ENOSPC:
		return trouble{"The disk of the data folder is full.", "Free some space on it", false}, true
	case code == sqlite3.ErrReadonly, errors.Is(err, syscall.EROFS):
		return trouble{"The disk of the data folder is read-only.", "Make it writable", false}, true
	case code == sqlite3.ErrIoErr, code == sqlite3.ErrCantOpen, errors.Is(err, syscall.EIO):
		return trouble{what: "The disk of the data folder is failing: the catalog could not be read or written."}, true
	case errors.Is(err, models.ErrDiskSlow):
		return trouble{what: "The disk of the data folder does not answer."}, true
	}
	return trouble{}, false
}

var postgresReadOnly = trouble{"The catalog's database is read-only: its server may be a standby.", "Name the primary in --catalog, or make it writable", false}

// postgresTrouble reads the codes of appendix A of PostgreSQL's documentation.
func postgresTrouble(err *pgconn.PgError) (trouble, bool) {
	switch class := err.Code[:min(2, len(err.Code))]; {
	case err.Code == "53100": // disk_full
		return trouble{"The disk of the catalog's database server is full.", "Free some space there", false}, true
	case err.Code == "25006": // read_only_sql_transaction
		return postgresReadOnly, true
	case class == "28": // invalid authorization
		return trouble{"The database server of the catalog does not accept this console: " + postgresSays(err), "Correct user and password in --catalog, or on the server", true}, true
	case err.Code == "3D000": // invalid_catalog_name
		return trouble{"The database server has no such database: " + postgresSays(err), "Create it, or name another one in --catalog", true}, true
	case err.Code == "42501": // insufficient_privilege
		return trouble{"The database server of the catalog does not permit what this console needs: " + postgresSays(err), "Make its user the owner of the database", true}, true
	case err.Code == "55P03": // lock_not_available
		return trouble{"Somebody else has been writing to the catalog for too long.", "Find out what is writing there", false}, true
	case class == "53", class == "57", class == "08", err.Code == "25P03", err.Code == "25P04": // too many connections, shut down, connection lost, a transaction that stood still
		return trouble{"The database server of the catalog cannot work for this console now: " + postgresSays(err), "Wait a moment", true}, true
	}
	return trouble{}, false
}

// postgresSays is the server's own sentence, which contains names but no values.
func postgresSays(err *pgconn.PgError) string {
	return strings.TrimSuffix(err.Message, ".") + "."
}

// away marks errors of a connection to the database server, which look like those of any other connection.
func away(ctx context.Context, err error) error {
	lost := errors.As(err, new(net.Error)) || errors.As(err, new(*pgconn.ConnectError)) || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.EOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
	if !lost || ctx.Err() != nil || errors.As(err, new(*pgconn.PgError)) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCatalogAway, err)
}
