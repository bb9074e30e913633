package primary_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/digest"
	"rekindle/internal/primary"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

// endless gives the start of a dump, then fill for ever, and tells when the middle is reached.
type endless struct {
	start  io.Reader
	middle chan struct{}
	read   int
	block  <-chan struct{} // nil: go on
}

func (e *endless) Read(p []byte) (int, error) {
	n, _ := e.start.Read(p)
	if n == 0 {
		n = copy(p, strings.Repeat("x", 64<<10))
	}
	before := e.read
	if e.read += n; before < 1<<20 && e.read >= 1<<20 {
		close(e.middle)
	}
	if before >= 1<<20 && e.block != nil {
		<-e.block
		return 0, errors.New("released")
	}
	return n, nil
}

// hugeString is an RDB that begins with a value of 1 GiB, so that the target goes on reading.
func hugeString() []byte {
	return append([]byte("REDIS0010\xfe\x00\x00\x03key\x80\x40\x00\x00\x00"), strings.Repeat("v", 1000)...)
}

func hugeDump(block <-chan struct{}) (primary.Dump, *endless) {
	r := &endless{start: bytes.NewReader(hugeString()), middle: make(chan struct{}), block: block}
	return primary.Dump{
		Length: 1<<30 + 1<<20, Digest: digest.Of(digest.XXH128, strings.Repeat("0", 32)), Version: 10, Keys: 1, Expires: 0,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			return io.NopCloser(readerFunc(func(p []byte) (int, error) {
				if ctx.Err() != nil {
					return 0, context.Cause(ctx)
				}
				return r.Read(p)
			})), nil
		},
	}, r
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestFeedEndsAtOnce(t *testing.T) {
	t.Parallel()
	stop := errors.New("the user said stop")
	for name, test := range map[string]struct {
		disturb func(target *testkit.Server, cancel context.CancelCauseFunc)
		options primary.Options
		want    error
		alive   bool
	}{
		"when it is cancelled":      {disturb: func(_ *testkit.Server, cancel context.CancelCauseFunc) { cancel(stop) }, want: stop, alive: true},
		"when the target is killed": {disturb: func(target *testkit.Server, _ context.CancelCauseFunc) { target.Kill() }, want: primary.ErrGone},
		"when the target hangs": {disturb: func(target *testkit.Server, _ context.CancelCauseFunc) { target.Signal(syscall.SIGSTOP) },
			options: primary.Options{StallTimeout: 300 * time.Millisecond}, want: primary.ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t, "--repl-diskless-load", "disabled")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			dump, reader := hugeDump(nil)
			failed := make(chan error, 1)
			go func() {
				_, err := primary.Feed(ctx, targetOf(target), dump, test.options)
				failed <- err
			}()
			<-reader.middle
			test.disturb(target, cancel)
			if err := <-failed; !errors.Is(err, test.want) {
				t.Errorf("Feed = %v, want %v", err, test.want)
			}
			if test.alive {
				wantAsBefore(t, target, "")
			}
		})
	}
}

// Even while the store gives nothing, the target's death is noticed.
func TestFeedNoticesTheTargetsDeathWhileTheStoreStalls(t *testing.T) {
	t.Parallel()
	target := testkit.Redis(t)
	dump, reader := hugeDump(nil)
	inner := dump.Open
	dump.Open = func(ctx context.Context) (io.ReadCloser, error) {
		reader.block = ctx.Done() // a store whose only way out is its context
		return inner(ctx)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{})
		failed <- err
	}()
	<-reader.middle
	target.Kill()
	if err := <-failed; !errors.Is(err, primary.ErrGone) {
		t.Errorf("Feed = %v, want ErrGone", err)
	}
}

func TestFeedOfADeadTargetFails(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t)
	dump := dumpOf(t, saved(t, source))
	target.Kill()
	if _, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Feed = %v", err)
	}
}

func TestFeedWithAWrongPasswordFailsWithoutSayingIt(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t, "--requirepass", "right")
	dump := dumpOf(t, saved(t, source))
	_, err := primary.Feed(t.Context(), primary.Target{Addr: target.Addr, Password: "wrong-horse"}, dump, primary.Options{})
	if err == nil || strings.Contains(err.Error(), "wrong-horse") {
		t.Errorf("Feed = %v", err)
	}
}

// addressOfThisHost is one that is not of the loopback.
func addressOfThisHost(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	t.Skip("SKIPPED, NOT TESTED: this host has no address but the loopback's")
	return ""
}

func TestFeedSaysWhyTheTargetIsNotLetIn(t *testing.T) {
	t.Parallel()
	elsewhere := addressOfThisHost(t)
	source := testkit.Redis(t)
	// It connects from another address than the one that we know it by.
	target := testkit.Redis(t, "--masterauth", "as before", "--bind-source-addr", elsewhere)
	dump := dumpOf(t, saved(t, source))
	_, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{ConnectTimeout: 1500 * time.Millisecond})
	if !errors.Is(err, primary.ErrGone) || !strings.Contains(err.Error(), elsewhere+", which is not the target's 127.0.0.1") {
		t.Errorf("Feed = %v, want ErrGone and the reason", err)
	}
	wantAsBefore(t, target, "as before")
}

// While the target fetches its data nobody else gets any: not without the password, and not with it either.
func TestFeedGivesStrangersNothing(t *testing.T) {
	t.Parallel()
	target := testkit.Redis(t, "--repl-diskless-load", "disabled")
	release := make(chan struct{})
	dump, reader := hugeDump(release)
	failed := make(chan error, 1)
	go func() {
		_, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{})
		failed <- err
	}()
	<-reader.middle
	password, err := target.Client().ConfigGet(t.Context(), "masterauth").Result()
	if err != nil || len(password["masterauth"]) < 20 {
		t.Errorf("masterauth during the feed is %q, %v; want a one-time password", password["masterauth"], err)
	}
	for name, test := range map[string]struct{ password, want string }{
		"without the password": {"", "NOAUTH"}, "with a wrong one": {"guess", "WRONGPASS"}, "with the right one": {password["masterauth"], "fetched already"},
	} {
		stranger, err := resp.Dial(t.Context(), resp.Options{Addr: "127.0.0.1:" + field(t, target, "master_port"), Password: secret.Text(test.password)})
		if err == nil {
			_, err = stranger.Do(t.Context(), "PSYNC", "?", "-1")
			_ = stranger.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("a stranger %s is answered with %v, want %q", name, err, test.want)
		}
	}
	close(release)
	<-failed
}
