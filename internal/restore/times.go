package restore

import (
	"time"

	"rekindle/internal/rdb"
)

// times says when restored keys, and fields of hashes, expire.
type times struct {
	deadlines Deadlines
	now       func() time.Time
}

func timesOf(o Options) times {
	t := times{deadlines: o.Deadlines, now: o.Now}
	if t.now == nil {
		t.now = time.Now
	}
	return t
}

// expires is when a key is to expire; zero means never. A key that had expired when the RDB was written has no time left.
func (t times) expires(key rdb.Key) time.Time {
	switch {
	case key.Expires.IsZero(), t.deadlines == DropDeadlines:
		return time.Time{}
	case t.deadlines == ShiftDeadlines && !key.Written.IsZero() && key.Expires.After(key.Written):
		return t.now().Add(key.Expires.Sub(key.Written))
	}
	return key.Expires
}

// fields is what becomes of the deadlines that fields of a hash have. A field that had expired when the RDB was written has as long ago now.
func (t times) fields(key rdb.Key) rdb.FieldDeadlines {
	switch {
	case t.deadlines == DropDeadlines:
		return rdb.FieldDeadlines{Drop: true}
	case t.deadlines == ShiftDeadlines && !key.Written.IsZero():
		return rdb.FieldDeadlines{Later: t.now().Sub(key.Written)}
	}
	return rdb.FieldDeadlines{}
}

// over tells whether a deadline has passed.
func (t times) over(expires time.Time) bool { return !expires.IsZero() && !expires.After(t.now()) }
