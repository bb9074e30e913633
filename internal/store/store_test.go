package store_test

import (
	"errors"
	"strings"
	"testing"

	"rekindle/internal/store"
)

func TestCheckKeyAcceptsOrdinaryKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"a", "orders/nightly/part-0001.rdb.zst", "orders/automatic.orders-2026-07-01-03-00/manifest.json",
		"with space/ü.rdb", strings.Repeat("e", 255), strings.Repeat("ab/", 299) + "abc",
	} {
		if err := store.CheckKey(key); err != nil {
			t.Errorf("CheckKey(%q) = %v", key, err)
		}
	}
}

func TestCheckKeyRefusesWhatCouldLeadElsewhere(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".tmp/x", "a/.hidden",
		`a\b`, "a\x00b", "a\nb", "a\x7fb", "\xff", strings.Repeat("e", 256), strings.Repeat("ab/", 300) + "abc",
	} {
		if err := store.CheckKey(key); !errors.Is(err, store.ErrKey) {
			t.Errorf("CheckKey(%q) = %v, want ErrKey", key, err)
		}
	}
}
