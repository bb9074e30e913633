package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completion is what a shell is given.
func completion(t *testing.T, shell string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"completion", shell}, func(string) string { return "" }, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Fatalf("%d: %s", code, stderr.String())
	}
	return stdout.String()
}

func TestBashCompletesCommandsAndFlags(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	folder := t.TempDir()
	script := filepath.Join(folder, "completion")
	writeFile(t, script, completion(t, "bash"))
	writeFile(t, filepath.Join(folder, "clusters.yaml"), "")
	for typed, want := range map[string][]string{
		"rekindle cat":                       {"catalog"},
		"rekindle c":                         {"clusters", "config", "catalog", "completion"},
		"rekindle catalog ":                  {"backup", "move", "rebuild", "sample"},
		"rekindle config c":                  {"check"},
		"rekindle serve --log":               {"--log-format", "--log-level"},
		"rekindle serve --data x --node-":    {"--node-address", "--node-ports"},
		"rekindle catalog move --t":          {"--to"},
		"rekindle config check --attach":     {"--attach-allow"},
		"rekindle completion z":              {"zsh"},
		"rekindle clusters check clus":       {"clusters.yaml"},
		"rekindle serve --config cl":         {"clusters.yaml"},
		"rekindle catalog backup --nonsense": nil,
	} {
		words := strings.Split(typed, " ")
		command := exec.CommandContext(t.Context(), bash, "--norc", "-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rekindle; printf '%s\n' "${COMPREPLY[@]}"`, "bash", script)
		command.Args, command.Dir = append(command.Args, words...), folder
		out, err := command.CombinedOutput()
		got := strings.Fields(string(out))
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", typed, got, err, want)
		}
	}
}

// What is offered to complete is what help shows.
func TestScriptsOfAllShellsHaveEveryCommandAndFlag(t *testing.T) {
	t.Parallel()
	for _, shell := range shells {
		script := completion(t, shell)
		for _, c := range commands() {
			for word := range strings.FieldsSeq(c.name) {
				if !strings.Contains(script, word) {
					t.Errorf("%s lacks %s", shell, c.name)
				}
			}
			flags := c.flags(t.Context())
			if strings.HasSuffix(c.takes, "[flags]") && len(flags) == 0 {
				t.Errorf("no flags were found for %s", c.name)
			}
			for _, f := range flags {
				if !strings.Contains(script, "--"+f.name) && !strings.Contains(script, "-l "+f.name+" ") {
					t.Errorf("%s lacks --%s of %s", shell, f.name, c.name)
				}
			}
		}
		if path, err := exec.LookPath(shell); err == nil {
			file := filepath.Join(t.TempDir(), "script")
			writeFile(t, file, script)
			if out, err := exec.CommandContext(t.Context(), path, "-n", file).CombinedOutput(); err != nil {
				t.Errorf("%s does not read it: %v\n%s", shell, err, out)
			}
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}, {"completion", "bash", "zsh"}} {
		if code := run(t.Context(), args, func(string) string { return "" }, &bytes.Buffer{}, &bytes.Buffer{}); code != exitUsage {
			t.Errorf("%v: %d", args, code)
		}
	}
}
