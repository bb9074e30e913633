package web

import (
	"net/http"

	"rekindle/views"
)

// notices is what everybody who is signed in should know now.
func (s *server) notices() []views.Notice {
	var notices []views.Notice
	if doubt := s.db.Clock.Doubt(); doubt != nil {
		notices = append(notices, views.Notice{Kind: "warning", Text: doubt.Sentence(), Action: "/settings/clock", Label: "The clock is right now"})
	}
	if space, err := s.db.Disk.Space(); err == nil && space.Low() {
		notices = append(notices, views.Notice{Kind: "warning", Text: space.Sentence()})
	}
	return notices
}

// confirmClock takes somebody's word that the clock is right, whatever it has done.
func (s *server) confirmClock(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	if err := s.db.Clock.Confirm(r.Context(), visitOf(r).user.Name); err != nil {
		return err
	}
	return s.done(w, r, localPath(form.Get("next")), "success", "The clock counts as right. What is old is deleted again.")
}
