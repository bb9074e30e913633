// Package elasticache answers the Amazon ElastiCache Query API, version 2015-02-02, so that the AWS command line, the SDKs and Terraform
// work with Rekindle as they do with ElastiCache.
//
// The handler that [New] returns reads the form, verifies who sent it (package sigv4), refuses copies of earlier requests, checks that the
// access key's role covers the action, and calls the action's functions. An action that changes something has two: act makes the change,
// once however often the request is repeated, and show answers with the state afterwards. Answers are written by response.go, refusals by
// faults.go. Each resource has a file of its own.
//
// The package has no rules of its own about clusters and snapshots. They are in package models, and hold for the console as well.
// docs/api.md says what is supported and what differs from AWS.
package elasticache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/web/elasticache/sigv4"
	"rekindle/web/gate"
)

// The versions of the APIs, as in requests and XML namespaces.
const (
	version    = "2015-02-02"
	stsVersion = "2011-06-15"
)

// The services that a request can be signed for.
const (
	serviceCache = "elasticache"
	serviceSTS   = "sts"
)

// DefaultAccount is the account id in ARNs when none is set.
const DefaultAccount = "123456789012"

// Jobs is what the API needs from package jobs. *jobs.Manager implements it.
type Jobs interface {
	// Wake tells the queue that there are new runs.
	Wake()
	// TestMigration checks whether the data of the server at this address can be moved into a cluster. If not, it returns [models.Faults].
	TestMigration(ctx context.Context, cluster, source string) (models.MigrationSource, error)
	// BucketURL returns the URL of a bucket that is reached in the same way as the snapshot store. If that is not in S3, the bucket is
	// Amazon's, in this region.
	BucketURL(bucket, region string) string
	// TryUser checks, without changing anything, whether a cluster's engine accepts a user's access string. If not, it returns
	// [models.Faults].
	TryUser(ctx context.Context, cluster models.Cluster, user models.AccessUser) error
}

// Config has what the API needs.
type Config struct {
	DB      *catalog.DB
	Jobs    Jobs
	Clock   clockwork.Clock
	Logger  *slog.Logger
	Account string // the account id in ARNs; "": DefaultAccount
	// DataEncrypted is true if the operator of the host has declared that the nodes' files are on encrypted storage.
	DataEncrypted bool
}

// api handles requests and answers. It knows nothing about the resources.
type api struct {
	Config
	actions map[string]action
}

// New returns the handler for POST /.
func New(c Config) http.Handler {
	if c.Account == "" {
		c.Account = DefaultAccount
	}
	return &api{c, actionsOf(c)}
}

// call is one request.
type call struct {
	params
	action  string
	service string // of the action; "" if the action is unknown
	key     models.AccessKey
	region  string
	account string
	request string // the id of the request

	run uint // that the request has begun; 0: none

	invocation string // the client's id for the request, the same for each attempt; "": none
}

// maxHeader bounds the length of the headers in which a client numbers its attempts, in bytes.
const maxHeader = 200

// maxForm bounds the body of a request, in bytes.
const maxForm = 1 << 20

// ServeHTTP answers one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{account: a.Account, request: requestID()}
	w.Header().Set("X-Amzn-Requestid", c.request)
	defer func() {
		if cause := recover(); cause != nil {
			a.Logger.ErrorContext(r.Context(), "API request panicked", "request", c.request, "action", c.action, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			a.refuse(w, c, internalFailure)
		}
	}()
	result, err := a.answer(r, c)
	if err != nil {
		a.fail(r.Context(), w, c, err)
		return
	}
	a.respond(w, c, result)
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (a *api) answer(r *http.Request, c *call) (any, error) {
	ctx := r.Context()
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxForm))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, fault{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is longer than 1 MiB."}
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fault{http.StatusRequestTimeout, "RequestTimeout", "The request took too long to arrive. Send it again."}
	} else if err != nil {
		return nil, fault{http.StatusBadRequest, "MalformedQueryString", "The request could not be read in full."}
	}
	// Unknown clients learn nothing else.
	identity, err := a.prove(r, body, c)
	if err != nil {
		return nil, err
	}
	gate.Known(ctx)
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fault{http.StatusNotFound, "MalformedQueryString", "The request's form cannot be read: it must be application/x-www-form-urlencoded, with not too many parameters."}
	}
	c.params, c.action, c.region = params{values: form}, form.Get("Action"), identity.Region
	if c.action == "" {
		return nil, fault{http.StatusBadRequest, "MissingAction", "The request has no parameter Action."}
	}
	do, known := a.actions[c.action]
	if !known {
		return nil, fault{http.StatusBadRequest, "InvalidAction", fmt.Sprintf("Could not find operation %.80s for version %.20s.", c.action, form.Get("Version"))}
	}
	c.service = do.service
	if identity.Service != do.service {
		return nil, fault{http.StatusForbidden, sigv4.SignatureDoesNotMatch, fmt.Sprintf("Credential should be scoped to correct service: '%s'.", do.service)}
	}
	if v := form.Get("Version"); v != do.version() {
		return nil, fault{http.StatusBadRequest, "InvalidAction", fmt.Sprintf("Could not find operation %s for version %.20s.", c.action, v)}
	}
	if !c.key.Role.May(do.role) {
		return nil, fault{http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: %s:%s. The access key may %s; this takes one that may %s.",
			c.userARN(), do.service, c.action, c.key.Role, do.role)}
	}
	if err := a.admit(ctx, r, identity, c, do); err != nil {
		return nil, err
	}
	return a.perform(ctx, c, do)
}

// prove verifies the signature and returns who sent the request.
func (a *api) prove(r *http.Request, body []byte, c *call) (sigv4.Identity, error) {
	return sigv4.Verify(r, body, a.Clock.Now(), []string{serviceCache, serviceSTS}, func(ctx context.Context, id string) (secret.Text, bool, error) {
		key, found, err := a.DB.Keys.Find(ctx, id)
		c.key = key
		return key.Secret, found, err
	})
}

// admit refuses a request that may be a copy of an earlier one.
func (a *api) admit(ctx context.Context, r *http.Request, identity sigv4.Identity, c *call, do action) error {
	c.invocation = r.Header.Get("Amz-Sdk-Invocation-Id")
	attempt := r.Header.Get("Amz-Sdk-Request")
	if len(c.invocation) > maxHeader || len(attempt) > maxHeader {
		return fault{http.StatusBadRequest, codeInvalidValue, "The header Amz-Sdk-Invocation-Id or Amz-Sdk-Request is too long."}
	}
	admitted, err := a.DB.Calls.Admit(ctx, models.Signature{Signature: identity.Signature, Invocation: c.invocation, Attempt: attempt}, do.act == nil)
	if err != nil {
		return err
	} else if !admitted {
		return fault{http.StatusForbidden, sigv4.SignatureDoesNotMatch, "This exact request was received before. To repeat it, sign it again."}
	}
	return a.DB.Keys.Used(ctx, c.key)
}

// perform acts, once for each invocation, and answers with the state afterwards.
func (a *api) perform(ctx context.Context, c *call, do action) (any, error) {
	if do.act != nil {
		number := ""
		if c.invocation != "" {
			number = c.key.KeyID + " " + c.action + " " + c.invocation
		}
		if err := a.DB.Calls.Once(ctx, number, func(ctx context.Context) error { return do.act(ctx, c) }); err != nil {
			return nil, err
		}
		a.Jobs.Wake()
	}
	result, err := do.show(ctx, c)
	if wrong := c.wrong(); wrong != nil {
		return nil, wrong
	}
	return result, err
}
