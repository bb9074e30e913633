package sigv4_test

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"rekindle/web/elasticache/sigv4"
)

// meaning is what a handler sees of a request.
type meaning struct{ method, host, path, query, headers, body string }

func meaningOf(r *http.Request, body []byte) meaning {
	query := url.Values{}
	for name, values := range r.URL.Query() {
		query[name] = slices.Sorted(slices.Values(values))
	}
	m := meaning{method: r.Method, host: strings.Trim(r.Host, " "), path: path.Clean("/" + r.URL.Path), query: query.Encode(), body: string(body)}
	_, list, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for name := range strings.SplitSeq(strings.Trim(list, " \t"), ";") {
		for _, value := range r.Header.Values(name) {
			words := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
			m.headers += name + ":" + strings.Join(words, " ") + " "
		}
	}
	return m
}

// FuzzVerify looks for a request that is accepted but was not signed.
func FuzzVerify(f *testing.F) {
	signed := map[string]meaning{}
	texts := recordings(f)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		r, body := read(f, texts[name])
		who, err := sigv4.Verify(r, body, signedAt, services, lookup)
		if err != nil {
			f.Fatal(err)
		}
		signed[who.Signature] = meaningOf(r, body)
		f.Add(texts[name])
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		who, err := sigv4.Verify(r, body, signedAt, services, lookup)
		if err == nil {
			if got, ok := meaningOf(r, body), signed[who.Signature]; got != ok || who.AccessKeyID != accessKey || !slices.Contains(services, who.Service) {
				t.Errorf("accepted as %+v: %+v\nwhile %+v was signed", who, got, ok)
			}
			return
		}
		refusal, ok := errors.AsType[sigv4.Error](err)
		invisible := strings.ContainsFunc(refusal.Message, func(r rune) bool { return r < ' ' || r > '~' })
		if !ok || refusal.Status < 400 || refusal.Status > 499 || refusal.Message == "" || invisible || len(refusal.Message) > 1000 || who != (sigv4.Identity{}) {
			t.Errorf("%+v, %+v", err, who)
		}
	})
}
