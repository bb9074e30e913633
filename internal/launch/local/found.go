package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"rekindle/internal/launch"
	"rekindle/internal/secret"
)

// Describe reads what was last started in a node's directory, including its password. The error is from the file system, or says
// that the description is damaged.
func (l *Launcher) Describe(_ context.Context, cluster, name string) (launch.Found, error) {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return launch.Found{}, err
	}
	r, err := readRecord(dir)
	if err != nil {
		return launch.Found{}, fmt.Errorf("look at node %s/%s: %w", cluster, name, err)
	}
	found := launch.Found{Former: r.others(), FormerUser: r.FormerUser, Replica: r.Replica, Node: launch.Node{Cluster: cluster, Name: name, Engine: r.Engine, Version: r.Version, Host: r.Host, Port: r.Port,
		Password: secret.Text(r.Password), OldPassword: secret.Text(r.OldPassword), User: r.User, SavePoints: r.SavePoints, ClusterMode: r.ClusterMode, TLS: r.TLS, Config: r.Config}}
	if r.TLS {
		ca, err := os.ReadFile(filepath.Join(dir, caFile))
		if err != nil {
			return launch.Found{}, fmt.Errorf("look at node %s/%s: %w", cluster, name, err)
		}
		found.CA = string(ca)
	}
	if r.MaxMemory != nil {
		found.MaxMemory = *r.MaxMemory
		return found, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, confFile))
	if err != nil {
		return launch.Found{}, fmt.Errorf("look at node %s/%s: %w", cluster, name, err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory "); ok {
			if found.MaxMemory, err = strconv.ParseInt(value, 10, 64); err != nil {
				return launch.Found{}, fmt.Errorf("look at node %s/%s: %s: maxmemory: %w", cluster, name, confFile, err)
			}
		}
	}
	return found, nil
}
