package nodes

import (
	"strings"
	"testing"

	"rekindle/models"
)

// Who signs in as somebody finds them there, and who is connected as the default user has gone over before it loses its rights.
func TestLoginStepsCutNobodyOff(t *testing.T) {
	t.Parallel()
	for what, one := range map[string]struct {
		cluster models.Cluster
		want    string
	}{
		"to a group": {models.Cluster{UserGroup: "staff", Password: "b", FormerPassword: "a"},
			"ACL SETUSER rekindle reset on ~* +@all &* >b / CONFIG SET masteruser rekindle; CONFIG SET masterauth b; CONFIG SET protected-mode no / CLIENT KILL TYPE replica"},
		"to a password": {models.Cluster{Password: "a", FormerPassword: "b", FormerUser: models.OwnUser},
			"ACL SETUSER default reset on ~* +@all &* >a; CONFIG SET protected-mode yes / CONFIG SET masteruser default; CONFIG SET masterauth a"},
		"to none": {models.Cluster{FormerPassword: "b", FormerUser: models.OwnUser},
			"ACL SETUSER default reset on ~* +@all &* nopass; CONFIG SET protected-mode no / CONFIG SET masteruser default; CONFIG SET masterauth "},
		"to another password": {models.Cluster{Password: "b", FormerPassword: "a"}, shownSteps(passwordSteps("a", "b", ""))},
	} {
		if got := shownSteps(loginSteps(one.cluster)); got != one.want {
			t.Errorf("%s:\n%s, not\n%s", what, got, one.want)
		}
	}
	old := models.Cluster{UserGroup: "staff", Password: "b", Configuration: models.Configuration{EngineVersion: "6.0.16"}}
	if strings.Contains(shownSteps(loginSteps(old)), "&") {
		t.Error("an engine without channels is told of them")
	}
}

func shownSteps(steps []commands) string {
	var shown []string
	for _, step := range steps {
		var lines []string
		for _, command := range step {
			lines = append(lines, strings.Join(command, " "))
		}
		shown = append(shown, strings.Join(lines, "; "))
	}
	return strings.Join(shown, " / ")
}

func TestLoginsAreNotChangedWhileASnapshotIsTaken(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		status models.ClusterStatus
		group  string
		former string
		want   bool
	}{
		{models.ClusterAvailable, "staff", "", true},
		{models.ClusterSnapshotting, "staff", "", false},
		{models.ClusterSnapshotting, "", models.OwnUser, false},
		{models.ClusterSnapshotting, "", "", true},
	} {
		if got := mayChangeLogin(models.Cluster{Status: one.status, UserGroup: one.group, FormerUser: one.former}); got != one.want {
			t.Errorf("%+v: %v", one, got)
		}
	}
}
