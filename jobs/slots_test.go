package jobs_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestUploadsAndRunsShareTheirSlots(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 0))
	const slots = 4 // of the console of these tests
	var uploads sync.WaitGroup
	bodies := make([]*io.PipeWriter, slots)
	for i := range bodies {
		var body *io.PipeReader
		body, bodies[i] = io.Pipe()
		sent := false
		uploads.Go(func() {
			spec := models.ImportSpec{Cluster: "orders", Name: fmt.Sprintf("upload-%d", i), RequestedBy: "test"}
			_, err := c.manager.Upload(t.Context(), spec, 0, func() (string, io.ReadCloser, error) {
				if sent {
					return "", nil, io.EOF
				}
				sent = true
				return "dump.rdb", body, nil
			})
			if err == nil || !strings.Contains(err.Error(), "dump.rdb is not an RDB file") {
				t.Errorf("upload %d: %v", i, err)
			}
		})
		if _, err := bodies[i].Write([]byte("no RDB")); err != nil { // it is being read
			t.Fatal(err)
		}
	}
	run := c.must(c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test"))
	c.manager.Wake()
	impatient, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.manager.Upload(impatient, models.ImportSpec{Cluster: "orders", Name: "one-too-many", RequestedBy: "test"}, 0, nil); err == nil || !strings.Contains(err.Error(), "which is the limit") {
		t.Errorf("an upload without a slot: %v", err)
	}
	if run, err := c.db.Runs.Get(t.Context(), run.ID); err != nil || run.Status != models.RunQueued {
		t.Errorf("the snapshot is %s while uploads have all slots (%v)", run.Status, err)
	}
	freed := time.Now()
	bodies[0].Close()
	if run = c.awaitRun(run); run.Status != models.RunSucceeded || run.StartedAt.Before(freed) {
		t.Errorf("the snapshot is %s (%s), begun %s before a slot was free", run.Status, run.Error, freed.Sub(*run.StartedAt))
	}
	for _, body := range bodies[1:] {
		body.Close()
	}
	uploads.Wait()
}

func TestNumbersInEventsAreWrittenForPeople(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := c.primary(c.create(c.spec("orders", 0))[0])
	for number, want := range map[int]string{1: "restored from s1: 1 key.", 1234: "restored from s1234: 1,234 keys."} {
		pipe := source.Pipeline()
		for i := range number {
			pipe.Set(t.Context(), fmt.Sprint("key:", i), i, 0)
		}
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		snapshot := fmt.Sprintf("s%d", number)
		c.snapshot("orders", snapshot)
		c.restored(snapshot, "copy-"+snapshot)
		testkit.WaitFor(t, "an event with "+want, func() bool { return strings.Contains(c.events(), want) })
		if err := source.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
