package elasticache

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/web/elasticache/sigv4"
)

// fault is a refusal as the client gets it.
type fault struct {
	status  int
	code    string // as sent, which is not always the name of the shape
	message string
}

// Error returns the code and the sentence.
func (f fault) Error() string { return f.code + ": " + f.message }

var internalFailure = fault{http.StatusInternalServerError, "InternalFailure", "Something went wrong in Rekindle. Its log says what, under the id of this request."}

const (
	codeInvalidValue = "InvalidParameterValue"
	codeCombination  = "InvalidParameterCombination"

	codeMissing models.Code = "missing-parameter" // only in this package: models does not know parameters
	codeARN     models.Code = "arn"
)

// wires translates the codes of package models to ElastiCache's. Where ElastiCache has another code for cache clusters than for replication
// groups, that one is in clusterWires.
//
// Source: the error shapes in botocore's service model of elasticache, 2015-02-02.
var wires = map[models.Code]fault{
	models.CodeInvalid:                {http.StatusBadRequest, codeInvalidValue, ""},
	models.CodeCombination:            {http.StatusBadRequest, codeCombination, ""},
	models.CodeClusterNotFound:        {http.StatusNotFound, "ReplicationGroupNotFoundFault", ""},
	models.CodeClusterExists:          {http.StatusBadRequest, "ReplicationGroupAlreadyExists", ""},
	models.CodeClusterState:           {http.StatusBadRequest, "InvalidReplicationGroupState", ""},
	models.CodeSnapshotNotFound:       {http.StatusNotFound, "SnapshotNotFoundFault", ""},
	models.CodeSnapshotExists:         {http.StatusBadRequest, "SnapshotAlreadyExistsFault", ""},
	models.CodeSnapshotState:          {http.StatusBadRequest, "InvalidSnapshotState", ""},
	models.CodeSnapshotUnsupported:    {http.StatusBadRequest, "SnapshotFeatureNotSupportedFault", ""},
	models.CodeSnapshotQuota:          {http.StatusBadRequest, "SnapshotQuotaExceededFault", ""},
	models.CodeNodeNotFound:           {http.StatusBadRequest, codeInvalidValue, ""},
	models.CodeMigrating:              {http.StatusBadRequest, "ReplicationGroupAlreadyUnderMigrationFault", ""},
	models.CodeNotMigrating:           {http.StatusBadRequest, "ReplicationGroupNotUnderMigrationFault", ""},
	models.CodeNoFailover:             {http.StatusBadRequest, "TestFailoverNotAvailableFault", ""},
	models.CodeNoChange:               {http.StatusBadRequest, "NoOperationFault", ""},
	models.CodeTagNotFound:            {http.StatusNotFound, "TagNotFound", ""},
	models.CodeTagQuota:               {http.StatusBadRequest, "TagQuotaPerResourceExceeded", ""},
	models.CodeSubnetGroupNotFound:    {http.StatusBadRequest, "CacheSubnetGroupNotFoundFault", ""},
	models.CodeSubnetGroupExists:      {http.StatusBadRequest, "CacheSubnetGroupAlreadyExists", ""},
	models.CodeSubnetGroupInUse:       {http.StatusBadRequest, "CacheSubnetGroupInUse", ""},
	models.CodeParameterGroupNotFound: {http.StatusNotFound, "CacheParameterGroupNotFound", ""},
	models.CodeParameterGroupExists:   {http.StatusBadRequest, "CacheParameterGroupAlreadyExists", ""},
	models.CodeParameterGroupState:    {http.StatusBadRequest, "InvalidCacheParameterGroupState", ""},
	models.CodeAccessUserNotFound:     {http.StatusNotFound, "UserNotFound", ""},
	models.CodeAccessUserExists:       {http.StatusBadRequest, "UserAlreadyExists", ""},
	models.CodeAccessUserState:        {http.StatusBadRequest, "InvalidUserState", ""},
	models.CodeUserGroupNotFound:      {http.StatusNotFound, "UserGroupNotFound", ""},
	models.CodeUserGroupExists:        {http.StatusBadRequest, "UserGroupAlreadyExists", ""},
	models.CodeUserGroupState:         {http.StatusBadRequest, "InvalidUserGroupState", ""},
	models.CodeDuplicateUserName:      {http.StatusBadRequest, "DuplicateUserName", ""},
	models.CodeDefaultUserRequired:    {http.StatusBadRequest, "DefaultUserRequired", ""},
	models.CodeDefaultUserGroupUsed:   {http.StatusBadRequest, "DefaultUserAssociatedToUserGroup", ""},
	codeMissing:                       {http.StatusBadRequest, "MissingParameter", ""},
	codeARN:                           {http.StatusBadRequest, "InvalidARN", ""},
}

var clusterWires = map[models.Code]string{
	models.CodeClusterNotFound: "CacheClusterNotFound",
	models.CodeClusterExists:   "CacheClusterAlreadyExists",
	models.CodeClusterState:    "InvalidCacheClusterState",
}

// ofCluster marks an error as being about a cache cluster.
type ofCluster struct{ error }

func (e ofCluster) Unwrap() error { return e.error }

// aboutCluster marks err, unless it is nil, as being about a cache cluster rather than a replication group.
func aboutCluster(err error) error {
	if err == nil {
		return nil
	}
	return ofCluster{err}
}

// fail answers with an error. A refusal is sent with its reason. Any other error goes to the log, and the client learns no more than that
// there was one.
func (a *api) fail(ctx context.Context, w http.ResponseWriter, c *call, err error) {
	var refused fault
	var unproved sigv4.Error
	faults, isRefusal := models.AsFaults(err)
	switch {
	case errors.As(err, &refused):
	case errors.As(err, &unproved):
		refused = fault{unproved.Status, unproved.Code, unproved.Message}
	case isRefusal:
		refused = translate(faults, errors.As(err, new(ofCluster)))
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return // the client is gone
	case catalog.Trouble(err) != "":
		a.Logger.ErrorContext(ctx, "catalog", "request", c.request, "action", c.action, "error", err)
		refused = fault{http.StatusServiceUnavailable, "ServiceUnavailable", catalog.Trouble(err)}
	default:
		a.Logger.ErrorContext(ctx, "API request failed", "request", c.request, "action", c.action, "error", err)
		refused = internalFailure
	}
	a.refuse(w, c, refused)
}

// translate joins all reasons into one refusal, with the code of the first and each sentence once.
func translate(faults models.Faults, cluster bool) fault {
	refused, known := wires[faults.Code()]
	if !known {
		refused = wires[models.CodeInvalid]
	}
	if code, differs := clusterWires[faults.Code()]; differs && cluster {
		refused.code = code
	}
	var sentences []string
	said := make(map[string]bool)
	for _, f := range faults {
		if !said[f.Message] {
			sentences = append(sentences, f.Message)
		}
		said[f.Message] = true
	}
	refused.message = strings.Join(sentences, " ")
	return refused
}
