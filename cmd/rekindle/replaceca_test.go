package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACAIsReplacedByACommand(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	replace := func() (int, string) {
		var output bytes.Buffer
		code := run(t.Context(), []string{"replace-ca", "--data", data}, func(string) string { return "" }, &output, &output)
		_, certificates, _ := strings.Cut(output.String(), "trust:\n")
		return code, certificates
	}
	if code, _ := replace(); code != exitFailed {
		t.Errorf("where there is no console it ends with %d", code)
	}
	if err := os.WriteFile(filepath.Join(data, "rekindle.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, first := replace()
	if code != exitOK || !strings.HasPrefix(first, "-----BEGIN CERTIFICATE-----") {
		t.Fatalf("it ends with %d: %s", code, first)
	}
	if code, second := replace(); code != exitOK || second == first || !strings.HasSuffix(second, first) {
		t.Errorf("the second time it ends with %d:\n%s\nbefore:\n%s", code, second, first)
	}
}
