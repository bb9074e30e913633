// Package vault works on what is in the store: it takes snapshots in, reads them back, verifies, copies, exports, imports and removes them, keeps
// records of what clusters there are, sweeps up what was left half done, and rebuilds the catalog from all of that.
//
// A [Vault] only wires its parts; each has one subject, and its runs' bodies with it. What they need of nodes comes as functions in its [Config].
package vault
