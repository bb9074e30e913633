package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/smithy-go"

	"rekindle/web/elasticache/sigv4"
)

// Amazon's variables for an access key, which count where Rekindle's own are not set.
const (
	awsKeyVariable    = "AWS_ACCESS_KEY_ID"
	awsSecretVariable = "AWS_SECRET_ACCESS_KEY"
)

// apiClient asks a running console, by its ElastiCache API.
type apiClient struct {
	*elasticache.Client
	url string
	key string // id of the access key
}

// clientRegion is in the signatures and ARNs only.
const clientRegion = "us-east-1"

// requestPatience is how long one request may take.
const requestPatience = time.Minute

// declareClient declares the flags that say where the console is.
func declareClient(flags *flagSet) func() (*apiClient, error) {
	address := flags.string("url", "http://127.0.0.1:8080", "`URL` of the console")
	return func() (*apiClient, error) {
		u, err := url.Parse(*address)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") || u.User != nil {
			return nil, misuse("--url must look like http://127.0.0.1:8080 or https://rekindle.example.com")
		}
		key, secret := flags.getenv(accessKeyVariable), flags.getenv(secretKeyVariable)
		if key == "" && secret == "" {
			key, secret = flags.getenv(awsKeyVariable), flags.getenv(awsSecretVariable)
		}
		if key == "" || secret == "" {
			return nil, misuse("this command needs an access key in %s and %s: make one in the console under Settings, Access keys", accessKeyVariable, secretKeyVariable)
		}
		base := u.Scheme + "://" + u.Host
		return &apiClient{elasticache.New(elasticache.Options{
			Region: clientRegion, BaseEndpoint: &base, Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
			HTTPClient: awshttp.NewBuildableClient().WithTimeout(requestPatience),
			Retryer:    retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 2 * time.Second }),
		}), base, key}, nil
	}
}

// keyRefusals are the codes of a console that does not accept who sent a request.
var keyRefusals = []string{sigv4.SignatureDoesNotMatch, sigv4.InvalidClientTokenID, sigv4.IncompleteSignature, sigv4.MissingAuthenticationToken}

// explain turns what the API's client reports into a sentence.
func (c *apiClient) explain(err error) error {
	refusal, refused := errors.AsType[smithy.APIError](err)
	_, unreadable := errors.AsType[*smithy.DeserializationError](err)
	said, already := errors.AsType[apiRefusal](err)
	switch {
	case err == nil:
		return nil
	case already:
		return said
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case refused && slices.Contains(keyRefusals, refusal.ErrorCode()):
		return fmt.Errorf("the console at %s does not accept the access key %s: %s Access keys are made in the console under Settings, Access keys", c.url, c.key, refusal.ErrorMessage())
	case refused && refusal.ErrorMessage() != "" && refusal.ErrorCode() != "UnknownError":
		return apiRefusal{refusal.ErrorCode(), refusal.ErrorMessage()}
	case refused || unreadable:
		return fmt.Errorf("what answers at %s is no Rekindle console: name its address with --url or REKINDLE_URL (%w)", c.url, err)
	}
	return fmt.Errorf("the console does not answer at %s: is it running, and is that its address? --url or REKINDLE_URL names another one (%w)", c.url, cmp.Or(innermost(err), err))
}

// innermost is the cause at the end of a chain of errors, without what the API's client says about its attempts.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if u, isURL := errors.AsType[*url.Error](err); isURL {
			return u.Err
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}

// apiRefusal is what a console refused, in its own words.
type apiRefusal struct{ code, message string }

// Error returns the console's sentence.
func (r apiRefusal) Error() string { return r.message }

// hasCode says whether the console refused with this code.
func hasCode(err error, code string) bool {
	refusal, refused := errors.AsType[smithy.APIError](err)
	return refused && refusal.ErrorCode() == code
}

// The codes of a cluster that there is not, of either kind.
const (
	noGroup        = "ReplicationGroupNotFoundFault"
	noCacheCluster = "CacheClusterNotFound"
)

// ofEither asks about a replication group, or about a cache cluster if there is no such group: people name clusters, whatever they are for the API.
func ofEither(name string, ask func(group, cluster *string) error) error {
	err := ask(&name, nil)
	if !hasCode(err, noGroup) {
		return err
	}
	if err := ask(nil, &name); hasCode(err, noCacheCluster) {
		return apiRefusal{noCacheCluster, fmt.Sprintf("There is no cluster %s.", name)}
	} else {
		return err
	}
}

// pageSize is how many things a request asks for: the most that the API gives.
var pageSize = aws.Int32(100)
