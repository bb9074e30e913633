// Package vault works on what is in the store: it takes snapshots in, reads them back, verifies, copies, exports, imports and removes them, keeps
// records of what clusters there are, sweeps up what was left half done, and rebuilds the catalog from what is there.
//
// A [Vault] only wires its parts. Each part has one subject, and the bodies of its runs. What they need of nodes comes as functions in the [Config].
package vault
