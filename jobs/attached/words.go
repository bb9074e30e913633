package attached

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"rekindle/internal/resp"
	"rekindle/internal/topology"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// faultsOf says why a cluster was not found, at the form field that it belongs to.
func faultsOf(err error, a models.Access) models.Faults {
	field, text := explain(err, a)
	return models.Faults{{Code: models.CodeInvalid, Field: field, Message: text}}
}

// Sentence says why a cluster is out of reach.
func Sentence(err error, a models.Access) string {
	_, text := explain(err, a)
	return text
}

// explain says what is wrong, and which field it is about. Nothing of a driver's text gets into it.
func explain(err error, a models.Access) (field, text string) {
	if denied, is := errors.AsType[reach.DeniedError](err); is {
		return "addresses", denied.Why
	}
	if choose, several := errors.AsType[*topology.ChooseError](err); several {
		return "primary_name", "The Sentinels watch several primaries. Say which one is meant: " + strings.Join(choose.Names, ", ") + "."
	}
	switch {
	case errors.Is(err, topology.ErrMovesHidden):
		return "username", "The user is not allowed to see which slots are moving: it needs +cluster|getslotmigrations."
	case errors.Is(err, topology.ErrNoName):
		return "primary_name", "The Sentinels watch no primary of that name."
	case errors.Is(err, topology.ErrStrangers):
		return "addresses", "The addresses belong to different clusters: " + detail(err, topology.ErrStrangers) + ". Give addresses of one cluster only."
	case errors.Is(err, topology.ErrNoPrimary):
		field, why := network(err, a)
		return field, strings.TrimSpace("No primary was found: " + detail(err, topology.ErrNoPrimary) + ". " + why)
	}
	return network(err, a)
}

// detail is what topology says behind one of its errors, without the cause that follows.
func detail(err, kind error) string {
	_, behind, _ := strings.Cut(err.Error(), kind.Error()+": ")
	if behind, _, cut := strings.Cut(behind, ", which cannot be reached"); cut {
		return behind + ", which cannot be reached from here"
	}
	behind, _, _ = strings.Cut(behind, "\n")
	return behind
}

// Access that a user of the ACL has to have at least, and what makes more known.
const (
	neededRights = "+psync +replconf +info +ping"
	usefulRights = "+cluster|nodes +config|get +client|setname +module|list"
)

// TuningLine is the command that allows a user to have nodes tuned while a snapshot begins.
func TuningLine(user string) string {
	return "ACL SETUSER " + cmp.Or(user, "rekindle") + " +config|get +config|set"
}

// RightsLine is the command that gives a user what Rekindle needs, and nothing else.
func RightsLine(user string) string {
	return "ACL SETUSER " + cmp.Or(user, "rekindle") + " " + neededRights + " " + usefulRights
}

// network explains failures of servers, TLS and the network. The first address that answered at all is what counts.
func network(err error, a models.Access) (field, text string) {
	if reply, answered := errors.AsType[resp.Error](err); answered {
		return answer(err, reply, a)
	}
	if field, text := certificates(err); text != "" {
		return field, text
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "addresses", fmt.Sprintf("There is no host %s, or the name server does not answer.", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "addresses", "Nothing listens at " + addressIn(err) + ". Check the address and the port."
	case a.TLS && isTimeout(err) && strings.Contains(err.Error(), ": TLS: "): // a node without TLS waits for the rest of a line
		return "tls", addressIn(err) + " does not speak TLS. Untick TLS, or give the TLS port."
	case isTimeout(err), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "addresses", addressIn(err) + " does not answer. Check the address, and that firewalls let the console through."
	case errors.Is(err, resp.ErrProtocol), errors.Is(err, resp.ErrTooLarge):
		return "addresses", "What answers at " + addressIn(err) + " is not Redis or Valkey."
	case a.TLS && isClosed(err):
		return "certificate", clientCertificate
	case isClosed(err):
		return "tls", addressIn(err) + " closes the connection. It may require TLS."
	}
	return "addresses", "The cluster cannot be reached. The log says why."
}

const clientCertificate = "The nodes require a client certificate, or do not accept this one."

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// answer explains an error reply of a server.
func answer(err error, reply resp.Error, a models.Access) (field, text string) {
	switch code := reply.Code(); {
	case reply.PasswordRefused() && code == "NOAUTH":
		return "password", "The nodes require a password."
	case reply.PasswordRefused():
		return "password", "The nodes do not accept this user and password."
	case code == "NOPERM" && a.ByKey:
		return "username", "The user lacks rights that Rekindle needs. Give it these: " + keysLine("", keyRights{cluster: true})
	case code == "NOPERM":
		return "username", "The user lacks rights that Rekindle needs. Give it these: " + RightsLine("")
	case code == "LOADING":
		return "addresses", addressIn(err) + " is still loading its data. Try again when that is done."
	case code == "DENIED":
		return "addresses", "The node at " + addressIn(err) + " is in protected mode: it answers nobody from elsewhere until it has a password (or protected-mode no)."
	case reply.UnknownCommand():
		return "addresses", "The node at " + addressIn(err) + " does not know a command that Rekindle needs: INFO, PING, REPLCONF and, in cluster mode, CLUSTER must not be renamed."
	}
	return "addresses", "The node at " + addressIn(err) + " refused a command (" + reply.Code() + "). The log says more."
}

// certificates explains what is wrong with TLS.
func certificates(err error) (field, text string) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &unknown):
		return "ca", "The nodes' certificate is signed by an unknown CA. Paste that CA's certificate."
	case errors.As(err, &name):
		return "server_name", "The nodes' certificate is for another name: " + strings.Join(append(name.Certificate.DNSNames, addressesIn(name.Certificate)...), ", ") + ". Give one of these as the server's name."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "ca", "The nodes' certificate has expired, or is not valid yet."
	case errors.As(err, &invalid):
		return "ca", "The nodes' certificate cannot be used for this."
	case errors.As(err, &record):
		return "tls", addressIn(err) + " does not speak TLS. Untick TLS, or give the TLS port."
	case errors.As(err, &alert), strings.Contains(err.Error(), "tls: certificate required"), strings.Contains(err.Error(), "tls: bad certificate"), strings.Contains(err.Error(), "tls: unknown certificate"):
		return "certificate", clientCertificate
	}
	return "", ""
}

func addressesIn(c *x509.Certificate) []string {
	var texts []string
	for _, ip := range c.IPAddresses {
		texts = append(texts, ip.String())
	}
	return texts
}

// addressIn is the address that an error is about: "connect to host:port: ..." or "ask host:port: ...".
func addressIn(err error) string {
	for _, before := range []string{"which cannot be reached: connect to ", "connect to ", "sign in at ", "ask "} {
		if _, behind, found := strings.Cut(err.Error(), before); found {
			if at, _, cut := strings.Cut(behind, ": "); cut && !strings.Contains(at, " ") {
				return at
			}
		}
	}
	return "The node"
}

// silentPrimaries lists the primaries that do not answer.
func silentPrimaries(found models.Found) string {
	var silent []string
	for _, s := range found.Shards {
		for _, n := range s.Nodes {
			if n.Role == models.RolePrimary && !n.Answers {
				silent = append(silent, n.Address)
			}
		}
	}
	return strings.Join(silent, ", ")
}

// denied is why the first primary that must not be connected to is not; "" if each may be.
func denied(found models.Found) string {
	for _, s := range found.Shards {
		for _, n := range s.Nodes {
			if n.Role == models.RolePrimary && n.Denied != "" {
				return n.Denied
			}
		}
	}
	return ""
}
