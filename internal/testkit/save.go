package testkit

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Save makes a server save its data, and waits until that is done. It first waits for a child that is saving already, for a replica or by the server's
// save points: SAVE is refused as long as the child lives.
func Save(t testing.TB, client *redis.Client) {
	t.Helper()
	var err error
	WaitFor(t, "SAVE", func() bool {
		err = client.Save(t.Context()).Err()
		return err == nil || !strings.Contains(err.Error(), "in progress")
	})
	if err != nil {
		t.Fatalf("save: %v", err)
	}
}
