package main

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/smithy-go"

	"rekindle/internal/testkit"
)

const diskEnv = "REKINDLE_TEST_DISK"

func TestConsoleOnAFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(diskEnv) != "" {
		return
	}
	output, started, err := testkit.RunChild(t, "^TestInChild", diskEnv+"=1", testkit.MountNamespace())
	if !started {
		t.Skipf("SKIPPED, NOT TESTED: no mount namespace is to be had here: %v", err)
	}
	testkit.SkipWithoutMounts(t, output)
	if err != nil || strings.Count(output, "--- PASS: TestInChild") != 2 {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestInChildConsoleOnAFullDisk(t *testing.T) {
	if os.Getenv(diskEnv) == "" {
		t.Skip("run by TestConsoleOnAFullDisk")
	}
	data := t.TempDir()
	testkit.MountTmpfs(t, data, "24m")
	a := &apiConsole{process: newProcess(t)}
	a.data, a.env = data, []string{accessKeyVariable + "=" + apiKeyID, secretKeyVariable + "=" + apiSecret}
	a.start()
	a.connect()
	a.signIn()
	if status, said := a.get("/readyz"); status != http.StatusOK {
		t.Fatalf("with free space /readyz answers %d: %s", status, said)
	}

	hog := filepath.Join(data, "hog")
	fill(t, hog, 22<<20)
	if _, page := a.get("/"); !strings.Contains(page, "is nearly full") {
		t.Error("the overview does not warn of the disk that fills")
	}
	fill(t, hog, 64<<20)
	began := time.Now()
	testkit.WaitFor(t, "/readyz to say that the disk is full", func() bool { // what it found a moment ago still counts
		status, said := a.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(said, "The disk of the data folder is full.")
	})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("/readyz took %s", took)
	}
	for _, path := range []string{"/", "/clusters", "/snapshots", "/runs", "/events", "/settings/storage"} {
		if status, said := a.get(path); status != http.StatusOK {
			t.Errorf("on a full disk %s answers %d: %s", path, status, said)
		}
	}
	if _, err := a.sdk.DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{}); err != nil {
		t.Errorf("on a full disk the API cannot be asked: %v", err)
	}
	name, about, subnet := "private", "subnets", []string{"subnet-1"}
	_, err := a.sdk.CreateCacheSubnetGroup(t.Context(), &elasticache.CreateCacheSubnetGroupInput{CacheSubnetGroupName: &name, CacheSubnetGroupDescription: &about, SubnetIds: subnet})
	if refused, ok := errors.AsType[smithy.APIError](err); !ok || refused.ErrorCode() != "ServiceUnavailable" || !strings.Contains(refused.ErrorMessage(), "is full") {
		t.Errorf("on a full disk the API answers a change with %v", err)
	}
	if status, said := signInAgain(t, a.process); status != http.StatusServiceUnavailable || !strings.Contains(said, "Nobody can sign in now. The disk of the data folder is full.") {
		t.Errorf("on a full disk signing in answers %d: %s", status, said)
	}

	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the console to be ready again", func() bool { status, _ := a.get("/readyz"); return status == http.StatusOK })
	if status, said := signInAgain(t, a.process); status != http.StatusSeeOther {
		t.Errorf("with free space again signing in answers %d: %s", status, said)
	}
}

// A console whose disk cannot be written when it is started says so and leaves all as it was; with the disk in order it has everything again.
func TestInChildConsoleStartsOnADiskThatCannotBeWritten(t *testing.T) {
	if os.Getenv(diskEnv) == "" {
		t.Skip("run by TestConsoleOnAFullDisk")
	}
	data := t.TempDir()
	testkit.MountTmpfs(t, data, "24m")
	p := newProcess(t)
	p.data = data
	p.start()
	p.signIn()
	p.end(syscall.SIGTERM)
	refused := func(want string) {
		t.Helper()
		command := exec.Command(p.binary, "serve", "--listen", "127.0.0.1:0", "--data", data)
		output, err := command.CombinedOutput()
		if err == nil || !strings.Contains(string(output), want) {
			t.Errorf("it ended with %v and said\n%s\nwant %q", err, output, want)
		}
	}
	if err := syscall.Mount("", data, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refused("The disk of the data folder is read-only. Make it writable and start again.")
	if err := syscall.Mount("", data, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	hog := filepath.Join(data, "hog")
	fill(t, hog, 64<<20)
	refused("The disk of the data folder is full. Free some space on it and start again.")
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	p.start()
	if status, _ := p.get("/clusters"); status != http.StatusOK {
		t.Errorf("with the disk in order, and the session of before, /clusters answers %d", status)
	}
}

// fill writes a file of this size, or as much of it as there is room for.
func fill(t *testing.T, path string, size int) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for written := 0; written < size; written += 4096 {
		if _, err := file.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// signInAgain signs in with another browser.
func signInAgain(t *testing.T, p *process) (int, string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	other := &process{t: t, url: p.url,
		client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return other.post("/sign-in", url.Values{"user": {"admin"}, "password": {adminPassword}})
}
