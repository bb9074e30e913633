package testkit

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// MailServer is a real SMTP server on this host.
type MailServer struct {
	Host string
	Port int

	mu       sync.Mutex
	messages []Mail
	refuses  error
}

// Mail is a message that a [MailServer] has taken.
type Mail struct {
	From   string
	To     []string
	User   string // who signed in; "": nobody
	TLS    bool
	Header mail.Header
	Body   string
}

// MailOptions say how a [MailServer] is reached.
type MailOptions struct {
	TLS            *tls.Config // offers STARTTLS, or with Implicit speaks TLS from the beginning; nil: neither
	Implicit       bool
	User, Password string // who may send; "": everybody
	Address        string // where it listens; "": a free port of 127.0.0.1
}

// Mails starts a mail server that lives as long as the test.
func Mails(t testing.TB, o MailOptions) *MailServer {
	t.Helper()
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().(*net.TCPAddr)
	s := &MailServer{Host: at.IP.String(), Port: at.Port}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		session := mailSession{server: s, conn: c}
		if o.User != "" {
			return &guardedMail{session, o}, nil
		}
		return &session, nil
	}))
	server.ErrorLog, server.Domain, server.TLSConfig = quietMail{}, "localhost", o.TLS
	if o.Implicit {
		listener = tls.NewListener(listener, o.TLS)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }()
	t.Cleanup(func() { _, _ = server.Close(), listener.Close(); <-ended }) // the server may not have the listener yet
	return s
}

// Messages are those that were taken so far.
func (s *MailServer) Messages() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.messages...)
}

// Refuse has each message refused with this answer from now on; "" has them taken again.
func (s *MailServer) Refuse(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses = nil; answer != "" {
		s.refuses = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: answer}
	}
}

type quietMail struct{}

func (quietMail) Printf(string, ...any) {}
func (quietMail) Println(...any)        {}

type mailSession struct {
	server *MailServer
	conn   *smtp.Conn
	got    Mail
}

func (s *mailSession) Reset()        { s.got = Mail{User: s.got.User} }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.got.From = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.got.To = append(s.got.To, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(message.Body)
	if err != nil {
		return err
	}
	_, s.got.TLS = s.conn.TLSConnectionState()
	s.got.Header, s.got.Body = message.Header, strings.ReplaceAll(string(body), "\r\n", "\n")
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.refuses != nil {
		return s.server.refuses
	}
	s.server.messages = append(s.server.messages, s.got)
	return nil
}

// guardedMail is a session of a server that wants a user and a password.
type guardedMail struct {
	mailSession
	options MailOptions
}

func (s *guardedMail) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *guardedMail) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.options.User || password != s.options.Password {
			return errors.New("wrong user or password")
		}
		s.got.User = user
		return nil
	}), nil
}

func (s *guardedMail) Mail(from string, o *smtp.MailOptions) error {
	if s.got.User == "" {
		return smtp.ErrAuthRequired
	}
	return s.mailSession.Mail(from, o)
}
