package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// become makes a root process the user that the console's files belong to, before it touches any of them: what root leaves among them would stop the
// service, which may not open it.
func (p place) become() error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, found := p.owner()
	if !found || uid == 0 {
		return nil
	}
	groups, name := []int{gid}, "user "+strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil { // a user without a name is fine, as in a container
		name = u.Username
		groups = append(groups, groupsOf(u)...)
		_ = os.Setenv("HOME", u.HomeDir) // where credentials of a bucket may be
	}
	if err := errors.Join(syscall.Setgroups(groups), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("%s belongs to %s, and root cannot become that user here: run this as %s (%w)", p.data, name, name, err)
	}
	return nil
}

// owner is whom the catalog's file belongs to, or else the data folder.
func (p place) owner() (uid, gid int, found bool) {
	for _, path := range []string{p.catalog.File, p.data} {
		info, err := os.Stat(path)
		if path == "" || err != nil {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			return int(stat.Uid), int(stat.Gid), true
		}
	}
	return 0, 0, false
}

// groupsOf are the groups that a user is in.
func groupsOf(u *user.User) (groups []int) {
	names, err := u.GroupIds()
	if err != nil {
		return nil
	}
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil {
			groups = append(groups, id)
		}
	}
	return groups
}
