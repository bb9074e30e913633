package models

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"rekindle/internal/secret"
)

// The kinds of clusters, by who started their nodes.
const (
	KindLaunched = "launched" // Rekindle did
	KindAttached = "attached" // they were there before; Rekindle never starts, stops or deletes one
)

// Attached tells whether the cluster's nodes existed before Rekindle knew them: then they are not changed.
func (c Cluster) Attached() bool { return c.Kind == KindAttached }

// The topologies that rules know; package topology has them all.
const (
	topologySentinel = "sentinel"
	topologyCluster  = "cluster"
)

// Sharded tells whether the cluster is in cluster mode, with any number of shards.
func (c Cluster) Sharded() bool { return c.ClusterMode }

// FailsOver tells whether a replica takes over without Rekindle when a primary of the attached cluster dies: its Sentinels or its nodes see to that.
func (c Cluster) FailsOver() bool {
	return c.HasReplica() && (c.Sharded() || c.Attachment != nil && c.Attachment.Topology == topologySentinel)
}

// Encrypted tells whether the cluster's nodes are reached by TLS.
func (c Cluster) Encrypted() bool {
	if c.Attached() {
		return c.Attachment != nil && c.Attachment.TLS
	}
	return c.TransitEncryption
}

// Lines are a few texts of one line each, stored as one text.
type Lines []string

// String joins the lines with line breaks.
func (l Lines) String() string { return strings.Join(l, "\n") }

// SplitLines reads what somebody has typed: texts separated by line breaks, commas or spaces.
func SplitLines(text string) Lines {
	var lines Lines
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		lines = append(lines, line)
	}
	return lines
}

// Value stores lines as text.
func (l Lines) Value() (driver.Value, error) { return l.String(), nil }

// Scan reads what [Lines.Value] stored.
func (l *Lines) Scan(src any) error {
	switch v := src.(type) {
	case string:
		*l = SplitLines(v)
	case []byte:
		*l = SplitLines(string(v))
	case nil:
		*l = nil
	default:
		return fmt.Errorf("scan lines: unexpected %T", src)
	}
	return nil
}

// Access is how a cluster is reached, as somebody has configured it. The password is a field of the cluster.
type Access struct {
	Addresses Lines  // host:port, of nodes or of Sentinels
	Mapped    Lines  // announced=reached, for nodes whose announced address does not work from here; a host alone stands for all of its ports
	Username  string // of the ACL; "": the default user
	PSYNC     string // the name of the command there; "": PSYNC
	ByKey     bool   // snapshots are read key by key, because PSYNC is forbidden

	PrimaryName      string // the name that Sentinels use; "": the only one that they watch
	SentinelUsername string
	SentinelPassword secret.Text

	TLS         bool
	CA          string      // PEM; "": the authorities that the console's host trusts
	Certificate string      // PEM, the console's own; "": none
	PrivateKey  secret.Text // PEM
	ServerName  string      // the name that certificates must have; "": the host of the address
	Unverified  bool        // certificates are not checked

	Tuned bool // while a snapshot begins, two settings of the node that serves it may be changed
}

// Attachment says how an attached cluster is reached, and what was seen of it.
type Attachment struct {
	ClusterID uint `gorm:"primaryKey;autoIncrement:false"`
	Access
	Topology string     // how its nodes are organised; see package topology
	Since    *time.Time // it has been out of reach since then; nil: it is reached
}

// AttachSpec asks for an existing cluster to be attached.
type AttachSpec struct {
	Name        string
	Description string
	Access
	Password    secret.Text
	Retention   int    // days; 0: no automatic backups
	Window      Window // zero: no preference
	Drills      DrillPlan
	RequestedBy string
	Declared    string // the clusters file that asks for it; "": a person does
	// TuningOpen says that nobody has decided whether its nodes may be tuned: if it is attached already, that stays as it is.
	TuningOpen bool
}

// The limits of an access.
const (
	maxAddresses = 50
	defaultPort  = "6379"
)

// CheckAttach checks a cluster to be attached as far as possible without reaching it, and brings the spec into its final form.
func CheckAttach(spec *AttachSpec) Faults {
	var faults Faults
	name, problem := CheckName("cluster id", spec.Name)
	if problem != "" {
		faults.Add(CodeInvalid, "id", problem)
	}
	spec.Name = name
	faults = append(faults, CheckDescription(spec.Description)...)
	faults = append(faults, CheckWindow(spec.Window)...)
	faults = append(faults, CheckRetention(spec.Retention, NodeType{})...)
	return append(faults, CheckAccess(&spec.Access)...)
}

// CheckAttached is [CheckAccess] for an access whose secrets were removed.
func CheckAttached(a *Access) Faults {
	certificate, user := a.Certificate, a.SentinelUsername
	a.Certificate, a.SentinelUsername = "", ""
	faults := CheckAccess(a)
	if a.SentinelUsername = user; a.TLS {
		a.Certificate = pemText(certificate)
	}
	return faults
}

// CheckAccess checks an access as far as possible without using it, and brings it into its final form.
func CheckAccess(a *Access) Faults {
	var faults Faults
	var addresses Lines
	for _, text := range a.Addresses {
		address, problem := CheckEndpoint(text)
		if problem != "" {
			faults.Add(CodeInvalid, "addresses", problem)
		}
		addresses = append(addresses, address)
	}
	switch a.Addresses = addresses; {
	case len(addresses) == 0:
		faults.Add(CodeInvalid, "addresses", "Enter the address of at least one node, or of the Sentinels: host:port.")
	case len(addresses) > maxAddresses:
		faults.Add(CodeInvalid, "addresses", fmt.Sprintf("%d addresses are too many. A few are enough: the other nodes are found from them.", len(addresses)))
	}
	for _, text := range a.Mapped {
		announced, reached, found := strings.Cut(text, "=")
		_, one := CheckEndpoint(announced)
		_, other := CheckEndpoint(reached)
		if !found || one != "" || other != "" || hasPort(announced) != hasPort(reached) {
			faults.Add(CodeInvalid, "mapped", fmt.Sprintf("%.100q does not map an address. Write announced=reached, both with their ports or both without: 172.17.0.2:6379=db1.example:16379.", text))
		}
	}
	for field, text := range map[string]string{"username": a.Username, "sentinel_username": a.SentinelUsername, "psync": a.PSYNC, "primary_name": a.PrimaryName, "server_name": a.ServerName} {
		if len(text) > 255 || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			faults.Add(CodeInvalid, field, "This may have at most 255 characters, and no spaces.")
		}
	}
	if a.SentinelUsername != "" && a.SentinelPassword == "" {
		faults.Add(CodeCombination, "sentinel_password", "A user of the Sentinels needs a password.")
	}
	return append(faults, checkTLS(a)...)
}

// SameWay tells whether another access leads to the same servers and makes them prove their identity in the same way. Only then may stored secrets
// be sent by it: otherwise whoever may change an access could have them sent to an address of their own.
func (a Access) SameWay(other Access) bool {
	for _, access := range []*Access{&a, &other} {
		_ = CheckAttached(access) // brings it into its final form; mistakes are reported elsewhere
	}
	return a.Addresses.String() == other.Addresses.String() && a.Mapped.String() == other.Mapped.String() && a.PrimaryName == other.PrimaryName && a.TLS == other.TLS &&
		a.CA == other.CA && a.Certificate == other.Certificate && a.ServerName == other.ServerName && a.Unverified == other.Unverified
}

// Equal tells whether another access is the same in everything, including its secrets.
func (a Access) Equal(other Access) bool {
	for _, access := range []*Access{&a, &other} {
		_ = CheckAccess(access)
	}
	same := slices.Equal(a.Addresses, other.Addresses) && slices.Equal(a.Mapped, other.Mapped)
	for _, access := range []*Access{&a, &other} {
		access.Addresses, access.Mapped = nil, nil
	}
	return same && reflect.DeepEqual(a, other) // so that fields which are added later count too
}

// ReadByKey tells whether snapshots of the cluster are read key by key.
func (c Cluster) ReadByKey() bool { return c.Attachment != nil && c.Attachment.ByKey }

// ReachedAs tells whether an attached cluster is still reached in the same way as when it was looked at.
func (c Cluster) ReachedAs(looked Cluster) bool {
	return c.Attachment != nil && looked.Attachment != nil && c.Password == looked.Password && c.Attachment.Access.Equal(looked.Attachment.Access)
}

// pemText is a certificate or a key with the line ends that it is stored with; browsers send others.
func pemText(text string) string {
	if text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")); text == "" {
		return ""
	}
	return text + "\n"
}

// checkTLS checks certificates; they count only with TLS.
func checkTLS(a *Access) Faults {
	var faults Faults
	if !a.TLS {
		a.CA, a.Certificate, a.PrivateKey, a.ServerName, a.Unverified = "", "", "", "", false
		return nil
	}
	a.CA, a.Certificate, a.PrivateKey = pemText(a.CA), pemText(a.Certificate), secret.Text(pemText(a.PrivateKey.Reveal()))
	if a.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(a.CA)) {
		faults.Add(CodeInvalid, "ca", "This is not a certificate. Paste the CA's, from -----BEGIN CERTIFICATE----- to the end.")
	}
	if (a.Certificate != "") != (a.PrivateKey != "") {
		faults.Add(CodeCombination, "certificate", "A client's certificate needs its private key, and the key its certificate.")
	} else if a.Certificate != "" {
		if _, err := tls.X509KeyPair([]byte(a.Certificate), []byte(a.PrivateKey.Reveal())); err != nil {
			faults.Add(CodeInvalid, "certificate", "Certificate and private key cannot be read, or do not belong together. Both must be PEM, and the key without a passphrase.")
		}
	}
	return faults
}

func hasPort(address string) bool {
	_, _, err := net.SplitHostPort(address)
	return err == nil
}

// CheckEndpoint checks the address of a node and adds a port if it has none: "db1", "10.0.0.5:6380", "[fd00::5]:6379".
func CheckEndpoint(text string) (string, string) {
	looks := fmt.Sprintf("%.100q is not the address of a node. It must look like db1.example:6379, 10.0.0.5:6379 or [fd00::5]:6379.", text)
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return text, looks
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return net.JoinHostPort(host, port), ""
	}
	if host == "" || len(host) > 253 || strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	}) {
		return text, looks
	}
	return net.JoinHostPort(strings.ToLower(host), port), ""
}

// Reached is the map that the lines of Mapped stand for.
func (a Access) Reached() map[string]string {
	reached := make(map[string]string, len(a.Mapped))
	for _, line := range a.Mapped {
		if from, to, found := strings.Cut(line, "="); found {
			reached[from] = to
		}
	}
	return reached
}

// metadata are the networks in which clouds have their metadata.
var metadata = []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fd00:ec2::254/128")}

// DeniedAddress says why Rekindle does not look for nodes at an address, or "". Nobody must be able to lead a console to a cloud's metadata service or
// to addresses that belong to the network and not to one host. With a list of allowed networks, all others are denied. One that lies within those of the
// metadata opens its part of them; a wider one, such as 0.0.0.0/0, does not mean them.
func DeniedAddress(addr netip.Addr, allowed []netip.Prefix) string {
	switch addr = addr.Unmap().WithZone(""); judge(addr, allowed) {
	case manyHosts:
		return fmt.Sprintf("%s is not the address of a single host.", addr)
	case ofMetadata:
		return fmt.Sprintf("%s is a link-local address, where clouds have their metadata: no node is looked for there, unless --attach-allow names it.", addr)
	case notAllowed:
		return fmt.Sprintf("%s is not among the addresses that --attach-allow names: this console connects to no node there.", addr)
	}
	return ""
}

// denial is why an address is not connected to.
type denial int

const (
	allowedAddress denial = iota
	manyHosts
	ofMetadata
	notAllowed
)

// judge judges an address, which must have no zone: no network has addresses with one.
func judge(addr netip.Addr, allowed []netip.Prefix) denial {
	within := func(networks []netip.Prefix) int { // the bits of the narrowest one, or -1
		bits := -1
		for _, n := range networks {
			if n.Contains(addr) {
				bits = max(bits, n.Bits())
			}
		}
		return bits
	}
	switch opened := within(allowed); {
	case addr.IsMulticast() || addr.IsUnspecified():
		return manyHosts
	case opened < within(metadata):
		return ofMetadata
	case opened < 0 && len(allowed) > 0:
		return notAllowed
	}
	return allowedAddress
}
