package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/store/s3"
	"rekindle/models"
)

// dirScheme is how the address of a folder begins.
const dirScheme = "dir:"

// checkStore says what is wrong with the address of a store, without touching it.
func checkStore(address string) error {
	if path, ok := strings.CutPrefix(address, dirScheme); ok {
		if path == "" {
			return errors.New("must look like dir:/path: the folder is missing")
		}
		return nil
	}
	if strings.HasPrefix(address, s3.Scheme) {
		if _, err := s3.ParseURL(address); err != nil {
			return fmt.Errorf("is not usable: %w", err)
		}
		return nil
	}
	kind, _, _ := strings.Cut(address, ":") // what stands behind it may hold a secret
	return fmt.Errorf("must look like dir:/path or s3://bucket/prefix, not %q", kind)
}

// openStore opens the store of an address. It is not asked whether it can be used: its Check tells.
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

// bucketOf is the URL of a bucket that is reached in the way of the snapshot store: at the same endpoint and in the same region. Beside a
// folder as the store it is reached at Amazon, in the given region.
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
