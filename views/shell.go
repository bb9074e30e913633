package views

import (
	"net/url"
	"time"

	"github.com/a-h/templ"
)

// Nav names an entry of the navigation.
type Nav string

// The navigation's entries.
const (
	NavOverview  Nav = "overview"
	NavClusters  Nav = "clusters"
	NavSnapshots Nav = "snapshots"
	NavActivity  Nav = "activity"
	NavEvents    Nav = "events"
	NavSettings  Nav = "settings"
)

type navEntry struct {
	key   Nav
	label string
	href  templ.SafeURL
	icon  string
}

var navigation = []navEntry{
	{NavOverview, "Overview", "/", "layout-dashboard"},
	{NavClusters, "Clusters", "/clusters", "database"},
	{NavSnapshots, "Snapshots", "/snapshots", "camera"},
	{NavActivity, "Activity", "/runs", "activity"},
	{NavEvents, "Events", "/events", "scroll-text"},
	{NavSettings, "Settings", "/settings", "settings"},
}

// themes are the choices of colours.
var themes = []struct{ value, icon, label string }{
	{"light", "sun", "Light"}, {"dark", "moon", "Dark"}, {"system", "monitor", "As the system"},
}

// Shell is what every page of a signed-in user needs besides its own content.
type Shell struct {
	Title       string  // of the page, for the browser's title bar
	Breadcrumbs []Crumb // the way here, ending with the page itself; may be empty
	Active      Nav     // the highlighted entry of the navigation
	User        string
	Theme       string         // "light", "dark" or "system" (also when empty)
	Now         time.Time      // all ages count from here
	Zone        *time.Location // the viewer's; nil means UTC
	Flash       Flash
	Notices     []Notice
	// RunningCount is the number of runs that are queued or running, shown beside Activity.
	RunningCount int
	// Path is this page's own path with its query, for requesting it again and returning to it.
	Path string
	// Poll, if not zero, makes the page request itself again after this time, to follow running work.
	Poll time.Duration
	// Live makes it do so now and then when there is no work, because others may begin some.
	Live bool
	// AWS is the command that shows what the page shows, displayed at its end; empty if the page has its own.
	AWS string
}

// Crumb is one step of the breadcrumbs; the last has no Href.
type Crumb struct {
	Text string
	Href string
}

// Flash is a message about what was just done. Without text there is none.
type Flash struct {
	Kind  string // "success", "info", "warning", "error"
	Text  string
	Going bool   // it announces work, and goes when that has ended
	Run   string // that work; empty: unknown
}

// Beside is the message on a page with this work: nothing is announced that has a card there.
func (f Flash) Beside(work Work) Flash {
	if f.Going && work.shows(f) {
		return Flash{}
	}
	return f
}

// Notice is shown on every page until its cause is gone. If it has an action, there is a button for it.
type Notice struct {
	Kind   string // as a flash's
	Text   string
	Action string // the path that the button posts to
	Label  string
}

// Letter is the key that goes to this entry, after g.
func (n Nav) Letter() string {
	if n == NavSettings {
		return "t"
	}
	return string(n[:1])
}

func (s Shell) theme() string {
	if s.Theme == "light" || s.Theme == "dark" {
		return s.Theme
	}
	return "system"
}

// zone is the viewer's zone, never nil.
func (s Shell) zone() *time.Location {
	if s.Zone == nil {
		return time.UTC
	}
	return s.Zone
}

// livePoll is how often a page is requested again on which no work is under way.
const livePoll = 15 * time.Second

// live gives <main> the attributes for following what happens. The script requests the page out of turn when a hidden tab is looked at again.
func (s Shell) live() templ.Attributes {
	every := s.Poll.Round(100 * time.Millisecond)
	if every <= 0 && s.Live {
		every = livePoll
	}
	if every <= 0 || s.Path == "" {
		return nil
	}
	return templ.Attributes{
		"data-work":  s.Poll > 0, // work is followed here
		"hx-get":     s.Path,
		"hx-trigger": "every " + itoa(every.Milliseconds()) + "ms, awake",
		"hx-select":  "#main",
		"hx-swap":    "outerMorph",
		// the counters beside Activity; the message about what was just done stays
		"hx-select-oob": "#running,#running-folded,#notices",
	}
}

// Link builds a path from segments, each of which is escaped: Link("clusters", id, "delete").
func Link(segments ...string) templ.SafeURL {
	path := ""
	for _, s := range segments {
		path += "/" + url.PathEscape(s)
	}
	if path == "" {
		path = "/"
	}
	return templ.SafeURL(path)
}

// LinkQuery builds a path with a query of alternating names and values; empty values are left out.
func LinkQuery(path string, pairs ...string) templ.SafeURL {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Add(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return templ.SafeURL(path)
	}
	return templ.SafeURL(path + "?" + q.Encode())
}
