package views

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"rekindle/static"

	"github.com/a-h/templ"
)

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPreview writes every page with sample contents into the folder that REKINDLE_PREVIEW names, so that
// people can look at them in a browser: serve the folder and open overview.html.
func TestPreview(t *testing.T) {
	dir := os.Getenv("REKINDLE_PREVIEW")
	if dir == "" {
		t.Skip("for people who set REKINDLE_PREVIEW")
	}
	if err := os.MkdirAll(filepath.Join(dir, "static"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range samplePages() {
		if err := os.WriteFile(filepath.Join(dir, p.name+".html"), []byte(render(t, p.page)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"app.css", "app.js", "htmx.js", "favicon.svg", "icons.svg"} {
		w := httptest.NewRecorder()
		static.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, static.Path(name), nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", name, w.Code)
		}
		if err := os.WriteFile(filepath.Join(dir, static.Path(name)), w.Body.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
