package gate

import (
	"io"
	"net/http"
	"net/netip"
	"time"
)

// Handler limits how long a request may take to arrive, and tells the gate when it has. address says where a request comes from, also behind a proxy.
// A handler that may read for longer, such as an upload, sets its own deadlines; see [http.ResponseController].
func (g *Gate) Handler(next http.Handler, address func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := connOf(r.Context())
		if c == nil { // not from our listener
			next.ServeHTTP(w, r)
			return
		}
		if from, err := netip.ParseAddr(address(r)); err == nil {
			g.nameAddress(c, block(from.Unmap().WithZone("")))
		}
		now := time.Now()
		_ = c.SetWriteDeadline(now.Add(2 * g.limits.Request)) // for strangers; see Known
		if r.Body == nil || r.Body == http.NoBody {
			g.arrived(c)
		} else {
			_ = c.SetReadDeadline(now.Add(g.limits.Request))
			r.Body = &body{r.Body, c, false}
		}
		next.ServeHTTP(w, r)
	})
}

// body tells the gate when the request has been read to its end.
type body struct {
	io.ReadCloser
	conn *conn
	done bool
}

// Read reads on.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.done {
		b.done = true
		b.conn.gate.arrived(b.conn)
		_ = b.conn.SetReadDeadline(time.Time{}) // the server reads on, to notice when the client goes
	}
	return n, err
}
