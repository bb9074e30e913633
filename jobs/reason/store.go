package reason

import (
	"errors"
	"fmt"

	"rekindle/internal/store"
)

// SnapshotStore is what people call the console's own store. Others are called by their addresses.
const SnapshotStore = "The snapshot store"

// storeFailures says for each failure of a store what it means and what to do; %s is the store, or a file in it. The first that matches is used,
// so the particular ones come first: some wrap store.ErrDenied or store.ErrUnavailable, and store.ErrCut wraps what cut it.
var storeFailures = []struct {
	is   error
	text string
}{
	{store.ErrFull, "%s is full. Free some space there or delete snapshots, then try again."},
	{store.ErrUnsafe, "%s did not keep what it was given as it was told to (size, checksum, encryption or storage class), so it was not trusted with it. The log says what differs."},
	{store.ErrLocked, "%s protects this by Object Lock. It can be removed when its retention or its legal hold has ended."},
	{store.ErrNoBucket, "%s is in a bucket that does not exist. Create the bucket, or correct its name."},
	{store.ErrRegion, "%s is in a bucket of another region. Correct region= in its address; the log says which one it is."},
	{store.ErrCredentials, "%s does not accept the console's credentials. Check the access key, the profile or the role, and the clock."},
	{store.ErrDenied, "%s refuses to be read or written. Check the permissions of its folder, or the policy of its bucket."},
	{store.ErrUploadGone, "%s no longer knew the upload: a rule of the bucket, or another console with the same prefix, ended it. Try again."},
	{store.ErrTransit, "%s sent something else than it says it has: the network or a proxy changed it on the way. Try again."},
	{store.ErrCut, "%s was cut off again and again. Look at the network and the proxies on the way, then try again."},
	{store.ErrBusy, "%s has too much to do: it answers, but asks for fewer requests. Look at what else uses it, then try again."},
	{store.ErrSlow, "%s stood still: for too long it neither took nor gave a byte. It is overloaded, or the network holds it back. Look at both, then try again."},
	{store.ErrUnavailable, "%s does not answer. Check that it runs, its address, and that the network lets the console through, then try again."},
}

// Store says what a failure of this store means, or that err is none. That an object is missing, or there already, is no failure of the store:
// what it means depends on whose object it is.
func Store(name string, err error) (text string, failed bool) {
	for _, failure := range storeFailures {
		if errors.Is(err, failure.is) {
			return fmt.Sprintf(failure.text, name), true
		}
	}
	return "", false
}
