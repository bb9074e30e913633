package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"

	"rekindle/internal/drain"
	"rekindle/models"
)

// maxAnswer bounds an answer, in bytes: the keys of a search are the longest.
const maxAnswer = 64 << 20

// ownRun is a run as the API shows it.
type ownRun struct {
	ID           string `xml:"RunId"`
	Status       models.RunStatus
	ClusterName  string
	SnapshotName string
	Stage        string
	Message      string
	BytesDone    int64
	BytesTotal   int64
	KeysDone     int64
	KeysTotal    int64
	Brought      *brought
}

// own asks for an action that the API has beyond ElastiCache's, so that Amazon's client does not know it. It is signed and repeated like the others. Names of
// keys are in the body, never in an address.
func (c *apiClient) own(ctx context.Context, action string, form url.Values, answer any) error {
	form.Set("Action", action)
	form.Set("Version", "2015-02-02")
	body, invocation, retryer := form.Encode(), rand.Text(), c.Options().Retryer
	for attempt := 1; ; attempt++ {
		err := c.once(ctx, body, invocation, attempt, action, answer)
		if err == nil || attempt >= retryer.MaxAttempts() || !retryer.IsErrorRetryable(err) {
			return err
		}
		pause, refused := retryer.RetryDelay(attempt, err)
		if refused != nil || !drain.Pause(ctx, pause) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (c *apiClient) once(ctx context.Context, body, invocation string, attempt int, action string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	request.Header.Set("Amz-Sdk-Invocation-Id", invocation)
	request.Header.Set("Amz-Sdk-Request", fmt.Sprintf("attempt=%d; max=%d", attempt, c.Options().Retryer.MaxAttempts()))
	credentials, err := c.Options().Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "elasticache", clientRegion, time.Now()); err != nil {
		return err
	}
	response, err := c.Options().HTTPClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return refusalOf(response.StatusCode, text)
	}
	return resultOf(action, text, answer)
}

// ownRefusal is what a console has refused, with the status of the answer, by which it is decided whether to repeat the request.
type ownRefusal struct {
	smithy.GenericAPIError
	status int
}

// HTTPStatusCode tells the SDK's retryer the status.
func (r *ownRefusal) HTTPStatusCode() int { return r.status }

func refusalOf(status int, text []byte) error {
	var answer struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	if err := xml.Unmarshal(text, &answer); err != nil || answer.Code == "" {
		return &smithy.DeserializationError{Err: fmt.Errorf("an answer of status %d that is no error of the API", status)}
	}
	return &ownRefusal{smithy.GenericAPIError{Code: answer.Code, Message: answer.Message}, status}
}

// resultOf reads the result within an answer.
func resultOf(action string, text []byte, answer any) error {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			return &smithy.DeserializationError{Err: fmt.Errorf("an answer without a result: %w", err)}
		}
		if start, is := token.(xml.StartElement); is && start.Name.Local == action+"Result" {
			if err := decoder.DecodeElement(answer, &start); err != nil {
				return &smithy.DeserializationError{Err: err}
			}
			return nil
		}
	}
}

// begin asks for a run.
func (c *apiClient) begin(ctx context.Context, action string, form url.Values) (ownRun, error) {
	var answer struct{ Run ownRun }
	err := c.own(ctx, action, form, &answer)
	return answer.Run, err
}

// describeRun asks how far a run is.
func (c *apiClient) describeRun(ctx context.Context, id string) (ownRun, error) {
	return c.begin(ctx, "RekindleDescribeRun", url.Values{"RunId": {id}})
}

// cancelPatience is how long a run that was cancelled may take to end.
const cancelPatience = time.Minute

// awaitRun waits for the end of a run. When the command is interrupted, so is the run, and its end is waited for.
func (c *apiClient) awaitRun(ctx context.Context, id, what string, terminal io.Writer, look func(context.Context, string) (ownRun, error)) (ownRun, error) {
	found, err := c.awaitEnd(ctx, id, what, terminal, look)
	if ctx.Err() == nil {
		return found, err
	}
	clean, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelPatience)
	defer stop()
	if _, err := c.begin(clean, "RekindleCancelRun", url.Values{"RunId": {id}}); err != nil {
		return found, fmt.Errorf("interrupted, but %s could not be cancelled: %w", what, c.explain(err))
	}
	return c.awaitEnd(clean, id, what, terminal, look)
}

func (c *apiClient) awaitEnd(ctx context.Context, id, what string, terminal io.Writer, look func(context.Context, string) (ownRun, error)) (found ownRun, err error) {
	_, err = c.await(ctx, what, terminal, func(ctx context.Context) (string, error) {
		now, err := look(ctx, id)
		if err != nil {
			return "", err
		}
		if found = now; now.Status.Ended() {
			return available, nil
		}
		if now.Stage != "" {
			return now.Stage, nil
		}
		return string(now.Status), nil
	})
	return found, err
}
