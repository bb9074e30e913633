package views

import "time"

// AccessKey is one key of the ElastiCache API.
type AccessKey struct {
	ID          string
	KeyID       string
	Role        string // "read", "operate", "administer"
	Description string
	CreatedBy   string
	CreatedAt   time.Time
	UsedAt      time.Time // zero: never
}

// AccessKeys is the page of the keys that programs use for the ElastiCache API. Form: POST /settings/access-keys with role, description.
type AccessKeys struct {
	Fields
	Rows     []AccessKey
	Endpoint string // where programs reach the API
	Try      string // a command that tries a key out
	// A key that was just made, with its secret, which is only shown this once.
	NewKeyID, NewSecret string
}

// RevokeAccessKey asks before a key is revoked. Form: POST /settings/access-keys/{id}/revoke with confirm (the key's ID).
type RevokeAccessKey struct {
	Fields
	ID          string
	KeyID       string
	Description string
	UsedAt      time.Time // zero: never
}

var keyRoles = []Option{
	{Value: "read", Label: "Read: look at everything"},
	{Value: "operate", Label: "Operate: also snapshot, restore, create, change"},
	{Value: "administer", Label: "Administer: also delete"},
}

// environment is what a shell needs to use a key that was just made.
func (p AccessKeys) environment() string {
	return "export AWS_ACCESS_KEY_ID=" + p.NewKeyID + "\nexport AWS_SECRET_ACCESS_KEY=" + p.NewSecret +
		"\nexport AWS_DEFAULT_REGION=us-east-1\n" + p.Try
}
