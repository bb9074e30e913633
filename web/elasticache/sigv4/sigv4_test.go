package sigv4_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"rekindle/internal/secret"
	"rekindle/web/elasticache/sigv4"
)

// The key of AWS's own examples, and another one.
const (
	accessKey   = "AKIDEXAMPLE"
	secretKey   = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	otherKey    = "AKIDOTHER"
	otherSecret = "another+secret/that+opens+another+door00"
)

var (
	services = []string{"elasticache", "sts"}
	signedAt = time.Date(2026, 11, 25, 15, 32, 14, 0, time.UTC)
)

const form = "Action=DescribeSnapshots&Version=2015-02-02"

func lookup(_ context.Context, accessKeyID string) (secret.Text, bool, error) {
	key, ok := map[string]secret.Text{accessKey: secretKey, otherKey: otherSecret}[accessKeyID]
	return key, ok, nil
}

// read parses a request's text as a server does.
func read(t testing.TB, text string) (*http.Request, []byte) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return r, body
}

// signed returns a request of the AWS SDK.
func signed(t testing.TB, method, target, body, service string, header http.Header) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://console.example.com:8080"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	signBySDK(t, r, body, service, signedAt)
	return r
}

func signBySDK(t testing.TB, r *http.Request, body, service string, at time.Time) {
	t.Helper()
	hash := sha256.Sum256([]byte(body))
	key := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hex.EncodeToString(hash[:]), service, "us-east-1", at); err != nil {
		t.Fatal(err)
	}
}

// authorize signs a canonical request that a test has written out, for elasticache.
func authorize(canonical, signedHeaders string, at time.Time) string {
	day, scope := at.Format("20060102"), at.Format("20060102")+"/us-east-1/elasticache/aws4_request"
	hash := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + secretKey)
	for _, text := range []string{
		day, "us-east-1", "elasticache", "aws4_request",
		"AWS4-HMAC-SHA256\n" + at.Format("20060102T150405Z") + "\n" + scope + "\n" + hex.EncodeToString(hash[:]),
	} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		key = h.Sum(nil)
	}
	return "AWS4-HMAC-SHA256 Credential=" + accessKey + "/" + scope + ", SignedHeaders=" + signedHeaders + ", Signature=" + hex.EncodeToString(key)
}

// refused checks that the error is a refusal with this code, in AWS's status for it.
func refused(t *testing.T, name string, err error, code, says string) {
	t.Helper()
	status := map[string]int{
		"IncompleteSignature": 400, "InvalidClientTokenId": 403, "MalformedQueryString": 404, "MissingAuthenticationToken": 403,
		"RequestExpired": 400, "SignatureDoesNotMatch": 403,
	}[code]
	refusal, ok := errors.AsType[sigv4.Error](err)
	if !ok || refusal.Code != code || refusal.Status != status || !strings.Contains(refusal.Message, says) || refusal.Error() != code+": "+refusal.Message {
		t.Errorf("%s: got %v (%+v), want %s with status %d that says %q", name, err, refusal, code, status, says)
	}
	if strings.Contains(refusal.Message, secretKey) {
		t.Errorf("%s: the secret is in %q", name, refusal.Message)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	drop := func(name string) func(*http.Request) { return func(r *http.Request) { delete(r.Header, name) } }
	// replace changes the Authorization header.
	replace := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		}
	}
	query := func(raw string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = raw } }
	const list = "SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-note"

	for name, one := range map[string]struct {
		change     func(*http.Request)
		code, says string
	}{
		"no authorization":           {drop("Authorization"), "MissingAuthenticationToken", "no Authorization header"},
		"empty authorization":        {set("Authorization", ""), "MissingAuthenticationToken", "no Authorization header"},
		"two authorizations":         {set("Authorization", "AWS4-HMAC-SHA256 a", "AWS4-HMAC-SHA256 b"), "IncompleteSignature", "more than once"},
		"basic authorization":        {set("Authorization", "Basic Og=="), "IncompleteSignature", `Unsupported AWS 'algorithm': "Basic"`},
		"another algorithm":          {replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), "IncompleteSignature", "AWS4-HMAC-SHA256"},
		"algorithm in lower case":    {replace("AWS4-HMAC-SHA256", "aws4-hmac-sha256"), "IncompleteSignature", "AWS4-HMAC-SHA256"},
		"algorithm only":             {set("Authorization", "AWS4-HMAC-SHA256"), "IncompleteSignature", "Credential, SignedHeaders and Signature"},
		"no credential":              {replace("Credential="+accessKey+"/20261125/us-east-1/elasticache/aws4_request, ", ""), "IncompleteSignature", "requires 'Credential' parameter."},
		"no signed headers":          {replace(list+", ", ""), "IncompleteSignature", "requires 'SignedHeaders' parameter."},
		"nothing but an empty part":  {set("Authorization", "AWS4-HMAC-SHA256 Credential="), "IncompleteSignature", "requires 'Credential' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires 'Signature' parameter."},
		"two credentials":            {replace("Credential=", "Credential=x/20261125/us-east-1/elasticache/aws4_request, Credential="), "IncompleteSignature", "each once"},
		"an unknown part":            {replace(", Signature=", ", Salt=1, Signature="), "IncompleteSignature", `"Salt=1"`},
		"part in lower case":         {replace("Credential=", "credential="), "IncompleteSignature", "Credential"},
		"no commas":                  {replace(", ", " "), "IncompleteSignature", "requires 'SignedHeaders' parameter."},
		"short credential":           {replace("/us-east-1/", "/"), "IncompleteSignature", "exactly 5 slash-delimited elements"},
		"long credential":            {replace("/us-east-1/", "/us/east-1/"), "IncompleteSignature", "exactly 5 slash-delimited elements"},
		"no access key":              {replace("="+accessKey+"/", "=/"), "IncompleteSignature", "exactly 5 slash-delimited elements"},
		"no region":                  {replace("/us-east-1/", "//"), "IncompleteSignature", "exactly 5 slash-delimited elements"},
		"access key without an end":  {replace(accessKey, strings.Repeat("A", 129)), "IncompleteSignature", "..."},
		"access key with blanks":     {replace(accessKey, "AKID EXAMPLE"), "IncompleteSignature", `AKID EXAMPLE`},
		"access key with accents":    {replace(accessKey, "AKIDÉ"), "IncompleteSignature", `AKID\u00c9`},
		"another terminator":         {replace("aws4_request", "aws5_request"), "IncompleteSignature", "'aws4_request', not \"aws5_request\""},
		"a short signature":          {func(r *http.Request) { trimAuthorization(r, 1) }, "IncompleteSignature", "64 hexadecimal digits"},
		"signature in upper case":    {func(r *http.Request) { upperSignature(r) }, "IncompleteSignature", "lower case"},
		"header in upper case":       {replace(";host;", ";Host;"), "IncompleteSignature", `"Host"`},
		"header twice":               {replace(";host;", ";host;host;"), "IncompleteSignature", "none of them twice"},
		"headers not sorted":         {replace("x-amz-content-sha256;x-amz-date", "x-amz-date;x-amz-content-sha256"), "IncompleteSignature", "sorted"},
		"empty header":               {replace(";host;", ";;host;"), "IncompleteSignature", "semicolons"},
		"blank in the list":          {replace(";host;", "; host;"), "IncompleteSignature", `" host"`},
		"host not signed":            {replace(";host;", ";"), "SignatureDoesNotMatch", `"host" must be among`},
		"date not signed":            {replace(";x-amz-date", ""), "SignatureDoesNotMatch", `"x-amz-date" must be among`},
		"hash not signed":            {replace(";x-amz-content-sha256", ""), "SignatureDoesNotMatch", `"x-amz-content-sha256", which must be among`},
		"amz header not signed":      {replace(";x-amz-meta-note", ""), "SignatureDoesNotMatch", `"x-amz-meta-note", which must be among`},
		"amz header slipped in":      {set("X-Amz-Target", "Other"), "SignatureDoesNotMatch", `"x-amz-target", which must be among`},
		"signed header taken out":    {drop("Content-Type"), "SignatureDoesNotMatch", `does not have the header "content-type"`},
		"signed header never there":  {replace(";host;", ";cookie;host;"), "SignatureDoesNotMatch", `does not have the header "cookie"`},
		"no host":                    {func(r *http.Request) { r.Host = "" }, "SignatureDoesNotMatch", `does not have the header "host"`},
		"no date":                    {drop("X-Amz-Date"), "IncompleteSignature", "either a 'X-Amz-Date' or a 'Date' header"},
		"two dates":                  {set("X-Amz-Date", "20261125T153214Z", "20261125T153214Z"), "IncompleteSignature", "once"},
		"date of HTTP":               {set("X-Amz-Date", "Wed, 25 Nov 2026 15:32:14 GMT"), "IncompleteSignature", "basic format"},
		"date with fractions":        {set("X-Amz-Date", "20261125T153214.5Z"), "IncompleteSignature", "basic format"},
		"date with a zone":           {set("X-Amz-Date", "20261125T153214+0000"), "IncompleteSignature", "basic format"},
		"the Date header not signed": {func(r *http.Request) { delete(r.Header, "X-Amz-Date"); r.Header.Set("Date", "20261125T153214Z") }, "SignatureDoesNotMatch", `"date" must be among`},
		"Date that is none":          {func(r *http.Request) { delete(r.Header, "X-Amz-Date"); r.Header.Set("Date", "yesterday") }, "IncompleteSignature", "GMT"},
		"Date twice": {func(r *http.Request) {
			delete(r.Header, "X-Amz-Date")
			r.Header["Date"] = []string{"20261125T153214Z", "20261125T153214Z"}
		}, "IncompleteSignature", "once"},
		"scope of another day":      {replace("/20261125/", "/20261124/"), "SignatureDoesNotMatch", `"20261124" != "20261125"`},
		"scope of no day":           {replace("/20261125/", "/today/"), "SignatureDoesNotMatch", "Credential scope"},
		"another service":           {replace("/elasticache/", "/rds/"), "SignatureDoesNotMatch", `correct service: 'elasticache' or 'sts', not "rds"`},
		"another allowed service":   {replace("/elasticache/", "/sts/"), "SignatureDoesNotMatch", "does not match the signature you provided"},
		"another region":            {replace("/us-east-1/", "/us-east-2/"), "SignatureDoesNotMatch", "does not match the signature you provided"},
		"another known access key":  {replace(accessKey, otherKey), "SignatureDoesNotMatch", "does not match the signature you provided"},
		"an unknown access key":     {replace(accessKey, "AKIDNOBODY"), "InvalidClientTokenId", "does not exist"},
		"another host":              {func(r *http.Request) { r.Host = "console.example.org" }, "SignatureDoesNotMatch", "Host header"},
		"another method":            {func(r *http.Request) { r.Method = "PUT" }, "SignatureDoesNotMatch", "does not match"},
		"another path":              {func(r *http.Request) { r.URL.Path = "/other" }, "SignatureDoesNotMatch", "does not match"},
		"another query":             {query("Action=DeleteSnapshot"), "SignatureDoesNotMatch", "does not match"},
		"query that is passed over": {query("a;b"), "MalformedQueryString", `syntax error: "a;b"`},
		"query with half an escape": {query("a=%4"), "MalformedQueryString", "syntax error"},
		"a session token":           {set("X-Amz-Security-Token", "token"), "InvalidClientTokenId", "Session tokens are not supported"},
		"an empty session token":    {set("X-Amz-Security-Token", ""), "InvalidClientTokenId", "Session tokens are not supported"},
		"session token in query":    {query("X-Amz-Security-Token=token"), "InvalidClientTokenId", "Session tokens are not supported"},
		"presigned": {func(r *http.Request) { delete(r.Header, "Authorization"); r.URL.RawQuery = "X-Amz-Signature=00" },
			"IncompleteSignature", "Presigned URLs are not supported"},
		"signed both ways":       {query("x-amz-signature=00"), "IncompleteSignature", "Presigned URLs are not supported"},
		"hash of another body":   {set("X-Amz-Content-Sha256", strings.Repeat("0", 64)), "SignatureDoesNotMatch", "The body is not the one that was signed"},
		"hash twice":             {set("X-Amz-Content-Sha256", "a", "b"), "IncompleteSignature", "more than once"},
		"an unsigned body":       {set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), "IncompleteSignature", `"UNSIGNED-PAYLOAD"`},
		"a streamed body":        {set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "IncompleteSignature", "STREAMING"},
		"an empty hash":          {set("X-Amz-Content-Sha256", ""), "IncompleteSignature", "SHA-256"},
		"an unsigned trailer":    {set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), "IncompleteSignature", "STREAMING"},
		"another content length": {func(r *http.Request) { r.ContentLength = 7 }, "SignatureDoesNotMatch", "does not match"},
	} {
		hash := sha256.Sum256([]byte(form))
		r := signed(t, "POST", "/?", form, "elasticache", http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "X-Amz-Meta-Note": {"note"}, "X-Amz-Content-Sha256": {hex.EncodeToString(hash[:])},
		})
		if _, err := sigv4.Verify(r, []byte(form), signedAt, services, lookup); err != nil {
			t.Fatalf("%s: as signed: %v", name, err)
		}
		before := r.Header.Get("Authorization")
		if !strings.Contains(before, list) {
			t.Fatalf("the SDK signs %s", before)
		}
		one.change(r)
		got, err := sigv4.Verify(r, []byte(form), signedAt, services, lookup)
		if refused(t, name, err, one.code, one.says); got != (sigv4.Identity{}) {
			t.Errorf("%s: refused and still %+v", name, got)
		}
	}
}

func trimAuthorization(r *http.Request, n int) {
	value := r.Header.Get("Authorization")
	r.Header.Set("Authorization", value[:len(value)-n])
}

func upperSignature(r *http.Request) {
	name, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	r.Header.Set("Authorization", name+"Signature="+strings.ToUpper(signature))
}

func TestClocksMayBeOffByTheWindowAndNoMore(t *testing.T) {
	t.Parallel()
	r := signed(t, "POST", "/", form, "sts", nil)
	for _, one := range []struct {
		now        time.Time
		code, says string
	}{
		{now: signedAt},
		{now: signedAt.Add(sigv4.Window)},
		{now: signedAt.Add(-sigv4.Window)},
		{now: signedAt.Add(sigv4.Window).In(time.FixedZone("east", 5*3600))},
		{signedAt.Add(sigv4.Window + 1), "RequestExpired", "Signature expired: 20261125T153214Z is now earlier than 20261125T153214Z (20261125T154714Z - 15 min.)"},
		{signedAt.Add(sigv4.Window + time.Minute), "RequestExpired", "is now earlier than 20261125T153314Z (20261125T154814Z - 15 min.)"},
		{signedAt.Add(24 * time.Hour), "RequestExpired", "Signature expired"},
		{signedAt.Add(-sigv4.Window - 1), "SignatureDoesNotMatch", "Signature not yet current"},
		{signedAt.Add(-sigv4.Window - time.Minute), "SignatureDoesNotMatch", "Signature not yet current: 20261125T153214Z is still later than 20261125T153114Z (20261125T151614Z + 15 min.)"},
		{time.Time{}, "SignatureDoesNotMatch", "Signature not yet current"},
	} {
		got, err := sigv4.Verify(r, []byte(form), one.now, services, lookup)
		if one.code != "" {
			refused(t, one.now.String(), err, one.code, one.says)
		} else if err != nil || got.At != signedAt || got.Service != "sts" {
			t.Errorf("at %v: %+v, %v", one.now, got, err)
		}
	}
}

func TestKeysThatNobodyMaySignWith(t *testing.T) {
	t.Parallel()
	r := signed(t, "POST", "/", form, "elasticache", nil)
	signedWith := func(key secret.Text) *http.Request {
		r := signed(t, "POST", "/", form, "elasticache", nil)
		hash := sha256.Sum256([]byte(form))
		credentials := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: key.Reveal()}
		if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(hash[:]), "elasticache", "us-east-1", signedAt); err != nil {
			t.Fatal(err)
		}
		return r
	}
	empty, standIn := signedWith(""), signedWith(sigv4.StandIn)
	answer := func(key secret.Text, known bool) sigv4.Lookup {
		return func(_ context.Context, id string) (secret.Text, bool, error) {
			if id != accessKey {
				t.Errorf("asked for %q", id)
			}
			return key, known, nil
		}
	}
	for name, one := range map[string]struct {
		request *http.Request
		lookup  sigv4.Lookup
		code    string
	}{
		"unknown":                         {r, answer("", false), "InvalidClientTokenId"},
		"unknown, yet with its secret":    {r, answer(secretKey, false), "InvalidClientTokenId"},
		"known without a secret":          {empty, answer("", true), "InvalidClientTokenId"},
		"unknown, signed without secret":  {empty, answer("", false), "InvalidClientTokenId"},
		"unknown, signed with a stand-in": {standIn, answer("", false), "InvalidClientTokenId"},
		"signed without secret":           {empty, answer(secretKey, true), "SignatureDoesNotMatch"},
		"known, with the secret of other": {r, answer(otherSecret, true), "SignatureDoesNotMatch"},
	} {
		_, err := sigv4.Verify(one.request, []byte(form), signedAt, services, one.lookup)
		refused(t, name, err, one.code, "")
	}

	broken := errors.New("the database is gone")
	got, err := sigv4.Verify(r, []byte(form), signedAt, services, func(context.Context, string) (secret.Text, bool, error) { return secretKey, true, broken })
	if _, refusal := errors.AsType[sigv4.Error](err); !errors.Is(err, broken) || refusal || got != (sigv4.Identity{}) {
		t.Errorf("with a broken lookup: %+v, %v", got, err)
	}
}

func TestVerifyLeavesTheRequestAsItIs(t *testing.T) {
	t.Parallel()
	r := signed(t, "POST", "/a%20b?x=1", form, "elasticache", http.Header{"X-Amz-Meta-Note": {" two  words ", "b"}})
	before := r.Clone(t.Context())
	for range 2 {
		if _, err := sigv4.Verify(r, []byte(form), signedAt, services, lookup); err != nil {
			t.Fatal(err)
		}
	}
	if note := r.Header["X-Amz-Meta-Note"]; len(note) != 2 || note[0] != " two  words " || r.URL.String() != before.URL.String() || len(r.Header) != len(before.Header) {
		t.Errorf("%q, %s, %v", note, r.URL, r.Header)
	}
}

// What net/http removes from the headers is found again, and no header is mistaken for another.
func TestHeadersThatServersTreatInTheirOwnWay(t *testing.T) {
	t.Parallel()
	const date = "20261125T153214Z"
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc"
	for name, one := range map[string]struct{ request, canonical, list string }{
		"chunked": {
			"POST / HTTP/1.1\nHost: h\nX-Amz-Date: " + date + "\nTransfer-Encoding: chunked\nAuthorization: %\n\n3\r\nabc\r\n0\r\n\r\n",
			"POST\n/\n\nhost:h\ntransfer-encoding:chunked\nx-amz-date:" + date + "\n\n", "host;transfer-encoding;x-amz-date\n" + abc,
		},
		"length": {
			"POST / HTTP/1.1\nHost: h\nX-Amz-Date: " + date + "\nContent-Length: 3\nAuthorization: %\n\nabc",
			"POST\n/\n\ncontent-length:3\nhost:h\nx-amz-date:" + date + "\n\n", "content-length;host;x-amz-date\n" + abc,
		},
		"length of nothing": {
			"POST / HTTP/1.1\nHost: h\nX-Amz-Date: " + date + "\nContent-Length: 0\nAuthorization: %\n\n",
			"POST\n/\n\ncontent-length:0\nhost:h\nx-amz-date:" + date + "\n\n", "content-length;host;x-amz-date\n" + empty,
		},
		"address instead of path": {
			"GET http://other/a?b=c HTTP/1.1\nHost: h\nX-Amz-Date: " + date + "\nAuthorization: %\n\n",
			"GET\n/a\nb=c\nhost:other\nx-amz-date:" + date + "\n\n", "host;x-amz-date\n" + empty,
		},
		"empty and blank values": {
			"GET / HTTP/1.1\nHost: h\nX-Amz-Date: " + date + "\nX-Empty:\nX-List:\nX-List:  a \t \nX-List: b   c\nAuthorization: %\n\n",
			"GET\n/\n\nhost:h\nx-amz-date:" + date + "\nx-empty:\nx-list:,a,b c\n\n", "host;x-amz-date;x-empty;x-list\n" + empty,
		},
		"plus is a space in the query": {
			"GET /?b=a+b&b=%2b&&a HTTP/1.1\nHost: h\nX-Amz-Date: " + date + "\nAuthorization: %\n\n",
			"GET\n/\na=&b=%2B&b=a%20b\nhost:h\nx-amz-date:" + date + "\n\n", "host;x-amz-date\n" + empty,
		},
		"Date in ISO's format": {
			"GET / HTTP/1.1\nHost: h\nDate: " + date + "\nAuthorization: %\n\n",
			"GET\n/\n\ndate:" + date + "\nhost:h\n\n", "date;host\n" + empty,
		},
		"Date in HTTP's format": {
			"GET / HTTP/1.1\nHost: h\nDate: Wed, 25 Nov 2026 15:32:14 GMT\nAuthorization: %\n\n",
			"GET\n/\n\ndate:Wed, 25 Nov 2026 15:32:14 GMT\nhost:h\n\n", "date;host\n" + empty,
		},
		"Date in another zone": {
			"GET / HTTP/1.1\nHost: h\nDate: Thu, 26 Nov 2026 00:32:14 +0900\nAuthorization: %\n\n",
			"GET\n/\n\ndate:Thu, 26 Nov 2026 00:32:14 +0900\nhost:h\n\n", "date;host\n" + empty,
		},
		"X-Amz-Date before a Date that is not signed": {
			"GET / HTTP/1.1\nHost: h\nDate: Sat, 01 Jan 2000 00:00:00 GMT\nX-Amz-Date: " + date + "\nAuthorization: %\n\n",
			"GET\n/\n\nhost:h\nx-amz-date:" + date + "\n\n", "host;x-amz-date\n" + empty,
		},
	} {
		list, _, _ := strings.Cut(one.list, "\n")
		r, body := read(t, strings.Replace(one.request, "%\n", authorize(one.canonical+one.list, list, signedAt)+"\n", 1))
		if got, err := sigv4.Verify(r, body, signedAt, services, lookup); err != nil || !got.At.Equal(signedAt) || got.At.Location() != time.UTC {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		_, err := sigv4.Verify(r, append(body, '.'), signedAt, services, lookup)
		refused(t, name, err, "SignatureDoesNotMatch", "")
	}
}

// A path is signed after "." and ".." are resolved. That must not make room for paths that lead elsewhere once unescaped.
func TestPathsAreResolvedOnlyWhereItMakesNoDifference(t *testing.T) {
	t.Parallel()
	const date = "20261125T153214Z"
	const rest = "\n\nhost:h\nx-amz-date:" + date + "\n\nhost;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, one := range []struct {
		path, canonical string
		same            bool
	}{
		{"/a/b", "/a/b", true},
		{"/a/./x/..//b", "/a/b", true},
		{"/../a/b", "/a/b", true},
		{"/a/b/", "/a/b", false},
		{"/a/%2e%2e/../b", "/a/b", false},
		{"/a/x%2Fy/../b", "/a/b", false},
		{"/a/%2e/b", "/a/b", false},
		{"/a%2Fb", "/a/b", false},
		{"/%61/b", "/a/b", false},
		{"/c/x%2Fy/../../../a/b", "/a/b", false},
		{"/x%2Fy/../b", "/x%252Fy/../b", true}, // as senders that resolve nothing sign it
		{"/x%2Fy/../../b", "/x%252Fy/../../b", true},
		{"/x%2Fy/../../b", "/b", false},
		{"/gr\u00f6\u00dfe", "/gr%C3%B6%C3%9Fe", true}, // as it came
		{"/gr%C3%B6%C3%9Fe", "/gr%25C3%25B6%25C3%259Fe", true},
		{"/gr%c3%b6%c3%9fe", "/gr%25C3%25B6%25C3%259Fe", false},
	} {
		r, body := read(t, "GET "+one.path+" HTTP/1.1\nHost: h\nX-Amz-Date: "+date+"\nAuthorization: "+authorize("GET\n"+one.canonical+rest, "host;x-amz-date", signedAt)+"\n\n")
		_, err := sigv4.Verify(r, body, signedAt, services, lookup)
		if one.same && err != nil {
			t.Errorf("%s signed as %s: %v", one.path, one.canonical, err)
		} else if !one.same {
			refused(t, one.path+" signed as "+one.canonical, err, "SignatureDoesNotMatch", "")
		}
	}

	// The path as a handler on the way has changed it counts, not the one that arrived.
	r, body := read(t, "GET /%C3%B6/b HTTP/1.1\nHost: h\nX-Amz-Date: "+date+"\nAuthorization: "+authorize("GET\n/b"+rest, "host;x-amz-date", signedAt)+"\n\n")
	if r.URL.Path = "/b"; r.URL.RawPath == "" {
		r.URL.RawPath = "/ö/b"
	}
	if _, err := sigv4.Verify(r, body, signedAt, services, lookup); err != nil {
		t.Error(err)
	}
}
