// Package reach says how the nodes of a cluster are connected to: launched ones by their password, attached ones as somebody has said it.
package reach

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"rekindle/internal/authority"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/topology"
	"rekindle/models"
)

// Timeout is how long a healthy node may take to answer.
const Timeout = 3 * time.Second

// Node is how a node of a cluster is connected to.
func Node(cluster models.Cluster, node models.Node) (resp.Options, error) {
	o, err := resp.Options{Username: cluster.SignsInAs(), Password: cluster.Password}, error(nil)
	if cluster.PasswordPending {
		o.Others = []resp.Login{{Username: cluster.FormerUser, Password: cluster.FormerPassword}}
	}
	if a := cluster.Attachment; a != nil {
		o, err = options(a.Access, cluster.Password)
	} else if cluster.TransitEncryption {
		o.TLS, err = authority.Trust(cluster.CA)
	}
	if err != nil {
		return o, fmt.Errorf("reach %s: %w", node.Name, err)
	}
	o.Addr, o.DialTimeout = node.Address(), Timeout
	return o, nil
}

// Stranger is how a server is connected to that nobody has attached, and that asks for no password.
func Stranger(address string) resp.Options {
	return resp.Options{Addr: address, DialTimeout: Timeout, Timeout: Timeout, Control: refuseDenied}
}

// Source is how a node is asked for its data.
func Source(cluster models.Cluster, node models.Node) (replica.Source, error) {
	o, err := Node(cluster, node)
	source := replica.Source{Options: o}
	if a := cluster.Attachment; a != nil {
		source.PSYNC = a.PSYNC
	}
	return source, err
}

// Access is where a cluster is looked for.
func Access(a models.Access, password secret.Text) (topology.Access, error) {
	o, err := options(a, password)
	return topology.Access{Addresses: a.Addresses, Node: o, Name: a.PrimaryName, SentinelUsername: a.SentinelUsername, SentinelPassword: a.SentinelPassword, Map: a.Reached()}, err
}

// options are everything but the address.
func options(a models.Access, password secret.Text) (resp.Options, error) {
	o := resp.Options{Username: a.Username, Password: password, Control: refuseDenied}
	if !a.TLS {
		return o, nil
	}
	o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.ServerName, InsecureSkipVerify: a.Unverified} // somebody has ticked that
	if a.CA != "" {
		o.TLS.RootCAs = x509.NewCertPool()
		if !o.TLS.RootCAs.AppendCertsFromPEM([]byte(a.CA)) {
			return o, fmt.Errorf("read the CA's certificate: it is not a certificate")
		}
	}
	if a.Certificate != "" {
		own, err := tls.X509KeyPair([]byte(a.Certificate), []byte(a.PrivateKey.Reveal()))
		if err != nil {
			return o, fmt.Errorf("read the client's certificate: %w", err)
		}
		o.TLS.Certificates = []tls.Certificate{own}
	}
	return o, nil
}

// DeniedError says that an address is not connected to.
type DeniedError struct{ Why string }

func (e DeniedError) Error() string { return e.Why }

// allowed is what [Allow] was told. Like the rules of a firewall it holds for the whole process, so that no way to a node can miss it.
var allowed atomic.Pointer[[]netip.Prefix]

// Allow has servers that Rekindle did not launch connected to in these networks only; without any, in all but those that are always denied. It is called
// before anything is connected to.
func Allow(networks []netip.Prefix) { allowed.Store(&networks) }

// Check returns a [DeniedError] for an address, host:port, at which nobody may look for a server.
func Check(address string) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read address %s: %w", address, err)
	}
	var networks []netip.Prefix
	if set := allowed.Load(); set != nil {
		networks = *set
	}
	if why := models.DeniedAddress(addr.Addr(), networks); why != "" {
		return DeniedError{why}
	}
	return nil
}

// refuseDenied refuses addresses that no operator wants to be connected to, whatever name led there.
func refuseDenied(_, address string, _ syscall.RawConn) error { return Check(address) }
