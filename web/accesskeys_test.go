package web

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"rekindle/models"
)

var secretShown = regexp.MustCompile(`export AWS_SECRET_ACCESS_KEY=(\S+)`)

func TestASecretIsShownOnceAndNeverAgain(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get(accessKeysPath).is(http.StatusOK).says("No access keys yet", c.server.URL)
	c.post(accessKeysPath, "role", "operate", "description", " Terraform of <ops> ").redirects(accessKeysPath)
	c.get("/clusters").doesNotSay("Terraform of <ops>") // another page does not use it up
	answer := c.get(accessKeysPath).is(http.StatusOK).says("The new key", "is shown only now", "Terraform of <ops>")
	shown := secretShown.FindStringSubmatch(answer.body)
	if shown == nil {
		t.Fatalf("no secret is shown: %s", excerpt(answer.body))
	}
	if got := answer.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	keys, err := c.db.Keys.All(t.Context())
	c.check(err)
	if len(keys) != 1 || keys[0].Role != models.RoleOperate || keys[0].Description != "Terraform of <ops>" || keys[0].CreatedBy != "admin" {
		t.Fatalf("%+v", keys)
	}
	kept, found, err := c.db.Keys.Find(t.Context(), keys[0].KeyID)
	if err != nil || !found || kept.Secret.Reveal() != shown[1] {
		t.Errorf("the secret that was shown is not the key's (%v)", err)
	}
	answer.says("export AWS_ACCESS_KEY_ID="+keys[0].KeyID, "aws sts get-caller-identity")
	for _, address := range []string{accessKeysPath, fmt.Sprintf("%s/%d/revoke", accessKeysPath, keys[0].ID), "/settings/account", "/events", "/", "/export.json"} {
		c.get(address).is(http.StatusOK).doesNotSay(shown[1])
	}
	c.get(accessKeysPath).says(keys[0].KeyID, "operate", "by admin", "not yet")
	c.get("/events").says("The access key " + keys[0].KeyID + " was created by admin; it may operate.")
	if strings.Contains(c.log.String(), shown[1]) {
		t.Error("the secret is in the log")
	}
}

func TestWrongInputMakesNoAccessKey(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for _, one := range []struct{ role, description, field, says string }{
		{"", "x", "role", "Choose what the key may do"},
		{"root", "x", "role", "Choose what the key may do"},
		{"read", strings.Repeat("ö", 256), "description", "The description may have at most 255 characters."},
	} {
		c.post(accessKeysPath, "role", one.role, "description", one.description).is(http.StatusUnprocessableEntity).says(one.says, `value="`+one.description+`"`).
			doesNotSay("The new key").hasErrorAt(one.field)
	}
	c.post(accessKeysPath, "role", "root", "description", strings.Repeat("x", 300)).is(http.StatusUnprocessableEntity).says("2 fields need another look")
	if keys, err := c.db.Keys.All(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("%d keys (%v)", len(keys), err)
	}
}

func TestRevokingAnAccessKeyAsksForItsID(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	key, err := c.db.Keys.Create(t.Context(), models.RoleAdminister, "deploys", "admin")
	c.check(err)
	other, err := c.db.Keys.Create(t.Context(), models.RoleRead, "", "admin")
	c.check(err)
	address := fmt.Sprintf("%s/%d/revoke", accessKeysPath, key.ID)
	c.get(address).is(http.StatusOK).says(key.KeyID, "deploys", "It was never used.")
	for _, confirm := range []string{"", other.KeyID, strings.ToLower(key.KeyID)} {
		c.post(address, "confirm", confirm).is(http.StatusUnprocessableEntity).says("Type the key's id " + key.KeyID).hasErrorAt("confirm")
	}
	for _, id := range []string{"0", "77", "-1", "x", key.KeyID, "1e0"} {
		c.get(accessKeysPath + "/" + id + "/revoke").is(http.StatusNotFound).says("There is no such access key.")
		c.post(accessKeysPath+"/"+id+"/revoke", "confirm", key.KeyID).is(http.StatusNotFound)
	}
	c.post(address, "confirm", " "+key.KeyID+" ").redirects(accessKeysPath)
	c.get(accessKeysPath).says("The access key "+key.KeyID+" was revoked.", other.KeyID).doesNotSay(address)
	c.post(address, "confirm", key.KeyID).is(http.StatusNotFound)
	if _, found, err := c.db.Keys.Find(t.Context(), key.KeyID); found || err != nil {
		t.Errorf("it is still there (%v)", err)
	}
	c.get(settingsPath).says(accessKeysPath)
}
