package main

import (
	"strings"
	"testing"

	"rekindle/internal/store/s3"
)

func TestStoreAddressesThatAreUnderstood(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]s3.Config{
		"s3://bucket":                        {Bucket: "bucket"},
		"s3://bucket/":                       {Bucket: "bucket"},
		"s3://bucket/some/prefix/":           {Bucket: "bucket", Prefix: "some/prefix"},
		"s3://bucket/p?region=eu-west-1":     {Bucket: "bucket", Prefix: "p", Region: "eu-west-1"},
		"s3://my.bucket?checksums=crc64nvme": {Bucket: "my.bucket"},
		"s3://bucket/p?endpoint=https://minio.example.com:9000/&path_style=true&checksums=compatible": {Bucket: "bucket", Prefix: "p",
			Endpoint: "https://minio.example.com:9000", PathStyle: true, Checksums: s3.Compatible},
		"s3://bucket?storage_class=STANDARD_IA&sse=AES256":                 {Bucket: "bucket", StorageClass: "STANDARD_IA", SSE: "AES256"},
		"s3://bucket?sse=aws:kms&kms_key_id=arn:aws:kms:eu-west-1:1:key/k": {Bucket: "bucket", SSE: "aws:kms", KMSKeyID: "arn:aws:kms:eu-west-1:1:key/k"},
	} {
		if want.Checksums == "" {
			want.Checksums = s3.CRC64NVME
		}
		got, err := s3.ParseURL(address)
		if err != nil || got != want || checkStore(address) != nil {
			t.Errorf("%s is read as %+v, %v", address, got, err)
		}
	}
	if err := checkStore("dir:/var/lib/x"); err != nil {
		t.Error(err)
	}
}

func TestStoreAddressesThatAreRefusedSayWhatToWrite(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":                 "dir:/path or s3://bucket/prefix",
		"dir:":             "dir:/path",
		"/var/lib/x":       "dir:/path or s3://bucket/prefix",
		"ftp://host":       "dir:/path or s3://bucket/prefix",
		"s3://":            "bucket is missing",
		"s3:///prefix":     "bucket is missing",
		"s3://Upper":       "not the name of a bucket",
		"s3://bucket/a//b": "cannot be used",
		"s3://bucket/../b": "cannot be used",
		"s3://bucket/" + strings.Repeat("x", 200):        "120 are allowed",
		"s3://AKIA:hunter2@bucket/p":                     "credentials do not belong",
		"s3://bucket?endpoint=https://AKIA:hunter2@host": "credentials do not belong",
		"s3://bucket?endpoint=minio:9000":                "endpoint must look like",
		"s3://bucket?region=eu west":                     "region must look like",
		"s3://bucket?path_style=perhaps":                 "true or false",
		"s3://bucket?checksums=md5":                      "crc64nvme or compatible",
		"s3://bucket?storage_class=GLACIER":              "cannot be read back at once",
		"s3://bucket?storage_class=fast":                 "must be one of S3's",
		"s3://bucket?sse=yes":                            "AES256 or aws:kms",
		"s3://bucket?kms_key_id=k":                       "needs sse=aws:kms",
		"s3://bucket?sse=AES256&kms_key_id=k":            "needs sse=aws:kms",
		"s3://bucket?regoin=x":                           `no setting "regoin"`,
		"s3://bucket?region=a&region=b":                  "give it once",
		"s3://bucket?region=%zz":                         "cannot be read",
	} {
		err := checkStore(address)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is refused with: %v", address, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the refusal repeats a secret: %v", address, err)
		}
		if _, opened := openStore(t.Context(), address); opened == nil {
			t.Errorf("%q is opened", address)
		}
	}
	if err := checkStore("s3://B?sse=yes&checksums=no"); strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not every mistake is named at once: %v", err)
	}
}

func TestBucketsAreReachedInTheWayOfTheStore(t *testing.T) {
	t.Parallel()
	for store, want := range map[string]string{
		"dir:/srv/snapshots":     "s3://exports?region=eu-north-1",
		"s3://snapshots/console": "s3://exports",
		"s3://snapshots?region=eu-west-1&storage_class=STANDARD_IA&sse=AES256":                                          "s3://exports?region=eu-west-1",
		"s3://snapshots/p?path_style=true&region=r&endpoint=http://127.0.0.1:9000&checksums=compatible&part_size=64MiB": "s3://exports?checksums=compatible&endpoint=http%3A%2F%2F127.0.0.1%3A9000&part_size=64MiB&path_style=true&region=r",
	} {
		if got := bucketOf(store, "exports", "eu-north-1"); got != want {
			t.Errorf("beside %s: %s, want %s", store, got, want)
		} else if err := checkStore(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}
