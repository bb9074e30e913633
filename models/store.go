package models

// StoreInfo is what the snapshot store says about itself.
type StoreInfo struct {
	Free, Capacity int64 // bytes; -1: not known, or without an end
	Facts          []StoreFact
}

// StoreFact is one line of it, such as "Versioning": "on".
type StoreFact struct{ Name, Value string }
