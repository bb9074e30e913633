package elasticache

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	tag     struct{ Key, Value string }
	tagList struct {
		TagList struct{ Tag []tag }
	}
)

var arnPattern = regexp.MustCompile(`^arn:aws[a-z-]*:elasticache:[a-z0-9-]*:(\d*):([a-z]+):(.+)$`)

// tagActions are the actions on the tags of any resource.
type tagActions struct{ db *catalog.DB }

// resource reads ResourceName, an ARN, and returns the resource's name in the catalog. It fails if there is no such resource.
func (a tagActions) resource(ctx context.Context, c *call) (string, error) {
	arn := c.required("ResourceName")
	if err := c.wrong(); err != nil {
		return "", err
	}
	m := arnPattern.FindStringSubmatch(arn)
	if m == nil || m[1] != c.account {
		c.mistake(codeARN, "%.200q is not the ARN of a resource of this account, such as %s.", arn, c.arn(models.ResourceSnapshot+":orders"))
		return "", c.wrong()
	}
	kind, name := m[2], strings.ToLower(m[3])
	var err error
	switch kind {
	case models.ResourceGroup:
		_, err = a.db.Clusters.Group(ctx, name)
	case models.ResourceCluster:
		_, _, err = a.db.Clusters.Cache(ctx, name)
		err = aboutCluster(err)
	case models.ResourceSnapshot:
		_, err = a.db.Snapshots.Get(ctx, name)
	case models.ResourceSubnetGroup:
		_, err = a.db.Subnets.Get(ctx, name)
	case models.ResourceParameterGroup:
		_, err = a.db.Parameters.Get(ctx, name)
	case models.ResourceAccessUser:
		_, err = a.db.AccessUsers.Get(ctx, name)
	case models.ResourceUserGroup:
		_, err = a.db.UserGroups.Get(ctx, name)
	default:
		c.mistake(codeARN, "There are no resources of the kind %.40q here.", kind)
		err = c.wrong()
	}
	return kind + ":" + name, err
}

func (a tagActions) show(ctx context.Context, c *call) (any, error) {
	resource, err := a.resource(ctx, c)
	if err != nil {
		return nil, err
	}
	tags, err := a.db.Tags.On(ctx, resource)
	if err != nil {
		return nil, err
	}
	var result tagList
	for _, t := range tags {
		result.TagList.Tag = append(result.TagList.Tag, tag{t.Key, t.Value})
	}
	return result, nil
}

func (a tagActions) add(ctx context.Context, c *call) error {
	tags := c.tags()
	if len(tags) == 0 {
		c.mistake(codeMissing, "The request must contain the parameter Tags.")
	}
	resource, err := a.resource(ctx, c)
	if err != nil {
		return err
	}
	return a.db.Tags.Add(ctx, resource, tags)
}

func (a tagActions) remove(ctx context.Context, c *call) error {
	keys := c.list("TagKeys")
	if len(keys) == 0 {
		c.mistake(codeMissing, "The request must contain the parameter TagKeys.")
	}
	resource, err := a.resource(ctx, c)
	if err != nil {
		return err
	}
	slices.Sort(keys)
	return a.db.Tags.Remove(ctx, resource, slices.Compact(keys))
}
