package main

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// maxMemory is what the whole console may need beside its own program, in MiB, whatever the size of the data. How much of the program's file is in memory
// is the kernel's choice: it maps more than is asked for, and takes it back when somebody needs the memory.
const maxMemory = 72

// TestConsoleStaysSmallWhateverTheSizeOfTheData takes two snapshots at once of more data than the console may have in memory, and restores
// them at once, with S3 as the store.
func TestConsoleStaysSmallWhateverTheSizeOfTheData(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	// A bucket, as it needs the most: two parts of each upload are in memory.
	bucket := testkit.S3(t)
	bucket.Bucket("snapshots")
	p.env = []string{"AWS_ACCESS_KEY_ID=" + testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY=" + testkit.S3SecretKey}
	p.start("--snapshots-per-host", "2", "--store", "s3://snapshots/console?path_style=true&region="+testkit.S3Region+"&endpoint="+bucket.Endpoint)
	p.signIn()
	db := p.catalog()
	names := []string{"first", "second"}
	for _, name := range names {
		form := createForm(name, "0")
		form.Set("node_type", "cache.t4g.small")
		p.must("/clusters/-/new", form)
	}
	peak := 0
	settled := func() bool {
		peak = max(peak, ownMemory(t, p.cmd.Process.Pid))
		runs, err := db.Runs.Active(t.Context())
		return err == nil && len(runs) == 0
	}
	testkit.WaitFor(t, "the clusters", settled)
	var bytes, stored int64
	for i, name := range names {
		cluster, err := db.Clusters.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		primary, _ := cluster.Shards()[0].Primary()
		const fill = `math.randomseed(tonumber(ARGV[1]) * 2 + tonumber(ARGV[2])) for i = ARGV[1] * 60000 + 1, ARGV[1] * 60000 + 60000 do
			redis.call('SET', 'order:'..i, '{"id":'..i..',"customer":"c'..math.random(1e8)..'","total":'..math.random(1e5)..',"sku":"'..math.random(1e9)..math.random(1e9)..'","note":"delivered to the door, as always"}') end return 1`
		for step := range 10 { // in steps, as a node that is busy for long answers nobody
			if err := client(t, cluster, primary).Eval(t.Context(), fill, nil, step, i).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range names {
		p.must("/clusters/"+name+"/snapshot", url.Values{"name": {"of-" + name}})
	}
	testkit.WaitFor(t, "the snapshots", settled)
	for _, name := range names {
		form := createForm("copy-of-"+name, "0")
		form.Set("node_type", "cache.t4g.small")
		form.Set("copies", "1")
		p.must("/snapshots/of-"+name+"/restore", form)
	}
	testkit.WaitFor(t, "the restores", settled)
	for _, name := range names {
		snapshot, err := db.Snapshots.Get(t.Context(), "of-"+name)
		if err != nil || snapshot.Status != models.SnapshotAvailable {
			t.Fatalf("the snapshot of %s is %s (%s, %v)", name, snapshot.Status, snapshot.StatusReason, err)
		}
		if copied, err := db.Clusters.Get(t.Context(), "copy-of-"+name); err != nil || copied.Status != models.ClusterAvailable {
			t.Fatalf("the copy of %s is %s (%s, %v)", name, copied.Status, copied.StatusReason, err)
		}
		bytes += snapshot.Bytes
		stored += snapshot.Stored
	}
	t.Logf("peak memory of the console beside its program: %d MiB, for %d MB of RDB, %d MB stored in S3", peak, bytes/1e6, stored/1e6)
	if peak > maxMemory {
		t.Errorf("the console needed %d MiB, want at most %d", peak, maxMemory)
	}
}

// ownMemory is the resident memory of a process that is in no file, in MiB.
func ownMemory(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	kib, err := strconv.Atoi(strings.Fields(rest + " 0")[0])
	if err != nil || kib == 0 {
		t.Fatalf("the memory of the console is not known: %v", err)
	}
	return kib / 1024
}

// peakMemory is the largest resident memory of a process so far, in MiB.
func peakMemory(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib / 1024, err
}
