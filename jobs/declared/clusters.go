package declared

import (
	"cmp"
	"fmt"

	"go.yaml.in/yaml/v3"

	"rekindle/internal/yamlfile"
	"rekindle/models"
)

const noClusters = "The key clusters is missing. Declare clusters below it, or write clusters: {} for none."

// reader reads what a clusters file declares.
type reader struct{ yamlfile.Reader }

// about names a cluster in messages.
func about(cluster string) string { return "cluster " + cluster }

// The key at which a fault of a model's field is reported.
var keyOf = map[string]string{
	"primary_name": "sentinel.primary", "sentinel_username": "sentinel.username", "sentinel_password": "sentinel.password",
	"ca": "tls.ca", "certificate": "tls.certificate", "server_name": "tls.server_name",
	"retention": "backups.retention", "window": "backups.window", "window_start": "backups.window", "window_length": "backups.window",
}

// The same of the schedule of drills.
var drillKeyOf = map[string]string{"every": "drills.every", "window": "drills.window", "window_start": "drills.window", "window_length": "drills.window", "weekday": "drills.day", "month_day": "drills.day"}

// clusters reads all that is declared.
func (r *reader) clusters(top yamlfile.Value) []models.AttachSpec {
	var specs []models.AttachSpec
	found, lines := false, make(map[string]int)
	r.Mapping(top, yamlfile.Keys{"clusters": func(v yamlfile.Value) {
		found = true
		v.Key = ""
		r.Each(v, func(key *yaml.Node, below yamlfile.Value) {
			below.About, below.Key = about(key.Value), ""
			spec := r.cluster(key, below)
			if line, again := lines[spec.Name]; again {
				r.Wrong(key.Line, about(key.Value), "", fmt.Sprintf("The same id is already in line %d: ids are lower-case. Choose another one.", line))
				return
			}
			lines[spec.Name] = key.Line
			specs = append(specs, spec)
		})
	}})
	if !found && len(r.Mistakes) == 0 {
		r.Wrong(top.Line, "", "", noClusters)
	}
	return specs
}

// draft is a cluster that is being read.
type draft struct {
	spec              models.AttachSpec
	addresses, mapped []string
	window            string
	drills            struct{ every, window, day string }
	lines             map[string]int // of its keys
}

// cluster reads one cluster, and checks it.
func (r *reader) cluster(key *yaml.Node, v yamlfile.Value) models.AttachSpec {
	before := len(r.Mistakes)
	d := &draft{spec: models.AttachSpec{Name: key.Value, RequestedBy: models.ByClustersFile, Declared: r.File, TuningOpen: true}, lines: map[string]int{}}
	d.spec.Tuned = true
	r.Mapping(v, r.noting(d, yamlfile.Keys{
		"description": r.Text(&d.spec.Description),
		"addresses":   r.Lines(&d.addresses),
		"mapped":      r.Lines(&d.mapped),
		"username":    r.Text(&d.spec.Username),
		"password":    r.Secret(&d.spec.Password),
		"psync":       r.Text(&d.spec.PSYNC),
		"read_by_key": r.Truth(&d.spec.ByKey),
		"tuned":       func(v yamlfile.Value) { d.spec.TuningOpen = false; r.Truth(&d.spec.Tuned)(v) },
		"sentinel":    func(v yamlfile.Value) { r.Mapping(v, r.noting(d, r.sentinelKeys(d))) },
		"tls":         func(v yamlfile.Value) { d.spec.TLS = true; r.Mapping(v, r.noting(d, r.tlsKeys(d))) },
		"backups":     func(v yamlfile.Value) { r.Mapping(v, r.noting(d, r.backupKeys(d))); r.backups(v, d) },
		"drills":      func(v yamlfile.Value) { r.drills(v, d) },
	}))
	d.spec.Addresses, d.spec.Mapped = d.addresses, d.mapped
	wrong := make(map[string]bool) // what could not be read needs no second complaint
	if len(r.Mistakes) > before {
		for _, field := range []string{"addresses", "certificate", "sentinel_password"} {
			wrong[field] = true
		}
	}
	for _, fault := range models.CheckAttach(&d.spec) {
		if wrong[fault.Field] && r.absent(fault, d) {
			continue
		}
		at := cmp.Or(keyOf[fault.Field], fault.Field)
		if at == "id" {
			at = ""
		}
		r.Wrong(cmp.Or(d.lines[at], key.Line), about(key.Value), at, fault.Message)
	}
	return d.spec
}

// absent tells whether a fault may only mean that something is missing because it could not be read.
func (*reader) absent(fault models.Fault, d *draft) bool {
	switch fault.Field {
	case "addresses":
		return len(d.addresses) == 0
	case "certificate":
		return d.spec.Certificate == "" || d.spec.PrivateKey == ""
	}
	return d.spec.SentinelPassword == ""
}

func (r *reader) sentinelKeys(d *draft) yamlfile.Keys {
	return yamlfile.Keys{"primary": r.Text(&d.spec.PrimaryName), "username": r.Text(&d.spec.SentinelUsername), "password": r.Secret(&d.spec.SentinelPassword)}
}

func (r *reader) tlsKeys(d *draft) yamlfile.Keys {
	return yamlfile.Keys{"ca": r.Public(&d.spec.CA), "certificate": r.Public(&d.spec.Certificate), "private_key": r.Secret(&d.spec.PrivateKey),
		"server_name": r.Text(&d.spec.ServerName), "unverified": r.Truth(&d.spec.Unverified)}
}

func (r *reader) backupKeys(d *draft) yamlfile.Keys {
	return yamlfile.Keys{"retention": r.Number(&d.spec.Retention), "window": r.Text(&d.window)}
}

// backups checks the schedule that was read.
func (r *reader) backups(v yamlfile.Value, d *draft) {
	if _, given := d.lines["backups.retention"]; !given {
		r.Refuse(v, "Say how many days snapshots are kept, such as retention: 7. Without backups, none are taken.")
	}
	if d.window == "" {
		return
	}
	window, err := models.ParseWindow(d.window)
	if faults, refused := models.AsFaults(err); refused {
		r.Wrong(d.lines["backups.window"], v.About, "backups.window", faults.Error())
	}
	d.spec.Window = window
}

// drills reads when drills are held, and checks it.
func (r *reader) drills(v yamlfile.Value, d *draft) {
	before := len(r.Mistakes)
	r.Mapping(v, r.noting(d, yamlfile.Keys{"every": r.Text(&d.drills.every), "window": r.Text(&d.drills.window), "day": r.day(&d.drills.day)}))
	if len(r.Mistakes) > before {
		return
	}
	if d.drills.every == "" {
		r.Refuse(v, "Say how often drills are held, such as every: weekly. Without drills, none are held.")
		return
	}
	plan, err := models.ParseDrillPlan(d.drills.every, d.drills.window, d.drills.day)
	faults, _ := models.AsFaults(err)
	for _, fault := range faults {
		at := cmp.Or(drillKeyOf[fault.Field], "drills")
		r.Wrong(cmp.Or(d.lines[at], v.Line), v.About, at, fault.Message)
	}
	d.spec.Drills = plan
}

// day reads a day of the week, or the number of one of the month.
func (r *reader) day(into *string) func(yamlfile.Value) {
	return func(v yamlfile.Value) {
		if node := yamlfile.Resolve(v.Node); node.Kind == yaml.ScalarNode && node.ShortTag() == "!!int" {
			*into = node.Value
			return
		}
		r.Text(into)(v)
	}
}

// noting wraps the readers of keys so that they remember the lines.
func (*reader) noting(d *draft, known yamlfile.Keys) yamlfile.Keys {
	noted := make(yamlfile.Keys, len(known))
	for name, read := range known {
		noted[name] = func(v yamlfile.Value) {
			d.lines[v.Key] = v.Line
			read(v)
		}
	}
	return noted
}
