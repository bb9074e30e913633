package jobs

import (
	"context"

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
		{Name: "Checksums", Value: d.Checksums},
	} {
		if fact.Value != "" {
			info.Facts = append(info.Facts, fact)
		}
	}
	return info, nil
}
