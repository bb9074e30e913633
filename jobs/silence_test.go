package jobs_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestAReplicaThatHangsIsReportedWhileItsClusterAnswers(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	primary := testkit.Redis(t)
	replica := replicaOf(t, primary)
	c.attach(attachSpec("shop", primary.Addr))
	cluster := c.awaitNodes("shop")
	name := ""
	for _, n := range cluster.Nodes {
		if n.Address() == replica.Addr {
			name = n.Name
		}
	}
	replica.Signal(syscall.SIGSTOP) // its primary goes on knowing it
	t.Cleanup(func() { replica.Signal(syscall.SIGCONT) })
	said := func(text string) func() bool {
		return func() bool {
			clock.Advance(20 * time.Second)
			return strings.Contains(c.events(), text)
		}
	}
	silent := "error shop: The replica " + name + " (" + replica.Addr + ") of the cluster shop has not answered since "
	testkit.WaitFor(t, "that to be reported", said(silent))
	if now, err := c.db.Clusters.Get(t.Context(), "shop"); err != nil || now.Status != models.ClusterAvailable {
		t.Errorf("the cluster is %s, %v", now.Status, err)
	}
	replica.Signal(syscall.SIGCONT)
	testkit.WaitFor(t, "that it is over", said("info shop: The node "+name+" of the cluster shop answers again."))
	if events := c.events(); strings.Count(events, silent) != 1 || strings.Contains(events, "is unreachable") {
		t.Errorf("the events are\n%s", events)
	}
}
