package testkit

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A test that needs a disk of its own mounts one in a child: the test binary runs itself in a new mount namespace. Nothing outside sees
// the mounts, and they disappear with the process.

// noMounts is what a child prints if it cannot have mounts of its own, for example in a chroot, whose root is not a mount that can be made private.
const noMounts = "SKIPPED, NOT TESTED: mounts cannot be made private here"

// MountTmpfs mounts a tmpfs of this size ("1m") on a folder, in a child.
func MountTmpfs(t testing.TB, folder, size string) {
	t.Helper()
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skipf("%s: %v", noMounts, err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
}

// RunChild runs the tests that match pattern in a child, with env in its environment. started is false if there are no namespaces here.
func RunChild(t testing.TB, pattern, env string, attributes *syscall.SysProcAttr) (output string, started bool, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.v")
	command.Env = append(os.Environ(), env)
	command.SysProcAttr = attributes
	said, err := command.CombinedOutput()
	var exit *exec.ExitError
	return string(said), err == nil || errors.As(err, &exit), err
}

// MountNamespace is what a child needs to mount something: a mount namespace, and for anyone but root also a user namespace.
func MountNamespace() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attributes
}

// SkipWithoutMounts skips a test whose child could not mount anything, with the child's reason.
func SkipWithoutMounts(t testing.TB, output string) {
	t.Helper()
	for line := range strings.Lines(output) {
		if _, reason, found := strings.Cut(line, noMounts); found {
			t.Skip(noMounts + strings.TrimSpace(reason))
		}
	}
}
