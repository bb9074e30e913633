package elasticache

import (
	"context"

	"rekindle/models"
)

type (
	subnetGroup struct {
		CacheSubnetGroupName        string
		CacheSubnetGroupDescription string
		VpcId                       string // the wire's name
		Subnets                     struct{ Subnet []subnet }
		ARN                         string
		SupportedNetworkTypes       networkTypes
	}
	subnet struct {
		SubnetIdentifier       string
		SubnetAvailabilityZone availabilityZone
		SupportedNetworkTypes  networkTypes
	}
	availabilityZone struct{ Name string }
	networkTypes     struct {
		Members []string `xml:"member"`
	}
	describedSubnetGroups struct {
		Marker            string `xml:",omitempty"`
		CacheSubnetGroups struct{ CacheSubnetGroup []subnetGroup }
	}
	oneSubnetGroup struct{ CacheSubnetGroup subnetGroup }
)

// network is the VPC that all subnets are said to be in: nodes run where the console launches them.
const network = "vpc-rekindle"

func presentSubnetGroup(c *call, g models.SubnetGroup) subnetGroup {
	v := subnetGroup{CacheSubnetGroupName: g.Name, CacheSubnetGroupDescription: g.Description, VpcId: network, ARN: c.arn(models.ResourceSubnetGroup + ":" + g.Name),
		SupportedNetworkTypes: networkTypes{[]string{"ipv4"}}}
	for _, id := range g.SubnetIDs() {
		v.Subnets.Subnet = append(v.Subnets.Subnet, subnet{id, availabilityZone{c.region + "a"}, networkTypes{[]string{"ipv4"}}})
	}
	return v
}

func (a *api) describeCacheSubnetGroups(ctx context.Context, c *call) (any, error) {
	var groups []models.SubnetGroup
	var err error
	if name := c.id("CacheSubnetGroupName"); name != "" {
		var group models.SubnetGroup
		group, err = a.DB.Subnets.Get(ctx, name)
		groups = []models.SubnetGroup{group}
	} else {
		groups, err = a.DB.Subnets.All(ctx)
	}
	if err != nil {
		return nil, err
	}
	groups, next, err := page(c, groups, func(g models.SubnetGroup) string { return g.Name })
	if err != nil {
		return nil, err
	}
	result := describedSubnetGroups{Marker: next}
	for _, g := range groups {
		result.CacheSubnetGroups.CacheSubnetGroup = append(result.CacheSubnetGroups.CacheSubnetGroup, presentSubnetGroup(c, g))
	}
	return result, nil
}

func (a *api) createCacheSubnetGroup(ctx context.Context, c *call) error {
	name, description, subnets, tags := c.required("CacheSubnetGroupName"), c.required("CacheSubnetGroupDescription"), c.list("SubnetIds"), c.tags()
	if err := c.wrong(); err != nil {
		return err
	}
	_, err := a.DB.Subnets.Create(ctx, name, description, subnets, tags)
	return err
}

func (a *api) modifyCacheSubnetGroup(ctx context.Context, c *call) error {
	name, subnets := c.required("CacheSubnetGroupName"), c.list("SubnetIds")
	var description *string
	if text := c.text("CacheSubnetGroupDescription"); text != "" {
		description = &text
	}
	if err := c.wrong(); err != nil {
		return err
	}
	_, err := a.DB.Subnets.Modify(ctx, name, description, subnets)
	return err
}

func (a *api) showSubnetGroup(ctx context.Context, c *call) (any, error) {
	group, err := a.DB.Subnets.Get(ctx, c.id("CacheSubnetGroupName"))
	if err != nil {
		return nil, err
	}
	return oneSubnetGroup{presentSubnetGroup(c, group)}, nil
}

func (a *api) deleteCacheSubnetGroup(ctx context.Context, c *call) error {
	name := c.required("CacheSubnetGroupName")
	if err := c.wrong(); err != nil {
		return err
	}
	return a.DB.Subnets.Delete(ctx, name)
}
