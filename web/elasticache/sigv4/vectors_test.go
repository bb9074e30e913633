package sigv4_test

import (
	"strings"
	"testing"
	"time"

	"rekindle/web/elasticache/sigv4"
)

// The signatures that AWS published in its test suite for Signature Version 4, for a service named "service". Left out are those
// of requests that net/http does not read (a blank in the path) and those with session tokens.
func TestPublishedSignaturesAreAccepted(t *testing.T) {
	t.Parallel()
	const unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	const vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	for _, one := range []struct{ name, line, headers, list, body, signature string }{
		{name: "get-vanilla", line: "GET /", signature: vanilla},
		{name: "get-vanilla-query", line: "GET /?", signature: vanilla},
		{name: "get-vanilla-empty-query-key", line: "GET /?Param1=value1", signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{name: "get-vanilla-query-order-key-case", line: "GET /?Param2=value2&Param1=value1", signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{name: "get-vanilla-query-order-value", line: "GET /?Param1=value2&Param1=value1", signature: "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
		{name: "get-vanilla-query-order-encoded", line: "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", signature: "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
		{name: "get-vanilla-query-unreserved", line: "GET /?" + unreserved + "=" + unreserved, signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{name: "get-vanilla-utf8-query", line: "GET /?\u1234=bar", signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{name: "get-unreserved", line: "GET /" + unreserved, signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{name: "get-utf8", line: "GET /\u1234", signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		{name: "get-relative", line: "GET /example/..", signature: vanilla},
		{name: "get-relative-relative", line: "GET /example1/example2/../..", signature: vanilla},
		{name: "get-slash", line: "GET //", signature: vanilla},
		{name: "get-slash-dot-slash", line: "GET /./", signature: vanilla},
		{name: "get-slash-pointless-dot", line: "GET /./example", signature: "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
		{name: "get-slashes", line: "GET //example//", signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		{
			name: "get-header-key-duplicate", line: "GET /", headers: "My-Header1:value2\nMy-Header1:value2\nMy-Header1:value1\n", list: "host;my-header1;x-amz-date",
			signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
		},
		{
			name: "get-header-value-multiline", line: "GET /", headers: "My-Header1:value1\n  value2\n     value3\n", list: "host;my-header1;x-amz-date",
			signature: "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd",
		},
		{
			name: "get-header-value-order", line: "GET /", headers: "My-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2\n", list: "host;my-header1;x-amz-date",
			signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
		},
		{
			name: "get-header-value-trim", line: "GET /", headers: "My-Header1: value1\nMy-Header2: \"a   b   c\"\n", list: "host;my-header1;my-header2;x-amz-date",
			signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
		},
		{name: "post-vanilla", line: "POST /", signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{name: "post-vanilla-query", line: "POST /?Param1=value1", signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
		{
			name: "post-header-key-sort", line: "POST /", headers: "My-Header1:value1\n", list: "host;my-header1;x-amz-date",
			signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
		},
		{
			name: "post-header-value-case", line: "POST /", headers: "My-Header1:VALUE1\n", list: "host;my-header1;x-amz-date",
			signature: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
		},
		{
			name: "post-x-www-form-urlencoded", line: "POST /", headers: "Content-Type:application/x-www-form-urlencoded\nContent-Length:13\n", list: "content-type;host;x-amz-date",
			body: "Param1=value1", signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
		},
	} {
		if one.list == "" {
			one.list = "host;x-amz-date"
		}
		r, body := read(t, one.line+" HTTP/1.1\nHost:example.amazonaws.com\n"+one.headers+"X-Amz-Date:20150830T123600Z\n"+
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="+one.list+", Signature="+one.signature+"\n\n"+one.body)
		want := sigv4.Identity{AccessKeyID: accessKey, Region: "us-east-1", Service: "service", At: at, Signature: one.signature}
		if got, err := sigv4.Verify(r, body, at, []string{"service"}, lookup); err != nil || got != want {
			t.Errorf("%s: %+v, %v", one.name, got, err)
		}
		last := len(one.signature) - 1
		forged := one.signature[:last] + map[bool]string{true: "1", false: "0"}[one.signature[last] == '0']
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), one.signature, forged, 1))
		_, err := sigv4.Verify(r, body, at, []string{"service"}, lookup)
		refused(t, one.name+", forged", err, "SignatureDoesNotMatch", "")
	}
}
