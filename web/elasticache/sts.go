package elasticache

import "context"

type callerIdentity struct{ UserId, Account, Arn string } // the wire's names

// getCallerIdentity tells a client who it is; Terraform asks that first.
func getCallerIdentity(_ context.Context, c *call) (any, error) {
	return callerIdentity{c.key.KeyID, c.account, c.userARN()}, nil
}
