package models

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode"
)

// Attributes are the properties of a cluster in ElastiCache that Rekindle does not act on, except for the node that serves snapshots. They are kept
// and given back as they were set, so that a client such as Terraform finds what it asked for.
type Attributes struct {
	MaintenanceWindow string   `json:"maintenance_window,omitempty"` // "sun:05:00-sun:06:00"
	SubnetGroup       string   `json:"subnet_group,omitempty"`
	SecurityGroups    []string `json:"security_groups,omitempty"`
	Topic             string   `json:"topic,omitempty"` // ARN that ElastiCache would notify
	TopicOff          bool     `json:"topic_off,omitempty"`
	NoMinorUpgrades   bool     `json:"no_minor_upgrades,omitempty"`
	Zones             []string `json:"zones,omitempty"` // availability zones in the order of the nodes
	CrossZone         bool     `json:"cross_zone,omitempty"`
	AutomaticFailover bool     `json:"automatic_failover,omitempty"`
	MultiAZ           bool     `json:"multi_az,omitempty"`
	NetworkType       string   `json:"network_type,omitempty"`
	IPDiscovery       string   `json:"ip_discovery,omitempty"`
	AtRest            bool     `json:"at_rest,omitempty"`           // its files should be on encrypted storage
	SnapshottingNode  string   `json:"snapshotting_node,omitempty"` // serves snapshots as long as it is in step
	EngineVersion     string   `json:"engine_version,omitempty"`    // that was asked for, if another one stands in for it
}

// JSON is how attributes are stored in the catalog and in manifests.
func (a Attributes) JSON() []byte {
	text, _ := json.Marshal(a) // strings, numbers and lists of them cannot fail
	return text
}

// Value stores attributes as JSON.
func (a Attributes) Value() (driver.Value, error) { return string(a.JSON()), nil }

// Scan reads what [Attributes.Value] stored.
func (a *Attributes) Scan(src any) error {
	*a = Attributes{}
	var text []byte
	switch v := src.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	case nil:
	default:
		return fmt.Errorf("scan attributes: unexpected %T", src)
	}
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, a); err != nil {
		return fmt.Errorf("scan attributes: %w", err)
	}
	return nil
}

// GormDataType names the column's type.
func (Attributes) GormDataType() string { return "text" }

// ReadAttributes reads attributes from a manifest. It refuses those that break the rules.
func ReadAttributes(text []byte) (Attributes, error) {
	var a Attributes
	if err := a.Scan(text); err != nil {
		return Attributes{}, err
	}
	if faults := a.Check(MaxReplicas + 1); len(faults) > 0 {
		return Attributes{}, faults
	}
	return a, nil
}

// Check says what is wrong with the attributes of a cluster with this number of nodes.
func (a Attributes) Check(nodes int) Faults {
	var faults Faults
	if a.MaintenanceWindow != "" {
		if problem := checkMaintenanceWindow(a.MaintenanceWindow); problem != "" {
			faults.Add(CodeInvalid, "maintenance_window", problem)
		}
	}
	if a.AutomaticFailover && nodes < 2 {
		faults.Add(CodeCombination, "automatic_failover", "Automatic failover needs at least one replica.")
	}
	if a.MultiAZ && !a.AutomaticFailover {
		faults.Add(CodeCombination, "multi_az", "Multi-AZ needs automatic failover.")
	}
	if !slices.Contains([]string{"", "ipv4", "ipv6", "dual_stack"}, a.NetworkType) {
		faults.Add(CodeInvalid, "network_type", fmt.Sprintf("The network type must be ipv4, ipv6 or dual_stack, not %.40q.", a.NetworkType))
	}
	if !slices.Contains([]string{"", "ipv4", "ipv6"}, a.IPDiscovery) {
		faults.Add(CodeInvalid, "ip_discovery", fmt.Sprintf("IP discovery must be ipv4 or ipv6, not %.40q.", a.IPDiscovery))
	}
	if a.EngineVersion != "" && AskedVersion(a.EngineVersion) != a.EngineVersion {
		faults.Add(CodeInvalid, "engine", fmt.Sprintf("The engine version must look like 7.1.0, not %.40q.", a.EngineVersion))
	}
	texts := append([]string{a.SubnetGroup, a.Topic, a.SnapshottingNode}, append(a.SecurityGroups, a.Zones...)...)
	if len(texts) > 200 || slices.ContainsFunc(texts, func(s string) bool { return len(s) > 255 || strings.ContainsFunc(s, unicode.IsControl) }) {
		faults.Add(CodeInvalid, "attributes", "A name or an ARN is longer than 255 characters, contains control characters, or there are more than 200 of them.")
	}
	return faults
}

// networkOf is the network type of an address.
func networkOf(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "ipv6"
	}
	return "ipv4"
}

// Described are the attributes of a cluster, with ElastiCache's choices for those that were never set.
func (c Cluster) Described() Attributes {
	host := ""
	if len(c.Nodes) > 0 {
		host = c.Nodes[0].Host
	}
	a := c.Attributes.Complete(c.SnapshotWindow, host)
	if a.SubnetGroup == "" {
		a.SubnetGroup = DefaultSubnetGroup
	}
	return a
}

// Complete fills in what ElastiCache would choose.
func (a Attributes) Complete(window Window, host string) Attributes {
	if a.MaintenanceWindow == "" {
		a.MaintenanceWindow = PickMaintenanceWindow(window)
	}
	if a.NetworkType == "" {
		a.NetworkType = networkOf(host)
	}
	if a.IPDiscovery == "" {
		a.IPDiscovery = networkOf(host)
	}
	return a
}
