package models

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
)

func TestAccessStrings(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"on ~* +@all", "off -@all", "on ~app:* %R~read:* %W~w %RW~b allkeys resetkeys &news allchannels resetchannels +get -flushall +config|get +select|0 +@read -@dangerous allcommands nocommands",
		"ON ALLKEYS +@ALL", "on (~a* +get) (+@read %R~b)", "on -@all  +@read ~x", "on (+get)"} {
		if problem := CheckAccessString(good); problem != "" {
			t.Errorf("%q: %s", good, problem)
		}
	}
	for bad, says := range map[string]string{"": "empty", "  ": "empty", "on >secret": "passwords", "on <secret": "passwords", "on #0a": "passwords", "on !0a": "passwords", "on nopass": "passwords", "resetpass": "passwords",
		"reset": "passwords", "RESET": "passwords", "skip-sanitize-payload": "sanitize", "on (": "parenthesis", "on (~a": "parenthesis", "on ~a (off)": "selector", "on (>secret)": "passwords", "on (nopass)": "passwords",
		"on whatever": "whatever", "on ~": "~", "on %X~a": "%X~a", "on +get|a|b": "+get|a|b", "on\x00": "printable", "on ~ä": "printable", strings.Repeat("~a ", 5000): "at most"} {
		if problem := CheckAccessString(bad); !strings.Contains(problem, says) || strings.Contains(problem, "secret") {
			t.Errorf("%.40q: %q, not %q", bad, problem, says)
		}
	}
}

func TestRulesOfAUser(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		user     AccessUser
		channels bool
		want     []string
	}{
		{AccessUser{AccessString: "on ~* +@all", NoPassword: true}, true, []string{"allchannels", "on", "~*", "+@all", "nopass"}},
		{AccessUser{AccessString: "on ~* +@all", NoPassword: true}, false, []string{"on", "~*", "+@all", "nopass"}},
		{AccessUser{AccessString: "on &news (~a +get)", Hashes: "0a,0b"}, true, []string{"on", "&news", "(~a +get)", "#0a", "#0b"}},
		{AccessUser{AccessString: "on resetchannels", Hashes: "0a"}, true, []string{"on", "resetchannels", "#0a"}},
	} {
		if got := one.user.Rules(one.channels); !slices.Equal(got, one.want) {
			t.Errorf("%+v: %q", one.user, got)
		}
	}
}

func TestAClusterIsToldBySomeoneElseOnlyAfterItsUserGroupHasChanged(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	group := func(name string) *string { return &name }
	set := func(password secret.Text) *PasswordChange {
		return &PasswordChange{Strategy: PasswordSet, Password: password}
	}
	plain := Cluster{Name: "orders", Status: ClusterAvailable, Password: "the-password-of-before", Configuration: Configuration{TransitEncryption: true, NodeType: "cache.t4g.micro"}}
	grouped := plain
	grouped.UserGroup, grouped.UsersWanted, grouped.UsersApplied = "staff", 3, 3
	busy := grouped
	busy.UsersApplied = 2
	open := plain
	open.TransitEncryption = false
	for what, one := range map[string]struct {
		is      Cluster
		spec    ModifySpec
		code    Code
		login   bool   // becomes another
		former  string // user
		present secret.Text
	}{
		"given":                     {plain, ModifySpec{UserGroup: group("staff")}, "", true, "", "?"},
		"given for the password":    {plain, ModifySpec{UserGroup: group("staff"), Password: &PasswordChange{Strategy: PasswordDelete}}, "", true, "", "?"},
		"exchanged":                 {grouped, ModifySpec{UserGroup: group("guests")}, "", false, "", ""},
		"taken away":                {grouped, ModifySpec{UserGroup: group("")}, "", true, OwnUser, ""},
		"taken for a password":      {grouped, ModifySpec{UserGroup: group(""), Password: set("a-password-of-its-own")}, "", true, OwnUser, "a-password-of-its-own"},
		"taken for a bad password":  {grouped, ModifySpec{UserGroup: group(""), Password: set("short")}, CodeInvalid, false, "", ""},
		"with a password":           {plain, ModifySpec{UserGroup: group("staff"), Password: set("a-password-of-its-own")}, CodeCombination, false, "", ""},
		"a password beside":         {grouped, ModifySpec{Password: set("a-password-of-its-own")}, CodeCombination, false, "", ""},
		"while there is a change":   {busy, ModifySpec{UserGroup: group("")}, CodeClusterState, false, "", ""},
		"without encryption":        {open, ModifySpec{UserGroup: group("staff")}, CodeCombination, false, "", ""},
		"the same":                  {grouped, ModifySpec{UserGroup: group("staff")}, "", false, "", ""},
		"no password where is none": {grouped, ModifySpec{Password: &PasswordChange{Strategy: PasswordDelete}}, "", false, "", ""},
	} {
		faults, columns := one.spec.Columns(one.is, now)
		if faults.Code() != one.code {
			t.Errorf("%s: %v", what, faults)
			continue
		}
		if one.code != "" {
			continue
		}
		password, login := columns["password"]
		if login != one.login || login && (columns["former_user"] != one.former || columns["former_password"] != one.is.Password || columns["password_pending"] != true ||
			one.present != "?" && password != one.present || one.present == "?" && (password == one.is.Password || password == secret.Text(""))) {
			t.Errorf("%s: %v", what, columns)
		}
	}
}
