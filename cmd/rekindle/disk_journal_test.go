package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekindle/internal/resp"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
	"rekindle/models"
)

const spoolDiskEnv = "REKINDLE_TEST_SPOOL_DISK"

func TestJournalOnAFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(spoolDiskEnv) != "" {
		return
	}
	plain(t) // built here, not in the child
	output, started, err := testkit.RunChild(t, "^TestInSpoolChild", spoolDiskEnv+"=1", testkit.MountNamespace())
	if !started {
		t.Skipf("SKIPPED, NOT TESTED: no mount namespace is to be had here: %v", err)
	}
	testkit.SkipWithoutMounts(t, output)
	if err != nil || strings.Count(output, "--- PASS: TestInSpoolChild") != 1 {
		t.Errorf("%v\n%s", err, output)
	}
}

// The store is away, and the disk with what waits for it is full. The console lets go of the node, stays up, is killed and starts again, and goes on when
// the store is back: the spool has what came first, and the node's backlog what came since.
func TestInSpoolChildJournalLetsGoAndGoesOn(t *testing.T) {
	if os.Getenv(spoolDiskEnv) == "" {
		t.Skip("run by TestJournalOnAFullDisk")
	}
	server := testkit.S3(t)
	server.Bucket("snapshots")
	proxy := testkit.Faulty(t, server.Endpoint)
	address := func(endpoint string) string {
		return "s3://snapshots?path_style=true&region=" + testkit.S3Region + "&endpoint=" + endpoint
	}
	o := newOracle(t, randomness(t), 1, func(o *oracle) {
		config, err := s3.ParseURL(address(server.Endpoint))
		fine(t, err)
		config.Credentials = server.Credentials()
		o.store, err = s3.Open(t.Context(), config)
		fine(t, err)
		o.env = append(o.env, "AWS_ACCESS_KEY_ID="+testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY="+testkit.S3SecretKey, "REKINDLE_STORE="+address(proxy.Endpoint))
		spool := filepath.Join(o.data, spoolFolder)
		fine(t, os.Mkdir(spool, 0o700))
		testkit.MountTmpfs(t, spool, "2m")
	})
	o.write(100)
	o.look(false)
	o.stored(o.seen[0])
	proxy.Add(testkit.Fault{Do: testkit.Cut})
	o.noise(6)
	testkit.WaitUpTo(t, long, "the console to let go", func() bool {
		return strings.Contains(o.output.tail(1<<20), "the room for the journal on this host is used up")
	})
	links, err := o.db.Recording.Links(t.Context(), o.cluster())
	fine(t, err)
	if links[0].State != models.JournalWaiting || links[0].Reason == "" {
		t.Errorf("the link is %+v", links[0])
	}
	for _, node := range o.cluster().Nodes {
		list, err := client(t, o.cluster(), node).ClientList(t.Context()).Result()
		fine(t, err)
		for line := range strings.Lines(list) {
			if strings.Contains(line, "flags=S") && resp.ParseInfo(strings.ReplaceAll(strings.ReplaceAll(line, " ", "\n"), "=", ":")).Int("omem") > 1<<20 {
				t.Errorf("%s pays with its memory: %s", node.Name, line)
			}
		}
	}
	if status, said := o.get("/clusters/orders/journal"); status != http.StatusOK || !strings.Contains(said, "snapshot store") {
		t.Errorf("its page answers %d: %.300s", status, said)
	}
	o.look(false)
	o.write(100)
	o.look(false)
	o.kill() // and started again while the store is still away: it opens no link before the store is there
	o.write(50)
	o.start()
	o.write(50)
	o.look(false)
	proxy.Clear()
	o.ask() // once all of it is stored
	o.write(20)
	o.look(true)
	o.ask()
	o.compare(true)
	o.unbroken()
}

// noise writes this many MiB that do not compress.
func (o *oracle) noise(size int) {
	o.t.Helper()
	for i := range size * 16 {
		value := make([]byte, 64<<10)
		_, _ = rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(value)
		fine(o.t, o.apps[0].Set(o.t.Context(), fmt.Sprintf("noise:%d", i%8), value, 0).Err())
	}
}
