package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/jobs/attached"
	"rekindle/jobs/nodes"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// examine checks a server whose data is to be moved into a cluster, without changing anything. Refusals are [models.Faults].
func (m *migrator) examine(ctx context.Context, cluster models.Cluster, primary models.Node, source string) (models.MigrationSource, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*reach.Timeout)
	defer cancel()
	launched, err := m.DB.Migrations.LaunchedNodes(ctx)
	if err != nil {
		return models.MigrationSource{}, err
	}
	found, info, refused := ask(ctx, source)
	if found.Address != "" { // it was reached
		if err := models.CheckStranger(found.Address, launched); err != nil {
			return found, err
		}
	}
	if refused != nil {
		m.Logger.Info("data cannot be moved from a server", "cluster", cluster.Name, "source", source, "error", refused)
		return found, models.Refuse(models.CodeInvalid, "source", sourceSentence(refused))
	}
	own, err := nodes.Ask(ctx, cluster, primary, "server", "replication")
	if err != nil {
		return found, m.silent(cluster, primary, err)
	}
	if found.Modules, err = lacking(ctx, cluster, primary, found.Modules); err != nil {
		return found, m.silent(cluster, primary, err)
	}
	found.Own = info["run_id"] == own["run_id"] || info["master_replid"] == own["master_replid"]
	found.Unread = !rdb.CanLoad(cluster.Engine, cluster.EngineVersion, rdb.Written(found.Engine.Name, found.Engine.Version))
	if faults := models.CheckSource(cluster, found); len(faults) > 0 {
		return found, faults
	}
	return found, nil
}

// silent refuses a migration because the cluster's primary does not answer.
func (m *migrator) silent(cluster models.Cluster, primary models.Node, err error) error {
	m.Logger.Info("data cannot be moved into a cluster: its primary does not answer", "cluster", cluster.Name, "error", err)
	return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The primary %s does not answer. Try again when it does.", primary.Name))
}

// ask asks a server what it is.
func ask(ctx context.Context, source string) (models.MigrationSource, resp.Info, error) {
	conn, err := resp.Dial(ctx, reach.Stranger(source))
	if err != nil {
		return models.MigrationSource{}, nil, err
	}
	defer conn.Close()
	s := models.MigrationSource{Address: conn.NetConn().RemoteAddr().String()}
	info, err := conn.Info(ctx)
	if err != nil {
		return s, nil, err
	}
	s.Engine.Name, s.Engine.Version = info.Engine()
	s.Sharded, s.Loading, s.Used, s.Keys = info["cluster_enabled"] == "1", info.Int("loading") != 0, info.Int("used_memory"), info.Keys()
	s.CutOff = info["role"] == "slave" && info["master_link_status"] != "up"
	for name := range info {
		number, isDatabase := strings.CutPrefix(name, "db")
		if n, err := strconv.Atoi(number); isDatabase && err == nil {
			s.Databases = max(s.Databases, n+1)
		}
	}
	if s.Modules, err = modules(ctx, conn); err != nil {
		return s, nil, err
	}
	// The nodes will send PSYNC. A server that forbids or renames it must be found out now.
	return s, info, replicates(ctx, conn)
}

// modules asks a server for the names of its modules.
func modules(ctx context.Context, conn *resp.Conn) ([]string, error) {
	list, err := conn.Do(ctx, "MODULE", "LIST")
	if _, refused := errors.AsType[resp.Error](err); err != nil && !refused { // before Redis 4 there were no modules
		return nil, err
	}
	return attached.Modules(list), nil
}

// lacking returns the modules that a node does not have. Redis 8 and Valkey 9 come with some.
func lacking(ctx context.Context, cluster models.Cluster, node models.Node, of []string) ([]string, error) {
	conn, err := nodes.Dial(ctx, cluster, node)
	if err != nil {
		return of, err
	}
	defer conn.Close()
	own, err := modules(ctx, conn)
	return slices.DeleteFunc(of, func(name string) bool { return slices.Contains(own, name) }), err
}

// errNoReplication means that a server does not let its data be replicated.
var errNoReplication = errors.New("it does not know REPLCONF, or does not allow it")

// replicates tries REPLCONF, the first command a replica sends. It changes nothing.
func replicates(ctx context.Context, conn *resp.Conn) error {
	_, err := conn.Do(ctx, "REPLCONF", "capa", "eof")
	if reply, refused := errors.AsType[resp.Error](err); refused {
		return errors.Join(errNoReplication, reply)
	}
	return err
}

// sourceSentence says why a server's data cannot be moved.
func sourceSentence(err error) string {
	if errors.Is(err, errNoReplication) {
		return "The source refuses to replicate. REPLCONF and PSYNC must not be renamed or forbidden while data is being moved."
	}
	switch reply, answered := errors.AsType[resp.Error](err); {
	case answered && (reply.PasswordRefused() || reply.Code() == "NOPERM"):
		return `The source asks for a password, and a migration sends none, as in ElastiCache. Turn the password off for the migration (CONFIG SET requirepass ""), but only if no stranger can reach the source.`
	case answered && reply.Code() == "DENIED":
		return "The source is in protected mode, so it refuses clients on other hosts. Turn that off for the migration (CONFIG SET protected-mode no), but only if no stranger can reach the source."
	}
	return attached.Sentence(err, models.Access{})
}
