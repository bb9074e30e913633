package elasticache

import "rekindle/models"

// The modes of encryption in transit, in ElastiCache's words.
const (
	modeRequired  = "required"
	modePreferred = "preferred"
)

// encrypted reads whether a new cluster is to encrypt in transit. Without a parameter, it does as the cluster of the restored snapshot did.
func (c *call) encrypted(restored bool) bool {
	on, given := c.flag("TransitEncryptionEnabled")
	if !given {
		on = restored
	}
	c.encryptionMode(on)
	return on
}

// atRest reads whether a new cluster is to have its files on encrypted storage. That is refused unless the host's storage was declared encrypted.
func (c *call) atRest(declared bool) bool {
	on, _ := c.flag("AtRestEncryptionEnabled")
	if on && !declared {
		c.mistake(models.CodeCombination, "AtRestEncryptionEnabled cannot be true here: %s", noRest)
	}
	return on
}

// encryptionMode checks TransitEncryptionMode.
func (c *call) encryptionMode(on bool) {
	switch mode := c.text("TransitEncryptionMode"); {
	case mode == "" || mode == modeRequired && on:
	case mode == modePreferred:
		c.mistake(models.CodeCombination, "TransitEncryptionMode preferred is not offered: Redis and Valkey serve TLS and plain connections at different ports, so one port cannot take both. Use required.")
	case mode == modeRequired:
		c.mistake(models.CodeCombination, "TransitEncryptionMode requires TransitEncryptionEnabled.")
	default:
		c.mistake(models.CodeInvalid, "TransitEncryptionMode must be required, not %.40q.", mode)
	}
}

// encryptionStays accepts the encryption that a cluster already has, and refuses to change it.
func (c *call) encryptionStays(is models.Cluster) {
	wants, given := c.flag("TransitEncryptionEnabled")
	changes := given && wants != is.Encrypted()
	switch {
	case changes && is.Attached():
		c.notOurs(is)
	case changes && is.Cached():
		c.mistake(models.CodeCombination, "Clusters of memcached cannot be encrypted here.")
	case changes && wants:
		c.mistake(models.CodeCombination, "Whether a cluster encrypts in transit cannot be changed. Restore a snapshot of %s into a new one that does: "+
			"aws elasticache create-replication-group --snapshot-name SNAPSHOT --transit-encryption-enabled --transit-encryption-mode required.", is.Name)
	case changes:
		c.mistake(models.CodeCombination, "Whether a cluster encrypts in transit cannot be changed. Restore a snapshot of %s into a new one that does not: "+
			"aws elasticache create-replication-group --snapshot-name SNAPSHOT --no-transit-encryption-enabled.", is.Name)
	default:
		c.encryptionMode(is.Encrypted())
	}
}

// transitMode returns the TransitEncryptionMode of a cluster's answer; "" when it does not encrypt.
func transitMode(m models.Cluster) string {
	if !m.Encrypted() {
		return ""
	}
	return modeRequired
}
