package models

import (
	"strings"
	"testing"

	"rekindle/internal/secret"
)

func TestAuthPasswords(t *testing.T) {
	t.Parallel()
	for password, right := range map[string]bool{
		"0123456789abcde": false, "0123456789abcdef": true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
		"0123456789 abcdef": false, "0123456789\tabcdef": false, "0123456789/abcdef": false, `0123456789"abcdef`: false, "0123456789@abcdef": false,
		"0123456789äbcdefg": false, "0123456789\x00abcdef": false, "0123456789\x7fabcdef": false, "!#$%&'()*+,-.:;<=>?[]^_`{|}~": true, "": false,
	} {
		if problem := CheckAuthPassword(password); (problem == "") != right {
			t.Errorf("%q: %s", password, problem)
		}
	}
	seen := make(map[secret.Text]bool)
	for range 100 {
		seen[GeneratePassword()] = true
	}
	if len(seen) != 100 {
		t.Error("generated passwords repeat")
	}
}
