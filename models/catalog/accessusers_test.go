package catalog

import (
	"strings"
	"testing"

	"rekindle/internal/secret"
	"rekindle/models"
)

func TestUsersAndTheirGroups(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ctx := t.Context()
	access := func(text string) *string { return &text }
	for id, name := range map[string]string{"alice": "alice", "Bob": "bob", "own": "default"} {
		_, err := db.AccessUsers.Create(ctx, models.AccessSpec{UserID: strings.ToLower(id), Name: name, Engine: models.EngineRedis, AccessString: access("on ~* +@read"),
			Passwords: []secret.Text{"the-password-of-a-user"}, Tags: map[string]string{"k": "v"}})
		check(t, err)
	}
	_, err := db.AccessUsers.Create(ctx, models.AccessSpec{UserID: "alice", Name: "a", Engine: models.EngineRedis, AccessString: access("on"), NoPassword: true})
	refused(t, err, models.CodeAccessUserExists)
	users := must(db.AccessUsers.All(ctx))(t)
	if len(users) != 4 || users[0].UserID != models.DefaultAccessUser || users[1].UserID != "alice" || users[3].Name != models.DefaultAccessUser {
		t.Errorf("%+v", users)
	}
	staff := models.UserGroup{GroupID: "staff", Engine: models.EngineRedis}
	refused(t, db.UserGroups.Create(ctx, staff, []string{"alice"}, nil), models.CodeDefaultUserRequired)
	refused(t, db.UserGroups.Create(ctx, staff, []string{"default", "own"}, nil), models.CodeDuplicateUserName)
	refused(t, db.UserGroups.Create(ctx, staff, []string{"default", "nobody"}, nil), models.CodeAccessUserNotFound)
	check(t, db.UserGroups.Create(ctx, staff, []string{"own", "alice"}, map[string]string{"k": "v"}))
	refused(t, db.UserGroups.Create(ctx, staff, []string{"own"}, nil), models.CodeUserGroupExists)
	check(t, db.UserGroups.Create(ctx, models.UserGroup{GroupID: "guests", Engine: models.EngineRedis}, []string{"default"}, nil))

	_, err = db.Clusters.create(ctx, models.ClusterSpec{Name: "late", Engine: models.Engine{Name: models.EngineRedis, Version: "7.0.15"}, NodeType: "cache.t4g.micro", Copies: 1, UserGroup: "none"}, models.Snapshot{})
	refused(t, err, models.CodeUserGroupNotFound) // it was deleted after the check
	check(t, db.with(ctx).Model(&models.UserGroup{}).Where("group_id = ?", "guests").UpdateColumn("users", "default,gone").Error)
	if users := must(db.UserGroups.Users(ctx, "guests"))(t); len(users) != 1 || users[0].Name != models.DefaultAccessUser {
		t.Errorf("a user who is deleted meanwhile: %+v", users)
	}

	check(t, db.Sample(ctx, 20, 0))
	having, other := "shop-00001", must(db.Clusters.All(ctx))(t)[0].Name
	check(t, db.with(ctx).Model(&models.Cluster{}).Where("name = ?", having).UpdateColumn("user_group", "staff").Error)
	wants := func(name string, want int) {
		t.Helper()
		if got := must(db.Clusters.Get(ctx, name))(t).UsersWanted; got != want {
			t.Errorf("%s wants %d, not %d", name, got, want)
		}
	}
	check(t, db.AccessUsers.Modify(ctx, "alice", models.AccessSpec{Append: "+set"}))
	wants(having, 1)
	check(t, db.AccessUsers.Modify(ctx, "bob", models.AccessSpec{Append: "+set"})) // bob is not in the group
	wants(having, 1)
	check(t, db.UserGroups.Modify(ctx, "staff", []string{"bob"}, nil))
	looked := must(db.Clusters.Get(ctx, having))(t)
	check(t, db.AccessUsers.Delete(ctx, "alice"))
	wants(having, 3)
	wants(other, 0)
	check(t, db.UserGroups.Applied(ctx, looked))
	if !must(db.Clusters.Get(ctx, having))(t).UsersPending() {
		t.Error("a change that came while an earlier one was applied is forgotten")
	}
	if group := must(db.UserGroups.Users(ctx, "staff"))(t); len(group) != 2 || group[0].UserID != "own" || group[1].AccessString != "on ~* +@read +set" {
		t.Errorf("%+v", group)
	}
	refused(t, db.AccessUsers.Delete(ctx, "own"), models.CodeDefaultUserGroupUsed)
	refused(t, db.AccessUsers.Delete(ctx, "default"), models.CodeAccessUserState)
	refused(t, db.AccessUsers.Modify(ctx, "default", models.AccessSpec{NoPassword: true}), models.CodeAccessUserState)
	refused(t, db.UserGroups.Delete(ctx, "staff"), models.CodeUserGroupState)
	check(t, db.UserGroups.Delete(ctx, "guests"))
	if tags := must(db.Tags.On(ctx, "user:alice"))(t); len(tags) != 0 {
		t.Errorf("its tags are there still: %v", tags)
	}
}
