package models

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultSubnetGroup exists from the start and cannot be removed.
const DefaultSubnetGroup = "default"

// SubnetGroup is only kept and given back; nodes run where the console launches them.
type SubnetGroup struct {
	ID          uint
	Name        string `gorm:"uniqueIndex"`
	Description string
	Subnets     string // ids, separated by commas
	CreatedAt   time.Time
}

// SubnetIDs returns the ids of the subnets.
func (g SubnetGroup) SubnetIDs() []string {
	if g.Subnets == "" {
		return nil
	}
	return strings.Split(g.Subnets, ",")
}

var (
	subnetPattern    = regexp.MustCompile(`^subnet-[0-9a-zA-Z-]{1,64}$`)
	groupNamePattern = regexp.MustCompile(`^[a-z][a-z0-9.]*(-[a-z0-9.]+)*$`)
)

// CheckGroupName applies ElastiCache's rule for the names of subnet and parameter groups, and returns the name in lower case.
func CheckGroupName(what, name string) (string, string) {
	name = strings.ToLower(strings.TrimSpace(name))
	if len(name) > 255 || !groupNamePattern.MatchString(name) {
		return name, fmt.Sprintf("The name of a %s must begin with a letter and have up to 255 letters, digits, dots and single hyphens, not %.40q.", what, name)
	}
	return name, ""
}

// CheckSubnets checks the subnets of a group.
func CheckSubnets(subnets []string) Faults {
	var faults Faults
	if len(subnets) == 0 || len(subnets) > 20 {
		faults.Add(CodeInvalid, "subnets", fmt.Sprintf("A subnet group has 1 to 20 subnets, not %d.", len(subnets)))
	}
	for _, id := range subnets {
		if !subnetPattern.MatchString(id) {
			faults.Add(CodeInvalid, "subnets", fmt.Sprintf("The id of a subnet must look like subnet-0123abcd, not %.40q.", id))
		}
	}
	return faults
}

// ValidDescription tells whether a parameter group's description is neither empty nor too long.
func ValidDescription(text string) bool {
	return strings.TrimSpace(text) != "" && utf8.RuneCountInString(text) <= 255 && utf8.ValidString(text)
}
