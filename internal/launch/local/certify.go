package local

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"rekindle/internal/authority"
)

// authorityFile is next to the folders of the clusters.
const authorityFile = "authority.pem"

func (l *Launcher) authority() (*authority.Authority, error) {
	return authority.Open(filepath.Join(l.dir, authorityFile), l.opts.Now())
}

// Authority returns what clients of encrypting nodes must trust, as [launch.Certifier] says.
func (l *Launcher) Authority(context.Context) (string, error) {
	a, err := l.authority()
	if err != nil {
		return "", err
	}
	return a.Certificates(), nil
}

// Certify returns a certificate for this host, as [launch.Certifier] says.
func (l *Launcher) Certify(_ context.Context, host string) ([]byte, error) {
	a, err := l.authority()
	if err != nil {
		return nil, err
	}
	return a.Issue(l.names(host), l.opts.Now())
}

// ReplaceAuthority replaces the authority with a new one, which the old one vouches for. Running nodes get certificates from the new one when somebody
// calls Renew for them, others when they start.
func (l *Launcher) ReplaceAuthority(ctx context.Context) error {
	if _, err := l.Authority(ctx); err != nil {
		return err
	}
	_, err := authority.Replace(filepath.Join(l.dir, authorityFile), l.opts.Now())
	return err
}

// certify makes sure that the node in dir has a certificate for the host that is valid for some time to come, and the list of authorities whose
// certificates it accepts. It tells whether any of that is new.
func (l *Launcher) certify(dir, host string) (bool, error) {
	a, err := l.authority()
	if err != nil {
		return false, err
	}
	certificates, err := replaceChanged(filepath.Join(dir, caFile), []byte(a.Certificates()))
	if err != nil {
		return false, err
	}
	hosts, now := l.names(host), l.opts.Now()
	path := filepath.Join(dir, certFile)
	has, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if a.Serves(has, hosts, now) {
		return certificates, nil
	}
	issued, err := a.Issue(hosts, now)
	if err != nil {
		return false, err
	}
	return true, ReplaceFile(path, issued)
}

// replaceChanged writes a file unless it has this text already, and tells whether it did.
func replaceChanged(path string, text []byte) (bool, error) {
	has, err := os.ReadFile(path)
	if err == nil && slices.Equal(has, text) {
		return false, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return true, ReplaceFile(path, text)
}

// names are all names and addresses by which a node here that listens at host is reached, also by those who were told another host.
func (l *Launcher) names(host string) []string {
	all := names(host)
	if l.opts.Announce != "" && !slices.Contains(all, l.opts.Announce) {
		all = append(all, l.opts.Announce)
	}
	return all
}

// names are all names and addresses by which a node that listens at host is reached.
func names(host string) []string {
	all := []string{host}
	if isUnspecified(host) {
		addresses, _ := net.InterfaceAddrs() // without them those of this host are left
		for _, address := range addresses {
			if network, ok := address.(*net.IPNet); ok {
				all = append(all, network.IP.String())
			}
		}
		if name, err := os.Hostname(); err == nil && validHost(name) {
			all = append(all, name)
		}
	}
	for _, own := range []string{"localhost", "127.0.0.1", "::1"} {
		if !slices.Contains(all, own) {
			all = append(all, own)
		}
	}
	return all
}

// Renew gives a running node a new certificate if that is due, as [launch.Certifier] says.
func (l *Launcher) Renew(ctx context.Context, cluster, name string) (bool, error) {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return false, err
	}
	renewed, err := l.renew(ctx, dir)
	if err != nil {
		return false, fmt.Errorf("renew the certificate of node %s/%s: %w", cluster, name, err)
	}
	return renewed, nil
}

func (l *Launcher) renew(ctx context.Context, dir string) (bool, error) {
	r, err := readRecord(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && !r.TLS {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if held, err := lockHeld(dir); err != nil || !held {
		return false, err
	}
	// Connect before the files change: the node still uses the certificate that it has loaded.
	conn, _, err := dial(ctx, dir, r, probeTimeout)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	changed, err := l.certify(dir, r.Host)
	if err != nil {
		return false, err
	}
	issued, err := os.ReadFile(filepath.Join(dir, certFile))
	if err != nil {
		return false, err
	}
	// A console that was killed may have written a certificate that the node has not loaded.
	if !changed && authority.Proves(conn.NetConn(), issued) {
		return false, nil
	}
	// Key and certificate are in one file, so they are loaded together, and with them the authorities that the node accepts.
	_, err = conn.Do(ctx, "CONFIG", "SET", "tls-cert-file", filepath.Join(dir, certFile))
	return err == nil, err
}

// trust is the TLS configuration for connections from here to the node in dir. A node whose certificate expired while no console was there to renew it
// must still be reached for the renewal, so its certificate is checked as of the day on which the node got it. Its process shows that it is the node.
func trust(dir string) (*tls.Config, error) {
	certificates, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil {
		return nil, err
	}
	issued, err := os.ReadFile(filepath.Join(dir, certFile))
	if err != nil {
		return nil, err
	}
	config, err := authority.Trust(string(certificates))
	if err == nil {
		config.Time, err = authority.When(issued)
	}
	return config, err
}
