package jobs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"syscall"

	"rekindle/internal/archive"
	"rekindle/internal/drain"
	"rekindle/internal/journal"
	"rekindle/internal/launch"
	"rekindle/internal/logical"
	"rekindle/internal/primary"
	"rekindle/internal/rdb"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/store"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/jobs/vault"
	"rekindle/models"
	"rekindle/models/catalog"
)

// because returns an error with a text for people; the cause goes to the log.
func because(cause error, format string, args ...any) error {
	return reason.Because(cause, format, args...)
}

// sentenced is an error and what people are told about it.
type sentenced struct {
	is   error
	text string
}

// verdicts are what Rekindle has decided itself. They take precedence over what a store or a node did to cause them.
var verdicts = []sentenced{
	{drain.ErrStopping, "Rekindle was stopped in the middle of it."},
	{vault.ErrNameTaken, "The store already has a snapshot of this name that the catalog does not know. It was not touched. Choose another name, or rebuild the catalog under Settings."},
	{archive.ErrExists, "Another console has stored a snapshot of this name in the same store meanwhile. That one was not touched, and this one was discarded. Choose another name."},
	{errUploadCut, "The upload was cut off. Nothing of it was kept."},
	{queue.ErrTooOften, "It was begun several times, and each time Rekindle ended in the middle of it. Look into the log before you try again."},
	{archive.ErrNewer, "The snapshot was written by a newer Rekindle than this one. Upgrade to use it."},
}

// sentences are for errors of the engine and the system. The first that matches is used, so the specific ones come first.
var sentences = []sentenced{
	{archive.ErrDamaged, "What is stored does not match what was written: the snapshot is damaged and must not be used."},
	{archive.ErrMissing, "A part of the snapshot is missing in the store."},
	{store.ErrNotExist, "The snapshot is missing in the store."},
	{journal.ErrSpoolFull, "The snapshot store is away or too slow, and the room for the journal on the console's host is used up. It goes on when the store takes it."},
	{replica.ErrRenamed, "The node has given PSYNC another name, and then does not say where its stream of writes begins. The journal needs PSYNC itself."},
	{replica.ErrNoMasterLink, "The replica has lost its primary, so its data may be old. Try again when the link is up."},
	{replica.ErrLoading, "The node is still loading its data. Try again when it is available."},
	{replica.ErrRefused, "The node does not allow replication: PSYNC is renamed or forbidden."},
	{logical.ErrRefused, "The node does not let its keys be read. The user needs +scan +dump +pexpiretime +pttl +time +multi +exec +select +info, and +readonly in cluster mode, on all keys (~*)."},
	{logical.ErrUntied, "The node does not allow MULTI and EXEC, without which a key's value and its expiry may not belong together. Give the user +multi and +exec. A proxy that does not know them cannot be read from: use the addresses of the nodes themselves."},
	{logical.ErrWiped, "All keys of a database were deleted or exchanged (FLUSHALL, FLUSHDB or SWAPDB) while they were being read. The snapshot was discarded. Take it again if the present data is to be kept."},
	{logical.ErrReplaced, "The node was restarted, or changed its role or its primary, while its keys were being read. The snapshot was discarded. Take it again."},
	{logical.ErrShrunk, "More than half of a database's keys without an expiry were deleted while they were being read. The snapshot was discarded. Take it again if the present data is to be kept."},
	{logical.ErrAuth, "The node does not accept the user and password."},
	{logical.ErrLoading, "The node is still loading its data. Try again when it is available."},
	{logical.ErrStale, "The replica has lost its primary, so its data may be old. Try again when the link is up."},
	{logical.ErrMoved, "Slots were moved between the shards while the keys were being read. Take the snapshot again when none are moving."},
	{logical.ErrSpool, "The console has no place for the list of keys that were read: free some space in its folder for temporary files (TMPDIR), then try again."},
	{logical.ErrDamaged, "A value did not arrive as the node sent it. Take the snapshot again."},
	{logical.ErrVersion, "The node was upgraded, or writes its values in several versions of the format. Take the snapshot again."},
	{restore.ErrSpool, "The console has no place for a large value: free some space in its folder for temporary files (TMPDIR), then try again."},
	{restore.ErrExists, "Two shards of the snapshot have a key or functions of the same name, or an application writes to the cluster already: it is unclear which to keep."},
	{primary.ErrHash, "The stored data does not match its checksum. Nothing of it was handed over."},
	{primary.ErrNotEmpty, "The new node already holds data. Nothing was changed."},
	{launch.ErrHasData, "A new node found data of an earlier one in its folder. That was left as it is, and nothing was begun."},
	{primary.ErrVersion, "The engine is too old for this snapshot. Choose a newer one."},
	{primary.ErrTooBig, "The data does not fit into the node type. Choose a larger one."},
	{primary.ErrGone, "The new node ended, or stopped answering, while it was being filled."},
	{primary.ErrCount, "The number of keys after the restore was not that of the snapshot."},
	{restore.ErrValue, "The cluster's engine does not know how a value is stored: it is older than the one that wrote the snapshot, or lacks a module."},
	{restore.ErrMoved, "Slots were moved between the shards while the keys were being written."},
	{restore.ErrNotPrimary, "A primary became a replica while the keys were being written."},
	{restore.ErrFull, "A primary has no memory left. Raise its maxmemory, then try again."},
	{restore.ErrDatabase, "The cluster has too few databases for the snapshot."},
	{restore.ErrDenied, "The user is not allowed to write keys. It needs +restore, +select, and for functions +function|load, on all keys (~*)."},
	{restore.ErrGone, "A node closed the connection, or stopped answering, while the keys were being written."},
	{rdb.ErrUnknown, "The snapshot has something that this Rekindle does not know, so that its keys cannot be written one by one."},
	{io.ErrUnexpectedEOF, "The node stopped answering in the middle of the transfer."},
	{syscall.ENOSPC, "The disk of the console's data folder is full. Free some space, then try again."},
	{syscall.EDQUOT, "The console's user is not allowed to use more of the disk. Raise its quota or free some space, then try again."},
	{syscall.EROFS, "The disk of the console's data folder is read-only. Mount it for writing, then try again."},
	{syscall.EIO, "The disk of the console's host failed to read or write. Look into its log before you trust it with more."},
	{syscall.EMFILE, "The console has reached its limit of open files. Raise it (ulimit -n) and restart the console."},
	{syscall.ENOMEM, "The console's host has no memory left."},
	{syscall.ECONNREFUSED, "Nothing listens at the address of the node. Try again when it runs."},
	{syscall.ECONNRESET, "The node closed the connection in the middle."},
	{syscall.EPIPE, "The node closed the connection in the middle."},
	{fs.ErrPermission, "The console's user is not allowed to read or write a file that this needs. The log says which."},
	{context.DeadlineExceeded, "It took too long to answer."},
}

const unexpected = "Something unexpected went wrong. The log says more."

// sentence tells people what went wrong. It has none of a driver's text; the log has all of it.
func sentence(err error) string {
	text, _ := explain(err)
	return text
}

// explain is sentence, and also tells whether the error is a known one.
func explain(err error) (text string, known bool) {
	if text, found := reason.Text(err); found {
		return text, true
	}
	if faults, refused := models.AsFaults(err); refused {
		return faults.Error(), true
	}
	if text, found := verdict(verdicts, err); found {
		return text, true
	}
	if text, failed := reason.Store(reason.SnapshotStore, err); failed {
		return text, true
	}
	if text, found := verdict(sentences, err); found {
		return text, true
	}
	if text := catalog.Trouble(err); text != "" {
		return text, true
	}
	var reply resp.Error
	if errors.As(err, &reply) {
		if reply.PasswordRefused() {
			return "The node answers, but does not accept the console's password: somebody has changed it. " + nodes.SetPasswordBack, true
		}
		return "The node refused a command (" + reply.Code() + "). The log says more.", true
	}
	return unexpected, false
}

func verdict(table []sentenced, err error) (string, bool) {
	for _, s := range table {
		if errors.Is(err, s.is) {
			return s.text, true
		}
	}
	return "", false
}
