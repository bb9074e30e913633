package local

import (
	"context"
	"errors"
	"fmt"
	"os"

	"rekindle/internal/launch"
)

// KeepPasswords records which passwords a node accepts; see [launch.Runner]. Its node.conf gets them at its next start.
func (l *Launcher) KeepPasswords(_ context.Context, cluster, name string, passwords launch.Passwords) error {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return err
	}
	r, err := readRecord(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		r.Password, r.OldPassword, r.Former = []byte(passwords.Password.Reveal()), []byte(passwords.OldPassword.Reveal()), nil
		r.User, r.FormerUser = passwords.User, passwords.FormerUser
		for _, former := range passwords.Former {
			r.Former = append(r.Former, []byte(former.Reveal()))
		}
		err = r.write(dir)
	}
	if err != nil {
		return fmt.Errorf("write down the passwords of node %s/%s: %w", cluster, name, err)
	}
	return nil
}
