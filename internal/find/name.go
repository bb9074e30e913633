package find

// naming takes a name in pieces, however long it is, and says whether it is looked for. It keeps nothing of it.
type naming struct {
	query  *Query
	length int64
	taken  int64
	whole  bool   // it came in one piece
	fits   bool   // as far as it was taken, or as a whole
	at     []bool // places of the pattern that what was taken leads to
	next   []bool
}

// begin begins a name of so many bytes.
func (n *naming) begin(q *Query, length int64) {
	n.query, n.length, n.taken, n.whole, n.fits = q, length, 0, false, true
	if !q.glob {
		n.fits = length == int64(len(q.text))
	}
}

// piece takes what comes next of the name.
func (n *naming) piece(p []byte) {
	before := n.taken
	n.taken += int64(len(p))
	switch {
	case !n.fits:
	case !n.query.glob:
		n.fits = n.query.text[before:n.taken] == string(p)
	case int64(len(p)) == n.length:
		n.whole, n.fits = true, n.query.pattern.matches(p)
	default:
		if before == 0 {
			n.start()
		}
		for _, c := range p {
			n.step(c)
		}
	}
}

// matches says whether the whole name is looked for.
func (n *naming) matches() bool {
	switch {
	case !n.fits || !n.query.glob || n.whole:
		return n.fits
	case n.length == 0:
		return n.query.pattern.matches(nil)
	}
	return n.at[len(n.query.pattern)]
}

func (n *naming) start() {
	places := len(n.query.pattern) + 1
	n.at, n.next = append(n.at[:0], make([]bool, places)...), append(n.next[:0], make([]bool, places)...)
	n.reach(n.at, 0)
}

// reach marks a place of the pattern, and those that need no byte more: a star may take nothing.
func (n *naming) reach(places []bool, i int) {
	for places[i] = true; i < len(n.query.pattern) && n.query.pattern[i].star; i++ {
		places[i+1] = true
	}
}

func (n *naming) step(c byte) {
	clear(n.next)
	for i, step := range n.query.pattern {
		if !n.at[i] {
			continue
		}
		if step.star {
			n.reach(n.next, i)
		} else if step.matches(c) {
			n.reach(n.next, i+1)
		}
	}
	n.at, n.next = n.next, n.at
}
