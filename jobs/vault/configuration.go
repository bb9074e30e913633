package vault

import (
	"errors"
	"fmt"

	"rekindle/internal/archive"
	"rekindle/models"
)

// storedConfiguration is a cluster's configuration as the store keeps it, in manifests and in records.
func storedConfiguration(c models.Configuration) archive.Configuration {
	return archive.Configuration{
		Description: c.Description, NodeType: c.NodeType, Engine: c.Engine, Version: c.EngineVersion, Port: c.Port, ClusterMode: c.ClusterMode, Shards: c.ShardCount, Replicas: c.Replicas,
		RetentionLimit: c.RetentionLimit, SnapshotWindow: c.SnapshotWindow.String(), MaxMemory: c.MaxMemory(),
		Grouped: &c.Grouped, ParameterGroup: c.ParameterGroup, Attributes: c.Attributes.JSON(),
		TransitEncryption: c.TransitEncryption,
	}
}

// readConfiguration is the reverse. Values that cannot be right are left out, and the error has a sentence about each.
func readConfiguration(c archive.Configuration) (models.Configuration, error) {
	read := models.Configuration{
		Description: c.Description, NodeType: c.NodeType, Engine: c.Engine, EngineVersion: c.Version, Port: c.Port, ClusterMode: c.ClusterMode, ShardCount: max(1, c.Shards), Replicas: c.Replicas,
		RetentionLimit: c.RetentionLimit, Grouped: c.Grouped == nil || *c.Grouped, ParameterGroup: c.ParameterGroup,
		TransitEncryption: c.TransitEncryption,
	}
	var wrong []error
	if c.SnapshotWindow != "" {
		window, err := models.ParseWindow(c.SnapshotWindow)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("its snapshot window %.40q is not valid", c.SnapshotWindow))
		}
		read.SnapshotWindow = window
	}
	attributes, err := models.ReadAttributes(c.Attributes)
	if err != nil {
		wrong = append(wrong, fmt.Errorf("its attributes cannot be read: %w", err))
	}
	read.Attributes = attributes
	return read, errors.Join(wrong...)
}
