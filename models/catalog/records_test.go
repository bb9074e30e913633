package catalog

import (
	"maps"
	"testing"

	"rekindle/models"
)

// Settings from the store fill in what nobody has chosen here, all of them or none.
func TestSettingsFromTheStoreFillInWhatNobodyHasChosen(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	ctx := t.Context()
	if err := db.Settings.SaveVerifyEvery(ctx, 30); err != nil {
		t.Fatal(err)
	}
	before, err := db.Settings.Chosen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]map[string]string{
		"a quota of nothing": {"manual_quota": "0", "price": "0.1"}, "no number": {"price": "cheap"}, "too long": {"currency": "golden coins"},
	} {
		if adopted, err := db.Settings.Adopt(ctx, bad); adopted {
			t.Errorf("%s: adopted", name)
		} else if _, refused := models.AsFaults(err); !refused {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := db.Settings.Chosen(ctx); err != nil || !maps.Equal(now, before) {
			t.Errorf("%s: the settings became %v, %v", name, now, err)
		}
	}
	found := map[string]string{"manual_quota": "7", "currency": "EUR", "price": "0.02", "verify_every": "3", "session_key": "stolen"}
	if adopted, err := db.Settings.Adopt(ctx, found); err != nil || !adopted {
		t.Fatal(adopted, err)
	}
	now, err := db.Settings.Chosen(ctx)
	if want := map[string]string{"manual_quota": "7", "currency": "EUR", "price": "0.02", "verify_every": "30"}; err != nil || !maps.Equal(now, want) {
		t.Errorf("the settings are %v, %v", now, err)
	}
	if adopted, err := db.Settings.Adopt(ctx, map[string]string{"price": "9"}); err != nil || adopted {
		t.Errorf("what was chosen was replaced: %t, %v", adopted, err)
	}
}
