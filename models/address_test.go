package models

import (
	"strings"
	"testing"
)

func TestStoreAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", " s3://bucket ": "s3://bucket", "s3://bucket/a/b?region=eu-west-1": "s3://bucket/a/b?region=eu-west-1", "dir:/a/../b/": "dir:/b",
	} {
		if got, problem := CheckOtherStore(text); problem != "" || got != want {
			t.Errorf("%q: %q, %s", text, got, problem)
		}
	}
	for _, text := range []string{"bucket", "s3:bucket", "s3://", "https://bucket/x", "dir:", "dir:x", "s3://k:s@bucket", "s3://KEY:sec/ret@bucket/x", "s3://b/\x00", "file:///etc", strings.Repeat("x", 2000)} {
		if got, problem := CheckOtherStore(text); problem == "" {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
	for text, want := range map[string][2]string{
		"s3://b/x.rdb": {"s3://b", "x.rdb"}, "s3://b/a/b/x.rdb?region=r": {"s3://b/a/b?region=r", "x.rdb"}, "arn:aws:s3:::b/a/x.rdb": {"s3://b/a", "x.rdb"},
		"s3://b/b%41.rdb": {"s3://b", "b%41.rdb"}, "s3://b/100%/100%.rdb?region=r": {"s3://b/100%?region=r", "100%.rdb"},
		"s3://b/a b/ä+c#d.rdb": {"s3://b/a b", "ä+c#d.rdb"}, "s3://b/who?/what?.rdb?region=r": {"s3://b/who??region=r", "what?.rdb"},
		"arn:aws:s3:::b/who?/x.rdb": {"s3://b/who??", "x.rdb"}, "s3://b/me@home.rdb": {"s3://b", "me@home.rdb"}, "dir:/a%41 b/100%.rdb": {"dir:/a%41 b", "100%.rdb"},
		"dir:/x.rdb": {"dir:/", "x.rdb"}, "dir:/a/x.rdb": {"dir:/a", "x.rdb"},
	} {
		object, problem := checkObject(text)
		store, key, ok := SplitObject(object)
		if problem != "" || !ok || store != want[0] || key != want[1] {
			t.Errorf("%q: %q %q %t %s", text, store, key, ok, problem)
		}
	}
	for _, text := range []string{"s3://b", "s3://b/", "s3://b/a/", "x.rdb", "dir:x.rdb", "s3://b/.hidden", "s3://b/a//x.rdb", "s3://b/.a/x.rdb", "s3://b/../x.rdb", `s3://b/a\x.rdb`, "arn:aws:s3:::b", "https://b/x.rdb"} {
		if got, problem := checkObject(text); problem == "" {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
}

// FuzzObjectAddress: whatever key is taken comes out again as it was, from an address and from an ARN.
func FuzzObjectAddress(f *testing.F) {
	for _, key := range []string{"x.rdb", "a/b%41.rdb", "100%.rdb", "a b/ä+c#d?.rdb", "?region=r", "a?/b?c=d"} {
		f.Add(key, "region=eu-west-1&endpoint=http%3A%2F%2F127.0.0.1")
	}
	f.Fuzz(func(t *testing.T, key, options string) {
		if strings.ContainsAny(options, "?/") || strings.TrimSpace(options) != options || strings.TrimSpace(key) != key {
			return
		}
		for _, text := range []string{S3Address{"bucket", key, options}.String(), "arn:aws:s3:::bucket/" + key} {
			object, problem := checkObject(text)
			if problem != "" {
				continue
			}
			store, name, ok := SplitObject(object)
			at, isS3 := ParseS3Address(store)
			if !ok || !isS3 || at.Bucket != "bucket" || strings.TrimPrefix(at.Key+"/"+name, "/") != key {
				t.Errorf("%q became %q in %q", key, name, store)
			}
		}
	})
}
