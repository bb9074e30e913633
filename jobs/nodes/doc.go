// Package nodes looks after the nodes of launched clusters on this console's host. A node lives and dies by itself, so the [Supervisor] compares
// again and again what is with what the catalog wants.
package nodes
