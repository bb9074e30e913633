package jobs

import (
	"context"
	"strings"

	"rekindle/models"
)

// DescribeStore says what is known of the store. What it does not tell is left out.
func (m *Manager) DescribeStore(ctx context.Context) (models.StoreInfo, error) {
	d, err := m.Store.Describe(ctx)
	if err != nil {
		return models.StoreInfo{Free: -1, Capacity: -1}, err
	}
	info := models.StoreInfo{Free: d.Free, Capacity: d.Capacity}
	for _, fact := range []models.StoreFact{
		{Name: "Region", Value: d.Region}, {Name: "Endpoint", Value: d.Endpoint}, {Name: "Versioning", Value: d.Versioning},
		{Name: "Object Lock", Value: d.ObjectLock}, {Name: "Encryption", Value: d.Encryption}, {Name: "Storage class", Value: d.StorageClass},
		{Name: "Checksums", Value: d.Checksums}, {Name: "Conditional writes", Value: d.Conditional}, {Name: "Mind", Value: strings.Join(d.Warnings, " ")},
	} {
		if fact.Value != "" {
			info.Facts = append(info.Facts, fact)
		}
	}
	return info, nil
}

// judgeStore finds out at the start whether the store can keep snapshots, and what it does otherwise than it should, so that this stands in
// the log before the first snapshot fails.
func (m *Manager) judgeStore(ctx context.Context) {
	if err := m.Store.Check(ctx); err != nil {
		if ctx.Err() == nil {
			m.Logger.Error("check store", "store", m.Store.Location(), "error", err)
		}
		return
	}
	if d, err := m.Store.Describe(ctx); err == nil {
		for _, warning := range d.Warnings {
			m.Logger.Warn("check store", "store", m.Store.Location(), "warning", warning)
		}
	}
}
