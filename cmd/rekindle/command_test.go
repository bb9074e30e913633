package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// command runs a command of the program as a script would, with the console's address and key in the environment.
func (a *apiConsole) command(args ...string) (code int, stdout, stderr string) {
	a.t.Helper()
	return commandWith(a.t, map[string]string{"REKINDLE_URL": a.url, accessKeyVariable: apiKeyID, secretKeyVariable: apiSecret}, args...)
}

func commandWith(t testing.TB, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, fault bytes.Buffer
	code = run(t.Context(), args, func(name string) string { return env[name] }, &out, &fault)
	return code, out.String(), fault.String()
}

// succeeds runs a command that has to succeed, and returns what it prints.
func (a *apiConsole) succeeds(args ...string) string {
	a.t.Helper()
	code, stdout, stderr := a.command(args...)
	if code != exitOK || stderr != "" {
		a.t.Fatalf("rekindle %s ended with %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// listed is what commands print with --json.
type listed struct {
	FormatVersion int              `json:"format_version"`
	Clusters      []listedCluster  `json:"clusters"`
	Snapshots     []listedSnapshot `json:"snapshots"`
	Cluster       listedCluster    `json:"cluster"`
	Snapshot      listedSnapshot   `json:"snapshot"`
}

func (a *apiConsole) json(args ...string) (l listed) {
	a.t.Helper()
	text := a.succeeds(append(args, "--json")...)
	if err := json.Unmarshal([]byte(text), &l); err != nil || l.FormatVersion != listingVersion {
		a.t.Fatalf("%v: %s", err, text)
	}
	return l
}

func TestAScriptBacksUpAndRestores(t *testing.T) {
	t.Parallel()
	a := serveAPI(newProcess(t).racing())
	ctx := t.Context()
	if text := a.succeeds("list", "--json"); !strings.Contains(text, `"clusters": []`) || !strings.Contains(text, `"snapshots": []`) {
		t.Errorf("a console without anything is printed as %s", text)
	}
	must(a.sdk.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("the orders"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(2)}))(t)
	must(a.sdk.CreateCacheCluster(ctx, &elasticache.CreateCacheClusterInput{CacheClusterId: aws.String("alone"), Engine: aws.String("redis"), CacheNodeType: aws.String("cache.t4g.micro"), Port: aws.Int32(6380)}))(t)
	source := a.redis(primaryOf(a.group("orders")), "")
	a.cluster("alone")
	testkit.Fill(t, source, 300)

	name := strings.TrimSpace(a.succeeds("backup", "now", "orders", "--wait"))
	if !strings.HasPrefix(name, "orders-20") {
		t.Errorf("the snapshot is called %q", name)
	}
	if s := a.json("backup", "now", "--wait", "--name", "of-alone", "alone").Snapshot; s.Name != "of-alone" || s.Status != available || s.Cluster != "alone" || s.CompletedAt == nil {
		t.Errorf("%+v", s)
	}
	all := a.json("list")
	if len(all.Clusters) != 2 || all.Clusters[0].Name != "alone" || all.Clusters[1].Name != "orders" || all.Clusters[1].Nodes != 2 || all.Clusters[1].Description != "the orders" || all.Clusters[1].Address == nil {
		t.Errorf("%+v", all.Clusters)
	}
	found := a.json("list", "snapshots", "--cluster", "orders").Snapshots
	if len(found) != 1 || found[0].Name != name || found[0].Status != available || found[0].Source != "manual" || found[0].Size == nil || *found[0].Size < 1<<20 || found[0].CompletedAt == nil {
		t.Errorf("%+v", found)
	}
	if one := a.json("list", "snapshots", "--cluster", "alone").Snapshots; len(one) != 1 || one[0].Name != "of-alone" {
		t.Errorf("%+v", one)
	}

	if got := a.succeeds("restore", name, "--as", "copy", "--replicas", "1", "--wait"); got != "copy\n" {
		t.Errorf("it prints %q", got)
	}
	if testkit.Fingerprint(t, a.redis(primaryOf(a.group("copy")), "")) != testkit.Fingerprint(t, source) {
		t.Error("what was restored is other data")
	}
	sharded := a.json("restore", "--as", "sharded", "of-alone", "--shards", "2", "--wait").Cluster
	if sharded.Status != available || sharded.Shards != 2 || sharded.Description != "restored from of-alone" {
		t.Errorf("%+v", sharded)
	}
	table := a.succeeds("list")
	for _, want := range []string{"CLUSTER ", "copy ", "SNAPSHOT ", name + "  orders ", "  manual  available  "} {
		if !strings.Contains(table, want) {
			t.Errorf("there is no %q in\n%s", want, table)
		}
	}
}

func TestRefusalsOfTheConsoleReachTheScript(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	access := map[string]string{"REKINDLE_URL": a.url, accessKeyVariable: apiKeyID, secretKeyVariable: apiSecret}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello</html>") }))
	t.Cleanup(other.Close)
	for name, test := range map[string]struct {
		env  map[string]string // beside access; "-" removes a variable
		args []string
		code int
		want string
	}{
		"no such cluster":        {nil, []string{"backup", "now", "nothing"}, exitFailed, "rekindle: There is no cluster nothing."},
		"no such snapshot":       {nil, []string{"restore", "nothing", "--as", "x"}, exitFailed, "rekindle: There is no snapshot nothing."},
		"snapshots of no one":    {nil, []string{"list", "snapshots", "--cluster", "nothing"}, exitFailed, "There is no cluster nothing."},
		"a wrong secret":         {map[string]string{secretKeyVariable: "another-secret-of-16"}, []string{"list"}, exitFailed, "does not accept the access key " + apiKeyID},
		"an unknown key":         {map[string]string{accessKeyVariable: "AKIANOBODY"}, []string{"list"}, exitFailed, "does not accept the access key AKIANOBODY"},
		"no key":                 {map[string]string{accessKeyVariable: "-", secretKeyVariable: "-"}, []string{"list"}, exitUsage, "make one in the console under Settings, Access keys"},
		"half a key":             {map[string]string{secretKeyVariable: "-"}, []string{"list"}, exitUsage, "needs an access key in " + accessKeyVariable},
		"Amazon's variables":     {map[string]string{accessKeyVariable: "-", secretKeyVariable: "-", awsKeyVariable: apiKeyID, awsSecretVariable: apiSecret}, []string{"list"}, exitOK, ""},
		"nobody there":           {map[string]string{"REKINDLE_URL": "http://127.0.0.1:1"}, []string{"list"}, exitFailed, "the console does not answer at http://127.0.0.1:1"},
		"somebody else":          {map[string]string{"REKINDLE_URL": other.URL}, []string{"list"}, exitFailed, "is no Rekindle console"},
		"an address without it":  {map[string]string{"REKINDLE_URL": "127.0.0.1:8080"}, []string{"list"}, exitUsage, "--url must look like"},
		"no cluster named":       {nil, []string{"backup", "now"}, exitUsage, backupUse},
		"not now":                {nil, []string{"backup", "orders"}, exitUsage, "rekindle backup now CLUSTER"},
		"no snapshot named":      {nil, []string{"restore", "--as", "x"}, exitUsage, restoreUse},
		"no new name":            {nil, []string{"restore", "s"}, exitUsage, restoreUse},
		"less than no replicas":  {nil, []string{"restore", "s", "--as", "x", "--replicas", "-1"}, exitUsage, "it must be a number from 0 to 65535"},
		"another list":           {nil, []string{"list", "nodes"}, exitUsage, `not "nodes"`},
		"clusters of a cluster":  {nil, []string{"list", "clusters", "--cluster", "x"}, exitUsage, "--cluster is for snapshots"},
		"health by that address": {nil, []string{"health"}, exitOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(access)
			maps.Copy(env, test.env)
			maps.DeleteFunc(env, func(_, value string) bool { return value == "-" })
			code, stdout, stderr := commandWith(t, env, test.args...)
			if code != test.code || !strings.Contains(stderr, test.want) || code != exitOK && stdout != "" {
				t.Errorf("exit code %d, output %q, errors %q; want %d and %q", code, stdout, stderr, test.code, test.want)
			}
		})
	}
}

// A snapshot that fails while the script waits must have cron send mail that says why.
func TestAFailureFailsTheScript(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	must(a.sdk.CreateReplicationGroup(t.Context(), &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("d"),
		CacheNodeType: aws.String("cache.t4g.micro")}))(t)
	a.group("orders")
	fine(t, os.Rename(filepath.Join(a.data, "snapshots"), filepath.Join(a.data, "aside")))
	code, stdout, stderr := a.command("backup", "now", "orders", "--name", "lost", "--wait")
	if code != exitFailed || stdout != "lost\n" || !strings.Contains(stderr, "rekindle: The snapshot lost of orders failed. ") {
		t.Errorf("exit code %d, output %q, errors %q", code, stdout, stderr)
	}
}

func TestListsGoOnPastAPage(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	const clusters, snapshots = 130, 2
	if code, _, fault := commandWith(t, nil, "catalog", "sample", "--data", p.data, "--clusters", fmt.Sprint(clusters), "--snapshots", fmt.Sprint(snapshots)); code != exitOK {
		t.Fatal(fault)
	}
	all := serveAPI(p).json("list")
	if len(all.Clusters) != clusters || len(all.Snapshots) < clusters*snapshots { // by now some windows may have opened
		t.Errorf("%d clusters and %d snapshots", len(all.Clusters), len(all.Snapshots))
	}
	names := map[string]bool{}
	for _, s := range all.Snapshots {
		names[s.Name] = true
	}
	if len(names) != len(all.Snapshots) {
		t.Errorf("%d snapshots are different", len(names))
	}
}

func TestAUserGetsANewPassword(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"by name":       {[]string{"user", "reset-password", models.AdminName}, exitOK, "user      admin\npassword  "},
		"the old way":   {[]string{"reset-password"}, exitOK, "user      admin\npassword  "},
		"nobody":        {[]string{"user", "reset-password"}, exitUsage, "name the user"},
		"somebody else": {[]string{"user", "reset-password", "ada"}, exitFailed, "there is no user ada; there is: admin"},
		"nothing to do": {[]string{"user"}, exitUsage, "rekindle user reset-password NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := commandWith(t, map[string]string{"REKINDLE_DATA": p.data}, test.args...)
			if code != test.code || !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("exit code %d, output %q, errors %q; want %d and %q", code, stdout, stderr, test.code, test.want)
			}
		})
	}
}
