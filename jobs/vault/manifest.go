package vault

import (
	"slices"

	"rekindle/internal/archive"
	"rekindle/internal/digest"
	"rekindle/models"
)

// manifestOf describes a snapshot for the store.
func manifestOf(row models.Snapshot, cluster models.Cluster, at archive.Attempt, taken []takenPart) archive.Manifest {
	configuration := storedConfiguration(row.Configuration)
	configuration.MaxMemory, configuration.WindowChosen = cluster.MaxMemory(), &cluster.WindowChosen
	configuration.AuthEnabled, configuration.NodeCreatedAt = row.AuthEnabled, row.NodeCreatedAt
	m := archive.Manifest{Snapshot: row.Name, Cluster: row.ClusterName, Attempt: at.ID, Source: row.Source, CreatedAt: row.CreatedAt}
	for _, part := range taken {
		configuration.UsedMemory += part.origin.UsedMemory
		m.Engine, m.EngineVersion = part.origin.Engine, part.origin.Version
		m.RDBVersion = max(m.RDBVersion, part.RDBVersion)
		m.Logical = m.Logical || part.logical
		m.Parts = append(m.Parts, part.Part)
	}
	m.Configuration = configuration
	return m
}

// measuredBy turns a manifest into what the catalog keeps of it.
func measuredBy(m archive.Manifest) models.Snapshot {
	s := models.Snapshot{Name: m.Snapshot, ClusterName: m.Cluster, Attempt: m.Attempt, ManifestSHA256: m.Hash, RDBVersion: m.RDBVersion, UsedMemory: m.Configuration.UsedMemory, Logical: m.Logical,
		Origin: m.Origin}
	for _, p := range m.Parts {
		s.Parts = append(s.Parts, models.Part{
			Number: p.Number, Object: p.Object, Slots: p.Slots, Bytes: p.Bytes, Stored: p.StoredBytes, Keys: p.Keys, Expires: p.Expires, Databases: p.Databases, Kinds: p.Kinds, Lifetimes: p.Lifetimes,
			Digest: string(p.Digest()), StoredSHA256: p.StoredSHA256, CRC64: p.CRC64, ServedBy: p.SourceNode, ServedRole: models.Role(p.SourceRole),
			ReplicationID: p.ReplicationID, ReplicationOffset: p.ReplicationOffset, StartedAt: p.StartedAt, CompletedAt: p.CompletedAt,
		})
		s.Bytes += p.Bytes
		s.Stored += p.StoredBytes
		if p.Keys < 0 || s.Keys < 0 {
			s.Keys = -1
		} else {
			s.Keys += p.Keys
		}
		s.ServedBy, s.ServedRole = p.SourceNode, models.Role(p.SourceRole)
		if s.StartedAt == nil || p.StartedAt.Before(*s.StartedAt) {
			started := p.StartedAt
			s.StartedAt = &started
		}
	}
	if s.ServedRole == models.RolePrimary {
		s.Warning = "It was taken from the primary, because no replica was in step with it."
		if m.Configuration.Replicas == 0 {
			s.Warning = "It was taken from the primary, because the cluster has no replica."
		}
	}
	return s
}

// inClusterMode tells whether a snapshot is of a cluster in cluster mode. Manifests of before do not say so, but their parts have slots.
func inClusterMode(m archive.Manifest) bool {
	return m.Configuration.ClusterMode || slices.ContainsFunc(m.Parts, func(p archive.Part) bool { return p.Slots != "" })
}

// archivePart is the way back: what the archive needs to know to open a part.
func archivePart(p models.Part) archive.Part {
	return archive.Part{
		Number: p.Number, Object: p.Object, Slots: p.Slots, Bytes: p.Bytes, StoredBytes: p.Stored, Keys: p.Keys, Expires: p.Expires, Databases: p.Databases, Kinds: p.Kinds, Lifetimes: p.Lifetimes,
		StoredSHA256: p.StoredSHA256, CRC64: p.CRC64,
	}.WithDigest(digest.Digest(p.Digest))
}
