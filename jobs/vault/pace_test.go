package vault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"
)

func TestSnapshotsTogetherReadNoFasterThanTheyMay(t *testing.T) {
	t.Parallel()
	const each, bandwidth = 1 << 20, 8 << 20
	pace := newPace(bandwidth)
	began := time.Now()
	var readers sync.WaitGroup
	for i := range 2 {
		data := bytes.Repeat([]byte{byte(i)}, each)
		readers.Go(func() {
			got, err := io.ReadAll(atPace(t.Context(), io.NopCloser(bytes.NewReader(data)), pace))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("read %d bytes: %v", len(got), err)
			}
		})
	}
	readers.Wait()
	// What was read last need not have been waited for by each.
	if least := time.Second * (2*each - 3*paceStep) / bandwidth; time.Since(began) < least {
		t.Errorf("2 MiB at 8 MiB a second took %s, less than %s", time.Since(began), least)
	}
}

func TestASnapshotThatIsCutOffDoesNotWaitForItsPace(t *testing.T) {
	t.Parallel()
	ctx, cut := context.WithCancel(t.Context())
	source := atPace(ctx, io.NopCloser(bytes.NewReader(make([]byte, 2*paceStep))), newPace(1)) // three days
	if _, err := io.ReadFull(source, make([]byte, paceStep)); err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := source.Read(make([]byte, paceStep))
		read <- err
	}()
	cut()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestWithoutALimitNothingIsPaced(t *testing.T) {
	t.Parallel()
	source := io.NopCloser(bytes.NewReader(nil))
	if got := atPace(t.Context(), source, newPace(0)); got != source {
		t.Errorf("it is read by a %T", got)
	}
}

func TestPaceChangesWhileItIsKept(t *testing.T) {
	t.Parallel()
	var pace pacer
	pace.set(1)
	under := pace.limiter.Load()
	source := atPace(t.Context(), io.NopCloser(bytes.NewReader(make([]byte, 8*paceStep))), under)
	if _, err := io.ReadFull(source, make([]byte, paceStep)); err != nil { // what the limiter had in store
		t.Fatal(err)
	}
	pace.set(1 << 30)
	if n, err := io.Copy(io.Discard, source); err != nil || n != 7*paceStep { // with the first pace: three weeks
		t.Errorf("read %d bytes more, %v", n, err)
	}
	if pace.set(0); pace.limiter.Load() != nil {
		t.Error("the next one is paced")
	}
	if pace.set(7); pace.limiter.Load() == nil || pace.limiter.Load().Limit() != 7 {
		t.Error("the next one has no pace, or another")
	}
}
