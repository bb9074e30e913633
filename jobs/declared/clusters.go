package declared

import (
	"cmp"
	"fmt"

	"go.yaml.in/yaml/v3"

	"rekindle/models"
)

// The key at which a fault of a model's field is reported.
var keyOf = map[string]string{
	"primary_name": "sentinel.primary", "sentinel_username": "sentinel.username", "sentinel_password": "sentinel.password",
	"ca": "tls.ca", "certificate": "tls.certificate", "server_name": "tls.server_name",
	"retention": "backups.retention", "window": "backups.window", "window_start": "backups.window", "window_length": "backups.window",
}

// clusters reads all that is declared.
func (r *reader) clusters(top *yaml.Node) []models.AttachSpec {
	if top == nil {
		return nil
	}
	var specs []models.AttachSpec
	found, lines := false, make(map[string]int)
	r.mapping(value{Node: top}, keys{"clusters": func(v value) {
		found = true
		v.key = ""
		r.each(v, func(key *yaml.Node, below value) {
			below.cluster, below.key = key.Value, ""
			spec := r.cluster(key, below)
			if line, again := lines[spec.Name]; again {
				r.wrong(key.Line, key.Value, "", fmt.Sprintf("The same id is already in line %d: ids are lower-case. Choose another one.", line))
				return
			}
			lines[spec.Name] = key.Line
			specs = append(specs, spec)
		})
	}})
	if !found && len(r.mistakes) == 0 {
		r.wrong(top.Line, "", "", noClusters)
	}
	return specs
}

// draft is a cluster that is being read.
type draft struct {
	spec              models.AttachSpec
	addresses, mapped []string
	window            string
	lines             map[string]int // of its keys
}

// cluster reads one cluster, and checks it.
func (r *reader) cluster(key *yaml.Node, v value) models.AttachSpec {
	before := len(r.mistakes)
	d := &draft{spec: models.AttachSpec{Name: key.Value, RequestedBy: models.ByClustersFile, Declared: r.file, TuningOpen: true}, lines: map[string]int{}}
	d.spec.Tuned = true
	r.mapping(v, r.noting(d, keys{
		"description": r.text(&d.spec.Description),
		"addresses":   r.lines(&d.addresses),
		"mapped":      r.lines(&d.mapped),
		"username":    r.text(&d.spec.Username),
		"password":    r.secret(&d.spec.Password),
		"psync":       r.text(&d.spec.PSYNC),
		"read_by_key": r.truth(&d.spec.ByKey),
		"tuned":       func(v value) { d.spec.TuningOpen = false; r.truth(&d.spec.Tuned)(v) },
		"sentinel":    func(v value) { r.mapping(v, r.noting(d, r.sentinelKeys(d))) },
		"tls":         func(v value) { d.spec.TLS = true; r.mapping(v, r.noting(d, r.tlsKeys(d))) },
		"backups":     func(v value) { r.mapping(v, r.noting(d, r.backupKeys(d))); r.backups(v, d) },
	}))
	d.spec.Addresses, d.spec.Mapped = d.addresses, d.mapped
	wrong := make(map[string]bool) // what could not be read needs no second complaint
	if len(r.mistakes) > before {
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
		r.wrong(cmp.Or(d.lines[at], key.Line), key.Value, at, fault.Message)
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

func (r *reader) sentinelKeys(d *draft) keys {
	return keys{"primary": r.text(&d.spec.PrimaryName), "username": r.text(&d.spec.SentinelUsername), "password": r.secret(&d.spec.SentinelPassword)}
}

func (r *reader) tlsKeys(d *draft) keys {
	return keys{"ca": r.public(&d.spec.CA), "certificate": r.public(&d.spec.Certificate), "private_key": r.secret(&d.spec.PrivateKey),
		"server_name": r.text(&d.spec.ServerName), "unverified": r.truth(&d.spec.Unverified)}
}

func (r *reader) backupKeys(d *draft) keys {
	return keys{"retention": r.number(&d.spec.Retention), "window": r.text(&d.window)}
}

// backups checks the schedule that was read.
func (r *reader) backups(v value, d *draft) {
	if _, given := d.lines["backups.retention"]; !given {
		r.refuse(v, "Say how many days snapshots are kept, such as retention: 7. Without backups, none are taken.")
	}
	if d.window == "" {
		return
	}
	window, err := models.ParseWindow(d.window)
	if faults, refused := models.AsFaults(err); refused {
		r.wrong(d.lines["backups.window"], v.cluster, "backups.window", faults.Error())
	}
	d.spec.Window = window
}

// noting wraps the readers of keys so that they remember the lines.
func (*reader) noting(d *draft, known keys) keys {
	noted := make(keys, len(known))
	for name, read := range known {
		noted[name] = func(v value) {
			d.lines[v.key] = v.Line
			read(v)
		}
	}
	return noted
}
