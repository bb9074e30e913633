package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestEveryModuleOfAProgramIsListed(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	if output, err := exec.Command("go", "build", "-o", program, "rekindle/tools/arrows").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := write(&text, info, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]component{}
	for _, part := range got.Components {
		listed[part.Name] = part
		if part.Name != "std" && (len(part.Hashes) != 1 || len(part.Properties) != 1 || !strings.Contains(string(sums), part.Name+" "+part.Version+" "+part.Properties[0].Value+"\n")) {
			t.Errorf("%+v is not as go.sum has it", part)
		}
	}
	for _, module := range info.Deps {
		if _, found := listed[module.Path]; !found {
			t.Errorf("%s is missing", module.Path)
		}
	}
	if got.Metadata.Component.Version != "1.2.3" || len(listed) != len(info.Deps)+1 || len(got.Dependencies[0].On) != len(listed) || len(info.Deps) == 0 {
		t.Errorf("%+v has %d parts, and the program %d", got.Metadata, len(listed), len(info.Deps))
	}
}

func TestAHashThatIsNoneIsSaid(t *testing.T) {
	t.Parallel()
	if _, err := library(&debug.Module{Path: "example.com/m", Version: "v1.0.0", Sum: "h1:?"}); err == nil || !strings.Contains(err.Error(), "the hash of example.com/m") {
		t.Error(err)
	}
}
