package notify

import (
	"context"
	"fmt"
	"time"

	"rekindle/models"
)

// awayLooks is how many looks in a row, one a minute, must fail before people are told that the store is away.
const awayLooks = 3

// storePatience bounds a look at the store.
const storePatience = 20 * time.Second

// theStore is what alarms about the snapshot store are about.
const theStore = "The disk of the snapshot store"

// look reminds of what goes on, and looks for what nobody else notices.
func (n *Notifier) look(ctx context.Context) {
	if err := n.DB.Alarms.Remind(ctx); err != nil {
		n.failed(ctx, "remind of alarms", err)
	}
	if mine, err := n.Mine(ctx); err != nil || !mine {
		return // the log of what it does for all says why
	}
	if _, err := n.DB.Alarms.WatchAge(ctx); err != nil {
		n.failed(ctx, "look at the age of snapshots", err)
	}
	if err := n.lookAtNodes(ctx); err != nil {
		n.failed(ctx, "report on nodes that do not answer", err)
	}
	if err := n.lookAtJournals(ctx); err != nil {
		n.failed(ctx, "report on journals that stand still", err)
	}
	if err := n.lookAtStore(ctx); err != nil {
		n.failed(ctx, "report on the store", err)
	}
}

// lookAtNodes tells people of single nodes that do not answer, and that they do again. Two looks in a row have to find a node silent: after a pause of
// the console, what was last seen of it is old.
func (n *Notifier) lookAtNodes(ctx context.Context) error {
	if err := n.DB.Alarms.EndSilences(ctx); err != nil {
		return err
	}
	found, err := n.DB.Alarms.Silent(ctx)
	if err != nil {
		return err
	}
	silent := make(map[uint]bool, len(found))
	for _, s := range found {
		silent[s.ID] = true
		if !n.silent[s.ID] {
			continue
		}
		if err := n.DB.Alarms.Turn(ctx, s.Event()); err != nil {
			return err
		}
	}
	n.silent = silent
	return nil
}

// lookAtJournals tells people of journals that stand still, and that they go on. As with nodes, it takes two looks: after a pause of the console, a link
// needs a moment.
func (n *Notifier) lookAtJournals(ctx context.Context) error {
	if err := n.DB.Recording.EndStalls(ctx); err != nil {
		return err
	}
	found, err := n.DB.Recording.Stalled(ctx)
	if err != nil {
		return err
	}
	stalled := make(map[string]bool, len(found))
	for _, s := range found {
		stalled[s.ClusterName] = true
		if !n.stalled[s.ClusterName] {
			continue
		}
		if err := n.DB.Alarms.Turn(ctx, s.Event()); err != nil {
			return err
		}
	}
	n.stalled = stalled
	return nil
}

// lookAtStore tells people that the store is away, and that it is back.
func (n *Notifier) lookAtStore(ctx context.Context) error {
	looking, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	trouble := n.Present(looking)
	if ctx.Err() != nil {
		return nil
	}
	if trouble == nil {
		n.away = 0
	} else if n.away++; n.away < awayLooks {
		return nil
	}
	e := models.Event{Severity: models.SeverityInfo, Message: "The snapshot store can be used again.", Ends: []models.Condition{models.ConditionStore}}
	if trouble != nil {
		text, has := n.Sentence(trouble)
		if !has {
			text = "It does not answer. The log says why."
		}
		e = models.Event{Severity: models.SeverityError, Message: fmt.Sprintf("The snapshot store %s cannot be used. %s", n.Store, text), Raises: models.ConditionStore,
			Next: "Snapshots and restores fail until it is back. It is looked at every minute."}
	}
	e.Place = theStore
	return n.DB.Alarms.Turn(ctx, e)
}

// lookForSpace warns before the store is full, where it says how full it is.
func (n *Notifier) lookForSpace(ctx context.Context) {
	if mine, err := n.Mine(ctx); err != nil || !mine {
		return
	}
	looking, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	space := n.Space(looking)
	if space.Total <= 0 {
		return
	}
	if data, err := n.DB.Disk.Space(); err == nil && sameDisk(space, data) {
		return // of which it is said already that it is full
	}
	e := models.Event{Severity: models.SeverityInfo, Place: theStore, Message: "There is free space again in the snapshot store.", Ends: []models.Condition{models.ConditionFull}}
	switch {
	case space.Low():
		e = models.Event{Severity: models.SeverityWarning, Place: theStore, Message: space.StoreSentence(), Raises: models.ConditionFull,
			Next: "When it is full, no snapshot can be taken. Free some space, or keep snapshots for fewer days."}
	case !space.Ample():
		return
	}
	if err := n.DB.Alarms.Turn(ctx, e); err != nil {
		n.failed(ctx, "report on the space in the store", err)
	}
}

// sameDisk tells whether two figures are of one disk, with a little written to it in between.
func sameDisk(a, b models.Space) bool {
	const between = 64 << 20
	return a.Total == b.Total && max(a.Free, b.Free)-min(a.Free, b.Free) < between
}

// sweep deletes what is older than it is kept.
func (n *Notifier) sweep(ctx context.Context) {
	if mine, err := n.Mine(ctx); err != nil || !mine {
		return
	}
	if swept, err := n.DB.Deliveries.Sweep(ctx); err != nil {
		n.failed(ctx, "delete old events and messages", err)
	} else if swept > 0 {
		n.Logger.Info("deleted old events and messages", "rows", swept)
	}
}
