package static

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestHashedAddressesAreKeptForEver(t *testing.T) {
	for _, name := range []string{"app.css", "app.js", "htmx.js", "favicon.svg", "icons.svg", "htmx.LICENSE.txt", "lucide.LICENSE.txt"} {
		address := Path(name)
		if !regexp.MustCompile(`^/static/[A-Za-z.]+\.[0-9a-f]{12}\.[a-z]+$`).MatchString(address) {
			t.Errorf("%s has the address %s", name, address)
		}
		w := get(address)
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: %d, %d bytes", address, w.Code, w.Body.Len())
		}
		if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q", address, got)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: headers %v", address, w.Header())
		}
		if again := get(address, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", address, again.Code)
		}
	}
	if w := get("/static/app.css"); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("the plain name: %d %q", w.Code, w.Header().Get("Cache-Control"))
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{"/static/", "/static/thirdparty/htmx/LICENSE", "/static/static.go", "/static/../static.go", "/static/app.000000000000.css"} {
		if w := get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, Path("app.css"), nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestIconsAndStylesAreClean(t *testing.T) {
	sheet := string(byName[iconSheet].content)
	if strings.Count(sheet, "<symbol") != len(icons) || strings.Count(sheet, "<svg") != 1 || strings.Contains(sheet, "style=") || strings.Contains(sheet, "<script") {
		t.Errorf("the sheet of %d icons: %.300s", len(icons), sheet)
	}
	if address, ok := Icon("camera"); !ok || address != Path(iconSheet)+"#camera" || !strings.Contains(sheet, `id="camera"`) {
		t.Errorf("the camera is at %s", address)
	}
	if _, ok := Icon("no-such-icon"); ok {
		t.Error("an icon that is not there was found")
	}
	css := string(byName["app.css"].content)
	if regexp.MustCompile(`@import|url\(\s*["']?(https?:)?//|@font-face`).MatchString(css) {
		t.Error("the style sheet loads something from elsewhere")
	}
	if strings.Count(css, "{") != strings.Count(css, "}") {
		t.Error("the style sheet's braces do not match")
	}
	js := string(byName["app.js"].content)
	if strings.Contains(js, "innerHTML") || strings.Contains(js, "eval(") {
		t.Error("app.js writes HTML or evaluates text")
	}
}
