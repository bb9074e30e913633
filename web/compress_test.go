package web

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"rekindle/models"
	"rekindle/static"
)

// accepting asks as a browser does, and returns the answer as it came.
func (c *console) accepting(method, address, encoding string, header ...string) (*http.Response, string) {
	c.t.Helper()
	r := c.request(method, address, nil)
	r.Header.Set("Accept-Encoding", encoding)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := c.browser.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response, string(body)
}

func unzip(t *testing.T, packed string) string {
	t.Helper()
	reader, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestTextIsCompressedForWhoAcceptsIt(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	for _, address := range []string{"/", "/clusters/orders", static.Path("app.css"), static.Path("htmx.js"), static.Path("icons.svg"), "/nowhere"} {
		plain, text := c.accepting(http.MethodGet, address, "identity")
		packed, bytes := c.accepting(http.MethodGet, address, "br, gzip")
		if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: %q and %q", address, plain.Header.Get("Content-Encoding"), packed.Header.Get("Content-Encoding"))
		}
		if len(bytes) > len(text)/2 {
			t.Errorf("%s: %d bytes became %d", address, len(text), len(bytes))
		}
		if got := unzip(t, bytes); strings.HasPrefix(address, static.Prefix) && got != text || len(got) != len(text) {
			t.Errorf("%s: another text comes out", address)
		}
		for _, answer := range []*http.Response{plain, packed} {
			if vary := strings.Join(answer.Header.Values("Vary"), ", "); !strings.Contains(vary, "Accept-Encoding") {
				t.Errorf("%s: Vary is %q", address, vary)
			}
		}
	}
	packed, _ := c.accepting(http.MethodGet, static.Path("app.css"), "gzip")
	if again, _ := c.accepting(http.MethodGet, static.Path("app.css"), "gzip", "If-None-Match", packed.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("a file that is there already: %d", again.StatusCode)
	}
}

func TestDownloadsAndSecretsAreNotCompressed(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	password := c.launch("orders", func(s *models.ClusterSpec) { s.Auth = models.AuthGenerate }).Password.Reveal()
	c.backUp("orders", "first")
	snapshot, err := c.db.Snapshots.Get(t.Context(), "first")
	c.check(err)
	part := snapshot.Parts[0]
	c.jobs.change(func(a *answers) {
		a.open = func(plain bool) (io.ReadCloser, error) {
			size := part.Stored
			if plain {
				size = part.Bytes
			}
			return io.NopCloser(io.LimitReader(zeros{}, size)), nil
		}
	})
	for _, address := range []string{"/snapshots/first/parts/1.rdb", "/snapshots/first/parts/1.rdb.zst"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			answer, _ := c.accepting(method, address, "gzip")
			if answer.Header.Get("Content-Encoding") != "" || answer.ContentLength <= 0 {
				t.Errorf("%s %s: %v", method, address, answer.Header)
			}
		}
	}
	c.post("/clusters/orders/password")
	shown, text := c.accepting(http.MethodGet, "/clusters/orders?tab=connect", "gzip")
	if shown.Header.Get("Content-Encoding") != "" || !strings.Contains(text, password) || shown.Header.Get("No-Gzip-Compression") != "" {
		t.Errorf("the page with the password: %v", shown.Header)
	}
	c.post(accessKeysPath, "role", "read", "description", "")
	shown, text = c.accepting(http.MethodGet, accessKeysPath, "gzip")
	if shown.Header.Get("Content-Encoding") != "" || !strings.Contains(text, "AWS_SECRET_ACCESS_KEY") {
		t.Errorf("the page with the secret: %v", shown.Header)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// The first bytes of the export come while the rest is still being read.
func TestACompressedExportIsStillAStream(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	r := c.request(http.MethodGet, "/export.json", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	response, err := c.browser.Do(r)
	c.check(err)
	defer response.Body.Close()
	if response.Header.Get("Content-Encoding") != "gzip" || response.ContentLength != -1 {
		t.Fatalf("%v", response.Header)
	}
	reader, err := gzip.NewReader(response.Body)
	c.check(err)
	first, err := bufio.NewReader(reader).ReadString('\n')
	c.check(err)
	if first != "{\n" {
		t.Errorf("it begins with %q", first)
	}
}
