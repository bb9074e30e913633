// Package static holds the files that the console's pages need: style sheet, script, htmx, icons.
// Everything is embedded in the binary, nothing is fetched from elsewhere.
//
// A page gets an address from Path. The address contains a hash of the content, so Handler can let browsers keep the file for ever, and a new build
// is visible at once.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed app.css app.js favicon.svg thirdparty
var files embed.FS

// Prefix is where Handler expects to be mounted.
const Prefix = "/static/"

// file is one servable file.
type file struct {
	name    string // as given to Path: "app.css"
	hash    string
	content []byte
	media   string
}

var (
	byName    = map[string]*file{} // "app.css"
	byAddress = map[string]*file{} // "app.0123456789ab.css"
	icons     = map[string]bool{}  // "camera"
)

// served are the files with an address; licences and icons have none.
var served = []struct{ name, source, media string }{
	{"app.css", "app.css", "text/css; charset=utf-8"},
	{"app.js", "app.js", "text/javascript; charset=utf-8"},
	{"htmx.js", "thirdparty/htmx/htmx.min.js", "text/javascript; charset=utf-8"},
	{"htmx.LICENSE.txt", "thirdparty/htmx/LICENSE", "text/plain; charset=utf-8"},
	{"lucide.LICENSE.txt", "thirdparty/lucide/LICENSE", "text/plain; charset=utf-8"},
	{"favicon.svg", "favicon.svg", "image/svg+xml"},
}

var iconInside = regexp.MustCompile(`(?s)<svg\b[^>]*>(.*)</svg>`)

func init() {
	for _, s := range served {
		content, err := files.ReadFile(s.source)
		if err != nil {
			panic("static: " + err.Error()) // cannot happen in a working build
		}
		add(s.name, s.media, content)
	}
	found, err := fs.Glob(files, "thirdparty/lucide/*.svg")
	if err != nil {
		panic("static: " + err.Error())
	}
	// One file has all icons, and pages refer to those that they show. Otherwise a table would repeat the same icons in each row.
	var sheet bytes.Buffer
	sheet.WriteString(`<svg xmlns="http://www.w3.org/2000/svg">`)
	for _, name := range found {
		content, err := files.ReadFile(name)
		if err != nil {
			panic("static: " + err.Error())
		}
		if m := iconInside.FindSubmatch(content); m != nil {
			id := strings.TrimSuffix(path.Base(name), ".svg")
			fmt.Fprintf(&sheet, `<symbol id="%s" viewBox="0 0 24 24">%s</symbol>`, id, strings.Join(strings.Fields(string(m[1])), " "))
			icons[id] = true
		}
	}
	sheet.WriteString("</svg>")
	add(iconSheet, "image/svg+xml", sheet.Bytes())
}

func add(name, media string, content []byte) {
	sum := sha256.Sum256(content)
	f := &file{name: name, hash: hex.EncodeToString(sum[:6]), content: content, media: media}
	byName[name], byAddress[f.address()] = f, f
}

// address is the file's name with its hash: "app.0123456789ab.css".
func (f *file) address() string {
	ext := path.Ext(f.name)
	return strings.TrimSuffix(f.name, ext) + "." + f.hash + ext
}

// Path returns the address of a file by its plain name ("app.css"), with a hash of its content in it. An unknown name is a mistake in the program and
// panics.
func Path(name string) string {
	f, ok := byName[name]
	if !ok {
		panic("static: no file " + name)
	}
	return Prefix + f.address()
}

// iconSheet is the file that has all icons.
const iconSheet = "icons.svg"

// Icon returns the address of a lucide icon (24 by 24, stroked), and whether there is one.
func Icon(name string) (string, bool) { return Path(iconSheet) + "#" + name, icons[name] }

// Handler serves the files under Prefix. Hashed addresses may be kept for ever. Plain names ("/static/app.css") work too and are requested again each
// time.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Only GET is answered here.", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, Prefix)
		f, hashed := byAddress[name]
		if !hashed {
			if f = byName[name]; f == nil {
				http.NotFound(w, r)
				return
			}
		}
		h := w.Header()
		h.Set("Content-Type", f.media)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("ETag", `W/"`+f.hash+`"`) // weak: compressed or not, it is the same file
		if hashed {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	})
}
