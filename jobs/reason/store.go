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
	{store.ErrUnsafe, "%s did not keep the object as it was told to (size, checksum, encryption or storage class), so it was not relied on. The log says what differs."},
	{store.ErrLocked, "%s protects this by Object Lock. It can be removed when its retention or its legal hold has ended."},
	{store.ErrNoBucket, "%s is in a bucket that does not exist. Create the bucket, or correct its name."},
	{store.ErrRegion, "%s is in a bucket of another region. Correct region= in its address; the log says which one it is."},
	{store.ErrCredentials, "%s does not accept the console's credentials. Check the access key, the profile or the role, and the clock."},
	{store.ErrDenied, "%s does not let the console read or write. Check the permissions of its folder, or the policy of its bucket."},
	{store.ErrUploadGone, "%s no longer knew the upload: a rule of the bucket, or another console with the same prefix, ended it. Try again."},
	{store.ErrTransit, "%s sent something other than what it says it has: the network or a proxy changed it on the way. Try again."},
	{store.ErrCut, "%s was cut off again and again. Check the network and the proxies on the way, then try again."},
	{store.ErrBusy, "%s is too busy: it answers, but asks for fewer requests. Find out what else uses it, then try again."},
	{store.ErrSlow, "%s stalled: for too long it neither took nor sent a byte. It is overloaded, or the network holds it back. Check both, then try again."},
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
