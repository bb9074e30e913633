package sigv4_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/web/elasticache/sigv4"
)

// recorded are requests as clients sent them, within 15 minutes of signedAt: the AWS CLI 1.45.11 with botocore 1.43.11,
// botocore alone with its own headers, query and path, and curl 7.88.1 with --aws-sigv4. Line ends and the User-Agent, neither
// of which is signed, are shortened. They are signed with AWS's example key.
var recorded = map[string]struct{ region, service string }{
	"aws-create-snapshot":     {"us-east-1", "elasticache"},
	"aws-describe-snapshots":  {"us-east-1", "elasticache"},
	"aws-get-caller-identity": {"us-east-1", "sts"},
	"botocore-date-header":    {"eu-central-1", "elasticache"},
	"botocore-get-query":      {"eu-central-1", "elasticache"},
	"botocore-path":           {"eu-central-1", "elasticache"},
	"curl-get":                {"us-east-1", "elasticache"},
	"curl-post":               {"us-east-1", "elasticache"},
	"curl-post-headers":       {"us-east-1", "elasticache"},
}

// recordings returns the texts of the recorded requests by name.
func recordings(t testing.TB) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for name := range recorded {
		text, err := os.ReadFile(filepath.Join("testdata", "recorded", name+".http"))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	if files, err := filepath.Glob("testdata/recorded/*"); err != nil || len(files) != len(recorded) {
		t.Fatalf("%d files are recorded, %d are known (%v)", len(files), len(recorded), err)
	}
	return texts
}

func TestRecordedRequestsOfOtherClientsAreAccepted(t *testing.T) {
	t.Parallel()
	for name, text := range recordings(t) {
		r, body := read(t, text)
		got, err := sigv4.Verify(r, body, signedAt, services, lookup)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		want := sigv4.Identity{AccessKeyID: accessKey, Region: recorded[name].region, Service: recorded[name].service, At: got.At, Signature: signature}
		if got != want || got.At.Sub(signedAt).Abs() > time.Minute {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		_, err = sigv4.Verify(r, body, signedAt, services, func(context.Context, string) (secret.Text, bool, error) { return otherSecret, true, nil })
		refused(t, name+" with another secret", err, "SignatureDoesNotMatch", "does not match")
		_, err = sigv4.Verify(r, body, signedAt, []string{"rds"}, lookup)
		refused(t, name+" for another service", err, "SignatureDoesNotMatch", "'rds', not")
	}
}

// server answers the requests whose signature is right, and reports what it found in each.
func server(t *testing.T) (string, <-chan string) {
	t.Helper()
	seen := make(chan string, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var who sigv4.Identity
			if who, err = sigv4.Verify(r, body, time.Now(), services, lookup); err == nil {
				seen <- fmt.Sprint(who.AccessKeyID, " ", who.Region, " ", who.Service, " ", r.Method, " ", r.RequestURI, " ", string(body))
				_, _ = io.WriteString(w, `<DescribeSnapshotsResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><DescribeSnapshotsResult><Snapshots/>`+
					`</DescribeSnapshotsResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeSnapshotsResponse>`)
				return
			}
		}
		seen <- fmt.Sprintf("%v for %v", err, r.Header)
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(s.Close)
	return s.URL, seen
}

func TestRequestsOfTheSDKAreAccepted(t *testing.T) {
	t.Parallel()
	address, seen := server(t)
	for _, one := range []struct {
		method, target, body, service string
		header                        http.Header
		arrives                       string // the target, where the SDK writes it differently
	}{
		{method: "POST", target: "/", body: form, service: "elasticache", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}},
		{method: "POST", target: "/", body: "Action=GetCallerIdentity&Version=2011-06-15", service: "sts"},
		{method: "POST", target: "/", service: "elasticache"},
		{method: "POST", target: "/", body: "größe\r\n\x00\xff", service: "elasticache", header: http.Header{"Content-Type": {"application/octet-stream"}}},
		{method: "POST", target: "/", body: strings.Repeat("a long body ", 10000), service: "elasticache"},
		{method: "GET", target: "/", service: "elasticache", header: http.Header{
			"X-Amz-Meta-Note": {"  two   words  "}, "X-List": {"b", "a", "b, c"}, "X-Empty": {""}, "X-Quoted": {`"a   b"`}, "X-Accents": {"größe"}, "Accept": {"*/*"},
		}},
		{method: "GET", target: "/?Version=2015-02-02&Action=DescribeSnapshots", service: "elasticache", arrives: "/?Action=DescribeSnapshots&Version=2015-02-02"},
		{method: "GET", target: "/?b=2&a=z&a=a&empty&B=1&a-b=1&a%2Fb=1", service: "elasticache", arrives: "/?B=1&a=a&a=z&a%2Fb=1&a-b=1&b=2&empty="},
		{method: "GET", target: "/?name=gr%C3%B6%C3%9Fe+and%20more%2B%26%3D%7E%2a!'()", service: "elasticache", arrives: "/?name=gr%C3%B6%C3%9Fe%20and%20more%2B%26%3D~%2A%21%27%28%29"},
		{method: "PUT", target: "/v1/clusters/orders", body: "x", service: "elasticache"},
		{method: "DELETE", target: "/a%20b/gr%C3%B6%C3%9Fe/a%2Fb/", service: "elasticache"},
		{method: "PATCH", target: "/-._~!$&'()*+,;=:@", body: "x", service: "elasticache"},
		{method: "GET", target: "/%2e%2E/..a/...", service: "elasticache"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), one.method, address+one.target, strings.NewReader(one.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range one.header {
			r.Header[name] = values
		}
		signBySDK(t, r, one.body, one.service, time.Now())
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
		if one.arrives == "" {
			one.arrives = one.target
		}
		if got, want := <-seen, fmt.Sprint(accessKey, " us-east-1 ", one.service, " ", one.method, " ", one.arrives, " ", one.body); got != want {
			t.Errorf("%s %s: the server saw\n%.500s\nwant\n%.500s", one.method, one.target, got, want)
		}
	}
}

// run runs a client, which may not be installed.
func run(t *testing.T, program string, arguments ...string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: that requests of the %s that is installed are accepted; recorded ones are. Install it.", program)
	}
	nothing := filepath.Join(t.TempDir(), "none")
	command := exec.CommandContext(t.Context(), program, arguments...)
	own := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "AWS_") })
	command.Env = append(own, "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_DEFAULT_REGION=us-east-1",
		"AWS_CONFIG_FILE="+nothing, "AWS_SHARED_CREDENTIALS_FILE="+nothing, "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, output)
	}
}

func TestRequestsOfTheInstalledCLIAreAccepted(t *testing.T) {
	t.Parallel()
	address, seen := server(t)
	run(t, "aws", "elasticache", "describe-snapshots", "--endpoint-url", address, "--no-paginate", "--snapshot-name", "größe & more+")
	if got, want := <-seen, accessKey+" us-east-1 elasticache POST / "+form+"&SnapshotName=gr%C3%B6%C3%9Fe+%26+more%2B"; got != want {
		t.Errorf("the server saw\n%s\nwant\n%s", got, want)
	}
}

func TestRequestsOfTheInstalledCurlAreAccepted(t *testing.T) {
	t.Parallel()
	address, seen := server(t)
	run(t, "curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:elasticache", "--user", accessKey+":"+secretKey, "-d", form, address+"/")
	if got, want := <-seen, accessKey+" us-east-1 elasticache POST / "+form; got != want {
		t.Errorf("the server saw\n%s\nwant\n%s", got, want)
	}
}
