package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/store/s3"
	"rekindle/models"
)

// dirScheme begins the address of a folder.
const dirScheme = "dir:"

// checkStore says what is wrong with the address of a store, without touching it.
func checkStore(address string) error {
	if path, ok := strings.CutPrefix(address, dirScheme); ok {
		if path == "" {
			return errors.New("must look like dir:/path: the folder is missing")
		}
		if !filepath.IsAbs(path) { // otherwise the next start from another folder finds another store
			return fmt.Errorf("must name the whole path of the folder, such as dir:/srv/%s, not dir:%s", strings.TrimLeft(filepath.Clean(path), "./~"), path)
		}
		return nil
	}
	if strings.HasPrefix(address, s3.Scheme) {
		if _, err := s3.ParseURL(address); err != nil {
			return fmt.Errorf("is not usable: %w", err)
		}
		return nil
	}
	kind, _, _ := strings.Cut(address, ":") // the rest may contain a secret
	return fmt.Errorf("must look like dir:/path or s3://bucket/prefix, not %q", kind)
}

// storeExists fails if a folder with snapshots is not there, which opening it would make. A bucket is never made.
func storeExists(address string) error {
	path, ok := strings.CutPrefix(address, dirScheme)
	if !ok {
		return nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return fmt.Errorf("there is no snapshot store at %s: correct --store, or mount the disk (%w)", address, err)
	}
	return nil
}

// openStore opens the store at an address. It does not find out whether the store can be used: the store's Check does.
func openStore(ctx context.Context, address string) (store.Store, error) {
	if err := checkStore(address); err != nil {
		return nil, fmt.Errorf("the address of the snapshot store %w", err)
	}
	if path, ok := strings.CutPrefix(address, dirScheme); ok {
		return dir.Open(path)
	}
	c, err := s3.ParseURL(address)
	if err != nil {
		return nil, err
	}
	return s3.Open(ctx, c)
}

// bucketOf is the URL of a bucket that is reached in the same way as the snapshot store: at the same endpoint and in the same region. If the snapshot
// store is a folder, the bucket is reached at Amazon, in the given region.
func bucketOf(store, bucket, region string) string {
	way := url.Values{"region": {region}}
	if own, ok := models.ParseS3Address(store); ok {
		given, _ := url.ParseQuery(own.Options)
		way = url.Values{}
		for _, name := range []string{"region", "endpoint", "path_style", "checksums", "part_size"} {
			if value := given.Get(name); value != "" {
				way.Set(name, value)
			}
		}
	}
	return models.S3Address{Bucket: bucket, Options: way.Encode()}.String()
}
