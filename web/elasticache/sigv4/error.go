package sigv4

import (
	"net/http"
	"strconv"
)

// Error is why a request was refused, in AWS's terms.
type Error struct {
	Code    string // the wire's code, one of the constants
	Status  int    // the status of the answer
	Message string // a sentence for a person; may quote what the sender wrote
}

// Error returns the code and the sentence.
func (e Error) Error() string { return e.Code + ": " + e.Message }

// The codes, from those that all of AWS's APIs have in common.
const (
	IncompleteSignature        = "IncompleteSignature"
	InvalidClientTokenID       = "InvalidClientTokenId" // the wire's spelling
	MalformedQueryString       = "MalformedQueryString"
	MissingAuthenticationToken = "MissingAuthenticationToken"
	RequestExpired             = "RequestExpired"
	SignatureDoesNotMatch      = "SignatureDoesNotMatch"
)

// The statuses are those of AWS's list of common errors, even the odd ones.
var statuses = map[string]int{
	IncompleteSignature:        http.StatusBadRequest,
	InvalidClientTokenID:       http.StatusForbidden,
	MalformedQueryString:       http.StatusNotFound,
	MissingAuthenticationToken: http.StatusForbidden,
	RequestExpired:             http.StatusBadRequest,
	SignatureDoesNotMatch:      http.StatusForbidden,
}

func refuse(code, message string) Error {
	return Error{Code: code, Status: statuses[code], Message: message}
}

// quote makes what a sender wrote fit for a sentence: in quotes, shortened, without invisible characters.
func quote(text string) string {
	const enough = 80
	if len(text) > enough {
		return strconv.QuoteToASCII(text[:enough]) + "..."
	}
	return strconv.QuoteToASCII(text)
}
