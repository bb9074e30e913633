package main

import (
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// nobody is a user without rights.
const nobody = 65534

// ownedBy is a console whose files belong to another user. Only root can try that.
func ownedBy(t *testing.T, uid int) *process {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run a console as somebody else")
	}
	p := newProcess(t)
	fine(t, os.Chown(p.data, uid, uid))
	for _, folder := range []string{filepath.Dir(p.data), filepath.Dir(p.binary)} { // made for the test's user alone
		fine(t, os.Chmod(folder, 0o711))
	}
	return p
}

// allBelongTo checks whom everything in the data folder belongs to.
func (p *process) allBelongTo(uid uint32, after string) {
	p.t.Helper()
	count := 0
	fine(p.t, filepath.WalkDir(p.data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		count++
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != uid {
			p.t.Errorf("after %s %s belongs to %d", after, path, owner)
		}
		return nil
	}))
	if count < 3 {
		p.t.Errorf("there are only %d files", count)
	}
}

// What root does on the host of a console that runs as a user of its own does not stop that.
func TestRootLeavesNothingOfItsOwn(t *testing.T) {
	t.Parallel()
	p := ownedBy(t, nobody)
	p.user = &syscall.Credential{Uid: nobody, Gid: nobody}
	serves := func(after string) {
		t.Helper()
		p.start()
		if status, text := p.get("/readyz"); status != http.StatusOK {
			t.Errorf("after %s it answers %d: %s", after, status, text)
		}
		p.kill()
	}
	serves("nothing")
	backups := t.TempDir() // nobody else may write there
	for _, args := range [][]string{{"catalog", "backup", filepath.Join(backups, "copy.db")}, {"user", "reset-password", "admin"}, {"store", "adopt"}, {"catalog", "rebuild"}, {"replace-ca"}} {
		after := "rekindle " + args[0] + " " + args[len(args)-1]
		p.asRoot(append(args, "--data", p.data)...)
		p.allBelongTo(nobody, after)
		serves(after)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		fine(t, os.RemoveAll(filepath.Join(p.data, catalogFile+suffix)))
	}
	p.asRoot("catalog", "rebuild", "--data", p.data)
	p.allBelongTo(nobody, "a rebuild of a lost catalog")
	serves("a rebuild of a lost catalog")
	p.user = nil // root serves
	serves("root's own start")
	p.allBelongTo(nobody, "root has served")
}

// asRoot runs a command as the test's user; that it refuses what it was asked is fine.
func (p *process) asRoot(args ...string) {
	p.t.Helper()
	if output, err := exec.CommandContext(p.t.Context(), p.binary, args...).CombinedOutput(); err != nil && args[0] != "replace-ca" {
		p.t.Errorf("rekindle %v: %v: %s", args, err, output)
	}
}
