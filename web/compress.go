package web

import (
	"fmt"
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// What is compressed for whoever accepts it: text. Parts of snapshots are not, since zstd is already that, and a plain RDB file is a download whose
// length was announced.
var compressible = []string{"text/html", "text/css", "text/javascript", "text/plain", "text/xml", "application/json", "image/svg+xml"}

// smallestCompressed is from how many bytes on compressing is worth while: less fits into one packet anyway.
const smallestCompressed = 1400

// compressed compresses the answers of the routes. The length of a compressed page tells something about its content to whoever sees the encrypted
// bytes and chooses a part of the page (BREACH). So pages that show a secret are left alone; see showsSecret. Others have none: forms are protected by
// where they come from and not by a token in the page, sessions are in cookies, and the API returns no passwords.
func compressed(routes http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(smallestCompressed), gzhttp.ContentTypes(compressible), gzhttp.EnableZstd(false))
	if err != nil {
		return nil, fmt.Errorf("web: compress: %w", err)
	}
	return wrap(routes), nil
}

// showsSecret has nobody on the way keep the page, and nobody measure it.
func showsSecret(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(gzhttp.HeaderNoCompression, "it shows a secret")
}
