package vault

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"rekindle/internal/store"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// opener opens other stores.
type opener struct{ kit }

// object opens the store that contains an object.
func (o *opener) object(ctx context.Context, url string) (store.Store, string, func(), error) {
	location, key, ok := models.SplitObject(url)
	if !ok {
		return nil, "", nil, reason.Because(nil, "%s does not name a file.", url)
	}
	if folder, isDir := strings.CutPrefix(location, "dir:"); isDir {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() { // opening it for writing would create it
			return nil, "", nil, reason.Because(err, "There is no folder %s, or the console is not allowed to look into it.", folder)
		}
	}
	st, release, err := o.other(ctx, location)
	return st, key, release, err
}

// objectSize is the length of an object.
func (o *opener) objectSize(ctx context.Context, url string) (int64, error) {
	st, key, release, err := o.object(ctx, url)
	if err != nil {
		return 0, err
	}
	defer release()
	object, err := st.Stat(ctx, key)
	if err != nil {
		return 0, objectReason(url, err)
	}
	return object.Size, nil
}

// incoming opens an object that is to be imported.
func (o *opener) incoming(ctx context.Context, url string) (incoming, error) {
	st, key, release, err := o.object(ctx, url)
	if err != nil {
		return incoming{}, err
	}
	body, err := st.Open(ctx, key)
	if err != nil {
		release()
		return incoming{}, objectReason(url, err)
	}
	return incoming{name: url, body: &released{body, release}}, nil
}

func objectReason(url string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket): // an ErrNoBucket is an ErrNotExist too
		return reason.Because(err, "There is no file %s.", url)
	case errors.Is(err, store.ErrKey):
		return reason.Because(err, "%s cannot be read from here: between slashes, no part of a name may be empty, begin with a dot, contain a backslash or be longer than 255 bytes. Give the file another name.", url)
	case errors.Is(err, store.ErrDenied) && !errors.Is(err, store.ErrCredentials): // an ErrCredentials is an ErrDenied too
		return reason.Because(err, "The console is not allowed to read the file %s. Its bucket must allow s3:GetObject and s3:ListBucket; a folder must be readable.", url)
	}
	if text, failed := reason.Store(url, err); failed {
		return reason.Because(err, "%s", text)
	}
	return reason.Because(err, "The file %s could not be read. The log says more.", url)
}

type released struct {
	io.ReadCloser
	release func()
}

func (r *released) Close() error {
	err := r.ReadCloser.Close()
	r.release()
	return err
}
