package models

// Engine is a server program that can be launched.
type Engine struct {
	Name    string // "redis" or "valkey"
	Version string // "7.0.15"
}

// String returns "redis 7.0.15".
func (e Engine) String() string { return e.Name + " " + e.Version }
