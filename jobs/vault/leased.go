package vault

import (
	"context"
	"fmt"
	"io"

	"rekindle/internal/store"
)

// Leased is a store for as long as a lease is held: what commits or removes looks at the lease first.
func Leased(st store.Store, lease Lease) store.Store { return leasedStore{st, lease} }

// leasedStore is the snapshot store for as long as the lease is held: what commits or removes looks at the lease first.
type leasedStore struct {
	store.Store
	lease Lease
}

func (s leasedStore) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if err := s.lease.Hold(ctx); err != nil {
		return store.Object{}, fmt.Errorf("create %s: %w", key, err)
	}
	return s.Store.Create(ctx, key, r)
}

func (s leasedStore) Delete(ctx context.Context, key string) error {
	if err := s.lease.Hold(ctx); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return s.Store.Delete(ctx, key)
}
