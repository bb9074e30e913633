package declared

import (
	"slices"
	"strings"
	"testing"

	"rekindle/models"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	window, _ := models.ParseWindow("03:00-04:00")
	wanted := models.AttachSpec{Name: "orders", Description: "shop", Password: "s3cret", Retention: 7, Window: window, Access: models.Access{Addresses: models.Lines{"10.0.0.5:6379"}, PSYNC: "COPY"}}
	is := func(change func(*models.Cluster)) []models.Cluster {
		c := models.Cluster{Name: "orders", Kind: models.KindAttached, Declared: "f", Status: models.ClusterAvailable, WindowChosen: true, Password: "s3cret",
			Configuration: models.Configuration{Description: "shop", RetentionLimit: 7, SnapshotWindow: window}, Attachment: &models.Attachment{Access: wanted.Access}}
		change(&c)
		return []models.Cluster{c}
	}
	for name, test := range map[string]struct {
		there []models.Cluster
		file  []models.AttachSpec
		want  string
		why   string
	}{
		"nothing":              {},
		"a new one":            {nil, []models.AttachSpec{wanted}, "orders: attach", ""},
		"as it is":             {is(func(*models.Cluster) {}), []models.AttachSpec{wanted}, "", ""},
		"unreachable":          {is(func(c *models.Cluster) { c.Status = models.ClusterUnreachable }), []models.AttachSpec{wanted}, "", ""},
		"another description":  {is(func(c *models.Cluster) { c.Description = "" }), []models.AttachSpec{wanted}, "orders: describe", ""},
		"another retention":    {is(func(c *models.Cluster) { c.RetentionLimit = 0 }), []models.AttachSpec{wanted}, "orders: describe", ""},
		"another window":       {is(func(c *models.Cluster) { c.SnapshotWindow.Start++ }), []models.AttachSpec{wanted}, "orders: describe", ""},
		"no window before":     {is(func(c *models.Cluster) { c.WindowChosen = false }), []models.AttachSpec{wanted}, "orders: describe", ""},
		"another password":     {is(func(c *models.Cluster) { c.Password = "" }), []models.AttachSpec{wanted}, "orders: reach", ""},
		"another PSYNC":        {is(func(c *models.Cluster) { c.Attachment.PSYNC = "" }), []models.AttachSpec{wanted}, "orders: reach", ""},
		"tuned from now on":    {is(func(*models.Cluster) {}), []models.AttachSpec{tuned(wanted, false)}, "orders: reach", ""},
		"tuning is left open":  {is(func(*models.Cluster) {}), []models.AttachSpec{tuned(wanted, true)}, "", ""},
		"all is other":         {is(func(c *models.Cluster) { c.Declared, c.Description, c.Password = "", "", "" }), []models.AttachSpec{wanted}, "orders: adopt describe reach", ""},
		"somebody's":           {is(func(c *models.Cluster) { c.Declared = "" }), []models.AttachSpec{wanted}, "orders: adopt", ""},
		"of another file":      {is(func(c *models.Cluster) { c.Declared = "g" }), []models.AttachSpec{wanted}, "orders: adopt", ""},
		"launched":             {is(func(c *models.Cluster) { c.Kind = models.KindLaunched }), []models.AttachSpec{wanted}, "orders: refuse", "was launched here"},
		"being detached":       {is(func(c *models.Cluster) { c.Status = models.ClusterDeleting }), []models.AttachSpec{wanted}, "orders: refuse", "being detached"},
		"gone from the file":   {is(func(*models.Cluster) {}), nil, "orders: release", ""},
		"never in it":          {is(func(c *models.Cluster) { c.Declared = "" }), nil, "", ""},
		"one comes, one goes":  {is(func(c *models.Cluster) { c.Name = "parcels" }), []models.AttachSpec{wanted}, "orders: attach, parcels: release", ""},
		"a window of no one's": {is(func(c *models.Cluster) { c.WindowChosen = false }), []models.AttachSpec{withoutWindow(wanted)}, "", ""},
		"drills from now on":   {is(func(*models.Cluster) {}), []models.AttachSpec{drilled(wanted)}, "orders: drill", ""},
		"drills as they are":   {is(func(c *models.Cluster) { plan := drilled(wanted).Drills; plan.ClusterID = 3; c.DrillPlan = &plan }), []models.AttachSpec{drilled(wanted)}, "", ""},
		"drills no longer":     {is(func(c *models.Cluster) { c.DrillPlan = &models.DrillPlan{Every: models.Monthly, Window: window} }), []models.AttachSpec{wanted}, "orders: drill", ""},
		"a new one, drilled":   {nil, []models.AttachSpec{drilled(wanted)}, "orders: attach drill", ""},
		"a window given up":    {is(func(*models.Cluster) {}), []models.AttachSpec{withoutWindow(wanted)}, "orders: describe", ""},
	} {
		var got []string
		var why string
		for _, a := range plan(File{Path: "f", Clusters: test.file}, test.there) {
			var steps []string
			for _, s := range a.steps {
				steps = append(steps, string(s))
			}
			got, why = append(got, a.name+": "+strings.Join(steps, " ")), why+a.why
		}
		if strings.Join(got, ", ") != test.want || !strings.Contains(why, test.why) || (why == "") != (test.why == "") {
			t.Errorf("%s: %q (%s), want %q", name, got, why, test.want)
		}
	}
	several := []models.AttachSpec{{Name: "b"}, {Name: "a"}}
	if got := plan(File{Clusters: several}, nil); !slices.IsSortedFunc(got, func(a, b action) int { return strings.Compare(a.name, b.name) }) {
		t.Errorf("in no order: %+v", got)
	}
}

func drilled(spec models.AttachSpec) models.AttachSpec {
	spec.Drills = models.DrillPlan{Every: models.Weekly, Window: models.Window{Start: 300, Length: 60}, Day: 3}
	return spec
}

func withoutWindow(spec models.AttachSpec) models.AttachSpec {
	spec.Window = models.Window{}
	return spec
}

// tuned asks for tuning, or leaves open whether nodes that are attached already may be tuned.
func tuned(spec models.AttachSpec, open bool) models.AttachSpec {
	spec.Tuned, spec.TuningOpen = true, open
	return spec
}
