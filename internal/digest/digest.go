// Package digest names the bytes of a plain RDB by a hash, and says which one it is.
//
// It finds accidents: a flipped bit, a missing piece. Against somebody who makes two files with one digest, only the SHA-256 of what is stored helps.
package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/zeebo/xxh3"
)

// ErrInvalid: a text that is not a digest.
var ErrInvalid = errors.New("not a digest")

// Digest is an algorithm and its hash in lower-case hexadecimal: "xxh128:b5e9c1ad071b3e7fc779cfaa5e523818", as xxh128sum prints it, or
// "sha256:2cf24d...", which snapshots of format version 1 have.
type Digest string

// Prefixes of a Digest.
const (
	XXH128 = "xxh128"
	SHA256 = "sha256"
)

// Hash computes a Digest of what is written to it.
type Hash struct {
	hash.Hash
	algorithm string
}

// New returns a Hash by today's algorithm: XXH3 of 128 bits, which costs a reader next to nothing.
func New() Hash { return Hash{xxh3.New128(), XXH128} }

// NewSHA256 returns a Hash by SHA-256, for what must be protected against more than accidents.
func NewSHA256() Hash { return Hash{sha256.New(), SHA256} }

// Digest returns the digest of what has been written so far.
func (h Hash) Digest() Digest {
	return Digest(h.algorithm + ":" + hex.EncodeToString(h.Sum(nil)))
}

// Of returns a Digest of a hexadecimal hash, or "" if there is none.
func Of(algorithm, hexadecimal string) Digest {
	if hexadecimal == "" {
		return ""
	}
	return Digest(algorithm + ":" + hexadecimal)
}

// Hex returns the hash, if it is by this algorithm.
func (d Digest) Hex(algorithm string) string {
	hexadecimal, found := strings.CutPrefix(string(d), algorithm+":")
	if !found {
		return ""
	}
	return hexadecimal
}

// New returns a Hash by the algorithm of d, to compare with it. The error wraps ErrInvalid.
func (d Digest) New() (Hash, error) {
	algorithm, text, _ := strings.Cut(string(d), ":")
	raw, err := hex.DecodeString(text)
	if err == nil && text == strings.ToLower(text) {
		switch {
		case algorithm == XXH128 && len(raw) == 16:
			return New(), nil
		case algorithm == SHA256 && len(raw) == sha256.Size:
			return NewSHA256(), nil
		}
	}
	return Hash{}, fmt.Errorf("%w: %.80q", ErrInvalid, string(d))
}

// Check says whether d can be computed and compared; the error wraps ErrInvalid.
func (d Digest) Check() error {
	_, err := d.New()
	return err
}
