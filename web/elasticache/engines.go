package elasticache

import (
	"context"
	"strings"

	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	engineVersion struct {
		Engine                        string
		EngineVersion                 string
		CacheParameterGroupFamily     string
		CacheEngineDescription        string
		CacheEngineVersionDescription string
	}
	engineVersions struct {
		Marker              string `xml:",omitempty"`
		CacheEngineVersions struct{ CacheEngineVersion []engineVersion }
	}
)

var engineTitles = map[string]string{"redis": "Redis", "valkey": "Valkey", models.EngineMemcached: "memcached"}

// engineActions handles the actions about what is possible: engines, their updates, other node types.
type engineActions struct{ db *catalog.DB }

// describeVersions lists the engines that are installed.
func (a engineActions) describeVersions(ctx context.Context, c *call) (any, error) {
	engines, err := a.db.Engines.All(ctx)
	if err != nil {
		return nil, err
	}
	name, wanted, family := c.id("Engine"), strings.TrimSuffix(c.text("EngineVersion"), ".x"), c.text("CacheParameterGroupFamily")
	newestOnly, _ := c.flag("DefaultOnly")
	var all []engineVersion
	for _, e := range engines {
		if name != "" && e.Name != name || family != "" && e.Family() != family || wanted != "" && e.Version != wanted && !strings.HasPrefix(e.Version, wanted+".") {
			continue
		}
		if newest, err := a.db.Engines.Find(ctx, e.Name, ""); newestOnly && (err != nil || newest != e) {
			continue
		}
		title := engineTitles[e.Name]
		all = append(all, engineVersion{e.Name, e.Version, e.Family(), title, title + " version " + e.Version})
	}
	shown, next, err := page(c, all, func(e engineVersion) string { return e.Engine + " " + e.EngineVersion })
	if err != nil {
		return nil, err
	}
	result := engineVersions{Marker: next}
	result.CacheEngineVersions.CacheEngineVersion = shown
	return result, nil
}

type nodeTypeModifications struct {
	ScaleUpModifications   nodeTypes
	ScaleDownModifications nodeTypes
}

type nodeTypes struct {
	Members []string `xml:"member"`
}

// listNodeTypes lists the larger types, and the smaller ones that the data fits into.
func (a engineActions) listNodeTypes(ctx context.Context, c *call) (any, error) {
	group, cluster := c.id("ReplicationGroupId"), c.id("CacheClusterId")
	var is models.Cluster
	var err error
	switch {
	case (group == "") == (cluster == ""):
		c.mistake(models.CodeCombination, "Name either a ReplicationGroupId or a CacheClusterId.")
		err = c.wrong()
	case group != "":
		is, err = a.db.Clusters.Group(ctx, group)
	default:
		is, _, err = a.db.Clusters.Cache(ctx, cluster)
		err = aboutCluster(err)
	}
	if err != nil {
		return nil, err
	}
	var result nodeTypeModifications
	if is.Cached() || is.Attached() {
		return result, nil
	}
	var used int64
	for _, n := range is.Nodes {
		used = max(used, n.UsedMemory)
	}
	for _, t := range models.NodeTypes() {
		switch {
		case t.Name == is.NodeType || t.NoSnapshots && is.RetentionLimit > 0:
		case t.Memory >= is.MaxMemory():
			result.ScaleUpModifications.Members = append(result.ScaleUpModifications.Members, t.Name)
		case t.Memory >= used:
			result.ScaleDownModifications.Members = append(result.ScaleDownModifications.Members, t.Name)
		}
	}
	return result, nil
}
