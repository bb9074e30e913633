package nodes

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// Who signs in as somebody finds them there, and who is connected as the default user has gone over before it loses its rights.
func TestLoginStepsCutNobodyOff(t *testing.T) {
	t.Parallel()
	for what, one := range map[string]struct {
		cluster models.Cluster
		want    string
	}{
		"to a group": {models.Cluster{UserGroup: "staff", Password: "b", FormerPassword: "a"},
			"ACL SETUSER rekindle reset on ~* +@all &* >b; ACL SETUSER default >b / CONFIG SET masterauth b; CONFIG SET masteruser rekindle; CONFIG SET protected-mode no / CLIENT KILL TYPE replica"},
		"from none to a group": {models.Cluster{UserGroup: "staff", Password: "b"},
			"ACL SETUSER rekindle reset on ~* +@all &* >b / CONFIG SET masteruser rekindle; CONFIG SET masterauth b; CONFIG SET protected-mode no / CLIENT KILL TYPE replica"},
		"to a password": {models.Cluster{Password: "a", FormerPassword: "b", FormerUser: models.OwnUser},
			"ACL SETUSER default reset on ~* +@all &* >a; ACL SETUSER rekindle >a; CONFIG SET protected-mode yes / CONFIG SET masterauth a; CONFIG SET masteruser default"},
		"to none": {models.Cluster{FormerPassword: "b", FormerUser: models.OwnUser},
			"ACL SETUSER default reset on ~* +@all &* nopass; CONFIG SET protected-mode no / CONFIG SET masteruser default; CONFIG SET masterauth "},
		"to another password": {models.Cluster{Password: "b", FormerPassword: "a"}, shownSteps(passwordSteps("a", "b", ""))},
	} {
		if got := shownSteps(loginSteps(one.cluster)); got != one.want {
			t.Errorf("%s:\n%s, not\n%s", what, got, one.want)
		}
	}
	old := models.Cluster{UserGroup: "staff", Password: "b", Configuration: models.Configuration{EngineVersion: "6.0.16"}}
	if strings.Contains(shownSteps(loginSteps(old)), "&") {
		t.Error("an engine without channels is told of them")
	}
}

func shownSteps(steps []commands) string {
	var shown []string
	for _, step := range steps {
		var lines []string
		for _, command := range step {
			lines = append(lines, strings.Join(command, " "))
		}
		shown = append(shown, strings.Join(lines, "; "))
	}
	return strings.Join(shown, " / ")
}

func TestLoginsAreNotChangedWhileASnapshotIsTaken(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		status models.ClusterStatus
		group  string
		former string
		want   bool
	}{
		{models.ClusterAvailable, "staff", "", true},
		{models.ClusterSnapshotting, "staff", "", false},
		{models.ClusterSnapshotting, "", models.OwnUser, false},
		{models.ClusterSnapshotting, "", "", true},
	} {
		if got := mayChangeLogin(models.Cluster{Status: one.status, UserGroup: one.group, FormerUser: one.former}); got != one.want {
			t.Errorf("%+v: %v", one, got)
		}
	}
}

// A console that is killed leaves nodes told of any number of the commands. Then, too, a replica that has to connect anew is taken, and another console
// can sign in at both and go on.
func TestAReplicaIsTakenWhereverAChangeOfTheLoginIsCutOff(t *testing.T) {
	t.Parallel()
	to := models.Cluster{UserGroup: "staff", Password: "b", PasswordPending: true}
	from := models.Cluster{PasswordPending: true, FormerUser: models.OwnUser, FormerPassword: "b"}
	toUsers, back := to, from
	toUsers.FormerPassword, back.Password = "a", "a"
	for what, one := range map[string]struct {
		cluster models.Cluster
		before  [][]string
	}{
		"to users":           {toUsers, signedInAs(models.DefaultAccessUser, "a")},
		"from none to users": {to, append(signedInAs(models.DefaultAccessUser, ""), []string{"ACL", "SETUSER", "default", "nopass"}, []string{"CONFIG", "SET", "masteruser", ""})},
		"to a password":      {back, signedInAs(models.OwnUser, "b")},
		"to none":            {from, signedInAs(models.OwnUser, "b")},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			var told []func() error
			for _, step := range loginSteps(one.cluster) {
				for _, node := range p.nodes {
					for _, command := range step {
						told = append(told, func() error { return Tell(t.Context(), one.cluster, node, command...) })
					}
				}
			}
			if one.cluster.UserGroup == "" {
				for _, node := range p.nodes {
					told = append(told, func() error { return keepUsers(t.Context(), one.cluster, node, models.DefaultAccessUser, testUser) })
				}
			}
			for n := range len(told) + 1 {
				p.do(t, one.before)
				for i, tell := range told[:n] {
					if err := tell(); err != nil {
						t.Fatalf("after %d of %d commands: %v", i, len(told), err)
					}
				}
				if !p.connectsAnew(t) {
					t.Errorf("after %d of %d commands a replica is refused", n, len(told))
				}
			}
		})
	}
}

// testUser is by whom the test itself signs in.
const testUser = "test"

// signedInAs are the commands after which a node takes this user alone, also as its replica.
func signedInAs(user, password string) [][]string {
	other := models.DefaultAccessUser
	if user == other {
		other = models.OwnUser
	}
	is := []string{"ACL", "SETUSER", user, "reset", "on", "~*", "&*", "+@all"}
	if password != "" {
		is = append(is, ">"+password)
	}
	return [][]string{is, {"CONFIG", "SET", "masteruser", user}, {"CONFIG", "SET", "masterauth", password}, {"ACL", "SETUSER", other, "reset", "off"}}
}

// pair is a primary and its replica.
type pair struct {
	nodes   []models.Node
	clients []*redis.Client
}

func newPair(t *testing.T) *pair {
	p := &pair{}
	for i, role := range []models.Role{models.RolePrimary, models.RoleReplica} {
		server := testkit.Redis(t, "--repl-diskless-sync-delay", "0")
		if err := server.Client().Do(t.Context(), "ACL", "SETUSER", testUser, "on", "nopass", "~*", "&*", "+@all").Err(); err != nil {
			t.Fatal(err)
		}
		host, port, _ := net.SplitHostPort(server.Addr)
		number, _ := strconv.Atoi(port)
		p.nodes = append(p.nodes, models.Node{Name: "orders-00" + strconv.Itoa(i+1), Host: host, Port: number, Role: role})
		client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: testUser, Password: "x", ReadTimeout: -1, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = client.Close() })
		p.clients = append(p.clients, client)
	}
	if err := p.clients[1].Do(t.Context(), "REPLICAOF", p.nodes[0].Host, p.nodes[0].Port).Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

// do tells both nodes some commands.
func (p *pair) do(t *testing.T, commands [][]string) {
	t.Helper()
	for _, client := range p.clients {
		for _, command := range commands {
			args := make([]any, len(command))
			for i, word := range command {
				args[i] = word
			}
			if err := client.Do(t.Context(), args...).Err(); err != nil {
				t.Fatalf("%v: %v", command, err)
			}
		}
	}
}

// connectsAnew cuts the replica off, and tells whether it is back within half a minute.
func (p *pair) connectsAnew(t *testing.T) bool {
	t.Helper()
	primary := p.clients[0]
	if err := primary.ClientKillByFilter(t.Context(), "TYPE", "replica").Err(); err != nil {
		t.Fatal(err)
	}
	if err := primary.Incr(t.Context(), "writes").Err(); err != nil {
		t.Fatal(err)
	}
	reached, err := primary.Do(t.Context(), "WAIT", 1, 30000).Int()
	return err == nil && reached == 1
}
