package elasticache

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/models"
)

const (
	userPassword  = "the-password-of-a-user"
	otherPassword = "another-password-of-it"
)

// user makes a user.
func (b *bench) user(id, name, access string) {
	b.t.Helper()
	_, err := b.admin().CreateUser(b.t.Context(), &sdk.CreateUserInput{UserId: aws.String(id), UserName: aws.String(name), Engine: aws.String("redis"), AccessString: aws.String(access), Passwords: []string{userPassword}})
	b.check(err)
}

// group makes a user group.
func (b *bench) userGroup(id, engine string, users ...string) {
	b.t.Helper()
	_, err := b.admin().CreateUserGroup(b.t.Context(), &sdk.CreateUserGroupInput{UserGroupId: aws.String(id), Engine: aws.String(engine), UserIds: users})
	b.check(err)
}

func TestUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	made := must(c.CreateUser(ctx, &sdk.CreateUserInput{UserId: aws.String("Alice-1"), UserName: aws.String("alice"), Engine: aws.String("redis"), AccessString: aws.String("on ~app:* +@read"),
		AuthenticationMode: &types.AuthenticationMode{Type: types.InputAuthenticationTypePassword, Passwords: []string{userPassword, otherPassword}}, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t)
	if aws.ToString(made.UserId) != "alice-1" || aws.ToString(made.ARN) != "arn:aws:elasticache:eu-central-1:123456789012:user:alice-1" || aws.ToString(made.Status) != "active" ||
		made.Authentication.Type != types.AuthenticationTypePassword || aws.ToInt32(made.Authentication.PasswordCount) != 2 || aws.ToString(made.MinimumEngineVersion) != "6.0" {
		t.Errorf("%+v", made)
	}
	if kept := must(b.db.AccessUsers.Get(ctx, "alice-1"))(t); strings.Contains(fmt.Sprintf("%+v", kept), userPassword) || len(kept.PasswordHashes()) != 2 {
		t.Errorf("kept is %+v", kept)
	}
	b.user("bob", "default", "off -@all")
	b.userGroup("staff", "redis", "alice-1", "bob")
	changed := must(c.ModifyUser(ctx, &sdk.ModifyUserInput{UserId: aws.String("alice-1"), AppendAccessString: aws.String("+set"), NoPasswordRequired: aws.Bool(true)}))(t)
	if aws.ToString(changed.AccessString) != "on ~app:* +@read +set" || changed.Authentication.Type != types.AuthenticationTypeNoPassword || fmt.Sprint(changed.UserGroupIds) != "[staff]" {
		t.Errorf("%+v", changed)
	}
	changed = must(c.ModifyUser(ctx, &sdk.ModifyUserInput{UserId: aws.String("alice-1"), AccessString: aws.String("on ~* +@all"), Passwords: []string{userPassword}}))(t)
	if aws.ToString(changed.AccessString) != "on ~* +@all" || aws.ToInt32(changed.Authentication.PasswordCount) != 1 {
		t.Errorf("%+v", changed)
	}
	name := func(u types.User) *string { return u.UserId }
	if got := ids(must(c.DescribeUsers(ctx, &sdk.DescribeUsersInput{}))(t).Users, name); got != "[alice-1 bob default]" {
		t.Error(got)
	}
	if got := ids(must(c.DescribeUsers(ctx, &sdk.DescribeUsersInput{Engine: aws.String("valkey")}))(t).Users, name); got != "[]" {
		t.Error(got)
	}
	if got := must(c.DescribeUsers(ctx, &sdk.DescribeUsersInput{UserId: aws.String("default")}))(t).Users[0]; aws.ToString(got.AccessString) != "on ~* +@all" || got.Authentication.Type != types.AuthenticationTypeNoPassword {
		t.Errorf("%+v", got)
	}
	if tags := must(c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceName: made.ARN}))(t).TagList; len(tags) != 1 {
		t.Errorf("%+v", tags)
	}
	if gone := must(c.DeleteUser(ctx, &sdk.DeleteUserInput{UserId: aws.String("alice-1")}))(t); aws.ToString(gone.Status) != "deleting" {
		t.Errorf("%+v", gone)
	}
	if group := must(b.db.UserGroups.Get(ctx, "staff"))(t); group.Users != "bob" {
		t.Errorf("a user that is gone is in the group still: %s", group.Users)
	}
}

func TestUserGroupsOfReplicationGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	for _, id := range []string{"alice", "bob"} {
		b.user(id, id, "on ~* +@read")
	}
	made := must(c.CreateUserGroup(ctx, &sdk.CreateUserGroupInput{UserGroupId: aws.String("staff"), Engine: aws.String("redis"), UserIds: []string{"default", "alice"}, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t)
	if fmt.Sprint(made.UserIds) != "[default alice]" || aws.ToString(made.Status) != "active" || aws.ToString(made.ARN) != "arn:aws:elasticache:eu-central-1:123456789012:usergroup:staff" {
		t.Errorf("%+v", made)
	}
	b.userGroup("guests", "redis", "default")
	group := must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("d"), CacheNodeType: aws.String("cache.t4g.small"),
		TransitEncryptionEnabled: aws.Bool(true), UserGroupIds: []string{"staff"}}))(t).ReplicationGroup
	b.settle()
	if fmt.Sprint(group.UserGroupIds) != "[staff]" || aws.ToBool(group.AuthTokenEnabled) {
		t.Errorf("%+v", group)
	}
	wanted := func() int { return must(b.db.Clusters.Get(ctx, "orders"))(t).UsersWanted }
	applied := func() {
		t.Helper()
		cluster := must(b.db.Clusters.Get(ctx, "orders"))(t)
		b.check(b.db.UserGroups.Applied(ctx, cluster))
		b.check(b.db.Clusters.PasswordReached(ctx, cluster))
	}
	applied()
	before := wanted()
	if changed := must(c.ModifyUserGroup(ctx, &sdk.ModifyUserGroupInput{UserGroupId: aws.String("staff"), UserIdsToAdd: []string{"bob"}, UserIdsToRemove: []string{"alice"}}))(t); fmt.Sprint(changed.UserIds) != "[default bob]" ||
		fmt.Sprint(changed.ReplicationGroups) != "[orders]" {
		t.Errorf("%+v", changed)
	}
	must(c.ModifyUser(ctx, &sdk.ModifyUserInput{UserId: aws.String("bob"), AccessString: aws.String("on ~* +@all")}))(t)
	if wanted() != before+2 {
		t.Errorf("%d changes are wanted after %d", wanted(), before)
	}
	applied()
	if groups := must(c.DescribeUserGroups(ctx, &sdk.DescribeUserGroupsInput{}))(t).UserGroups; ids(groups, func(g types.UserGroup) *string { return g.UserGroupId }) != "[guests staff]" {
		t.Errorf("%+v", groups)
	}
	for _, one := range []struct {
		change   *sdk.ModifyReplicationGroupInput
		want     string
		password bool
	}{
		{&sdk.ModifyReplicationGroupInput{UserGroupIdsToAdd: []string{"guests"}, UserGroupIdsToRemove: []string{"staff"}}, "[guests]", false},
		{&sdk.ModifyReplicationGroupInput{RemoveUserGroups: aws.Bool(true)}, "[]", false},
		{&sdk.ModifyReplicationGroupInput{AuthToken: aws.String(otherPassword), AuthTokenUpdateStrategy: types.AuthTokenUpdateStrategyTypeSet}, "[]", true},
		{&sdk.ModifyReplicationGroupInput{UserGroupIdsToAdd: []string{"staff"}, AuthTokenUpdateStrategy: types.AuthTokenUpdateStrategyTypeDelete}, "[staff]", false},
		{&sdk.ModifyReplicationGroupInput{UserGroupIdsToRemove: []string{"staff"}, AuthToken: aws.String(otherPassword), AuthTokenUpdateStrategy: types.AuthTokenUpdateStrategyTypeSet}, "[]", true},
		{&sdk.ModifyReplicationGroupInput{UserGroupIdsToAdd: []string{"guests"}}, "[guests]", false},
	} {
		one.change.ReplicationGroupId = aws.String("orders")
		must(c.ModifyReplicationGroup(ctx, one.change))(t)
		b.settle()
		applied()
		got := must(c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("orders")}))(t).ReplicationGroups[0]
		if fmt.Sprint(got.UserGroupIds) != one.want || aws.ToBool(got.AuthTokenEnabled) != one.password {
			t.Errorf("%v, with a token %v; not %s, %v", got.UserGroupIds, aws.ToBool(got.AuthTokenEnabled), one.want, one.password)
		}
	}
	must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{ReplicationGroupId: aws.String("orders"), SnapshotName: aws.String("s")}))(t)
	b.settle()
	if restored := must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("again"), ReplicationGroupDescription: aws.String("d"), SnapshotName: aws.String("s")}))(t).ReplicationGroup; len(restored.UserGroupIds) != 0 {
		t.Errorf("restored with %v", restored.UserGroupIds)
	}
	if gone := must(c.DeleteUserGroup(ctx, &sdk.DeleteUserGroupInput{UserGroupId: aws.String("staff")}))(t); aws.ToString(gone.Status) != "deleting" {
		t.Errorf("%+v", gone)
	}
}

func TestWhatIsRefusedOfUsersAndUserGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.user("alice", "alice", "on ~* +@read")
	b.user("alice2", "alice", "on ~* +@read")
	b.user("own", "default", "off -@all")
	b.userGroup("staff", "redis", "own", "alice")
	b.userGroup("vale", "valkey", "alice")
	b.launch(models.ClusterSpec{Name: "orders", Encrypted: true, UserGroup: "staff"})
	b.launch(models.ClusterSpec{Name: "plain"})
	b.jobs.refuse = func(cluster models.Cluster, user models.AccessUser) error {
		if strings.Contains(user.AccessString, "+nonsense") {
			return models.Refuse(models.CodeInvalid, "", "Unknown command, says "+cluster.Name+".")
		}
		return nil
	}
	user := func(more ...string) []string {
		return append([]string{"UserId", "carol", "UserName", "carol", "Engine", "redis"}, more...)
	}
	access := func(text string) []string {
		return user("AccessString", text, "NoPasswordRequired", "true")
	}
	group := func(more ...string) []string { return append([]string{"UserGroupId", "g", "Engine", "redis"}, more...) }
	create := func(more ...string) []string {
		return append([]string{"ReplicationGroupId", "new", "ReplicationGroupDescription", "d", "CacheNodeType", "cache.t4g.small", "UserGroupIds.member.1", "staff"}, more...)
	}
	modify := func(id string, more ...string) []string { return append([]string{"ReplicationGroupId", id}, more...) }
	const invalid, combination, missing = "InvalidParameterValue", "InvalidParameterCombination", "MissingParameter"
	for _, one := range []struct {
		action string
		params []string
		status int
		code   string
		text   string
	}{
		{"CreateUser", user("NoPasswordRequired", "true"), 400, missing, "AccessString"},
		{"CreateUser", user("AccessString", "on"), 400, combination, "no password is required"},
		{"CreateUser", user("AccessString", "on", "Passwords.member.1", "short"), 400, invalid, "16 to 128"},
		{"CreateUser", user("AccessString", "on", "Passwords.member.1", userPassword, "NoPasswordRequired", "true"), 400, combination, "cannot have one"},
		{"CreateUser", user("AccessString", "on", "Passwords.member.1", userPassword, "Passwords.member.2", otherPassword, "Passwords.member.3", "yet-another-password"), 400, invalid, "not 3"},
		{"CreateUser", user("AccessString", "on", "AuthenticationMode.Type", "iam"), 400, combination, "IAM"},
		{"CreateUser", user("AccessString", "on", "AuthenticationMode.Type", "password"), 400, combination, "Passwords"},
		{"CreateUser", access("on >the-password-of-a-user"), 400, invalid, "passwords are given"},
		{"CreateUser", access("on nopass"), 400, invalid, "signs in"},
		{"CreateUser", access("reset on"), 400, invalid, "signs in"},
		{"CreateUser", access("on sanitize-payload"), 400, invalid, "sanitize-payload"},
		{"CreateUser", access("on (~a +get"), 400, invalid, "parenthesis"},
		{"CreateUser", access("on (on ~a)"), 400, invalid, "selector"},
		{"CreateUser", access("on everything"), 400, invalid, "everything"},
		{"CreateUser", []string{"UserId", "1a", "UserName", "n", "Engine", "redis", "AccessString", "on", "NoPasswordRequired", "true"}, 400, invalid, "must begin with a letter"},
		{"CreateUser", []string{"UserId", "a", "UserName", "rekindle", "Engine", "redis", "AccessString", "on", "NoPasswordRequired", "true"}, 400, invalid, "begin with rekindle"},
		{"CreateUser", []string{"UserId", "a", "UserName", "a b", "Engine", "redis", "AccessString", "on", "NoPasswordRequired", "true"}, 400, invalid, "no space"},
		{"CreateUser", []string{"UserId", "a", "UserName", "a", "Engine", "memcached", "AccessString", "on", "NoPasswordRequired", "true"}, 400, invalid, "redis or valkey"},
		{"CreateUser", []string{"UserId", "alice", "UserName", "a", "Engine", "redis", "AccessString", "on", "NoPasswordRequired", "true"}, 400, "UserAlreadyExists", "alice"},
		{"CreateUser", []string{"UserId", "default", "UserName", "a", "Engine", "redis", "AccessString", "on", "NoPasswordRequired", "true"}, 400, "UserAlreadyExists", "default"},
		{"ModifyUser", []string{"UserId", "default", "AccessString", "off"}, 400, "InvalidUserState", "cannot be changed"},
		{"ModifyUser", []string{"UserId", "none", "AccessString", "off"}, 404, "UserNotFound", "none"},
		{"ModifyUser", []string{"UserId", "alice", "AccessString", "off", "AppendAccessString", "+get"}, 400, combination, "either"},
		{"ModifyUser", []string{"UserId", "alice", "AppendAccessString", "+nonsense"}, 400, invalid, "says orders"},
		{"ModifyUser", []string{"UserId", "alice", "Engine", "valkey"}, 400, combination, "stays redis"},
		{"ModifyUserGroup", []string{"UserGroupId", "staff", "Engine", "valkey", "UserIdsToRemove.member.1", "alice"}, 400, combination, "stays redis"},
		{"DeleteUser", []string{"UserId", "default"}, 400, "InvalidUserState", "cannot be changed"},
		{"DeleteUser", []string{"UserId", "own"}, 400, "DefaultUserAssociatedToUserGroup", "staff"},
		{"DeleteUser", []string{"UserId", "none"}, 404, "UserNotFound", "none"},
		{"DescribeUsers", []string{"UserId", "none"}, 404, "UserNotFound", "none"},
		{"CreateUserGroup", group("UserIds.member.1", "alice"), 400, "DefaultUserRequired", "default"},
		{"CreateUserGroup", group("UserIds.member.1", "default", "UserIds.member.2", "alice", "UserIds.member.3", "alice2"), 400, "DuplicateUserName", "alice2"},
		{"CreateUserGroup", group("UserIds.member.1", "default", "UserIds.member.2", "none"), 404, "UserNotFound", "none"},
		{"CreateUserGroup", []string{"UserGroupId", "staff", "Engine", "redis", "UserIds.member.1", "default"}, 400, "UserGroupAlreadyExists", "staff"},
		{"ModifyUserGroup", []string{"UserGroupId", "staff"}, 400, combination, "UserIdsToAdd"},
		{"ModifyUserGroup", []string{"UserGroupId", "staff", "UserIdsToRemove.member.1", "own"}, 400, "DefaultUserRequired", "default"},
		{"ModifyUserGroup", []string{"UserGroupId", "staff", "UserIdsToRemove.member.1", "alice2"}, 400, invalid, "not in"},
		{"ModifyUserGroup", []string{"UserGroupId", "staff", "UserIdsToAdd.member.1", "alice2"}, 400, "DuplicateUserName", "alice2"},
		{"ModifyUserGroup", []string{"UserGroupId", "none", "UserIdsToAdd.member.1", "alice2"}, 404, "UserGroupNotFound", "none"},
		{"DeleteUserGroup", []string{"UserGroupId", "staff"}, 400, "InvalidUserGroupState", "orders"},
		{"DeleteUserGroup", []string{"UserGroupId", "none"}, 404, "UserGroupNotFound", "none"},
		{"CreateReplicationGroup", create(), 400, combination, "encryption in transit"},
		{"CreateReplicationGroup", create("TransitEncryptionEnabled", "true", "AuthToken", "a-token-of-the-tests"), 400, combination, "either"},
		{"CreateReplicationGroup", create("TransitEncryptionEnabled", "true", "UserGroupIds.member.2", "vale"), 400, invalid, "at most one"},
		{"CreateReplicationGroup", modify("new", "ReplicationGroupDescription", "d", "CacheNodeType", "cache.t4g.small", "TransitEncryptionEnabled", "true", "UserGroupIds.member.1", "none"), 404, "UserGroupNotFound", "none"},
		{"CreateReplicationGroup", modify("new", "ReplicationGroupDescription", "d", "CacheNodeType", "cache.t4g.small", "TransitEncryptionEnabled", "true", "UserGroupIds.member.1", "vale"), 400, combination, "valkey"},
		{"ModifyReplicationGroup", modify("plain", "UserGroupIdsToAdd.member.1", "staff"), 400, combination, "encryption in transit"},
		{"ModifyReplicationGroup", modify("plain", "UserGroupIdsToRemove.member.1", "staff"), 400, invalid, "does not have"},
		{"ModifyReplicationGroup", modify("orders", "AuthToken", "a-token-of-the-tests"), 400, combination, "either"},
		{"ModifyReplicationGroup", modify("orders", "UserGroupIdsToAdd.member.1", "vale"), 400, invalid, "at most one"},
		{"ModifyReplicationGroup", modify("orders", "RemoveUserGroups", "true", "UserGroupIdsToAdd.member.1", "staff"), 400, combination, "RemoveUserGroups"},
		{"ModifyReplicationGroup", modify("orders", "RemoveUserGroups", "true"), 400, "InvalidReplicationGroupState", "last change"},
	} {
		status, text := b.send(form(one.action, one.params...))
		if status != one.status || code(text) != one.code || !strings.Contains(text, one.text) {
			t.Errorf("%s %v: %d %s", one.action, one.params, status, text)
		}
	}
	if b.log.Len() > 0 {
		t.Errorf("refusals are not Rekindle's failures:\n%s", b.log)
	}
}
