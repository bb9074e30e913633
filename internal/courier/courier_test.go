package courier_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/courier"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

func anywhere(netip.AddrPort) error { return nil }

var (
	at      = time.Date(2026, 1, 6, 3, 15, 0, 0, time.UTC)
	message = courier.Message{Ref: "REF1", Condition: "snapshot-failed", Phase: "begins", Cluster: "orders", Snapshot: "orders-1", Title: "A snapshot of <orders> failed",
		Text: "The replica stopped *answering* & left.", Next: "It is tried again at 03:30.", Since: at.Add(-time.Minute), At: at, Link: "https://rekindle.example.org/clusters/orders"}
)

// received is a request that a receiver has taken.
type received struct {
	path   string
	header http.Header
	body   string
}

// receiver is an HTTP server that keeps what it gets and answers in this way.
func receiver(t *testing.T, answer http.HandlerFunc) (*httptest.Server, <-chan received) {
	t.Helper()
	got := make(chan received, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.URL.Path, r.Header, string(body)}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server, got
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func TestChatsGetTheMessageInTheirOwnForm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		to       func(address string) courier.Courier
		path     string
		contains []string
		not      []string
	}{
		"Slack": {func(a string) courier.Courier { return courier.Slack(secret.Text(a+"/services/x"), anywhere) }, "/services/x",
			[]string{"*A snapshot of &lt;orders&gt; failed*", "*answering* &amp; left.", "It is tried again at 03:30.", "Since: 2026-01-06 03:14 UTC", "<https://rekindle.example.org/clusters/orders|Open in Rekindle>"}, nil},
		"Teams": {func(a string) courier.Courier { return courier.Teams(secret.Text(a+"/workflows/x"), anywhere) }, "/workflows/x",
			[]string{"AdaptiveCard", `stopped \*answering\*`, "Action.OpenUrl", "https://rekindle.example.org/clusters/orders"}, nil},
		"Discord": {func(a string) courier.Courier { return courier.Discord(secret.Text(a+"/api/webhooks/x"), anywhere) }, "/api/webhooks/x",
			[]string{"embeds", `stopped \*answering\*`, "https://rekindle.example.org/clusters/orders", "allowed_mentions"}, nil},
		"Telegram": {func(a string) courier.Courier { return courier.Telegram(a+"/", "123:token", "-100", anywhere) }, "/bot123:token/sendMessage",
			[]string{"-100", "A snapshot of <orders> failed\n\n", "https://rekindle.example.org/clusters/orders"}, []string{"123:token"}},
	} {
		server, got := receiver(t, ok)
		answer, err := test.to(server.URL).Carry(t.Context(), message)
		if err != nil || answer != "200 OK\nok" {
			t.Errorf("%s: the answer is %q, %v", name, answer, err)
			continue
		}
		r := <-got
		var body any
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := strings.Join(texts(body), "\n")
		for _, want := range test.contains {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the message has no %q:\n%s", name, want, text)
			}
		}
		for _, bad := range test.not {
			if strings.Contains(text, bad) {
				t.Errorf("%s: the message has %q", name, bad)
			}
		}
		if r.path != test.path || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: it came to %s as %s", name, r.path, r.header.Get("Content-Type"))
		}
	}
}

// texts are all names and texts of a JSON value.
func texts(value any) []string {
	var all []string
	switch v := value.(type) {
	case string:
		all = append(all, v)
	case []any:
		for _, one := range v {
			all = append(all, texts(one)...)
		}
	case map[string]any:
		for name, one := range v {
			all = append(append(all, name), texts(one)...)
		}
	}
	return all
}

func TestWebhooksAreSigned(t *testing.T) {
	t.Parallel()
	server, got := receiver(t, ok)
	const key = "a key of enough characters"
	if _, err := courier.Webhook(secret.Text(server.URL+"/in"), key, anywhere).Carry(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	r := <-got
	want := `{"version":1,"id":"REF1","condition":"snapshot-failed","phase":"begins","cluster":"orders","snapshot":"orders-1","title":"A snapshot of \u003corders\u003e failed",` +
		`"text":"The replica stopped *answering* \u0026 left.","next":"It is tried again at 03:30.","since":"2026-01-06T03:14:00Z","at":"2026-01-06T03:15:00Z",` +
		`"link":"https://rekindle.example.org/clusters/orders"}`
	if r.body != want {
		t.Errorf("the body is\n%s\nwant\n%s", r.body, want)
	}
	if r.header.Get("Rekindle-Delivery") != "REF1" {
		t.Errorf("the message is named %q", r.header.Get("Rekindle-Delivery"))
	}
	for name, test := range map[string]struct {
		key, header, body string
		now               time.Time
		valid             bool
	}{
		"as it was sent":    {key, r.header.Get("Rekindle-Signature"), r.body, at, true},
		"a byte is changed": {key, r.header.Get("Rekindle-Signature"), strings.Replace(r.body, "orders", "Orders", 1), at, false},
		"another key":       {key + "!", r.header.Get("Rekindle-Signature"), r.body, at, false},
		"an old one":        {key, r.header.Get("Rekindle-Signature"), r.body, at.Add(10 * time.Minute), false},
		"without":           {key, "", r.body, at, false},
	} {
		if valid := documentedCheck(t, test.key, test.header, test.body, test.now); valid != test.valid {
			t.Errorf("%s: the documented example says %t", name, valid)
		}
	}
}

// documentedCheck runs the example that docs/notifications.md has for receivers.
func documentedCheck(t *testing.T, key, header, body string, now time.Time) bool {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err) // make setup-test installs it with the AWS command line
	}
	page, err := os.ReadFile("../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("docs/notifications.md has no example in Python")
	}
	script := string(example[1]) + "\nimport sys\nprint(genuine(sys.argv[1].encode(), sys.argv[2], sys.stdin.buffer.read(), float(sys.argv[3])))\n"
	command := exec.Command(python, "-c", script, key, header, fmt.Sprint(now.Unix()))
	command.Stdin = strings.NewReader(body)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return strings.TrimSpace(string(output)) == "True"
}

func TestAnswersOfReceiversAreSaidWithoutSecrets(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer   http.HandlerFunc
		contains string
	}{
		"a refusal":           {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "invalid_token", http.StatusForbidden) }, "403 Forbidden\ninvalid_token"},
		"the address is said": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no "+r.URL.Path, http.StatusNotFound) }, "404 Not Found\nno ***"},
		"it leads elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		}, "not followed"},
		"an endless answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			for range 1000 {
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			}
		}, "500 Internal Server Error\nxxx"},
		"no answer": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		}, "EOF"},
	} {
		server, _ := receiver(t, test.answer)
		_, err := courier.Slack(secret.Text(server.URL+"/services/hidden"), anywhere).Carry(t.Context(), message)
		if err == nil || !strings.Contains(err.Error(), test.contains) || strings.Contains(err.Error(), "hidden") || len(err.Error()) > 5000 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
	_, err := courier.Telegram("http://127.0.0.1:1", "123456:hidden", "1", anywhere).Carry(t.Context(), message)
	if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestAddressesAreJudgedWhenTheyAreConnectedTo(t *testing.T) {
	t.Parallel()
	server, got := receiver(t, ok)
	mails := testkit.Mails(t, testkit.MailOptions{})
	denied := func(netip.AddrPort) error { return errors.New("that is not allowed") }
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	for name, to := range map[string]courier.Courier{
		"an address": courier.Slack(secret.Text(server.URL), denied),
		"a name":     courier.Slack(secret.Text("http://localhost:"+port), denied),
		"a number":   courier.Slack(secret.Text("http://2130706433:"+port), denied),
		"a mail server": courier.Mail{Host: "localhost", Port: mails.Port, Security: courier.Plain, Sender: "a@example.org", To: []string{"b@example.org"},
			Guard: denied},
	} {
		if _, err := to.Carry(t.Context(), message); err == nil || name != "a number" && !strings.Contains(err.Error(), "that is not allowed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(got) > 0 || len(mails.Messages()) > 0 {
		t.Error("something arrived")
	}
}

func TestMailArrives(t *testing.T) {
	t.Parallel()
	files := testkit.NewCertificates(t)
	pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	serves, trusts := &tls.Config{Certificates: []tls.Certificate{pair}}, &tls.Config{RootCAs: roots}
	for name, test := range map[string]struct {
		server   testkit.MailOptions
		security string
		user     string
		password secret.Text
		trusts   *tls.Config
		fails    string
	}{
		"in the clear":                  {testkit.MailOptions{}, courier.Plain, "", "", nil, ""},
		"STARTTLS":                      {testkit.MailOptions{TLS: serves}, courier.StartTLS, "", "", trusts, ""},
		"TLS":                           {testkit.MailOptions{TLS: serves, Implicit: true}, courier.TLS, "", "", trusts, ""},
		"STARTTLS and a password":       {testkit.MailOptions{TLS: serves, User: "me", Password: "correct horse"}, courier.StartTLS, "me", "correct horse", trusts, ""},
		"TLS and a password":            {testkit.MailOptions{TLS: serves, Implicit: true, User: "me", Password: "correct horse"}, courier.TLS, "me", "correct horse", trusts, ""},
		"a wrong password":              {testkit.MailOptions{TLS: serves, User: "me", Password: "correct horse"}, courier.StartTLS, "me", "battery staple", trusts, "wrong user or password"},
		"no password":                   {testkit.MailOptions{TLS: serves, User: "me", Password: "correct horse"}, courier.StartTLS, "", "", trusts, "502"},
		"a server without STARTTLS":     {testkit.MailOptions{}, courier.StartTLS, "", "", trusts, "STARTTLS"},
		"a certificate of somebody":     {testkit.MailOptions{TLS: serves}, courier.StartTLS, "", "", nil, "certificate"},
		"TLS, a certificate of nobody":  {testkit.MailOptions{TLS: serves, Implicit: true}, courier.TLS, "", "", nil, "certificate"},
		"TLS where the server has none": {testkit.MailOptions{}, courier.TLS, "", "", trusts, "TLS"},
	} {
		server := testkit.Mails(t, test.server)
		answer, err := courier.Mail{Host: server.Host, Port: server.Port, Security: test.security, Username: test.user, Password: test.password, Sender: "rekindle@example.org",
			To: []string{"ops@example.org", "nights@example.org"}, Guard: anywhere, Roots: test.trusts}.Carry(t.Context(), message)
		got := server.Messages()
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) || len(got) > 0 || test.password != "" && strings.Contains(err.Error(), test.password.Reveal()) {
				t.Errorf("%s: %v, and %d arrived", name, err, len(got))
			}
			continue
		}
		if err != nil || len(got) != 1 || answer == "" {
			t.Errorf("%s: %q, %v, and %d arrived", name, answer, err, len(got))
			continue
		}
		m := got[0]
		if m.From != "rekindle@example.org" || !slices.Equal(m.To, []string{"ops@example.org", "nights@example.org"}) || m.User != test.user || m.TLS != (test.security != courier.Plain) {
			t.Errorf("%s: it came from %s to %v, by %q, with TLS %t", name, m.From, m.To, m.User, m.TLS)
		}
		if m.Header.Get("Subject") != "[Rekindle] A snapshot of <orders> failed" || m.Header.Get("Message-Id") != "<REF1@example.org>" || m.Header.Get("Auto-Submitted") != "auto-generated" {
			t.Errorf("%s: the header is %v", name, m.Header)
		}
		for _, want := range []string{"The replica stopped *answering* & left.", "It is tried again at 03:30.", "Cluster: orders", "https://rekindle.example.org/clusters/orders"} {
			if !strings.Contains(m.Body, want) {
				t.Errorf("%s: the body has no %q:\n%s", name, want, m.Body)
			}
		}
	}
}

func TestAMailServersRefusalIsSaid(t *testing.T) {
	t.Parallel()
	server := testkit.Mails(t, testkit.MailOptions{})
	server.Refuse("The mailbox is full.")
	to := courier.Mail{Host: server.Host, Port: server.Port, Security: courier.Plain, Sender: "a@example.org", To: []string{"b@example.org"}, Guard: anywhere}
	if _, err := to.Carry(t.Context(), message); err == nil || !strings.Contains(err.Error(), "The mailbox is full.") {
		t.Errorf("%v", err)
	}
}
