// Package nodes looks after the nodes of launched clusters on this console's host. Nodes live and die independently of the console, so the
// [Supervisor] compares them again and again with what the catalog wants.
package nodes
