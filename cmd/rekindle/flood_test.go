package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A console that may have few descriptors is flooded with requests that never end, as in an attack that would use up thousands of them.
func TestAFloodOfSlowRequestsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	limited := filepath.Join(t.TempDir(), "rekindle")
	if err := os.WriteFile(limited, fmt.Appendf(nil, "#!/bin/sh\nulimit -n 200\nexec %q \"$@\"\n", p.binary), 0o700); err != nil {
		t.Fatal(err)
	}
	p.binary = limited
	p.start()
	p.signIn()
	address := strings.TrimPrefix(p.url, "http://")
	slow := "POST /%s HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nuser=admin"
	for i := range 600 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, fmt.Sprintf(slow, []string{"sign-in", "", "clusters/new"}[i%3]))
		if i%100 != 99 {
			continue
		}
		for _, path := range []string{"/clusters", "/readyz", "/sign-in", "/static/app.css"} {
			if status, body := p.get(path); status != http.StatusOK {
				t.Errorf("after %d slow requests %s answered %d: %s", i+1, path, status, body)
			}
		}
		p.client.CloseIdleConnections()
		if status, _ := p.post("/sign-in", url.Values{"user": {"admin"}, "password": {adminPassword}}); status != http.StatusOK {
			t.Errorf("after %d slow requests signing in answered %d", i+1, status)
		}
	}
	if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)); err != nil || len(open) > 150 {
		t.Errorf("%d descriptors are open, %v", len(open), err)
	}
	if strings.Contains(p.output.tail(8000), "too many open files") {
		t.Error("the descriptors were used up")
	}
}
