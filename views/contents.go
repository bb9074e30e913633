package views

import "time"

// Contents is the page about what is in a snapshot.
type Contents struct {
	Snapshot  string
	Unknown   string // a sentence that says why nothing is known; "": the rest is
	CanVerify bool   // a verification finds it out
	Engine    string
	RDB       int
	Written   time.Time
	Keys      int64
	Bytes     int64
	Expires   int64
	Libraries int64
	Functions []string // "totals (LUA)"

	Types, Databases, Encodings []Share
	Expiries                    []Share
	Named                       bool
	Prefixes                    []PrefixRow
	PrefixOrder                 string // "keys" or "bytes"
	MorePrefixes                int    // that are not shown
	WithoutPrefix               Share
	Unlisted                    Over // the most that a prefix which is not there can have
	Precision                   int64
	Biggest                     []BigKey
	MoreBiggest                 int
	Loaders                     []Loader
	Others                      []Option // snapshots to compare it with
	All                         bool     // nothing is left out
}

// Share is a group of keys, and how much of all keys and bytes it has.
type Share struct {
	Label    string
	Under    string // below the label
	Keys     int64
	Bytes    int64
	Expires  int64
	OfKeys   int64 // percent
	OfBytes  int64
	NotBytes bool // its bytes are not known
}

// Over is how much more there may be than was counted.
type Over struct{ Keys, Bytes int64 }

// Exact tells whether there is nothing.
func (o Over) Exact() bool { return o == Over{} }

// PrefixRow is a prefix of names of keys.
type PrefixRow struct {
	Share
	Over Over
}

// BigKey is one of the biggest keys.
type BigKey struct {
	Name     string // as it can be shown; "": it is hidden
	Cut      int64  // bytes of the whole name, if this is only its beginning
	Database int
	Type     string
	Encoding string
	Bytes    int64
}

// Loader is what an engine can do with a snapshot.
type Loader struct {
	Engine string // "Redis"
	Loads  string // "7.0 and later"; "": no version
	Takes  string
}

// Comparison is the page that compares what is in two snapshots.
type Comparison struct {
	Snapshot     string // from whose page people came
	Before       string
	After        string
	BeforeAt     time.Time
	AfterAt      time.Time
	Unknown      string // a sentence that says why nothing is known
	Form         Fields // of the snapshot to compare with
	Others       []Option
	Keys         GrowthRow
	Types        []GrowthRow
	Named        bool
	Prefixes     []GrowthRow // that are in both
	New, Gone    []GrowthRow
	MorePrefixes int // that have changed less and are not shown
	Uncertain    bool
}

// GrowthRow is what something was and what it has become.
type GrowthRow struct {
	Label                   string
	KeysBefore, KeysAfter   int64
	BytesBefore, BytesAfter int64
	KeysOver, BytesOver     int64 // by how much the difference may be wrong
	Certain                 bool  // that it is new or gone
}

// grownText writes a difference with its sign: "+12", "-3", "0".
func grownText(n int64, text func(int64) string) string {
	switch {
	case n > 0:
		return "+" + text(n)
	case n < 0:
		return "−" + text(-n)
	}
	return text(0)
}

// orderHref is the page with its prefixes in another order.
func (p Contents) orderHref(order string, all bool) string {
	to := string(Link("snapshots", p.Snapshot, "contents")) + "?order=" + order
	if all {
		to += "&all=on"
	}
	return to
}

// uncertainText explains the word that stands below some of the rows.
func uncertainText(rows []GrowthRow, text string) string {
	for _, row := range rows {
		if !row.Certain {
			return "perhaps: " + text
		}
	}
	return ""
}

// changedText says in which order prefixes come, and how many are left out.
func changedText(more int) string {
	text := "those that have changed most come first"
	if more > 0 {
		text += "; " + Plural(more, "more prefix") + " left out"
	}
	return text
}
