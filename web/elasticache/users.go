package elasticache

import (
	"context"
	"strings"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	authentication struct {
		Type          string
		PasswordCount int
	}
	accessUser struct {
		UserId               string // the wire's names
		UserName             string
		Status               string
		Engine               string
		MinimumEngineVersion string
		AccessString         string
		UserGroupIds         members
		Authentication       authentication
		ARN                  string
	}
	members struct {
		Members []string `xml:"member"`
	}
	describedUsers struct {
		Marker string `xml:",omitempty"`
		Users  struct {
			Members []accessUser `xml:"member"`
		}
	}
)

// minimumVersion has the first version of each engine that has users.
var minimumVersion = map[string]string{models.EngineRedis: "6.0", models.EngineValkey: "7.2"}

func presentUser(c *call, u models.AccessUser, groups []models.UserGroup) accessUser {
	v := accessUser{UserId: u.UserID, UserName: u.Name, Status: "active", Engine: u.Engine, MinimumEngineVersion: minimumVersion[u.Engine], AccessString: u.AccessString,
		Authentication: authentication{"no-password", 0}, ARN: c.arn(models.ResourceAccessUser + ":" + u.UserID)}
	if hashes := u.PasswordHashes(); !u.NoPassword {
		v.Authentication = authentication{"password", len(hashes)}
	}
	for _, group := range groups {
		for _, id := range group.UserIDs() {
			if id == u.UserID {
				v.UserGroupIds.Members = append(v.UserGroupIds.Members, group.GroupID)
			}
		}
	}
	return v
}

// userActions are the actions on the users of clusters.
type userActions struct {
	db   *catalog.DB
	jobs Jobs
}

func (a userActions) describe(ctx context.Context, c *call) (any, error) {
	if len(c.structs("Filters")) > 0 {
		c.notOffered("Filters")
	}
	var users []models.AccessUser
	var err error
	if id := c.id("UserId"); id != "" {
		var user models.AccessUser
		user, err = a.db.AccessUsers.Get(ctx, id)
		users = []models.AccessUser{user}
	} else {
		users, err = a.db.AccessUsers.All(ctx)
	}
	if err != nil {
		return nil, err
	}
	users, next, err := page(c, ofEngine(c, users, func(u models.AccessUser) string { return u.Engine }), func(u models.AccessUser) string { return u.UserID })
	if err != nil {
		return nil, err
	}
	groups, err := a.db.UserGroups.All(ctx)
	result := describedUsers{Marker: next}
	for _, u := range users {
		result.Users.Members = append(result.Users.Members, presentUser(c, u, groups))
	}
	return result, err
}

// ofEngine filters by the parameter Engine, if the request has it.
func ofEngine[T any](c *call, all []T, engine func(T) string) []T {
	wanted := c.id("Engine")
	if wanted == "" {
		return all
	}
	var some []T
	for _, one := range all {
		if engine(one) == wanted {
			some = append(some, one)
		}
	}
	return some
}

// accessSpec reads the properties of a new or changed user.
func (c *call) accessSpec() models.AccessSpec {
	spec := models.AccessSpec{Append: c.text("AppendAccessString"), Passwords: c.passwords("Passwords"), Tags: c.tags()}
	if text := c.text("AccessString"); text != "" {
		spec.AccessString = &text
	}
	spec.NoPassword, _ = c.flag("NoPasswordRequired")
	kind, more := c.id("AuthenticationMode.Type"), c.passwords("AuthenticationMode.Passwords")
	switch kind {
	case "":
	case "password":
		if len(more) == 0 {
			c.mistake(models.CodeCombination, "AuthenticationMode password takes one or two Passwords.")
		}
	case "no-password-required":
		spec.NoPassword = true
	case "iam":
		c.mistake(models.CodeCombination, "AuthenticationMode iam is not offered here: there is no IAM that nodes could ask. Use password or no-password-required.")
	default:
		c.mistake(models.CodeInvalid, "AuthenticationMode.Type must be password or no-password-required, not %.40q.", kind)
	}
	if kind != "" && len(spec.Passwords) > 0 {
		c.mistake(models.CodeCombination, "Give Passwords either directly or in AuthenticationMode.")
	}
	spec.Passwords = append(spec.Passwords, more...)
	return spec
}

// passwords returns the passwords in a list, unchanged.
func (c *call) passwords(name string) []secret.Text {
	var passwords []secret.Text
	for _, key := range c.elements(name) {
		passwords = append(passwords, secret.Text(c.values.Get(key)))
	}
	return passwords
}

func (a userActions) create(ctx context.Context, c *call) error {
	spec := c.accessSpec()
	spec.UserID, spec.Name, spec.Engine = c.requiredID("UserId"), c.required("UserName"), strings.ToLower(c.required("Engine"))
	c.required("AccessString")
	if err := c.wrong(); err != nil {
		return err
	}
	_, err := a.db.AccessUsers.Create(ctx, spec)
	return err
}

func (a userActions) modify(ctx context.Context, c *call) error {
	spec, id := c.accessSpec(), c.requiredID("UserId")
	if spec.AccessString != nil && spec.Append != "" {
		c.mistake(models.CodeCombination, "Give either AccessString or AppendAccessString.")
	}
	if err := c.wrong(); err != nil {
		return err
	}
	user, err := a.db.AccessUsers.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := c.engineStays(user.Engine); err != nil {
		return err
	}
	if changed, faults := user.Changed(spec); len(faults) == 0 && changed.AccessString != user.AccessString {
		if err := a.tryOut(ctx, changed); err != nil {
			return err
		}
	}
	return a.db.AccessUsers.Modify(ctx, id, spec)
}

// engineStays refuses to change the engine of a user or group.
func (c *call) engineStays(is string) error {
	if wants := c.id("Engine"); wants != "" && wants != is {
		c.mistake(models.CodeCombination, "The engine stays %s, because groups and clusters depend on it. Create another one for %.20s.", is, wants)
	}
	return c.wrong()
}

// tryOut checks whether the engines of all clusters that have the user accept the access string.
func (a userActions) tryOut(ctx context.Context, user models.AccessUser) error {
	groups, err := a.db.UserGroups.With(ctx, user.UserID)
	if err != nil {
		return err
	}
	var ids []string
	for _, group := range groups {
		ids = append(ids, group.GroupID)
	}
	clusters, err := a.db.UserGroups.Clusters(ctx, ids...)
	if err != nil {
		return err
	}
	return tryAll(ctx, a.jobs, clusters, user)
}

// tryAll checks whether the engines of clusters accept the access strings of users.
func tryAll(ctx context.Context, jobs Jobs, clusters []models.Cluster, users ...models.AccessUser) error {
	for _, cluster := range clusters {
		for _, user := range users {
			if err := jobs.TryUser(ctx, cluster, user); err != nil {
				return err
			}
		}
	}
	return nil
}

// show answers with one user. A user that was just deleted is shown as deleting.
func (a userActions) show(ctx context.Context, c *call) (any, error) {
	user, err := a.db.AccessUsers.Get(ctx, c.id("UserId"))
	if models.HasCode(err, models.CodeAccessUserNotFound) && c.action == "DeleteUser" {
		return accessUser{UserId: c.id("UserId"), Status: "deleting", ARN: c.arn(models.ResourceAccessUser + ":" + c.id("UserId"))}, nil
	} else if err != nil {
		return nil, err
	}
	groups, err := a.db.UserGroups.All(ctx)
	return presentUser(c, user, groups), err
}

func (a userActions) delete(ctx context.Context, c *call) error {
	id := c.requiredID("UserId")
	if err := c.wrong(); err != nil {
		return err
	}
	return a.db.AccessUsers.Delete(ctx, id)
}
