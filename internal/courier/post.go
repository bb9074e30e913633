package courier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"rekindle/internal/secret"
)

// post posts messages as JSON to an address.
type post struct {
	to     secret.Text
	guard  Guard
	body   func(Message) any
	header func(m Message, body []byte) map[string]string
}

// Carry implements [Courier]. Redirects are not followed: they could lead anywhere.
func (p post) Carry(ctx context.Context, m Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	body, err := json.Marshal(p.body(m))
	if err != nil {
		return "", fmt.Errorf("write the message: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.to.Reveal(), bytes.NewReader(body))
	if err != nil {
		return "", errors.New("the address is not one that can be posted to")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Rekindle")
	if p.header != nil {
		for name, value := range p.header(m, body) {
			request.Header.Set(name, value)
		}
	}
	if err := p.literal(request.URL); err != nil {
		return "", err
	}
	answer, err := p.client().Do(request)
	if err != nil {
		return "", p.unanswered(ctx, err)
	}
	defer func() { _ = answer.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // what was read until it broke off is good enough
	text := strings.TrimSpace(answer.Status + "\n" + string(said))
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		text = answer.Status + "\nThe receiver redirects to another address, which is not followed."
	}
	text = p.without(answerText(text))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return text, errors.New(text)
	}
	return text, nil
}

func (p post) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: p.guard.dialer().DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: Timeout,
			MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// literal asks the guard about an address that is written in the URL: where there is a proxy, only that is connected to.
func (p post) literal(u *url.URL) error {
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return p.guard(netip.AddrPortFrom(addr, 0))
	}
	return nil
}

// unanswered says why there was no answer. The library puts the address into its errors, and that is a secret.
func (p post) unanswered(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the receiver did not answer within %s", Timeout)
	}
	return errors.New(p.without(answerText(err.Error())))
}

// without masks the secret parts of the address in a text, in case somebody sends them back.
func (p post) without(text string) string {
	u, err := url.Parse(p.to.Reveal())
	if err != nil {
		return text
	}
	for _, part := range []string{p.to.Reveal(), u.RequestURI(), u.Path, u.RawQuery} {
		if len(part) > 4 {
			text = strings.ReplaceAll(text, part, "***")
		}
	}
	return text
}
