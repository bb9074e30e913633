package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekindle/internal/testkit"
)

func TestSettingsComeFromFlagsThenTheEnvironmentThenTheFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "rekindle.yaml")
	writeFile(t, filepath.Join(folder, "password"), "of a file\n")
	writeFile(t, path, `
listen: 127.0.0.1:1
bandwidth: 10
transfers: 3
lease: 20s
stop-nodes: true
node-ports: 20000-20001
attach-allow: [10.0.0.7, 10.1.0.0/16]
trusted-proxy: 10.0.0.9
admin-password: {file: password}
access-key-id: AKIA
secret-access-key: {env: MINE}
`)
	env := map[string]string{"REKINDLE_CONFIG": path, "REKINDLE_BANDWIDTH": "20", "REKINDLE_TRANSFERS": "4", "MINE": "s3cret", "REKINDLE_ACCESS_KEY_ID": "AKIB"}
	c, err := readServeConfig([]string{"--transfers", "5"}, func(name string) string { return env[name] }, io.Discard)
	fine(t, err)
	got := fmt.Sprintln(c.listen, c.bandwidth, c.transfers, c.lease, c.stopNodes, c.nodePorts, c.attachAllow, c.proxies, c.adminPassword.Reveal(), c.accessKeyID, c.accessSecret.Reveal(), c.perHost)
	if want := "127.0.0.1:1 20 5 20s true [20000 20001] [10.0.0.7/32 10.1.0.0/16] [10.0.0.9/32] of a file AKIB s3cret 1\n"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	from := make(map[string]string)
	for _, s := range c.settings {
		from[s.name] = s.from.String()
	}
	for name, want := range map[string]string{"listen": "file " + path + ":2", "bandwidth": "environment REKINDLE_BANDWIDTH", "transfers": "flag", "snapshots-per-host": "",
		"admin-password": "file " + path + ":10", "access-key-id": "environment REKINDLE_ACCESS_KEY_ID"} {
		if from[name] != want {
			t.Errorf("%s comes from %q, not %q", name, from[name], want)
		}
	}
}

func TestWhatIsWrongWithAConfigurationFileIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string // after the file's name
	}{
		"unknown":             {"lissten: x\n", []string{`:1: There is no key "lissten" here. The keys are access-key-id, account-id, `}},
		"the file in itself":  {"config: x\n", []string{`:1: There is no key "config" here`}},
		"doubled":             {"data: x\ndata: y\n", []string{`:2: The key "data" was already given in line 1`}},
		"several":             {"bandwidth: fast\ntransfers: 0\nstop-nodes: 1\nlease: soon\nlisten: [a, b]\nlog-level: loud\n", []string{":1: bandwidth: This must be a whole number", ":2: transfers must be at least 1", ":3: stop-nodes: This must be true or false", ":4: lease: This must look like 15s", ":5: listen: This must be one value", `:6: log-level must be debug`}},
		"no value":            {"engines:\n", []string{":1: engines: There is no value here"}},
		"a number for text":   {"account-id: 123456789012\n", []string{":1: account-id: This must be text; put it in quotes"}},
		"no keys":             {"- data\n", []string{":1: This must be keys with their values"}},
		"no YAML":             {"data: [\n", []string{": This is not valid YAML"}},
		"a secret in it":      {"admin-password: hunter2\n", []string{":1: admin-password: This must not be in the file itself"}},
		"no text":             {"access-key-id: 7\n", []string{":1: access-key-id: This must be text"}},
		"a secret elsewhere":  {"secret-access-key: {env: NONE}\n", []string{":1: secret-access-key: The environment variable NONE is not set"}},
		"a catalog elsewhere": {"catalog: {file: none}\n", []string{":1: catalog: The file ", "none cannot be read"}},
		"a wrong catalog":     {"catalog: mysql://a:hunter2@h/c\n", []string{":1: catalog must look like sqlite:"}},
		"nothing":             {"# nothing\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "rekindle.yaml")
			writeFile(t, path, test.text)
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{"config", "check", path}, func(string) string { return "" }, &stdout, &stderr)
			if want := map[bool]int{true: exitOK, false: exitUsage}[test.want == nil]; code != want {
				t.Errorf("it ends with %d", code)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("%q is missing in\n%s", want, stderr.String())
				}
			}
			if strings.Contains(stderr.String()+stdout.String(), "hunter2") {
				t.Error("it tells a password")
			}
			stderr.Reset()
			if test.want != nil && run(t.Context(), []string{"serve", "--config", path, "--data", filepath.Join(path, "x")}, func(string) string { return "" }, &stdout, &stderr) != exitUsage {
				t.Errorf("it is served: %s", stderr.String())
			}
		})
	}
	if _, err := readServeConfig([]string{"--config", "/nonexistent"}, func(string) string { return "" }, io.Discard); err == nil || !strings.Contains(err.Error(), "/nonexistent: the configuration file cannot be read: no such file") {
		t.Errorf("without a file: %v", err)
	}
}

func TestConfigCheckShowsEverySettingAndNoPassword(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rekindle.yaml")
	writeFile(t, path, "catalog: postgres://rekindle:hunter2@db.example.com/rekindle\nlog-level: warn\n")
	fine(t, os.Chmod(path, 0o644))
	env := map[string]string{"REKINDLE_PUBLIC_URL": "https://rekindle.example.com", "REKINDLE_ADMIN_PASSWORD": "hunter2-hunter2"}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"config", "check", path, "--transfers", "3"}, func(name string) string { return env[name] }, &stdout, &stderr); code != exitOK {
		t.Fatalf("%d: %s", code, stderr.String())
	}
	said := strings.Join(strings.Fields(stdout.String()), " ")
	for _, want := range []string{" listen 127.0.0.1:8080 default ", " transfers 3 flag ", " catalog postgres://db.example.com/rekindle file " + path + ":1 ", " log-level warn file " + path + ":2 ",
		" public-url https://rekindle.example.com environment REKINDLE_PUBLIC_URL ", " admin-password (not shown) environment ", " store dir:" + must(filepath.Abs("data/snapshots"))(t) + " default "} {
		if !strings.Contains(said+" ", want) {
			t.Errorf("%q is missing in\n%s", want, stdout.String())
		}
	}
	if strings.Contains(stdout.String()+stderr.String(), "hunter2") {
		t.Errorf("it tells a password:\n%s", stdout.String())
	}
	if !strings.Contains(stderr.String(), "can be read by everybody on this host, and catalog has a password in it") {
		t.Errorf("nothing is said about who can read the file: %q", stderr.String())
	}
}

// One file serves all commands, and what only serve knows does not disturb them.
func TestOtherCommandsTakeTheSameFile(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	path := filepath.Join(t.TempDir(), "rekindle.yaml")
	writeFile(t, path, fmt.Sprintf("data: %s\nbandwidth: 3\nadmin-password: {env: NONE}\nattach-allow: [192.0.2.1]\n", data))
	for _, args := range [][]string{{"reset-password"}, {"replace-ca"}, {"clusters", "release"}, {"catalog", "backup", filepath.Join(data, "copy")}} {
		var stderr bytes.Buffer
		if code := run(t.Context(), append(args, "--config", path), func(string) string { return "" }, io.Discard, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "there is no catalog at "+data) {
			t.Errorf("%v: %d, %s", args, code, stderr.String())
		}
	}
}

func TestExampleOfAConfigurationFileHasEverySetting(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/running.md")
	fine(t, err)
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	flags, _ := serveFlags("serve", "", &config{}, func(string) string { return "" }, io.Discard)
	for _, name := range flags.settings() {
		if name != "config" && !strings.Contains("\n"+strings.ReplaceAll(example, "\n#", "\n"), "\n"+name+": ") {
			t.Errorf("the example in docs/running.md lacks %s", name)
		}
		if _, hidden := flags.secrets[name]; !hidden && !strings.Contains(string(page), "| `--"+name+"` |") {
			t.Errorf("the table in docs/running.md lacks --%s", name)
		}
	}
	path := filepath.Join(t.TempDir(), "rekindle.yaml")
	writeFile(t, path, example)
	c, err := readServeConfig([]string{"--config", path}, func(string) string { return "" }, io.Discard)
	if err != nil || !c.logJSON || len(c.attachAllow) != 1 || c.account != "123456789012" || c.lease != 15*time.Second {
		t.Errorf("the example gives %+v, %v", c, err)
	}
}

func TestSIGHUPReadsTheConfigurationFileAgainAndNeverEndsTheConsole(t *testing.T) {
	t.Parallel()
	p := newProcess(t).racing()
	path := filepath.Join(t.TempDir(), "rekindle.yaml")
	hangUp := func(want string) {
		t.Helper()
		fine(t, p.hangUp())
		testkit.WaitFor(t, want, func() bool { return strings.Contains(p.output.tail(1<<20), want) })
	}
	p.start() // without any file
	hangUp(`msg="read again, because of SIGHUP" files=[] changed=[] changes_with_a_restart=[]`)
	p.end(os.Interrupt)

	writeFile(t, path, "bandwidth: 10\ntransfers: 2\n")
	p.start("--config", path, "--lease", "10s")
	writeFile(t, path, "bandwidth: 20\nlog-level: debug\ntransfers: 3\nattach-allow: [10.0.0.0/8]\nlease: 1m\n")
	hangUp(fmt.Sprintf(`files=[%s] changed="[attach-allow bandwidth log-level]" changes_with_a_restart=[transfers]`, path))
	writeFile(t, path, "bandwidth: fast\n")
	hangUp(`msg="the configuration file was not applied, and everything stays as it was"`)
	writeFile(t, path, "transfers: 2\n")
	hangUp(`changed="[attach-allow bandwidth log-level]" changes_with_a_restart=[]`)
	if code := p.end(os.Interrupt); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
}
