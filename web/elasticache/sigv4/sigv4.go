// Package sigv4 proves who sent a request: it verifies AWS Signature Version 4, the signature that clients of Amazon's APIs
// put into the Authorization header.
//
// It proves that the holder of an access key has signed this method, path, query, body and the signed headers for one service
// of one region, not more than [Window] ago. It does not prove that the request is sent for the first time, nor the order of
// query parameters with the same name: the signature sorts them. The path is signed after "//", "." and ".." are resolved.
package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rekindle/internal/secret"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
)

// Identity is what a request claims about its sender and has proved.
type Identity struct {
	AccessKeyID string
	Region      string
	Service     string
	At          time.Time // when it was signed, by the sender's clock
	Signature   string    // 64 hexadecimal digits: the same for a request that is replayed
}

// Lookup finds the secret of an access key; false when there is none that may be used. It gets what the sender wrote, at most
// 128 visible characters.
type Lookup func(ctx context.Context, accessKeyID string) (secret.Text, bool, error)

// standIn takes the place of the secret of an access key that does not exist.
const standIn secret.Text = "no access key has this secret"

// Verify proves who sent the request, whose body was already read. The sender must have signed it for one of the services.
//
// A refusal is an [Error]. Every other error comes from lookup.
func Verify(r *http.Request, body []byte, now time.Time, services []string, lookup Lookup) (Identity, error) {
	if err := refuseOtherForms(r); err != nil {
		return Identity{}, err
	}
	auth, err := readAuthorization(r.Header)
	if err != nil {
		return Identity{}, err
	}
	at, dateHeader, err := readDate(r.Header)
	if err != nil {
		return Identity{}, err
	}
	if err := checkSignedHeaders(r, auth.signedHeaders, dateHeader); err != nil {
		return Identity{}, err
	}
	if err := checkClock(at, now); err != nil {
		return Identity{}, err
	}
	if err := auth.checkScope(at, services); err != nil {
		return Identity{}, err
	}
	bodyHash, err := hashBody(r.Header, body)
	if err != nil {
		return Identity{}, err
	}
	canonical, err := canonicalRequest(r, auth.signedHeaders, bodyHash)
	if err != nil {
		return Identity{}, err
	}

	key, known, err := lookup(r.Context(), auth.accessKeyID)
	if err != nil {
		return Identity{}, fmt.Errorf("sigv4: look up the access key: %w", err)
	}
	// Without a secret, everybody could sign. And with one, what follows takes as long for an unknown key as for a known one.
	if known = known && key != ""; !known {
		key = standIn
	}
	same := hmac.Equal([]byte(sign(key, auth, at, canonical)), []byte(auth.signature))
	switch {
	case !known:
		return Identity{}, refuse(InvalidClientTokenID, "The access key ID provided does not exist in our records.")
	case !same:
		return Identity{}, refuse(SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. "+
			"Check your secret access key and signing method, and that nothing between you and this server rewrites the Host header or the path.")
	}
	return Identity{AccessKeyID: auth.accessKeyID, Region: auth.region, Service: auth.service, At: at, Signature: auth.signature}, nil
}

// sign returns the signature of a request with this canonical form.
func sign(key secret.Text, auth authorization, at time.Time, canonical string) string {
	hash := sha256.Sum256([]byte(canonical))
	toSign := algorithm + "\n" + at.Format(isoBasic) + "\n" + auth.scope() + "\n" + hex.EncodeToString(hash[:])
	signingKey := []byte("AWS4" + key.Reveal())
	for _, part := range []string{auth.day, auth.region, auth.service, terminator} {
		signingKey = mac(signingKey, part)
	}
	return hex.EncodeToString(mac(signingKey, toSign))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}

// hashBody returns the body's hash, which is part of what is signed, and checks it against the one that the request may name.
func hashBody(h http.Header, body []byte) (string, error) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	named := h.Values(hashHeader)
	switch {
	case len(named) == 0, len(named) == 1 && named[0] == hash:
		return hash, nil
	case len(named) > 1:
		return "", refuse(IncompleteSignature, "The header X-Amz-Content-Sha256 must not be given more than once.")
	case isHex(named[0], 2*sha256.Size):
		return "", refuse(SignatureDoesNotMatch, "The body is not the one that was signed: its SHA-256 is not what X-Amz-Content-Sha256 says.")
	default:
		// UNSIGNED-PAYLOAD and STREAMING-...: nothing would vouch for the body.
		return "", refuse(IncompleteSignature, "X-Amz-Content-Sha256 must be the SHA-256 of the body, 64 hexadecimal digits in lower case, got "+quote(named[0])+".")
	}
}

// refuseOtherForms refuses, in plain words, what AWS accepts and this server does not.
func refuseOtherForms(r *http.Request) error {
	_, token := r.Header[tokenHeader]
	presigned := false
	for name := range r.URL.Query() {
		token = token || strings.EqualFold(name, tokenHeader)
		presigned = presigned || strings.EqualFold(name, "X-Amz-Signature")
	}
	switch {
	case token:
		return refuse(InvalidClientTokenID, "Session tokens are not supported here. Sign with a long-term access key, without X-Amz-Security-Token.")
	case presigned:
		return refuse(IncompleteSignature, "Presigned URLs are not supported here. Put the signature into the Authorization header, without X-Amz-Signature in the query.")
	}
	return nil
}
