package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// filesOfANode is how many files a node opens at most: 10,000 clients, and 32 for itself. With fewer it allows fewer clients.
const filesOfANode = 10_000 + 32

// fewFiles says that too few files may be open; "" when there are enough. Go has raised the soft limit for this process to the hard one, and so do the
// engines for theirs, so only a low hard limit matters.
func fewFiles() string {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Max >= filesOfANode {
		return ""
	}
	return fmt.Sprintf("a process may have only %d open files here (ulimit -Hn), so nodes take fewer than 10,000 clients, and the console may run out of connections: "+
		"allow at least %d (systemd: LimitNOFILE=65536; docker run --ulimit nofile=65536)", limit.Max, filesOfANode)
}
