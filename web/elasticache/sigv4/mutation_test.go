package sigv4_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/web/elasticache/sigv4"
)

// attempt is a request, and the secret that it is verified with.
type attempt struct {
	wire
	key secret.Text // the secret of accessKey here
}

// A mutation changes one thing that is signed. It reports false when the request has no such thing.
type mutation struct {
	name   string
	codes  string // the refusals that are allowed for it
	change func(*rand.Rand, *attempt) bool
}

const (
	mismatch = "SignatureDoesNotMatch"
	badForm  = "IncompleteSignature"
)

var mutations = []mutation{
	{"a byte of the body", mismatch, func(rng *rand.Rand, a *attempt) bool {
		if a.body == "" {
			return false
		}
		i := rng.IntN(len(a.body))
		a.body = a.body[:i] + string(rune(another(rng, a.body[i]))) + a.body[i+1:]
		return true
	}},
	{"a byte more in the body", mismatch, func(rng *rand.Rand, a *attempt) bool {
		i := rng.IntN(len(a.body) + 1)
		a.body = a.body[:i] + pick(rng, "a", "&", " ", "\n", "\x00") + a.body[i:]
		return true
	}},
	{"a byte less in the body", mismatch, func(rng *rand.Rand, a *attempt) bool {
		if a.body == "" {
			return false
		}
		i := rng.IntN(len(a.body))
		a.body = a.body[:i] + a.body[i+1:]
		return true
	}},
	{"no body", mismatch, func(_ *rand.Rand, a *attempt) bool {
		had := a.body != ""
		a.body = ""
		return had
	}},
	{"a byte of a signed header", mismatch + badForm, func(rng *rand.Rand, a *attempt) bool {
		name, ok := a.signedHeader(rng)
		if !ok {
			return false
		}
		value := a.get(name)
		places := places(value)
		if len(places) == 0 {
			return false
		}
		i := places[rng.IntN(len(places))]
		a.set(name, value[:i]+string(rune(another(rng, value[i])))+value[i+1:])
		return true
	}},
	{"more of a signed header", mismatch + badForm, func(rng *rand.Rand, a *attempt) bool {
		name, ok := a.signedHeader(rng)
		if ok {
			a.set(name, a.get(name)+pick(rng, "x", ",", " x", ";"))
		}
		return ok
	}},
	{"a signed header twice", mismatch + badForm, func(rng *rand.Rand, a *attempt) bool {
		name, ok := a.signedHeader(rng)
		if ok {
			a.add(name, pick(rng, a.get(name), "", "x"))
		}
		return ok
	}},
	{"no signed header", mismatch, func(rng *rand.Rand, a *attempt) bool {
		name, ok := a.signedHeader(rng)
		if ok {
			a.drop(name)
		}
		return ok
	}},
	{"a signed header under another name", mismatch, func(rng *rand.Rand, a *attempt) bool {
		name, ok := a.signedHeader(rng)
		if ok {
			a.add(name+"s", a.get(name))
			a.drop(name)
		}
		return ok
	}},
	{"an unsigned amz header", mismatch, func(rng *rand.Rand, a *attempt) bool {
		a.add(pick(rng, "X-Amz-Target", "x-amz-meta-other", "X-AMZ-"+randomText(rng)), "x")
		return true
	}},
	{"a digit of the signature", mismatch, func(rng *rand.Rand, a *attempt) bool {
		signature := a.signature()
		i := rng.IntN(len(signature))
		digit := "0123456789abcdef"[rng.IntN(16)]
		a.setSignature(signature[:i] + string(rune(digit)) + signature[i+1:])
		return digit != signature[i]
	}},
	{"the signature of another request", mismatch, func(rng *rand.Rand, a *attempt) bool {
		sum := sha256.Sum256([]byte(randomText(rng)))
		a.setSignature(hex.EncodeToString(sum[:]))
		return true
	}},
	{"a signature that is none", badForm, func(rng *rand.Rand, a *attempt) bool {
		signature := a.signature()
		a.setSignature(pick(rng, "", signature[1:], signature+"0", "g"+signature[1:], signature[:32], strings.Repeat(" ", 64)))
		return true
	}},
	{"another access key", mismatch, func(_ *rand.Rand, a *attempt) bool { a.setCredential(0, otherKey); return true }},
	{"an unknown access key", "InvalidClientTokenId", func(rng *rand.Rand, a *attempt) bool {
		a.setCredential(0, pick(rng, accessKey+"1", strings.ToLower(accessKey), accessKey[1:], randomText(rng)))
		return true
	}},
	{"another secret", mismatch, func(rng *rand.Rand, a *attempt) bool {
		a.key = secret.Text(pick(rng, otherSecret, secretKey+" ", secretKey[1:], strings.ToLower(secretKey), randomText(rng)))
		return true
	}},
	{"another day of the scope", mismatch, func(rng *rand.Rand, a *attempt) bool {
		day, err := time.Parse("20060102", a.credential()[1])
		a.setCredential(1, day.AddDate(0, 0, pick(rng, -1, 1, 365)).Format("20060102"))
		return err == nil
	}},
	{"another region", mismatch, func(rng *rand.Rand, a *attempt) bool {
		region := a.credential()[2]
		a.setCredential(2, pick(rng, region+"a", region[1:], strings.ToUpper(region), randomText(rng)))
		return true
	}},
	{"the other service", mismatch, func(_ *rand.Rand, a *attempt) bool {
		a.setCredential(3, map[string]string{"sts": "elasticache", "elasticache": "sts"}[a.credential()[3]])
		return true
	}},
	{"a service not served", mismatch, func(rng *rand.Rand, a *attempt) bool {
		a.setCredential(3, pick(rng, "rds", "ElastiCache", "elasticache2", "s3", randomText(rng)))
		return true
	}},
	{"another terminator", badForm, func(rng *rand.Rand, a *attempt) bool {
		a.setCredential(4, pick(rng, "aws4_Request", "aws4", "aws5_request", randomText(rng)))
		return true
	}},
	{"a part of the credential less or more", badForm, func(rng *rand.Rand, a *attempt) bool {
		parts := a.credential()
		i := rng.IntN(len(parts))
		if rng.IntN(2) == 0 {
			parts = slices.Delete(parts, i, i+1)
		} else {
			parts = slices.Insert(parts, i, pick(rng, "", "x"))
		}
		a.setPart("Credential=", strings.Join(parts, "/"))
		return true
	}},
	{"another algorithm", badForm, func(rng *rand.Rand, a *attempt) bool {
		a.set("Authorization", strings.Replace(a.get("Authorization"), "AWS4-HMAC-SHA256", pick(rng, "AWS4-HMAC-SHA1", "AWS4-HMAC-SHA512", "AWS3", "none"), 1))
		return true
	}},
	{"another moment", mismatch, func(rng *rand.Rand, a *attempt) bool {
		move := time.Duration(1+rng.IntN(600)) * time.Second * time.Duration(pick(rng, -1, 1))
		for name, layout := range map[string]string{"X-Amz-Date": "20060102T150405Z", "Date": time.RFC1123Z} {
			if at, err := time.Parse(layout, a.get(name)); err == nil {
				a.set(name, at.Add(move).Format(layout))
				return true
			}
		}
		return false
	}},
	{"long ago", "RequestExpired", func(rng *rand.Rand, a *attempt) bool { return a.moveDays(-1 - rng.IntN(1000)) }},
	{"in the future", mismatch, func(rng *rand.Rand, a *attempt) bool { return a.moveDays(1 + rng.IntN(1000)) }},
	{"another method", mismatch, func(rng *rand.Rand, a *attempt) bool {
		was := a.method
		a.method = pick(rng, "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "post", "GETS")
		return a.method != was
	}},
	{"a byte of the path", mismatch, func(rng *rand.Rand, a *attempt) bool { return a.changeTarget(rng, 0) }},
	{"a segment more", mismatch, func(rng *rand.Rand, a *attempt) bool {
		path, query, asked := strings.Cut(a.target, "?")
		a.target = path + pick(rng, "x", "/x", "%2F", "%20", "x/", ";", "%2e") + map[bool]string{true: "?" + query}[asked]
		return true
	}},
	{"a detour through something escaped", mismatch, func(rng *rand.Rand, a *attempt) bool {
		// Code that resolves ".." before unescaping stays at the same path; code that unescapes first does not.
		a.target = pick(rng, "/%2e%2e/..", "/.%2E/..", "/x%2fy/..", "/x%2F/..", "/x/%2e./../..") + a.target
		return true
	}},
	{"a byte of the query", mismatch, func(rng *rand.Rand, a *attempt) bool { return a.changeTarget(rng, 1) }},
	{"a parameter more", mismatch, func(rng *rand.Rand, a *attempt) bool {
		a.target += map[bool]string{true: "&", false: "?"}[strings.Contains(a.target, "?")] + pick(rng, "x", "Action=DeleteSnapshot", "=", "%20=1")
		return true
	}},
	{"a parameter less", mismatch, func(rng *rand.Rand, a *attempt) bool {
		path, query, asked := strings.Cut(a.target, "?")
		parameters := strings.Split(query, "&")
		i := rng.IntN(len(parameters))
		a.target = path + "?" + strings.Join(slices.Delete(parameters, i, i+1), "&")
		return asked
	}},
	{"another host", mismatch, func(rng *rand.Rand, a *attempt) bool {
		host := a.get("Host")
		a.set("Host", pick(rng, "x"+host, host+"0", host[1:], "evil.example", "localhost"))
		return true
	}},
	{"no host", mismatch, func(_ *rand.Rand, a *attempt) bool { a.drop("Host"); return true }},
	{"a name less in the list", mismatch + badForm, func(rng *rand.Rand, a *attempt) bool {
		list := a.list()
		i := rng.IntN(len(list))
		a.setList(slices.Delete(list, i, i+1))
		return true
	}},
	{"a name more in the list", mismatch, func(rng *rand.Rand, a *attempt) bool {
		list := a.list()
		// Of a header that is present, is added with it, or is absent.
		name := pick(rng, "accept", "user-agent", "accept-encoding", "x-added", "x-amz-added", "cookie", "content-length")
		if strings.HasSuffix(name, "-added") {
			a.add(name, "x")
		}
		had := slices.Contains(list, name)
		list = append(list, name)
		slices.Sort(list)
		a.setList(list)
		return !had
	}},
	{"another order of the list", badForm, func(rng *rand.Rand, a *attempt) bool {
		list := a.list()
		i := rng.IntN(len(list) - 1)
		list[i], list[i+1] = list[i+1], list[i]
		a.setList(list)
		return true
	}},
	{"a name of the list twice or in upper case", badForm, func(rng *rand.Rand, a *attempt) bool {
		list := a.list()
		i := rng.IntN(len(list))
		if rng.IntN(2) == 0 {
			list = slices.Insert(list, i, list[i])
		} else {
			list[i] = strings.ToUpper(list[i][:1]) + list[i][1:]
		}
		a.setList(list)
		return true
	}},
	{"a part of the authorization less", badForm, func(rng *rand.Rand, a *attempt) bool {
		value := strings.TrimPrefix(a.get("Authorization"), "AWS4-HMAC-SHA256 ")
		parts := strings.Split(value, ", ")
		i := rng.IntN(len(parts))
		a.set("Authorization", "AWS4-HMAC-SHA256 "+strings.Join(slices.Delete(parts, i, i+1), ", "))
		return len(parts) == 3
	}},
	{"a part of the authorization twice", badForm, func(rng *rand.Rand, a *attempt) bool {
		value := a.get("Authorization")
		parts := strings.Split(strings.TrimPrefix(value, "AWS4-HMAC-SHA256 "), ", ")
		a.set("Authorization", value+", "+parts[rng.IntN(len(parts))])
		return true
	}},
	{"two authorizations", badForm, func(_ *rand.Rand, a *attempt) bool { a.add("Authorization", a.get("Authorization")); return true }},
	{"no authorization", "MissingAuthenticationToken", func(_ *rand.Rand, a *attempt) bool { a.drop("Authorization"); return true }},
	{"a hash of the body", mismatch + badForm, func(rng *rand.Rand, a *attempt) bool {
		sum := sha256.Sum256([]byte(a.body))
		had := a.find("X-Amz-Content-Sha256") >= 0
		a.add("X-Amz-Content-Sha256", pick(rng, hex.EncodeToString(sum[:]), "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))
		return !had
	}},
	{"a session token", "InvalidClientTokenId", func(rng *rand.Rand, a *attempt) bool {
		a.add("X-Amz-Security-Token", randomText(rng))
		return true
	}},
}

func pick[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }

func randomText(rng *rand.Rand) string {
	text := make([]byte, 1+rng.IntN(20))
	for i := range text {
		text[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[rng.IntN(36)]
	}
	return string(text)
}

// another returns a letter or digit other than this byte, in upper case as well.
func another(rng *rand.Rand, was byte) byte {
	for {
		if c := "abcdefghijklmnopqrstuvwxyz0123456789"[rng.IntN(36)]; c != was|0x20 && c != was {
			return c
		}
	}
}

// places returns the positions of letters and digits that stand for themselves.
func places(text string) []int {
	var found []int
	for i := range len(text) {
		c := text[i] | 0x20
		escaped := (i > 0 && text[i-1] == '%') || (i > 1 && text[i-2] == '%')
		if !escaped && (('a' <= c && c <= 'z') || ('0' <= text[i] && text[i] <= '9')) {
			found = append(found, i)
		}
	}
	return found
}

// changeTarget changes a letter or digit of the path (0) or of the query (1).
func (a *attempt) changeTarget(rng *rand.Rand, part int) bool {
	parts := strings.SplitN(a.target, "?", 2)
	if part >= len(parts) {
		return false
	}
	places := places(parts[part])
	if len(places) == 0 {
		return false
	}
	i := places[rng.IntN(len(places))]
	parts[part] = parts[part][:i] + string(rune(another(rng, parts[part][i]))) + parts[part][i+1:]
	a.target = strings.Join(parts, "?")
	return true
}

// signedHeader picks a header that is signed and has no mutations of its own.
func (a *attempt) signedHeader(rng *rand.Rand) (string, bool) {
	names := slices.DeleteFunc(a.list(), func(name string) bool {
		return slices.Contains([]string{"host", "date", "x-amz-date", "content-length"}, name)
	})
	if len(names) == 0 {
		return "", false
	}
	return names[rng.IntN(len(names))], true
}

// moveDays moves the time and the scope by the same number of days.
func (a *attempt) moveDays(days int) bool {
	at, err := time.Parse("20060102T150405Z", a.get("X-Amz-Date"))
	if err != nil {
		return false
	}
	at = at.AddDate(0, 0, days)
	a.set("X-Amz-Date", at.Format("20060102T150405Z"))
	a.setCredential(1, at.Format("20060102"))
	return true
}

// originals returns requests of several clients, all of which are accepted.
func originals(t *testing.T) []wire {
	t.Helper()
	texts := recordings(t)
	var all []wire
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		all = append(all, takeApart(t, texts[name]))
	}
	hash := sha256.Sum256([]byte(form))
	for _, one := range []struct {
		method, target, body, service string
		header                        http.Header
	}{
		{"POST", "/", form, "elasticache", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		{"POST", "/v1?b=2&a=1", form, "sts", http.Header{"X-Amz-Content-Sha256": {hex.EncodeToString(hash[:])}}},
		{"GET", "/a%20b/c?Action=Describe%2BSnapshots&Name=gr%C3%B6%C3%9Fe", "", "elasticache", http.Header{"X-Amz-Meta-Note": {"two words"}, "Accept": {"text/xml"}}},
		{"DELETE", "/one/two/", "", "elasticache", http.Header{"X-One": {"b"}, "X-Two": {"c; d"}}},
	} {
		all = append(all, wireOf(t, signed(t, one.method, one.target, one.body, one.service, one.header)))
	}
	return all
}

func (a *attempt) verify(t *testing.T) error {
	t.Helper()
	r, body := read(t, a.text())
	_, err := sigv4.Verify(r, body, signedAt, services, func(ctx context.Context, id string) (secret.Text, bool, error) {
		if id == accessKey {
			return a.key, true, nil
		}
		return lookup(ctx, id)
	})
	return err
}

func TestNoneOf10000MutationsIsAccepted(t *testing.T) {
	t.Parallel()
	all := originals(t)
	for _, one := range all {
		if err := (&attempt{one, secretKey}).verify(t); err != nil {
			t.Fatalf("%v for\n%s", err, one.text())
		}
	}
	const times = 10000
	rng := rand.New(rand.NewPCG(4, 2026))
	counts, accepted := map[string]int{}, 0
	for i := 0; i < times; {
		m, original := mutations[rng.IntN(len(mutations))], all[rng.IntN(len(all))]
		a := &attempt{original.clone(), secretKey}
		if !m.change(rng, a) {
			continue
		}
		if a.text() == original.text() && a.key == secretKey {
			t.Fatalf("%s: nothing has changed in\n%s", m.name, a.text())
		}
		i++
		counts[m.name]++
		err := a.verify(t)
		if err == nil {
			accepted++
			t.Errorf("%s: accepted\n%s", m.name, a.text())
			continue
		}
		if refusal, ok := errors.AsType[sigv4.Error](err); !ok || !strings.Contains(m.codes, refusal.Code) || refusal.Status < 400 || refusal.Message == "" {
			t.Errorf("%s: %v, want %s for\n%s", m.name, err, m.codes, a.text())
		}
	}
	for _, m := range mutations {
		if counts[m.name] == 0 {
			t.Errorf("%s: never occurred", m.name)
		}
	}
	t.Logf("%d of %d mutations in %d kinds were accepted: %v", accepted, times, len(counts), counts)
}
