// Package authority is a certificate authority for nodes: it lives in one file, and hands out certificates by which nodes prove to clients, and to
// each other, who they are.
//
// An authority that is replaced by a new one, because it grows old or because somebody asked for that, vouches for its successor: nodes send that
// along, so that clients who know only the old one go on until it has ended, and those who know the new one need nothing else.
package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	day = 24 * time.Hour
	// lifetime is an authority's, and leafLifetime that of what it hands out.
	lifetime     = 10 * 365 * day
	leafLifetime = 365 * day
	// renewBefore its end an authority gets a successor: what it has handed out by then ends before it does.
	renewBefore = 2 * 365 * day
	// leafRenewBefore its end a certificate is replaced.
	leafRenewBefore = leafLifetime / 3
	// backdated is how much clocks may differ.
	backdated = time.Hour
)

const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

// Authority hands out certificates. It is a value of what was in the file; the file itself others may replace.
type Authority struct {
	key     *ecdsa.PrivateKey
	own     *x509.Certificate   // which it signs with, and which signs itself
	vouched []*x509.Certificate // its own key, by those before it
	former  []*x509.Certificate // those before it
}

// Open reads the authority in a file, and makes one where there is none. One that will end soon is replaced. Several may do this at once.
func Open(path string, now time.Time) (*Authority, error) {
	a, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = establish(path, now); err == nil {
			a, err = read(path)
		}
	}
	if err == nil && now.After(a.own.NotAfter.Add(-renewBefore)) {
		a, err = Replace(path, now)
	}
	if err != nil {
		return nil, fmt.Errorf("open the certificate authority: %w", err)
	}
	return a, nil
}

// Replace puts a new authority in the place of the one in the file, which vouches for it.
func Replace(path string, now time.Time) (*Authority, error) {
	old, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("replace the certificate authority: %w", err)
	}
	fresh, err := found(now)
	if err != nil {
		return nil, fmt.Errorf("replace the certificate authority: %w", err)
	}
	for _, former := range append([]*x509.Certificate{old.own}, old.former...) {
		if former.NotAfter.After(now) {
			fresh.former = append(fresh.former, former)
		}
	}
	vouched := &x509.Certificate{Subject: fresh.own.Subject, NotBefore: fresh.own.NotBefore, NotAfter: old.own.NotAfter, SubjectKeyId: fresh.own.SubjectKeyId}
	by, err := old.sign(asAuthority(vouched), &fresh.key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("replace the certificate authority: %w", err)
	}
	fresh.vouched = []*x509.Certificate{by}
	for _, vouched := range old.vouched { // those before the old one vouch for that
		if vouched.NotAfter.After(now) {
			fresh.vouched = append(fresh.vouched, vouched)
		}
	}
	if err := writeFile(path, fresh.file(), os.Rename); err != nil {
		return nil, fmt.Errorf("replace the certificate authority: %w", err)
	}
	return fresh, nil
}

// Certificates is what clients are to trust, as PEM: the authority's own certificate, and those of the ones before it that have not ended.
func (a *Authority) Certificates() string {
	return string(encode(append([]*x509.Certificate{a.own}, a.former...)...))
}

// Issue hands out a certificate for a server, which is also a client of others, that is reached by these host names and addresses. It returns the
// private key with the certificate and what vouches for the authority, as PEM.
func (a *Authority) Issue(hosts []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	leaf := &x509.Certificate{Subject: pkix.Name{Organization: []string{"Rekindle"}, CommonName: hosts[0]}, NotBefore: now.Add(-backdated), NotAfter: now.Add(leafLifetime),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, host)
		}
	}
	signed, err := a.sign(leaf, &key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	return append(encodeKey(key), encode(append([]*x509.Certificate{signed}, a.vouched...)...)...), nil
}

// Serves tells whether what [Authority.Issue] has returned still does: by this authority, for these hosts and for some time to come.
func (a *Authority) Serves(issued []byte, hosts []string, now time.Time) bool {
	_, certificates, err := decode(issued)
	if err != nil || len(certificates) == 0 {
		return false
	}
	leaf := certificates[0]
	if leaf.CheckSignatureFrom(a.own) != nil || now.After(leaf.NotAfter.Add(-leafRenewBefore)) {
		return false
	}
	for _, host := range hosts {
		if leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

// Proves tells whether the server at the other end of a connection has proved itself by what was issued.
func Proves(conn net.Conn, issued []byte) bool {
	_, certificates, err := decode(issued)
	secured, is := conn.(*tls.Conn)
	if !is || err != nil || len(certificates) == 0 {
		return false
	}
	peer := secured.ConnectionState().PeerCertificates
	return len(peer) > 0 && peer[0].Equal(certificates[0])
}

// When is the time at which what was issued began to hold, as a clock for [tls.Config].
func When(issued []byte) (func() time.Time, error) {
	_, certificates, err := decode(issued)
	if err == nil && len(certificates) == 0 {
		err = errors.New("it is not a certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("read a certificate: %w", err)
	}
	return func() time.Time { return certificates[0].NotBefore }, nil
}

// Trust is how a client connects to servers whose certificates are by one of these authorities (PEM).
func Trust(certificates string) (*tls.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(certificates)) {
		return nil, errors.New("read the certificate authority's certificate: it is not a certificate")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, nil
}

// establish makes the first authority, unless another one was quicker.
func establish(path string, now time.Time) error {
	a, err := found(now)
	if err != nil {
		return err
	}
	err = writeFile(path, a.file(), os.Link) // which, unlike a rename, replaces nothing
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// found makes an authority that nobody vouches for.
func found(now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// Of two with one name clients could not tell which one has signed.
	name := pkix.Name{Organization: []string{"Rekindle"}, CommonName: fmt.Sprintf("Rekindle CA %s %.8s", now.UTC().Format(time.DateOnly), rand.Text())}
	a := &Authority{key: key}
	a.own = &x509.Certificate{Subject: name, NotBefore: now.Add(-backdated), NotAfter: now.Add(lifetime)}
	a.own, err = a.sign(asAuthority(a.own), &key.PublicKey)
	return a, err
}

func asAuthority(c *x509.Certificate) *x509.Certificate {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	return c
}

// sign signs a certificate for a key. Its own, which has no signature yet, signs itself.
func (a *Authority) sign(c *x509.Certificate, key *ecdsa.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial
	by := a.own
	if by.Raw == nil {
		by = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, key, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// file is what an authority is kept as: its key and its own certificate first, then those before it, which sign themselves, and what these vouch.
func (a *Authority) file() []byte {
	text := append(encodeKey(a.key), encode(a.own)...)
	return append(text, encode(append(a.former, a.vouched...)...)...)
}

func read(path string) (*Authority, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, certificates, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if key == nil || len(certificates) == 0 || !key.PublicKey.Equal(certificates[0].PublicKey) {
		return nil, fmt.Errorf("read %s: it has no key with its certificate", path)
	}
	a := &Authority{key: key, own: certificates[0]}
	for _, c := range certificates[1:] {
		if bytes.Equal(c.RawSubject, c.RawIssuer) {
			a.former = append(a.former, c)
		} else {
			a.vouched = append(a.vouched, c)
		}
	}
	return a, nil
}

// writeFile writes a private file whole and puts it in its place by a rename or a link.
func writeFile(path string, text []byte, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-") // for its owner alone
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func encode(certificates ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: c.Raw})...)
	}
	return text
}

func encodeKey(key *ecdsa.PrivateKey) []byte {
	der, _ := x509.MarshalPKCS8PrivateKey(key) // fails for curves that it does not know
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})
}

// decode reads what encode and encodeKey have written. The errors have nothing of the key.
func decode(text []byte) (key *ecdsa.PrivateKey, certificates []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return key, certificates, nil
		}
		switch block.Type {
		case certificateBlock:
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, err
			}
			certificates = append(certificates, c)
		case keyBlock:
			parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, nil, errors.New("its private key cannot be read")
			}
			if key, _ = parsed.(*ecdsa.PrivateKey); key == nil {
				return nil, nil, errors.New("its private key is of another kind")
			}
		}
	}
}
