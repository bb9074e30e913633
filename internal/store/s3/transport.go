package s3

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"rekindle/internal/store"
)

// httpClient is what the SDK sends its requests with.
type httpClient interface {
	Do(*http.Request) (*http.Response, error)
}

// watched ends requests that stand still: no byte of the request is accepted, and none of the answer comes. A timeout for a whole request would not
// do, because 2 GiB may take long, but a hung request must end soon.
type watched struct{ inner httpClient }

// errStalled ends such a request.
var errStalled = stalled{}

type stalled struct{}

func (stalled) Error() string   { return "the store neither took nor gave a byte" }
func (stalled) Timeout() bool   { return true }
func (stalled) Temporary() bool { return true }

func (w watched) Do(r *http.Request) (*http.Response, error) {
	p, ok := r.Context().Value(progressKey{}).(*progress)
	if !ok {
		return w.inner.Do(r)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	idle := p.idle()
	timer := time.AfterFunc(idle, func() { cancel(errStalled) })
	r = r.Clone(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &sentBody{ReadCloser: r.Body, timer: timer, idle: idle, progress: p}
	}
	response, err := w.inner.Do(r)
	if err != nil {
		timer.Stop()
		err = stallOr(ctx, err)
		cancel(nil)
		return nil, err
	}
	timer.Stop()
	response.Body = &gotBody{ReadCloser: response.Body, ctx: ctx, cancel: cancel, timer: timer, idle: idle, progress: p,
		good: response.StatusCode < 300}
	return response, nil
}

// stallOr returns err, or errStalled if that is what ended ctx.
func stallOr(ctx context.Context, err error) error {
	if err != nil && err != io.EOF && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// sentBody is the body of a request.
type sentBody struct {
	io.ReadCloser
	timer    *time.Timer
	idle     time.Duration
	progress *progress
}

func (b *sentBody) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	if n > 0 {
		b.timer.Reset(b.idle)
		b.progress.sent(n)
	}
	return n, err
}

// gotBody is the body of an answer. Its time runs only while somebody reads: a slow reader is not the store's fault.
type gotBody struct {
	io.ReadCloser
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	idle     time.Duration
	progress *progress
	good     bool
}

func (b *gotBody) Read(data []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.ReadCloser.Read(data)
	b.timer.Stop()
	if n > 0 && b.good {
		b.progress.touch()
	}
	return n, stallOr(b.ctx, err)
}

func (b *gotBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

type progressKey struct{}

// progress is what a request with all its retries has achieved. Only getting further than ever before counts, not getting as far again.
type progress struct {
	patience time.Duration

	mu        sync.Mutex
	last      time.Time // of the last progress
	far, best int64     // bytes sent in this try, and in the best one
}

func newProgress(patience time.Duration) *progress {
	return &progress{patience: patience, last: time.Now()}
}

func (p *progress) sent(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.far += int64(n); p.far > p.best {
		p.best, p.last = p.far, time.Now()
	}
}

func (p *progress) touch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
}

// again begins another try.
func (p *progress) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.far = 0
}

// left is how long there may still be no progress.
func (p *progress) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.patience - time.Since(p.last)
}

// idle is how long one try may stand still, so that there is time for a second and third one.
func (p *progress) idle() time.Duration {
	return max(min(p.patience*3/7, p.left()), time.Millisecond)
}

const (
	maxTries  = 12
	raceTries = 4
	firstWait = 200 * time.Millisecond
	maxWait   = 5 * time.Second
)

// try calls f until it succeeds, fails for good, or patience runs out: then the error wraps store.ErrUnavailable.
func (s *Store) try(ctx context.Context, f func(ctx context.Context) error) error {
	return s.tryFor(ctx, s.config.Patience, f)
}

func (s *Store) tryFor(ctx context.Context, patience time.Duration, f func(ctx context.Context) error) error {
	p := newProgress(patience)
	var said error // the last error other than standing still: the last try may have had no time
	for tries := 1; ; tries++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.again()
		err := f(context.WithValue(ctx, progressKey{}, p))
		if err == nil {
			return nil
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		if !passing(err) {
			return explain(err)
		}
		if said == nil || !errors.Is(err, errStalled) {
			said = err
		}
		// Exponential, with jitter over the upper half, so that many uploads do not come back at the same moment.
		wait := min(firstWait<<(tries-1), maxWait, s.config.Patience/8)
		wait = wait/2 + rand.N(wait/2+1)
		if tries >= maxTries || tries >= raceTries && raced(err) || wait >= p.left() {
			if raced(err) {
				return explain(err)
			}
			return unavailable(said)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

var retryer = retry.NewStandard()

// raced says whether err may come from a folder that appeared or vanished meanwhile, in servers that keep objects as files.
func raced(err error) bool {
	code, _ := codeOf(err)
	return code == "ExistingObjectIsDirectory" || code == "ObjectParentIsFile"
}

// passing says whether the same request may succeed in a moment.
func passing(err error) bool {
	if errors.Is(err, errStalled) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || retryer.IsErrorRetryable(err) || raced(err) {
		return true
	}
	if errors.Is(err, store.ErrUnavailable) {
		return true
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "SlowDown", "SlowDownRead", "SlowDownWrite", "InternalError", "ServiceUnavailable", "ServerBusy", "XMinioServerNotInitialized",
			"RequestTimeout", "RequestTimeoutException", "OperationAborted", "ConditionalRequestConflict",
			// Bytes that were changed on the way.
			"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "IncompleteBody":
			return true
		}
	}
	status := statusOf(err)
	return status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented && status != http.StatusInsufficientStorage
}
