package models

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// Addresses of stores and of the objects in them are literal: an object's key is taken as written, with its percent signs, plus signs and spaces, and
// nothing in it is decoded. Only the options after the last question mark are encoded as in a URL; a key that contains a question mark needs another
// one after it.

// S3Address is "s3://bucket/key?options" in its parts.
type S3Address struct {
	Bucket  string
	Key     string // of an object, or the prefix of the keys in a store
	Options string // "region=eu-west-1&endpoint=..."
}

// ParseS3Address splits an address into its parts. ok is false if it is not an address in S3.
func ParseS3Address(text string) (a S3Address, ok bool) {
	rest, ok := strings.CutPrefix(text, "s3://")
	if mark := strings.LastIndexByte(rest, '?'); mark >= 0 {
		rest, a.Options = rest[:mark], rest[mark+1:]
	}
	a.Bucket, a.Key, _ = strings.Cut(rest, "/")
	return a, ok && a.Bucket != ""
}

func (a S3Address) String() string {
	text := "s3://" + a.Bucket
	if a.Key != "" {
		text += "/" + a.Key
	}
	if a.Options != "" || strings.Contains(text, "?") {
		text += "?" + a.Options
	}
	return text
}

// CheckOtherStore checks the URL of a store as far as possible without opening it, and returns it trimmed.
func CheckOtherStore(text string) (string, string) {
	text = strings.TrimSpace(text)
	const looks = "It must look like s3://bucket/prefix or dir:/folder."
	switch {
	case text == "":
		return "", ""
	case len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl):
		return text, "The address is too long or contains control characters. " + looks
	}
	if folder, ok := strings.CutPrefix(text, "dir:"); ok {
		if !path.IsAbs(folder) {
			return text, "Give the whole path of the folder, beginning with a slash: dir:/folder."
		}
		return "dir:" + path.Clean(folder), ""
	}
	a, ok := ParseS3Address(text)
	switch {
	case !ok:
		return text, looks
	case strings.Contains(a.Bucket+"/"+a.Key, "@") && strings.ContainsFunc(a.Bucket, notInBucket):
		return text, "Keep access keys out of the address: it is written into the log of runs. They come from the environment that the console runs in."
	}
	return text, ""
}

// notInBucket tells whether a character is not allowed in the name of a bucket.
func notInBucket(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
}

// checkObject checks the URL of an object and returns it trimmed, with an ARN of S3 written as a URL.
func checkObject(text string) (string, string) {
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "arn:aws:s3:::"); ok {
		bucket, key, _ := strings.Cut(rest, "/")
		text = S3Address{Bucket: bucket, Key: key}.String()
	}
	text, problem := CheckOtherStore(text)
	if problem != "" {
		return text, fmt.Sprintf("%.200q is not the address of a file. It must look like s3://bucket/folder/dump.rdb or dir:/folder/dump.rdb.", text)
	}
	if _, key, ok := SplitObject(text); !ok || strings.HasPrefix(key, ".") {
		return text, fmt.Sprintf("%.200q does not name a file. It must look like s3://bucket/folder/dump.rdb or dir:/folder/dump.rdb.", text)
	}
	if a, ok := ParseS3Address(text); ok {
		return text, checkKey(a.Key)
	}
	return text, ""
}

// checkKey refuses keys that none of Rekindle's stores can hold; to read another object instead would be worse.
func checkKey(key string) string {
	for element := range strings.SplitSeq(key, "/") {
		if element == "" || element[0] == '.' || strings.Contains(element, `\`) {
			return fmt.Sprintf("The file %.200q cannot be read from here: between slashes, no part of its name may be empty, begin with a dot or contain a backslash. "+
				"Give it another name in the bucket.", key)
		}
	}
	return ""
}

// SplitObject splits the URL of an object into the URL of its store and the object's key.
func SplitObject(text string) (store, key string, ok bool) {
	if folder, isDir := strings.CutPrefix(text, "dir:"); isDir {
		above, key := path.Split(folder)
		return "dir:" + path.Clean(above), key, key != "" && above != ""
	}
	a, ok := ParseS3Address(text)
	above, key := path.Split(a.Key)
	a.Key = strings.TrimSuffix(above, "/")
	return a.String(), key, ok && key != ""
}
