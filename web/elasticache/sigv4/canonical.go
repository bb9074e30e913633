package sigv4

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	blanks      = " \t"
	amzPrefix   = "x-amz-"
	hashHeader  = "X-Amz-Content-Sha256"
	tokenHeader = "X-Amz-Security-Token"
)

// canonicalRequest returns the text whose hash is signed: the request in a form that senders and receivers agree on.
func canonicalRequest(r *http.Request, signedHeaders []string, bodyHash string) (string, error) {
	query, err := canonicalQuery(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString(r.Method + "\n" + canonicalPath(r.URL) + "\n" + query + "\n")
	for _, name := range signedHeaders {
		values := headerValues(r, name)
		// An absent header is not an empty one: somebody who removes it must not get through.
		if len(values) == 0 {
			return "", refuse(SignatureDoesNotMatch, "The request does not have the header "+quote(name)+", which is among the SignedHeaders.")
		}
		for i, value := range values {
			values[i] = canonicalValue(value)
		}
		text.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	text.WriteString("\n" + strings.Join(signedHeaders, ";") + "\n" + bodyHash)
	return text.String(), nil
}

// checkSignedHeaders refuses a request in which somebody could have changed something that matters without breaking the signature.
func checkSignedHeaders(r *http.Request, signed []string, dateHeader string) error {
	for _, name := range []string{"host", dateHeader} {
		if !slices.Contains(signed, name) {
			return refuse(SignatureDoesNotMatch, "The header "+quote(name)+" must be among the SignedHeaders.")
		}
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if _, found := slices.BinarySearch(signed, name); !found && strings.HasPrefix(name, amzPrefix) {
			return refuse(SignatureDoesNotMatch, "The request has the header "+quote(name)+", which must be among the SignedHeaders.")
		}
	}
	return nil
}

// headerValues returns a header's values as they arrived, or none when the request does not have it. net/http removes some
// headers from the map.
func headerValues(r *http.Request, name string) []string {
	switch name {
	case "host":
		if r.Host == "" {
			return nil
		}
		return []string{r.Host}
	case "transfer-encoding":
		return slices.Clone(r.TransferEncoding)
	}
	values := slices.Clone(r.Header.Values(name))
	if name == "content-length" && len(values) == 0 && r.ContentLength > 0 {
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return values
}

// canonicalValue trims blanks around a value, and reduces each run of spaces in it to one. Quotes make no difference.
func canonicalValue(value string) string {
	value = strings.Trim(value, blanks)
	if !strings.Contains(value, "  ") {
		return value
	}
	words := strings.Split(value, " ")
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

// canonicalPath resolves "//", "." and ".." in the path as it was sent, and escapes it once more, as all services but S3 do.
func canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	// A path with characters that should have been escaped counts as it arrived. RawPath has that, and it still applies if
	// nobody has changed the path since.
	if plain, err := url.PathUnescape(u.RawPath); err == nil && plain == u.Path {
		path = u.RawPath
	}
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			switch last := len(kept) - 1; {
			case last < 0:
			case kept[last] == "..", strings.Contains(kept[last], "%"):
				// Nothing escaped may disappear unnoticed: it may be a "/" or a ".." to code that reads the path unescaped.
				kept = append(kept, segment)
			default:
				kept = kept[:last]
			}
		default:
			kept = append(kept, escape(segment))
		}
	}
	if strings.HasSuffix(path, "/") {
		kept = append(kept, "")
	}
	return "/" + strings.Join(kept, "/")
}

// canonicalQuery escapes the parameters and then sorts them, by name and then by value.
//
// It reads them with net/url, as handlers do. If the two differed, a request could be made to mean something other than what
// was signed: so "+" is a space, and what net/url skips is refused.
func canonicalQuery(raw string) (string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", refuse(MalformedQueryString, "The query string contains a syntax error: "+quote(raw)+".")
	}
	type parameter struct{ name, value string }
	var query []parameter
	for name, all := range values {
		for _, value := range all {
			query = append(query, parameter{escape(name), escape(value)})
		}
	}
	slices.SortFunc(query, func(a, b parameter) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	pairs := make([]string, len(query))
	for i, p := range query {
		pairs[i] = p.name + "=" + p.value
	}
	return strings.Join(pairs, "&"), nil
}

// escape writes every byte as %XX except letters, digits and -._~, which differs from url.QueryEscape.
func escape(text string) string {
	const digits = "0123456789ABCDEF"
	var escaped strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			escaped.WriteByte(c)
		default:
			escaped.WriteByte('%')
			escaped.WriteByte(digits[c>>4])
			escaped.WriteByte(digits[c&15])
		}
	}
	return escaped.String()
}
