package models

// StoreInfo is what the snapshot store says about itself.
type StoreInfo struct {
	Free, Capacity int64 // bytes; -1: unknown or unlimited
	Facts          []StoreFact
}

// StoreFact is one fact about the store, such as "Versioning": "on".
type StoreFact struct{ Name, Value string }
