package elasticache

import (
	"context"

	"rekindle/models"
	"rekindle/models/catalog"
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

// network is the VPC that all subnets are reported to be in: nodes run where the console launches them.
const network = "vpc-rekindle"

func presentSubnetGroup(c *call, g models.SubnetGroup) subnetGroup {
	v := subnetGroup{CacheSubnetGroupName: g.Name, CacheSubnetGroupDescription: g.Description, VpcId: network, ARN: c.arn(models.ResourceSubnetGroup + ":" + g.Name),
		SupportedNetworkTypes: networkTypes{[]string{"ipv4"}}}
	for _, id := range g.SubnetIDs() {
		v.Subnets.Subnet = append(v.Subnets.Subnet, subnet{id, availabilityZone{c.region + "a"}, networkTypes{[]string{"ipv4"}}})
	}
	return v
}

// subnetActions handles the actions on subnet groups.
type subnetActions struct{ db *catalog.DB }

func (a subnetActions) describe(ctx context.Context, c *call) (any, error) {
	var groups []models.SubnetGroup
	var err error
	if name := c.id("CacheSubnetGroupName"); name != "" {
		var group models.SubnetGroup
		group, err = a.db.Subnets.Get(ctx, name)
		groups = []models.SubnetGroup{group}
	} else {
		groups, err = a.db.Subnets.All(ctx)
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

func (a subnetActions) create(ctx context.Context, c *call) error {
	name, description, subnets, tags := c.required("CacheSubnetGroupName"), c.required("CacheSubnetGroupDescription"), c.list("SubnetIds"), c.tags()
	if err := c.wrong(); err != nil {
		return err
	}
	_, err := a.db.Subnets.Create(ctx, name, description, subnets, tags)
	return err
}

func (a subnetActions) modify(ctx context.Context, c *call) error {
	name, subnets := c.required("CacheSubnetGroupName"), c.list("SubnetIds")
	var description *string
	if text := c.text("CacheSubnetGroupDescription"); text != "" {
		description = &text
	}
	if err := c.wrong(); err != nil {
		return err
	}
	_, err := a.db.Subnets.Modify(ctx, name, description, subnets)
	return err
}

func (a subnetActions) show(ctx context.Context, c *call) (any, error) {
	group, err := a.db.Subnets.Get(ctx, c.id("CacheSubnetGroupName"))
	if err != nil {
		return nil, err
	}
	return oneSubnetGroup{presentSubnetGroup(c, group)}, nil
}

func (a subnetActions) delete(ctx context.Context, c *call) error {
	name := c.required("CacheSubnetGroupName")
	if err := c.wrong(); err != nil {
		return err
	}
	return a.db.Subnets.Delete(ctx, name)
}
