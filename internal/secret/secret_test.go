package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"rekindle/internal/secret"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const value = "hunter2-hunter2"
	row := struct {
		Name     string
		Password secret.Text
	}{"orders", value}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("row", "password", row.Password, "row", row)
	encoded, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"%v": fmt.Sprintf("%v", row), "%+v": fmt.Sprintf("%+v", row), "%#v": fmt.Sprintf("%#v", row), "%s": fmt.Sprintf("%s", row.Password),
		"%q": fmt.Sprintf("%q", row.Password), "%x": fmt.Sprintf("%x", row.Password), "an error": fmt.Errorf("dial with %v", row.Password).Error(),
		"slog": logged.String(), "json": string(encoded),
	} {
		if strings.Contains(text, value) || strings.Contains(text, fmt.Sprintf("%x", value)) || !strings.Contains(text, "***") {
			t.Errorf("%s prints %s", name, text)
		}
	}
	if row.Password.Reveal() != value {
		t.Error("Reveal does not")
	}
	if text := secret.Text("").String(); text != "" {
		t.Errorf("no secret prints as %q", text)
	}
}
