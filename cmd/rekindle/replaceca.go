package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"rekindle/internal/launch/local"
)

// runReplaceCA makes a new certificate authority. A running console gives the nodes certificates from it within a minute or so.
func runReplaceCA(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := newFlags("replace-ca", `Make a new certificate authority for the nodes on this host that encrypt. The present one vouches for it, so clients that know only that one
keep working; give them the new certificate, from a cluster's page, before that one expires. See docs/tls.md.`, getenv, stdout)
	var c config
	read := declarePlace(flags, &c, "`folder` of the nodes' files")
	if err := flags.parse(args); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if err := c.place.exists(ctx); err != nil {
		return err
	}
	nodes := local.New(filepath.Join(c.place.data, nodesFolder), nil, local.Options{})
	if err := nodes.ReplaceAuthority(ctx); err != nil {
		return err
	}
	certificates, err := nodes.Authority(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, "There is a new certificate authority. Nodes get certificates from it, without a restart, as soon as a console looks after them.\nClients must trust:\n"+certificates)
	return nil
}
