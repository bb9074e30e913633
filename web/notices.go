package web

import "rekindle/views"

// notices are what everybody who is signed in should know now.
func (s *site) notices() []views.Notice {
	var notices []views.Notice
	if doubt := s.db.Clock.Doubt(); doubt != nil {
		notices = append(notices, views.Notice{Kind: "warning", Text: doubt.Sentence(), Action: "/settings/clock", Label: "The clock is right now"})
	}
	if space, err := s.db.Disk.Space(); err == nil && space.Low() {
		notices = append(notices, views.Notice{Kind: "warning", Text: space.Sentence()})
	}
	if text := s.jobs.StoreNotice(); text != "" {
		notices = append(notices, views.Notice{Kind: "error", Text: text})
	}
	return notices
}
