package elasticache

import (
	"context"
	"slices"
	"strings"

	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	parameterGroup struct {
		CacheParameterGroupName   string
		CacheParameterGroupFamily string
		Description               string
		IsGlobal                  bool
		ARN                       string
	}
	describedParameterGroups struct {
		Marker               string `xml:",omitempty"`
		CacheParameterGroups struct{ CacheParameterGroup []parameterGroup }
	}
	oneParameterGroup  struct{ CacheParameterGroup parameterGroup }
	parameterGroupName struct{ CacheParameterGroupName string }

	parameter struct {
		ParameterName        string
		ParameterValue       string
		Description          string
		Source               string
		DataType             string
		AllowedValues        string `xml:",omitempty"`
		IsModifiable         bool
		MinimumEngineVersion string
		ChangeType           string
	}
	parameterList       struct{ Parameter []parameter }
	describedParameters struct {
		Marker                          string `xml:",omitempty"`
		Parameters                      parameterList
		CacheNodeTypeSpecificParameters struct{}
	}
	engineDefaults struct {
		EngineDefaults struct {
			CacheParameterGroupFamily string
			describedParameters
		}
	}
)

func presentParameterGroup(c *call, g models.ParameterGroup) parameterGroup {
	return parameterGroup{g.Name, g.Family, g.Description, false, c.arn(models.ResourceParameterGroup + ":" + g.Name)}
}

// parameterActions handles the actions on parameter groups.
type parameterActions struct{ db *catalog.DB }

func (a parameterActions) describe(ctx context.Context, c *call) (any, error) {
	var groups []models.ParameterGroup
	var err error
	if name := c.id("CacheParameterGroupName"); name != "" {
		var group models.ParameterGroup
		group, err = a.db.Parameters.Get(ctx, name)
		groups = []models.ParameterGroup{group}
	} else {
		groups, err = a.db.Parameters.All(ctx)
	}
	if err != nil {
		return nil, err
	}
	groups, next, err := page(c, groups, func(g models.ParameterGroup) string { return g.Name })
	if err != nil {
		return nil, err
	}
	result := describedParameterGroups{Marker: next}
	for _, g := range groups {
		result.CacheParameterGroups.CacheParameterGroup = append(result.CacheParameterGroups.CacheParameterGroup, presentParameterGroup(c, g))
	}
	return result, nil
}

// firstVersions are the lowest versions of the families.
var firstVersions = map[string]string{"memcached1.5": "1.5.0", "memcached1.6": "1.6.0", "redis6.x": "6.0.0", "redis7": "7.0.0", "redis8": "8.0.0",
	"valkey7": "7.2.0", "valkey8": "8.0.0", "valkey9": "9.0.0"}

// presentParameters shows a family's parameters, with a group's values in place of the engine's defaults.
func presentParameters(family string, set map[string]string) []parameter {
	var shown []parameter
	for _, p := range models.Parameters(family) {
		v := parameter{ParameterName: p.Name, ParameterValue: p.Default, Description: p.Description, Source: "system", DataType: p.Type, AllowedValues: p.Allowed,
			IsModifiable: !p.Fixed, MinimumEngineVersion: firstVersions[family], ChangeType: "immediate"}
		if value, given := set[p.Name]; given {
			v.ParameterValue, v.Source = value, "user"
		}
		if p.Reboot {
			v.ChangeType = "requires-reboot"
		}
		shown = append(shown, v)
	}
	return shown
}

func (a parameterActions) describeParameters(ctx context.Context, c *call) (any, error) {
	group, err := a.db.Parameters.Get(ctx, c.requiredID("CacheParameterGroupName"))
	if wrong := c.wrong(); wrong != nil {
		return nil, wrong
	} else if err != nil {
		return nil, err
	}
	all := presentParameters(group.Family, group.Set())
	switch source := c.text("Source"); source {
	case "", "user", "system":
		all = slices.DeleteFunc(all, func(p parameter) bool { return source != "" && p.Source != source })
	case "engine-default":
		all = slices.DeleteFunc(all, func(p parameter) bool { return p.Source != "system" })
	default:
		c.mistake(models.CodeInvalid, "Source must be user, system or engine-default, not %.40q.", source)
	}
	return pageOfParameters(c, all)
}

func pageOfParameters(c *call, all []parameter) (describedParameters, error) {
	shown, next, err := page(c, all, func(p parameter) string { return p.ParameterName })
	return describedParameters{Marker: next, Parameters: parameterList{shown}}, err
}

func (a parameterActions) describeDefaults(_ context.Context, c *call) (any, error) {
	family := c.required("CacheParameterGroupFamily")
	if err := c.wrong(); err != nil {
		return nil, err
	}
	all := presentParameters(family, nil)
	if len(all) == 0 {
		c.mistake(models.CodeInvalid, "There is no family %.40q. The families are %s.", family, strings.Join(models.Families(), ", "))
	}
	shown, err := pageOfParameters(c, all)
	var result engineDefaults
	result.EngineDefaults.CacheParameterGroupFamily, result.EngineDefaults.describedParameters = family, shown
	return result, err
}

func (a parameterActions) create(ctx context.Context, c *call) error {
	name, family, description, tags := c.required("CacheParameterGroupName"), c.required("CacheParameterGroupFamily"), c.required("Description"), c.tags()
	if err := c.wrong(); err != nil {
		return err
	}
	_, err := a.db.Parameters.Create(ctx, name, family, description, tags)
	return err
}

func (a parameterActions) show(ctx context.Context, c *call) (any, error) {
	group, err := a.db.Parameters.Get(ctx, c.id("CacheParameterGroupName"))
	if err != nil {
		return nil, err
	}
	return oneParameterGroup{presentParameterGroup(c, group)}, nil
}

func (a parameterActions) showName(_ context.Context, c *call) (any, error) {
	return parameterGroupName{c.id("CacheParameterGroupName")}, nil
}

func (a parameterActions) modify(ctx context.Context, c *call) error {
	name := c.requiredID("CacheParameterGroupName")
	values := make(map[string]string)
	for _, p := range c.structs("ParameterNameValues") {
		values[p.text("ParameterName")] = p.text("ParameterValue")
	}
	if len(values) == 0 {
		c.mistake(codeMissing, "The request must contain the parameter ParameterNameValues.")
	}
	if err := c.wrong(); err != nil {
		return err
	}
	return a.db.Parameters.Set(ctx, name, values)
}

func (a parameterActions) reset(ctx context.Context, c *call) error {
	name := c.requiredID("CacheParameterGroupName")
	all, _ := c.flag("ResetAllParameters")
	var names []string
	for _, p := range c.structs("ParameterNameValues") {
		names = append(names, p.text("ParameterName"))
	}
	if all == (len(names) > 0) {
		c.mistake(models.CodeCombination, "Either name the parameters to be reset, or set ResetAllParameters.")
	}
	if err := c.wrong(); err != nil {
		return err
	}
	return a.db.Parameters.Reset(ctx, name, names)
}

func (a parameterActions) delete(ctx context.Context, c *call) error {
	name := c.requiredID("CacheParameterGroupName")
	if err := c.wrong(); err != nil {
		return err
	}
	return a.db.Parameters.Delete(ctx, name)
}
