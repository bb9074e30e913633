package primary_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/primary"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

var (
	ref     = archive.Ref{Cluster: "orders", Snapshot: "nightly"}
	attempt = archive.NewAttempt(ref)
)

// backedUp takes a snapshot of a server as the console does: by replication, into a store in folder.
func backedUp(t *testing.T, source *testkit.Server, folder string) (*archive.Archive, archive.Part) {
	t.Helper()
	st, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	a := archive.New(st)
	stream, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: source.Addr}}, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	part, err := a.WritePart(t.Context(), attempt, 1, "", stream, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.VerifyPart(t.Context(), ref, part, nil); err != nil {
		t.Fatal(err)
	}
	origin := stream.Origin()
	_, err = a.Commit(t.Context(), archive.Manifest{
		Snapshot: ref.Snapshot, Cluster: ref.Cluster, Attempt: attempt.ID, Source: archive.Manual, Engine: origin.Engine, EngineVersion: origin.Version,
		RDBVersion: part.RDBVersion, CreatedAt: time.Now(), CompletedAt: time.Now(), Parts: []archive.Part{part},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, part
}

func dumpOfPart(a *archive.Archive, part archive.Part) primary.Dump {
	return primary.Dump{
		Length: part.Bytes, Digest: part.Digest(), Version: part.RDBVersion, Keys: part.Keys, Expires: part.Expires,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return a.OpenPart(ctx, ref, part) },
	}
}

func TestBackupAndRestoreGiveEqualData(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	keys := testkit.Fill(t, source.Client(), 3000)
	want := testkit.Digests(t, source.Client())
	a, part := backedUp(t, source, t.TempDir())
	if part.Keys != int64(keys) {
		t.Errorf("%d keys were stored of %d", part.Keys, keys)
	}
	for name, args := range loads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t, append(args, "--requirepass", "secret", "--appendonly", "yes")...)
			if _, err := primary.Feed(t.Context(), targetOf(target), dumpOfPart(a, part), primary.Options{}); err != nil {
				t.Fatal(err)
			}
			if diff := testkit.Diff(want, testkit.Digests(t, target.Client())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDamagedSnapshotNeverBecomesAPrimary(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 3000)
	for name, damage := range map[string]func([]byte) []byte{
		"a flipped bit at the start": func(b []byte) []byte { b[100] ^= 1; return b },
		"a flipped bit in the midst": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"a flipped bit at the end":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"a cut part":                 func(b []byte) []byte { return b[:len(b)*2/3] },
	} {
		folder := t.TempDir()
		a, part := backedUp(t, source, folder)
		path := filepath.Join(folder, "orders", "nightly", part.Object)
		stored, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damage(stored), 0o600); err != nil {
			t.Fatal(err)
		}
		for load, args := range loads {
			t.Run(name+", loaded "+load, func(t *testing.T) {
				t.Parallel()
				target := testkit.Redis(t, args...)
				_, err := primary.Feed(t.Context(), targetOf(target), dumpOfPart(a, part), primary.Options{})
				// A target that parses as it receives may come upon the damage first, and exit.
				exited := load == "from the socket" && errors.Is(err, primary.ErrGone)
				if !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, primary.ErrHash) && !exited {
					t.Errorf("Feed = %v, want ErrDamaged or ErrHash", err)
				}
				if strings.Contains(target.Log(), "Finished with success") {
					t.Error("the target has loaded it")
				}
				if target.Client().Ping(t.Context()).Err() == nil {
					wantAsBefore(t, target, "")
				}
			})
		}
	}
}
