package views

// Deadlines is what of a snapshot has deadlines.
type Deadlines struct {
	Keys   int64 // how many keys; -1: unknown
	Fields bool  // fields of hashes may

	Least, Most int64 // how many keys have expired by now: at least, and at most
	Known       bool  // that is known
}

// gone says how many keys would not be there if they kept their deadlines.
func (d Deadlines) gone() string {
	switch {
	case d.Keys == 0:
		return ""
	case !d.Known:
		return " Those whose time has passed since the snapshot are gone."
	case d.Most == 0:
		return " The time of none of them has passed since the snapshot."
	case d.Least == d.Keys:
		return " The time of all of them has passed since the snapshot: they are gone."
	case d.Least == d.Most:
		return " The time of " + Count(d.Most) + " of them has passed since the snapshot: they are gone."
	case d.Least == 0:
		return " The time of up to " + Count(d.Most) + " of them has passed since the snapshot: they are gone."
	}
	return " The time of " + Count(d.Least) + " to " + Count(d.Most) + " of them has passed since the snapshot: they are gone."
}

// legend says what it is about; "" if nothing has a deadline.
func (d Deadlines) legend() string {
	keys, fields := "", ""
	switch {
	case d.Keys < 0:
		keys = "Keys of the snapshot with a deadline"
	case d.Keys > 0:
		keys = Plural(d.Keys, "key") + " of the snapshot with a deadline"
	}
	switch {
	case d.Fields && keys == "":
		fields = "Fields of hashes with a deadline"
	case d.Fields:
		fields = ", and fields of hashes with one"
	}
	return keys + fields
}

// choices are what can become of deadlines in a restore.
func (d Deadlines) choices() []fillChoice {
	return []fillChoice{
		{"", "Keep their deadlines", "They expire when they would have anyway." + d.gone()},
		{"shift", "Give them the time that they had left", "An hour when the snapshot was taken is an hour from now: sessions and caches come back with it."},
		{"drop", "Drop the deadlines", "They stay until somebody deletes them."},
	}
}
