package models

import (
	"errors"
	"strings"
)

// Code tells a machine why a request was refused. The ElastiCache API translates it to AWS's error codes.
type Code string

// The codes of a [Fault].
const (
	CodeInvalid             Code = "invalid"              // a value that is not acceptable
	CodeCombination         Code = "combination"          // values that cannot be combined
	CodeClusterNotFound     Code = "cluster-not-found"    //
	CodeClusterExists       Code = "cluster-exists"       //
	CodeClusterState        Code = "cluster-state"        // the cluster is busy or not healthy
	CodeSnapshotNotFound    Code = "snapshot-not-found"   //
	CodeSnapshotExists      Code = "snapshot-exists"      //
	CodeSnapshotState       Code = "snapshot-state"       // the snapshot is being made, used or removed
	CodeSnapshotUnsupported Code = "snapshot-unsupported" // cache.t1.micro
	CodeSnapshotQuota       Code = "snapshot-quota"       // manual snapshots in 24 hours
	CodeRunNotFound         Code = "run-not-found"
	CodeRunState            Code = "run-state"
	CodeUserNotFound        Code = "user-not-found"
	CodeAccessKeyNotFound   Code = "access-key-not-found"
	CodeChannelNotFound     Code = "channel-not-found"
	CodeDeliveryNotFound    Code = "delivery-not-found"
	CodeDeliveryState       Code = "delivery-state" // its channel is gone
	CodeNodeNotFound        Code = "node-not-found"
	CodeNoFailover          Code = "no-failover"   // there is no replica that could take over
	CodeNoChange            Code = "no-change"     // the request would change nothing
	CodeMigrating           Code = "migrating"     // data is already being moved into the cluster
	CodeNotMigrating        Code = "not-migrating" // no data is being moved into the cluster
	CodeTagNotFound         Code = "tag-not-found"
	CodeTagQuota            Code = "tag-quota"

	CodeSubnetGroupNotFound    Code = "subnet-group-not-found"
	CodeSubnetGroupExists      Code = "subnet-group-exists"
	CodeSubnetGroupInUse       Code = "subnet-group-in-use"
	CodeParameterGroupNotFound Code = "parameter-group-not-found"
	CodeParameterGroupExists   Code = "parameter-group-exists"
	CodeParameterGroupState    Code = "parameter-group-state" // it is in use, or a default group

	CodeAccessUserNotFound   Code = "access-user-not-found"
	CodeAccessUserExists     Code = "access-user-exists"
	CodeAccessUserState      Code = "access-user-state" // it cannot be changed, or not now
	CodeUserGroupNotFound    Code = "user-group-not-found"
	CodeUserGroupExists      Code = "user-group-exists"
	CodeUserGroupState       Code = "user-group-state" // it is in use
	CodeDuplicateUserName    Code = "duplicate-user-name"
	CodeDefaultUserRequired  Code = "default-user-required"
	CodeDefaultUserGroupUsed Code = "default-user-in-group"
)

// Fault is one reason why a request was refused: a sentence for a person, and the field of the form if it belongs to one.
type Fault struct {
	Code    Code
	Field   string
	Message string
}

// Error returns the sentence.
func (f Fault) Error() string { return f.Message }

// Faults are all the reasons for a refusal, so that a form can show every mistake at once.
type Faults []Fault

// Error joins the sentences.
func (f Faults) Error() string {
	messages := make([]string, len(f))
	for i, fault := range f {
		messages[i] = fault.Message
	}
	return strings.Join(messages, " ")
}

// Fields maps a field's name to its first message; messages without a field are under "".
func (f Faults) Fields() map[string]string {
	fields := make(map[string]string, len(f))
	for _, fault := range f {
		if _, seen := fields[fault.Field]; !seen {
			fields[fault.Field] = fault.Message
		}
	}
	return fields
}

// Code returns the code of the first fault.
func (f Faults) Code() Code {
	if len(f) == 0 {
		return ""
	}
	return f[0].Code
}

// Add appends a fault.
func (f *Faults) Add(code Code, field, message string) {
	*f = append(*f, Fault{Code: code, Field: field, Message: message})
}

// OrNil avoids the trap of a non-nil error interface around an empty list.
func (f Faults) OrNil() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Refuse returns a refusal for one reason.
func Refuse(code Code, field, message string) error {
	return Faults{{Code: code, Field: field, Message: message}}
}

// AsFaults returns err's faults, if it is a refusal rather than a failure.
func AsFaults(err error) (Faults, bool) {
	var faults Faults
	ok := errors.As(err, &faults)
	return faults, ok
}

// HasCode reports whether err is a refusal with this code among its faults.
func HasCode(err error, code Code) bool {
	faults, _ := AsFaults(err)
	for _, fault := range faults {
		if fault.Code == code {
			return true
		}
	}
	return false
}
