package sigv4_test

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wire is a request as text, in parts that can be changed one by one.
type wire struct {
	method, target string
	headers        [][2]string // with Host, without Content-Length, which is that of the body
	body           string
}

// takeApart reads a recorded request.
func takeApart(t *testing.T, text string) wire {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	first := strings.Split(lines[0], " ")
	w := wire{method: first[0], target: first[1], body: body}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("%q is no header", line)
		}
		if name != "Content-Length" {
			w.headers = append(w.headers, [2]string{name, value})
		}
	}
	return w
}

// wireOf returns a client's request as text.
func wireOf(t *testing.T, r *http.Request) wire {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	w := wire{method: r.Method, target: r.URL.RequestURI(), headers: [][2]string{{"Host", r.Host}}, body: string(body)}
	if r.Host == "" {
		w.headers[0][1] = r.URL.Host
	}
	for name, values := range r.Header {
		for _, value := range values {
			w.headers = append(w.headers, [2]string{name, value})
		}
	}
	slices.SortStableFunc(w.headers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }) // the same mutations each time
	return w
}

func (w wire) clone() wire {
	w.headers = slices.Clone(w.headers)
	return w
}

func (w wire) text() string {
	var b strings.Builder
	b.WriteString(w.method + " " + w.target + " HTTP/1.1\r\n")
	for _, header := range w.headers {
		b.WriteString(header[0] + ": " + header[1] + "\r\n")
	}
	if w.body != "" {
		b.WriteString("Content-Length: " + strconv.Itoa(len(w.body)) + "\r\n")
	}
	return b.String() + "\r\n" + w.body
}

// find returns the index of a header, or -1.
func (w *wire) find(name string) int {
	return slices.IndexFunc(w.headers, func(header [2]string) bool { return strings.EqualFold(header[0], name) })
}

// get returns a header's value, "" when there is none.
func (w *wire) get(name string) string {
	if i := w.find(name); i >= 0 {
		return strings.TrimSpace(w.headers[i][1])
	}
	return ""
}

func (w *wire) set(name, value string) { w.headers[w.find(name)][1] = value }

func (w *wire) add(name, value string) { w.headers = append(w.headers, [2]string{name, value}) }

func (w *wire) drop(name string) {
	i := w.find(name)
	w.headers = slices.Delete(w.headers, i, i+1)
}

// credential returns the parts of the Authorization header's credential, list its signed headers, signature its signature.
func (w *wire) credential() []string { return strings.Split(w.part("Credential="), "/") }
func (w *wire) list() []string       { return strings.Split(w.part("SignedHeaders="), ";") }
func (w *wire) signature() string    { return w.part("Signature=") }

func (w *wire) part(name string) string {
	_, rest, _ := strings.Cut(w.get("Authorization"), name)
	value, _, _ := strings.Cut(rest, ",")
	return value
}

func (w *wire) setCredential(i int, value string) {
	parts := w.credential()
	parts[i] = value
	w.setPart("Credential=", strings.Join(parts, "/"))
}

func (w *wire) setList(list []string)    { w.setPart("SignedHeaders=", strings.Join(list, ";")) }
func (w *wire) setSignature(text string) { w.setPart("Signature=", text) }

func (w *wire) setPart(name, value string) {
	w.set("Authorization", strings.Replace(w.get("Authorization"), name+w.part(name), name+value, 1))
}
