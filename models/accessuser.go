package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"rekindle/internal/secret"
)

const (
	// DefaultAccessUser is the id, and the name, of the user that everybody is who gives no name. The one of this id is there from the start.
	DefaultAccessUser = "default"
	// OwnUser is by whom the console, and replicas, sign in at the nodes of a cluster that has a user group.
	OwnUser = "rekindle"

	maxAccessPasswords = 2
	maxAccessString    = 8 << 10
	maxAccessUsers     = 100 // of a group, as in ElastiCache
)

// AccessUser is somebody who signs in at the nodes of clusters that have a user group with them in it. The console's own people are [User].
type AccessUser struct {
	ID           uint
	UserID       string `gorm:"uniqueIndex"`
	Name         string // by which they sign in; unique within a group only
	Engine       string
	AccessString string
	NoPassword   bool
	Hashes       string // SHA-256 of the passwords, in hex, separated by commas
	CreatedAt    time.Time
}

// UserGroup is who may sign in at the nodes of a cluster.
type UserGroup struct {
	ID        uint
	GroupID   string `gorm:"uniqueIndex"`
	Engine    string
	Users     string // ids, separated by commas
	CreatedAt time.Time
}

// UserIDs are the ids of the group's users.
func (g UserGroup) UserIDs() []string { return splitList(g.Users) }

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// PasswordHashes are those of the passwords that are taken.
func (u AccessUser) PasswordHashes() []string { return splitList(u.Hashes) }

// AccessSpec asks for a user, or for a change of one: what is nil stays.
type AccessSpec struct {
	UserID, Name, Engine string // of a new one
	AccessString         *string
	Append               string // to the access string that there is
	Passwords            []secret.Text
	NoPassword           bool
	Tags                 map[string]string
}

// changesPassword tells whether the request says how to sign in.
func (spec AccessSpec) changesPassword() bool { return spec.NoPassword || len(spec.Passwords) > 0 }

var accessIDPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// CheckAccessID checks the id of a user or of a user group.
func CheckAccessID(what, id string) Faults {
	if len(id) > 40 || !accessIDPattern.MatchString(id) {
		return Faults{{Code: CodeInvalid, Message: fmt.Sprintf("The id of a %s must begin with a letter and have up to 40 letters, digits and single hyphens, not %.60q.", what, id)}}
	}
	return nil
}

// checkAccessName checks by which name a user signs in.
func checkAccessName(name string) Faults {
	switch {
	case name == "" || len(name) > 120 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
		return Faults{{Code: CodeInvalid, Message: fmt.Sprintf("The name of a user must have 1 to 120 printable ASCII characters and no space, not %.130q.", name)}}
	case strings.HasPrefix(name, OwnUser):
		return Faults{{Code: CodeInvalid, Message: fmt.Sprintf("Names that begin with %s are the console's own at the nodes. Choose another name.", OwnUser)}}
	}
	return nil
}

// checkAccessEngine checks for which engine a user or group is.
func checkAccessEngine(engine string) Faults {
	if engine != EngineRedis && engine != EngineValkey {
		return Faults{{Code: CodeInvalid, Message: fmt.Sprintf("The engine of users and user groups is redis or valkey, not %.20q.", engine)}}
	}
	return nil
}

// NewAccessUser is the user that is asked for.
func NewAccessUser(spec AccessSpec, now time.Time) (AccessUser, Faults) {
	user := AccessUser{UserID: spec.UserID, Name: spec.Name, Engine: spec.Engine, CreatedAt: now}
	faults := append(CheckAccessID("user", spec.UserID), checkAccessName(spec.Name)...)
	faults = append(append(faults, checkAccessEngine(spec.Engine)...), CheckTags(spec.Tags)...)
	if spec.AccessString == nil {
		faults.Add(CodeInvalid, "access_string", "A user needs an access string, such as \"on ~app:* +@read\".")
	}
	if !spec.changesPassword() {
		faults.Add(CodeCombination, "passwords", "Give the user one or two passwords, or say that none is required.")
	}
	changed, more := user.Changed(spec)
	return changed, append(faults, more...)
}

// Changed is the user as a change leaves it.
func (u AccessUser) Changed(spec AccessSpec) (AccessUser, Faults) {
	var faults Faults
	if spec.AccessString != nil {
		u.AccessString = strings.Join(strings.Fields(*spec.AccessString), " ")
	}
	if spec.Append != "" {
		u.AccessString = strings.TrimSpace(u.AccessString + " " + strings.Join(strings.Fields(spec.Append), " "))
	}
	if problem := CheckAccessString(u.AccessString); problem != "" && (spec.AccessString != nil || spec.Append != "") {
		faults.Add(CodeInvalid, "access_string", problem)
	}
	if spec.NoPassword && len(spec.Passwords) > 0 {
		faults.Add(CodeCombination, "passwords", "A user for whom no password is required has none.")
	}
	if len(spec.Passwords) > maxAccessPasswords {
		faults.Add(CodeInvalid, "passwords", fmt.Sprintf("A user has one or two passwords, not %d.", len(spec.Passwords)))
	}
	var hashes []string
	for _, password := range spec.Passwords {
		text := password.Reveal()
		if len(text) < 16 || len(text) > 128 || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
			faults.Add(CodeInvalid, "passwords", "The password of a user must have 16 to 128 characters, and no space among them.")
		}
		sum := sha256.Sum256([]byte(text))
		hashes = append(hashes, hex.EncodeToString(sum[:]))
	}
	if spec.changesPassword() {
		slices.Sort(hashes)
		u.NoPassword, u.Hashes = spec.NoPassword, strings.Join(slices.Compact(hashes), ",")
	}
	return u, faults
}

// Rules are what ACL SETUSER makes the user of who was reset before. Channels are open where the access string names none, as ElastiCache has it;
// engines before 6.2 know no channels.
func (u AccessUser) Rules(channels bool) []string {
	tokens, _ := accessTokens(u.AccessString)
	var rules []string
	if channels && !slices.ContainsFunc(tokens, aboutChannels) {
		rules = append(rules, "allchannels")
	}
	rules = append(rules, tokens...)
	if u.NoPassword {
		return append(rules, "nopass")
	}
	for _, hash := range u.PasswordHashes() {
		rules = append(rules, "#"+hash)
	}
	return rules
}

func aboutChannels(token string) bool {
	return token[0] == '&' || strings.EqualFold(token, "allchannels") || strings.EqualFold(token, "resetchannels")
}

// CheckGroup checks which users are together in a group.
func (g UserGroup) CheckGroup(users []AccessUser) Faults {
	faults := append(CheckAccessID("user group", g.GroupID), checkAccessEngine(g.Engine)...)
	names := make(map[string]string)
	for _, u := range users {
		if other, taken := names[u.Name]; taken {
			faults.Add(CodeDuplicateUserName, "users", fmt.Sprintf("The users %s and %s have the same name %s. In a group names are unique.", other, u.UserID, u.Name))
		}
		names[u.Name] = u.UserID
		if u.Engine != g.Engine && g.Engine == EngineRedis {
			faults.Add(CodeCombination, "users", fmt.Sprintf("The user %s is one of %s and cannot be in a group of %s.", u.UserID, u.Engine, g.Engine))
		}
	}
	if _, found := names[DefaultAccessUser]; !found && g.Engine == EngineRedis {
		faults.Add(CodeDefaultUserRequired, "users", "A user group of redis needs a user whose name is default.")
	}
	if len(users) > maxAccessUsers {
		faults.Add(CodeInvalid, "users", fmt.Sprintf("A user group has at most %d users, not %d.", maxAccessUsers, len(users)))
	}
	return faults
}

// CheckFor tells whether clusters of an engine can have the group; "": yes.
func (g UserGroup) CheckFor(engine Engine) string {
	switch {
	case engine.Name == EngineMemcached:
		return "Clusters of memcached have no users."
	case g.Engine == EngineValkey && engine.Name != EngineValkey:
		return fmt.Sprintf("The user group %s is one of valkey, and the cluster runs %s.", g.GroupID, engine.Name)
	}
	return ""
}
