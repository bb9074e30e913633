package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"rekindle/internal/store"
)

// statusOf is the HTTP status of an error, 0 if it has none.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

func header(err error, name string) string {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		return response.Response.Header.Get(name)
	}
	return ""
}

func codeOf(err error) (code, message string) {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode(), api.ErrorMessage()
	}
	return "", ""
}

// absent says whether err means that there is no such object (a missing bucket is something else).
func absent(err error) bool {
	code, _ := codeOf(err)
	switch code {
	case "NoSuchKey", "NoSuchVersion", "NotFound":
		return true
	}
	return code == "" && statusOf(err) == http.StatusNotFound // any other code is about something else that is missing
}

func unavailable(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w (%w)", silence(err), short(err))
}

// silence tells apart a store that does not answer, one that has too much to do, one that stands still, and one that cuts connections.
func silence(err error) error {
	code, _ := codeOf(err)
	switch status := statusOf(err); {
	case strings.HasPrefix(code, "SlowDown"), code == "ServerBusy", code == "TooManyRequests", code == "RequestLimitExceeded",
		status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && code != "XMinioServerNotInitialized":
		return fmt.Errorf("%w: %w", store.ErrBusy, store.ErrUnavailable)
	case code == "RequestTimeout", code == "RequestTimeoutException", errors.Is(err, errStalled):
		return fmt.Errorf("%w: %w", store.ErrSlow, store.ErrUnavailable)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", store.ErrCut, store.ErrUnavailable)
	}
	return store.ErrUnavailable
}

// short is an error without the SDK's operation and request IDs, which hide the reason.
func short(err error) error {
	code, message := codeOf(err)
	if code == "" {
		var operation *smithy.OperationError
		if errors.As(err, &operation) {
			return operation.Err
		}
		return err
	}
	return answer{code: code, message: message, status: statusOf(err), cause: err}
}

// answer is what the server has said.
type answer struct {
	code, message string
	status        int
	cause         error
}

func (a answer) Error() string {
	text := a.code
	if a.message != "" && a.message != a.code {
		text += ": " + a.message
	}
	if a.status != 0 {
		text += fmt.Sprintf(", status %d", a.status)
	}
	return text
}

func (a answer) Unwrap() error { return a.cause }

// explain puts the typed error of package store before the server's.
func explain(err error) error {
	for _, known := range []error{store.ErrKey, store.ErrNotExist, store.ErrExist, store.ErrDenied, store.ErrFull, store.ErrUnavailable, store.ErrUnsafe,
		store.ErrLocked, store.ErrNoBucket, store.ErrRegion, store.ErrUploadGone, store.ErrTransit, context.Canceled, context.DeadlineExceeded} {
		if err == nil || errors.Is(err, known) {
			return err
		}
	}
	code, message := codeOf(err)
	status := statusOf(err)
	low := strings.ToLower(message)
	short := short(err)
	switch {
	case code == "NoSuchUpload":
		return fmt.Errorf("%w (%w)", store.ErrUploadGone, short)
	case code == "NoSuchBucket":
		return fmt.Errorf("%w (%w)", store.ErrNoBucket, short)
	case status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect, code == "PermanentRedirect",
		code == "AuthorizationHeaderMalformed", code == "IllegalLocationConstraintException":
		if region := header(err, "X-Amz-Bucket-Region"); region != "" {
			return fmt.Errorf("%w: it is region=%s (%w)", store.ErrRegion, region, short)
		}
		return fmt.Errorf("%w (%w)", store.ErrRegion, short)
	case code == "QuotaExceeded", code == "InsufficientCapacity", code == "XMinioStorageFull", code == "XMinioAdminBucketQuotaExceeded",
		code == "ENOSPC", status == http.StatusInsufficientStorage:
		return fmt.Errorf("%w (%w)", store.ErrFull, short)
	case code == "ObjectLocked", strings.Contains(low, "object lock"), strings.Contains(low, "object protected"), strings.Contains(low, "worm"),
		strings.Contains(low, "object is locked"):
		return fmt.Errorf("%w (%w)", store.ErrLocked, short)
	case code == "InvalidAccessKeyId", code == "SignatureDoesNotMatch", code == "ExpiredToken", code == "InvalidToken", code == "TokenRefreshRequired",
		code == "RequestTimeTooSkewed", code == "XAdminUserNotFound", code == "XAdminNoSuchUser", noCredentials(err):
		return fmt.Errorf("%w: %w (%w)", store.ErrCredentials, store.ErrDenied, short)
	case strings.HasPrefix(code, "KMS."):
		return fmt.Errorf("%w: the KMS key cannot be used, check kms_key_id and what the key's policy allows (%w)", store.ErrDenied, short)
	case status == http.StatusForbidden, status == http.StatusUnauthorized, code == "AccessDenied", code == "AllAccessDisabled":
		return fmt.Errorf("%w: its policy must allow s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads, with versioning s3:GetObjectVersion too (%w)", store.ErrDenied, short)
	case code == "KeyTooLongError", code == "KeyTooLong":
		return fmt.Errorf("%w (%w)", store.ErrKey, short)
	case code == "ExistingObjectIsDirectory", code == "ObjectParentIsFile", code == "XMinioParentIsObject", code == "XMinioObjectExistsAsDirectory":
		return fmt.Errorf("%w: an object and a folder cannot have the same name (%w)", store.ErrKey, short)
	case absent(err):
		return fmt.Errorf("%w (%w)", store.ErrNotExist, short)
	case code == "NotImplemented", code == "InvalidRequest", code == "InvalidArgument", code == "XNotImplemented":
		return fmt.Errorf("the snapshot store does not understand what it is asked for; where it is not AWS, checksums=compatible in --store may help (%w)", short)
	}
	return short
}

// unimplemented says whether a server does not support an operation.
func unimplemented(err error) bool {
	code, _ := codeOf(err)
	return statusOf(err) == http.StatusNotImplemented || statusOf(err) == http.StatusMethodNotAllowed || code == "NotImplemented" || code == "XNotImplemented"
}

// noCredentials says whether the SDK's chain has found no credentials, or could not get at them.
func noCredentials(err error) bool {
	var signing *aws.MissingRegionError
	return !errors.As(err, &signing) && (strings.Contains(err.Error(), "get identity: ") || strings.Contains(err.Error(), "failed to retrieve credentials") ||
		strings.Contains(err.Error(), "static credentials are empty"))
}
