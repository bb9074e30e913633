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
	// DefaultAccessUser is the name of the user for clients that give no name. It is also the id of one such user, which always exists.
	DefaultAccessUser = "default"
	// OwnUser is the user as which the console and replicas sign in to the nodes of a cluster that has a user group.
	OwnUser = "rekindle"

	maxAccessPasswords = 2
	maxAccessString    = 8 << 10
	maxAccessUsers     = 100 // in a group, as in ElastiCache
)

// AccessUser is a user of the engine: it can sign in to the nodes of clusters whose user group contains it. A person who uses the console is
// a [User].
type AccessUser struct {
	ID           uint
	UserID       string `gorm:"uniqueIndex"`
	Name         string // used to sign in; unique only within a group
	Engine       string
	AccessString string
	NoPassword   bool
	Hashes       string // SHA-256 of the passwords, in hex, separated by commas
	CreatedAt    time.Time
}

// UserGroup is a set of users that may sign in to the nodes of the clusters that have the group.
type UserGroup struct {
	ID        uint
	GroupID   string `gorm:"uniqueIndex"`
	Engine    string
	Users     string // ids, separated by commas
	CreatedAt time.Time
}

// UserIDs returns the ids of the group's users.
func (g UserGroup) UserIDs() []string { return splitList(g.Users) }

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// PasswordHashes returns the SHA-256 hashes, in hex, of the user's passwords.
func (u AccessUser) PasswordHashes() []string { return splitList(u.Hashes) }

// AccessSpec asks for a new user, or for changes to one. Fields that are nil leave the user as it is.
type AccessSpec struct {
	UserID, Name, Engine string // of a new user
	AccessString         *string
	Append               string // to the existing access string
	Passwords            []secret.Text
	NoPassword           bool
	Tags                 map[string]string
}

// changesPassword reports whether the request says how the user signs in.
func (spec AccessSpec) changesPassword() bool { return spec.NoPassword || len(spec.Passwords) > 0 }

var accessIDPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// CheckAccessID checks the id of a user or user group; what names which of the two.
func CheckAccessID(what, id string) Faults {
	if len(id) > 40 || !accessIDPattern.MatchString(id) {
		return Faults{{Code: CodeInvalid, Message: fmt.Sprintf("The id of a %s must begin with a letter and have up to 40 letters, digits and single hyphens, not %.60q.", what, id)}}
	}
	return nil
}

// checkAccessName checks the name with which a user signs in.
func checkAccessName(name string) Faults {
	switch {
	case name == "" || len(name) > 120 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
		return Faults{{Code: CodeInvalid, Message: fmt.Sprintf("The name of a user must have 1 to 120 printable ASCII characters and no space, not %.130q.", name)}}
	case strings.HasPrefix(name, OwnUser):
		return Faults{{Code: CodeInvalid, Message: fmt.Sprintf("Names that begin with %s are reserved for the console. Choose another name.", OwnUser)}}
	}
	return nil
}

// checkAccessEngine checks the engine of a user or group.
func checkAccessEngine(engine string) Faults {
	if engine != EngineRedis && engine != EngineValkey {
		return Faults{{Code: CodeInvalid, Message: fmt.Sprintf("The engine of a user or user group must be redis or valkey, not %.20q.", engine)}}
	}
	return nil
}

// NewAccessUser returns the user that a request asks for, or everything that is wrong with the request.
func NewAccessUser(spec AccessSpec, now time.Time) (AccessUser, Faults) {
	user := AccessUser{UserID: spec.UserID, Name: spec.Name, Engine: spec.Engine, CreatedAt: now}
	faults := append(CheckAccessID("user", spec.UserID), checkAccessName(spec.Name)...)
	faults = append(append(faults, checkAccessEngine(spec.Engine)...), CheckTags(spec.Tags)...)
	if spec.AccessString == nil {
		faults.Add(CodeInvalid, "access_string", "A user needs an access string, such as \"on ~app:* +@read\".")
	}
	if !spec.changesPassword() {
		faults.Add(CodeCombination, "passwords", "Give the user one or two passwords, or say that no password is required.")
	}
	changed, more := user.Changed(spec)
	return changed, append(faults, more...)
}

// Changed returns the user after a change, or everything that is wrong with the change.
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
		faults.Add(CodeCombination, "passwords", "A user who needs no password cannot have one.")
	}
	if len(spec.Passwords) > maxAccessPasswords {
		faults.Add(CodeInvalid, "passwords", fmt.Sprintf("A user has one or two passwords, not %d.", len(spec.Passwords)))
	}
	var hashes []string
	for _, password := range spec.Passwords {
		text := password.Reveal()
		if len(text) < 16 || len(text) > 128 || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
			faults.Add(CodeInvalid, "passwords", "The password of a user must have 16 to 128 characters and no spaces.")
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

// Rules returns the arguments with which ACL SETUSER creates the user, after a reset. As in ElastiCache, all channels are allowed if the
// access string names none. Engines older than Redis 6.2 do not know channels; see [Cluster.KnowsChannels].
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

// CheckGroup checks whether these users can be in a group together.
func (g UserGroup) CheckGroup(users []AccessUser) Faults {
	faults := append(CheckAccessID("user group", g.GroupID), checkAccessEngine(g.Engine)...)
	names := make(map[string]string)
	for _, u := range users {
		if other, taken := names[u.Name]; taken {
			faults.Add(CodeDuplicateUserName, "users", fmt.Sprintf("The users %s and %s have the same name %s. Names must be unique within a group.", other, u.UserID, u.Name))
		}
		names[u.Name] = u.UserID
		if u.Engine != g.Engine && g.Engine == EngineRedis {
			faults.Add(CodeCombination, "users", fmt.Sprintf("The user %s is for %s and cannot be in a group for %s.", u.UserID, u.Engine, g.Engine))
		}
	}
	if _, found := names[DefaultAccessUser]; !found && g.Engine == EngineRedis {
		faults.Add(CodeDefaultUserRequired, "users", "A user group for redis needs a user named default.")
	}
	if len(users) > maxAccessUsers {
		faults.Add(CodeInvalid, "users", fmt.Sprintf("A user group has at most %d users, not %d.", maxAccessUsers, len(users)))
	}
	return faults
}

// CheckFor returns a sentence that says why clusters of an engine cannot have the group, or "".
func (g UserGroup) CheckFor(engine Engine) string {
	switch {
	case engine.Name == EngineMemcached:
		return "Clusters of memcached have no users."
	case g.Engine == EngineValkey && engine.Name != EngineValkey:
		return fmt.Sprintf("The user group %s is for valkey, and the cluster runs %s.", g.GroupID, engine.Name)
	}
	return ""
}
