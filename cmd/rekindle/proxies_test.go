package main

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"rekindle/internal/authority"
	"rekindle/internal/testkit"
)

const (
	publicHost     = "rekindle.example.com"
	browserAddress = "127.0.0.77" // another one than the proxy's
	signInAddress  = "/sign-in"
)

// proxy is a program that stands in front of a console with the configuration in deploy/proxies.
type proxy struct {
	program string
	config  string
	adapt   func(config string, at proxied) string // only what names a place
	command func(folder string) []string
}

// proxied is where a proxy is and what it needs.
type proxied struct {
	folder      string
	port, plain int
	console     string
	certificate string
}

var proxies = []proxy{
	{program: "nginx", config: "nginx.conf",
		adapt: func(config string, at proxied) string {
			config = strings.NewReplacer("127.0.0.1:8080", at.console, "/etc/ssl/rekindle.example.com.pem", at.certificate,
				"/etc/ssl/private/rekindle.example.com.key", at.certificate, "443 ssl", strconv.Itoa(at.port)+" ssl", ":80;", fmt.Sprintf(":%d;", at.plain),
				"listen 80;", fmt.Sprintf("listen %d;", at.plain)).Replace(config)
			return fmt.Sprintf("daemon off; pid %[1]s/pid; error_log stderr; events {}\nhttp { access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;\n"+
				"fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n%[2]s}\n", at.folder, config)
		},
		command: func(folder string) []string {
			return []string{"-e", "stderr", "-p", folder, "-c", filepath.Join(folder, "nginx.conf")}
		}},
	{program: "caddy", config: "Caddyfile",
		adapt: func(config string, at proxied) string {
			config = strings.NewReplacer("127.0.0.1:8080", at.console, publicHost+" {", fmt.Sprintf("%s:%d {\n\ttls %s %s", publicHost, at.port, at.certificate, at.certificate)).Replace(config)
			return fmt.Sprintf("{\n\tadmin off\n\thttp_port %d\n\thttps_port %d\n\tauto_https disable_redirects\n}\n%s", at.plain, at.port, config)
		},
		command: func(folder string) []string {
			return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(folder, "Caddyfile")}
		}},
}

// start runs the proxy in front of a console and returns a client that looks for the public host there.
func (x proxy) start(t *testing.T, at proxied) *http.Client {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "proxies", x.config))
	fine(t, err)
	fine(t, os.WriteFile(filepath.Join(at.folder, x.config), []byte(x.adapt(string(text), at)), 0o600))
	var output safeBuffer
	command := exec.Command(x.program, x.command(at.folder)...)
	command.Env = append(os.Environ(), "HOME="+at.folder, "XDG_DATA_HOME="+at.folder, "XDG_CONFIG_HOME="+at.folder)
	command.Stdout, command.Stderr = &output, &output
	command.WaitDelay = time.Second
	fine(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // which nginx passes on to its workers
		_ = command.Wait()
		if t.Failed() {
			t.Logf("%s says:\n%s", x.program, output.tail(4000))
		}
	})
	trust, err := authority.Open(filepath.Join(at.folder, "authority.pem"), time.Now())
	fine(t, err)
	config, err := authority.Trust(trust.Certificates())
	fine(t, err)
	config.ServerName = publicHost
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(at.port))
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		from := &net.TCPAddr{IP: net.ParseIP(browserAddress)}
		return (&net.Dialer{LocalAddr: from}).DialContext(ctx, network, address)
	}
	testkit.WaitFor(t, x.program, func() bool {
		conn, err := dial(t.Context(), "tcp", "")
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	jar, err := cookiejar.New(nil)
	fine(t, err)
	return &http.Client{Jar: jar, Transport: &http.Transport{DialContext: dial, TLSClientConfig: config, ForceAttemptHTTP2: true}}
}

// certificate issues one for the public host, by an authority in the folder, with its key in the same file.
func certificate(t *testing.T, folder string) string {
	t.Helper()
	ca, err := authority.Open(filepath.Join(folder, "authority.pem"), time.Now())
	fine(t, err)
	issued, err := ca.Issue([]string{publicHost}, time.Now())
	fine(t, err)
	path := filepath.Join(folder, "certificate.pem")
	fine(t, os.WriteFile(path, issued, 0o600))
	return path
}

// Everything that a browser and a client of the API do goes through the proxies of deploy/, as they are configured there.
func TestTheConsoleBehindTheDocumentedProxies(t *testing.T) {
	t.Parallel()
	for _, x := range proxies {
		t.Run(x.program, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(x.program); err != nil {
				t.Skipf("%s is not here", x.program)
			}
			p := newProcess(t)
			at := proxied{folder: t.TempDir(), port: testkit.FreePort(t), plain: testkit.FreePort(t)}
			at.certificate = certificate(t, at.folder)
			public := fmt.Sprintf("https://%s:%d", publicHost, at.port)
			p.env = []string{accessKeyVariable + "=" + apiKeyID, secretKeyVariable + "=" + apiSecret}
			listen := net.JoinHostPort("127.0.0.1", strconv.Itoa(testkit.FreePort(t)))
			p.start("--listen", listen, "--public-url", public, "--trusted-proxy", "127.0.0.1")
			at.console = listen
			p.client, p.url = x.start(t, at), public
			p.signIn()
			passesForms(t, p)
			passesUploads(t, p)
			passesTheAPI(t, p)
			namesTheClient(t, p)
		})
	}
}

func passesForms(t *testing.T, p *process) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/clusters/-/new", strings.NewReader(createForm("orders", "0").Encode()))
	fine(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", p.url)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	response, err := p.client.Do(request)
	if status, body := p.read("/clusters/-/new", response, err); status != http.StatusOK || !strings.Contains(body, "orders") {
		t.Errorf("creating a cluster answered %d", status)
	}
	if got := response.Request.URL.String(); got != p.url+"/clusters/orders" {
		t.Errorf("the browser was sent to %s", got)
	}
	at, _ := url.Parse(p.url)
	if len(p.client.Jar.Cookies(at)) == 0 {
		t.Error("the browser has no cookie")
	}
}

// passesUploads sends an import that is larger than what proxies let through by default.
func passesUploads(t *testing.T, p *process) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	fine(t, form.WriteField("cluster", "elsewhere"))
	fine(t, form.WriteField("name", "uploaded"))
	file, err := form.CreateFormFile("file", "dump.rdb")
	fine(t, err)
	_, err = file.Write(bytes.Repeat([]byte("not an RDB at all "), 1<<18)) // 4.5 MiB
	fine(t, err)
	fine(t, form.Close())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+importAddress, &body)
	fine(t, err)
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.Header.Set("Origin", p.url)
	response, err := p.client.Do(request)
	if status, said := p.read(importAddress, response, err); status != http.StatusUnprocessableEntity || !strings.Contains(said, "RDB") {
		t.Errorf("an upload was answered by %d, not by Rekindle's own refusal:\n%.1000s", status, said)
	}
}

func passesTheAPI(t *testing.T, p *process) {
	t.Helper()
	sdk := elasticache.New(elasticache.Options{Region: apiRegion, BaseEndpoint: &p.url, HTTPClient: p.client,
		Credentials: credentials.NewStaticCredentialsProvider(apiKeyID, apiSecret, "")})
	groups, err := sdk.DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("orders")})
	if err != nil || len(groups.ReplicationGroups) != 1 {
		t.Errorf("the API answered %v", err)
	}
}

// namesTheClient signs in once more, with a header that anybody can write: the console believes only what the proxy has seen itself.
func namesTheClient(t *testing.T, p *process) {
	t.Helper()
	form := url.Values{"user": {"admin"}, "password": {adminPassword}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+signInAddress, strings.NewReader(form.Encode()))
	fine(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Forwarded-For", "203.0.113.7")
	response, err := p.client.Transport.RoundTrip(request)
	_, _ = p.read(signInAddress, response, err)
	sessions := must(p.catalog().Users.Sessions(t.Context(), 1))(t)
	for _, session := range sessions {
		if session.Address != browserAddress {
			t.Errorf("a session came from %s, not from %s", session.Address, browserAddress)
		}
	}
	if len(sessions) != 2 {
		t.Errorf("%d sessions, want 2", len(sessions))
	}
}
