package journal

import "time"

const (
	maxNames  = 30  // command names that are counted for themselves, in each second
	maxEvents = 200 // in a segment; beyond them events of one kind become one
)

// collector looks through a stream while it is recorded, and gathers what the index of each segment says.
type collector struct {
	scanner *Scanner
	burst   int64 // a second in which more keys than this go is an event

	now    time.Time // when the bytes came that are being scanned
	first  *Start    // of the segment; nil: no command has begun in it
	busy   bool      // the segment has more than signs of life
	marks  []Mark
	counts []Counts
	events []Event

	marked   int64             // the last boundary that was marked
	before   int64             // safe boundary before the current command
	pending  []Event           // of the open transaction: where they end is not known yet
	removals Event             // of this second, which may not be enough for an event
	tally    map[string]*Count // of this second
	last     *Count            // of tally, and its name: commands often repeat
	lastName string
}

func newCollector(r Resume, burst int64) *collector {
	c := &collector{burst: burst, before: r.Offset, marked: r.Offset, tally: make(map[string]*Count),
		marks: []Mark{}, counts: []Counts{}, events: []Event{}}
	c.scanner = NewScanner(r.Offset, r.Database, c.command)
	return c
}

// add scans bytes that came at a time. Time never runs backwards here.
func (c *collector) add(p []byte, at time.Time) error {
	if c.second().Before(at.Truncate(time.Second)) {
		c.endSecond()
	}
	c.now = at
	_, err := c.scanner.Write(p)
	c.mark()
	return err
}

func (c *collector) second() time.Time { return c.now.Truncate(time.Second) }

// mark notes the safe boundary that was reached last, as the last one of its second.
func (c *collector) mark() {
	offset, database := c.scanner.Safe()
	if offset <= c.marked {
		return
	}
	c.marked = offset
	m := Mark{At: c.now, Offset: offset, Database: database}
	if n := len(c.marks); n > 0 && !c.marks[n-1].At.Before(c.second()) {
		c.marks[n-1] = m
		return
	}
	c.marks = append(c.marks, m)
}

// command looks at a command: is it to be counted, and is it an event.
func (c *collector) command(cmd *Command) {
	if c.first == nil {
		c.first = c.start()
	}
	switch string(cmd.Name) {
	case "PING", "REPLCONF", "SELECT", "MULTI":
	case "EXEC", "DISCARD":
		c.settle(cmd.To)
	default:
		c.count(cmd)
		c.judge(cmd)
	}
	c.before, _ = c.scanner.Safe()
}

func (c *collector) count(cmd *Command) {
	c.busy = true
	if c.last == nil || string(cmd.Name) != c.lastName {
		c.last = c.tally[string(cmd.Name)]
		c.lastName = string(cmd.Name)
		if c.last == nil {
			if len(c.tally) >= maxNames {
				c.lastName = Other
			}
			if c.last = c.tally[c.lastName]; c.last == nil {
				c.last = new(Count)
				c.tally[c.lastName] = c.last
			}
		}
	}
	c.last.Commands++
	c.last.Bytes += cmd.To - cmd.From
}

// judge notes a command that removes or swaps much.
func (c *collector) judge(cmd *Command) {
	switch name := string(cmd.Name); name {
	case "DEL", "UNLINK":
		c.removed(cmd)
	case FlushAll, SwapDB:
		c.event(cmd, name, Unknown)
	case FlushDB:
		c.event(cmd, name, cmd.Database)
	case "FUNCTION":
		switch sub := string(upper(cmd.First[0])); sub {
		case "FLUSH", "DELETE", "RESTORE":
			c.event(cmd, name+" "+sub, Unknown)
		}
	}
}

// event notes one, which ends with the command or with its transaction.
func (c *collector) event(cmd *Command, kind string, database int) {
	e := Event{Kind: kind, At: c.now, Before: c.before, After: cmd.To, Database: database, Times: 1}
	if cmd.Open >= 0 {
		c.pending = merged(c.pending, e)
		return
	}
	c.events = merged(c.events, e)
}

// removed adds to the removals of this second.
func (c *collector) removed(cmd *Command) {
	r := &c.removals
	if r.Times == 0 {
		*r = Event{Kind: Delete, At: c.now, Before: c.before, Database: cmd.Database}
	}
	if r.Database != cmd.Database {
		r.Database = Unknown
	}
	r.Keys += cmd.Args - 1
	r.Times++
	if r.After = cmd.To; cmd.Open >= 0 {
		r.After = -1 // until its transaction ends
	}
}

// settle ends what the transaction had, which ends at a place.
func (c *collector) settle(to int64) {
	for _, e := range c.pending {
		e.After = to
		c.events = merged(c.events, e)
	}
	c.pending = c.pending[:0]
	if c.removals.After < 0 {
		c.removals.After = to
	}
}

// merged appends an event, or makes it a part of the last one of its kind if there are very many.
func merged(events []Event, e Event) []Event {
	if len(events) < maxEvents {
		return append(events, e)
	}
	for i := len(events) - 1; i >= 0; i-- {
		if last := &events[i]; last.Kind == e.Kind {
			last.After, last.Keys, last.Times = e.After, last.Keys+e.Keys, last.Times+e.Times
			if last.Database != e.Database {
				last.Database = Unknown
			}
			return events
		}
	}
	return append(events, e)
}

// endSecond ends what is noted by the second.
func (c *collector) endSecond() {
	c.endCounts()
	if r := c.removals; r.Keys > c.burst {
		if r.After < 0 {
			c.pending = merged(c.pending, r)
		} else {
			c.events = merged(c.events, r)
		}
	}
	c.removals = Event{}
}

func (c *collector) endCounts() {
	if len(c.tally) == 0 {
		return
	}
	counts := Counts{Second: c.second(), Commands: make(map[string]Count, len(c.tally))}
	for name, count := range c.tally {
		counts.Commands[name] = *count
	}
	c.counts = append(c.counts, counts)
	clear(c.tally)
	c.last = nil
}

// start is where the next command begins.
func (c *collector) start() *Start {
	return &Start{Offset: c.scanner.boundary, Database: c.scanner.database, Open: c.scanner.open}
}

// begin begins a segment.
func (c *collector) begin() {
	c.first, c.busy = nil, false
	if c.scanner.Boundary() == c.scanner.Offset() {
		c.first = c.start()
	}
}

// take moves what was gathered since the last time into an index. last says that nothing more comes, so that the second ends here.
func (c *collector) take(x *Index, last bool) {
	if last {
		c.endSecond()
	}
	c.endCounts()
	x.Start = Start{Offset: x.To, Database: Unknown, Open: -1}
	if c.first != nil {
		x.Start = *c.first
	}
	offset, database := c.scanner.Safe()
	x.Safe = Start{Offset: offset, Database: database, Open: -1}
	x.Marks, x.Counts, x.Events = c.marks, c.counts, c.events
	c.marks, c.counts, c.events = []Mark{}, []Counts{}, []Event{} // in JSON nil would be null
}
