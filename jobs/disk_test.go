package jobs

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

const diskEnv = "REKINDLE_TEST_JOBS_DISK"

func TestDiskThatFillsIsWarnedAboutOnce(t *testing.T) {
	t.Parallel()
	if os.Getenv(diskEnv) != "" {
		return
	}
	output, started, err := testkit.RunChild(t, "^TestInChildDiskThatFills$", diskEnv+"=1", testkit.MountNamespace())
	if !started {
		t.Skipf("SKIPPED, NOT TESTED: no mount namespace is to be had here: %v", err)
	}
	testkit.SkipWithoutMounts(t, output)
	if err != nil || !strings.Contains(output, "--- PASS: TestInChildDiskThatFills") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestInChildDiskThatFills(t *testing.T) {
	if os.Getenv(diskEnv) == "" {
		t.Skip("run by TestDiskThatFillsIsWarnedAboutOnce")
	}
	data := t.TempDir()
	testkit.MountTmpfs(t, data, "32m")
	db, err := catalog.Open(t.Context(), catalog.File(filepath.Join(data, "rekindle.db")), clockwork.NewRealClock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := &disk{db: db, logger: slog.New(slog.DiscardHandler)}
	hog := filepath.Join(data, "hog")
	occupy := func(bytes int) {
		t.Helper()
		if err := os.WriteFile(hog, make([]byte, bytes), 0o600); err != nil {
			t.Fatal(err)
		}
		d.look(t.Context())
		d.look(t.Context())
	}
	said := func() string {
		t.Helper()
		events, err := db.Events.List(t.Context(), models.List{})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, e := range events.Rows {
			lines = append(lines, string(e.Severity)+" "+e.Message)
		}
		return strings.Join(lines, "\n")
	}
	occupy(20 << 20)
	if events := said(); events != "" {
		t.Errorf("with a third of it free:\n%s", events)
	}
	occupy(29 << 20)
	if events := said(); strings.Count(events, "warning The disk of the data folder is nearly full: ") != 1 || strings.Contains(events, "\n") {
		t.Errorf("nearly full:\n%s", events)
	}
	occupy(28 << 20) // about where the warning begins: nothing is said to and fro
	occupy(29 << 20)
	if events := said(); strings.Contains(events, "\n") {
		t.Errorf("to and fro:\n%s", events)
	}
	occupy(1 << 20)
	occupy(29 << 20)
	events := said()
	if strings.Count(events, "is nearly full") != 2 || strings.Count(events, "info There is free space again") != 1 {
		t.Errorf("free, and full again:\n%s", events)
	}
}
