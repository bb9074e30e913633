package web

import (
	"fmt"
	"net/http"
	"strings"

	"rekindle/models"
	"rekindle/views"
)

// verifySnapshot has every byte of one snapshot read back.
func (s *server) verifySnapshot(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	_, err := s.db.Verifications.Request(r.Context(), name, visitOf(r).user.Name)
	if models.HasCode(err, models.CodeSnapshotState) {
		return s.done(w, r, snapshotAddress(name), "info", err.Error())
	} else if err != nil {
		return err
	}
	s.jobs.Wake()
	return s.done(w, r, snapshotAddress(name), "success", fmt.Sprintf("The snapshot %s is being verified. It can be used meanwhile.", name))
}

// saveVerifyEvery sets how often each snapshot is verified.
func (s *server) saveVerifyEvery(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	days := wholeNumber(form, "verify_every", "number of days", fmt.Sprintf("0 to %d", models.MaxVerifyEvery), wrong)
	if len(wrong) == 0 {
		if err := s.db.Settings.SaveVerifyEvery(r.Context(), days); err == nil {
			text := fmt.Sprintf("Each snapshot is verified every %s.", strings.TrimPrefix(views.Plural(days, "day"), "1 "))
			if days == 0 {
				text = "Snapshots are verified only by hand now."
			}
			return s.done(w, r, "/settings#verify", "success", text)
		} else if err := wrong.refusal(err, []string{"verify_every"}); err != nil {
			return err
		}
	}
	return s.showSettings(w, r, settingsForms{verify: views.Fields{Values: firstValues(form, "verify_every"), Errors: wrong}})
}

// saveTryImports sets whether files from elsewhere are loaded into a node before they become snapshots.
func (s *server) saveTryImports(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	try := form.Get("try_imports") == "on"
	if err := s.db.Settings.SaveTriesImports(r.Context(), try); err != nil {
		return err
	}
	text := "Files that are imported are loaded into a node first."
	if !try {
		text = "Of files that are imported only the structure is checked now."
	}
	return s.done(w, r, "/settings#imports", "success", text)
}

// rebuildCatalog has the catalog compared with the store.
func (s *server) rebuildCatalog(w http.ResponseWriter, r *http.Request) error {
	_, err := s.db.Rebuild.Request(r.Context(), visitOf(r).user.Name)
	if models.HasCode(err, models.CodeRunState) {
		return s.done(w, r, "/settings#catalog", "info", err.Error())
	} else if err != nil {
		return err
	}
	s.jobs.Wake()
	return s.done(w, r, "/settings#catalog", "success", "The catalog is being rebuilt from the store. The events say what was found.")
}
