package courier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/wneessen/go-mail"

	"rekindle/internal/secret"
)

// How the connection to a mail server is protected.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	Plain    = "none"
)

// Mail sends messages by a mail server (SMTP).
type Mail struct {
	Host     string
	Port     int
	Security string // StartTLS, TLS or Plain
	Username string // "": it asks for none
	Password secret.Text
	Sender   string
	To       []string
	Guard    Guard
	Roots    *tls.Config // with the certificates that are trusted; nil: those of the system
}

// Carry implements [Courier].
func (s Mail) Carry(ctx context.Context, m Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	message, err := s.compose(m)
	if err != nil {
		return "", err
	}
	client, err := s.client()
	if err != nil {
		return "", fmt.Errorf("use the mail server: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, message); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("the mail server did not answer within %s", Timeout)
		}
		return "", errors.New(s.without(answerText(said(err))))
	}
	answer := answerText(message.ServerResponse())
	if answer == "" {
		answer = "The mail server has taken the message."
	}
	return s.without(answer), nil
}

func (s Mail) compose(m Message) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := message.FromFormat("Rekindle", s.Sender); err != nil {
		return nil, fmt.Errorf("the sender %s is not a mail address: %w", s.Sender, err)
	}
	if err := message.To(s.To...); err != nil {
		return nil, fmt.Errorf("a recipient is not a mail address: %w", err)
	}
	_, domain, _ := strings.Cut(s.Sender, "@")
	message.SetMessageIDWithValue(m.Ref + "@" + domain)
	message.SetDateWithValue(m.At)
	message.Subject("[Rekindle] " + short(m.Title, 200))
	message.SetGenHeader("Auto-Submitted", "auto-generated") // so that nobody's absence is answered
	message.SetBodyString(mail.TypeTextPlain, m.plain()+"\n")
	return message, nil
}

func (s Mail) client() (*mail.Client, error) {
	trusted := &tls.Config{}
	if s.Roots != nil {
		trusted = s.Roots.Clone()
	}
	trusted.ServerName, trusted.MinVersion = s.Host, tls.VersionTLS12
	dialer := s.Guard.dialer()
	dial := dialer.DialContext
	options := []mail.Option{mail.WithPort(s.Port), mail.WithTimeout(Timeout), mail.WithTLSConfig(trusted), mail.WithoutNoop()}
	switch s.Security {
	case TLS:
		options = append(options, mail.WithSSL())
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&tls.Dialer{NetDialer: dialer, Config: trusted}).DialContext(ctx, network, address)
		}
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	options = append(options, mail.WithDialContextFunc(dial))
	if s.Username != "" {
		// Not what the library would choose by itself: it does not notice that a connection which it did not open is encrypted.
		options = append(options, mail.WithUsername(s.Username), mail.WithPassword(s.Password.Reveal()),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1, mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthCramMD5))
	}
	return mail.NewClient(s.Host, options...)
}

// said is what is worth knowing of an error of the library.
func said(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", affected message ID")
	for _, step := range []string{"dial failed: ", "send failed: ", "closing SMTP DATA writer: "} {
		text = strings.TrimPrefix(text, step)
	}
	return text
}

// without masks the password in a text, in case the server sends it back.
func (s Mail) without(text string) string {
	if s.Password == "" {
		return text
	}
	return strings.ReplaceAll(text, s.Password.Reveal(), "***")
}
