package models

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxTags is how many tags a resource can have, as in ElastiCache.
const MaxTags = 50

// Tag is a label that somebody gave to a resource.
type Tag struct {
	ID       uint
	Resource string `gorm:"uniqueIndex:idx_tags_key"` // as ARNs end: "replicationgroup:orders", "snapshot:orders-1"
	Key      string `gorm:"uniqueIndex:idx_tags_key"`
	Value    string
}

// The kinds of resources, as ARNs name them.
const (
	ResourceGroup          = "replicationgroup"
	ResourceCluster        = "cluster"
	ResourceSnapshot       = "snapshot"
	ResourceSubnetGroup    = "subnetgroup"
	ResourceParameterGroup = "parametergroup"
	ResourceAccessUser     = "user"
	ResourceUserGroup      = "usergroup"
)

// Resource is the end of a cluster's ARN.
func (c Cluster) Resource() string {
	if c.Grouped {
		return ResourceGroup + ":" + c.Name
	}
	return ResourceCluster + ":" + c.Name
}

// Resources are the resources of a cluster and of its nodes.
func (c Cluster) Resources() []string {
	all := []string{c.Resource()}
	if c.Grouped {
		for _, n := range c.Nodes {
			all = append(all, ResourceCluster+":"+n.Name)
		}
	}
	return all
}

// CheckTags applies AWS's rules for keys and values.
//
// Source: Amazon ElastiCache user guide, "Tagging your ElastiCache resources".
func CheckTags(tags map[string]string) Faults {
	var faults Faults
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128 || !utf8.ValidString(key):
			faults.Add(CodeInvalid, "tags", fmt.Sprintf("The key of a tag must have 1 to 128 characters, not %.40q.", key))
		case strings.ContainsFunc(key+value, unprintable):
			faults.Add(CodeInvalid, "tags", fmt.Sprintf("The tag %.40q contains control characters.", key))
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			faults.Add(CodeInvalid, "tags", fmt.Sprintf("The key of a tag must not begin with aws:, as %.40q does.", key))
		case utf8.RuneCountInString(value) > 256 || !utf8.ValidString(value):
			faults.Add(CodeInvalid, "tags", fmt.Sprintf("The value of the tag %.40q may have at most 256 characters.", key))
		}
	}
	if len(tags) > MaxTags {
		faults.Add(CodeTagQuota, "tags", fmt.Sprintf("A resource can have at most %d tags, not %d.", MaxTags, len(tags)))
	}
	return faults
}

// unprintable tells whether a character cannot occur in the API's responses, which are XML.
func unprintable(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff || r == utf8.RuneError
}
