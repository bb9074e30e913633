package models

import (
	"slices"
	"time"
)

// HistoryDays is how many days a cluster's history has: as many as the longest retention.
const HistoryDays = MaxRetention

// DayOutcome says what became of the window of one day.
type DayOutcome string

// The outcomes of a [Day].
const (
	DayIdle    DayOutcome = "idle"    // there was no window
	DayTaken   DayOutcome = "taken"   // a snapshot was taken at the first attempt
	DayRetried DayOutcome = "retried" // a snapshot was taken, but not at the first attempt
	DayFailed  DayOutcome = "failed"  // the last attempt failed
	DayMissed  DayOutcome = "missed"  // nothing was tried
	DayBusy    DayOutcome = "busy"    // a run is queued or under way
	DayAhead   DayOutcome = "ahead"   // the window is still to come, or open and not used yet
)

// Day is what became of a cluster's window on one day (UTC).
type Day struct {
	Date     time.Time // its first instant
	Opens    time.Time // of the window; zero: there was none
	Outcome  DayOutcome
	Attempts int
	Run      uint   // the last attempt; 0: none is known
	Snapshot string // of the last attempt
	Reason   string // why it failed
}

// History is what became of the last windows of a cluster, the oldest day first: one day each, until today. It is made from the marks of the windows
// and from the runs that the schedule has asked for, the oldest first.
func History(now time.Time, cluster Cluster, marks []WindowMark, runs []Run) []Day {
	attempts := attemptsByWindow(cluster, runs)
	byDate := make(map[time.Time]WindowMark, len(marks))
	byTime := func(a, b WindowMark) int { return a.Opens.Compare(b.Opens) }
	for _, mark := range slices.SortedFunc(slices.Values(marks), byTime) { // a schedule that was changed may have two windows on a day: the later one counts
		byDate[dateOf(mark.Opens)] = mark
	}
	today := dateOf(now)
	days := make([]Day, HistoryDays)
	for i := range days {
		date := today.AddDate(0, 0, i+1-HistoryDays)
		if mark, marked := byDate[date]; marked {
			days[i] = dayOf(mark, attempts[mark.Opens.Unix()])
		} else {
			days[i] = unmarkedDay(now, date, cluster)
		}
		days[i].Date = date
	}
	return days
}

// unmarkedDay is a day on which the schedule has not looked at a window yet.
func unmarkedDay(now, date time.Time, cluster Cluster) Day {
	if cluster.Backups() {
		if o := cluster.SnapshotWindow.On(date, cluster.Name); o.Closes.After(now) {
			return Day{Opens: o.Opens, Outcome: DayAhead}
		}
	}
	return Day{Outcome: DayIdle}
}

// attemptsByWindow has the last attempt of each window, by the Unix time at which that opened.
func attemptsByWindow(cluster Cluster, runs []Run) map[int64]Run {
	attempts := make(map[int64]Run, len(runs))
	for _, run := range runs {
		if run.ClusterID != cluster.ID {
			continue // an earlier cluster of that name
		}
		if args, err := Args[SnapshotArgs](run); err == nil && args.WindowOpens != nil {
			attempts[args.WindowOpens.Unix()] = run
		}
	}
	return attempts
}

func dayOf(mark WindowMark, last Run) Day {
	day := Day{Opens: mark.Opens, Attempts: mark.Attempts, Run: last.ID, Snapshot: last.SnapshotName}
	switch {
	case mark.Outcome == MarkMissed:
		day.Outcome = DayMissed
	case mark.Outcome == MarkFailed:
		day.Outcome, day.Reason = DayFailed, last.Error
	case last.ID > 0 && !last.Status.Ended():
		day.Outcome = DayBusy
	case last.ID > 0 && last.Status != RunSucceeded:
		day.Outcome, day.Reason = DayFailed, last.Error
	case mark.Attempts > 1:
		day.Outcome = DayRetried
	default:
		day.Outcome = DayTaken
	}
	return day
}

// dateOf is the first instant of the day, in UTC.
func dateOf(t time.Time) time.Time {
	year, month, day := t.UTC().Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// Taken is what is known of one good snapshot of a cluster, for its history. It may have been removed since.
type Taken struct {
	Snapshot string
	Source   string
	At       time.Time
	Bytes    int64         // plain
	Stored   int64         // in the store
	Took     time.Duration // 0: unknown
	Gone     bool
}

// Rate is how many plain bytes a second were read; 0: unknown.
func (t Taken) Rate() int64 {
	if t.Took <= 0 {
		return 0
	}
	return int64(float64(t.Bytes) / t.Took.Seconds())
}
