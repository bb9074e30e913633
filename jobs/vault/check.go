package vault

import (
	"context"
	"strings"
	"sync"
	"time"

	"rekindle/models"
)

// A check writes to the store, which costs money in a bucket, and anybody may ask for one. So one runs at a time, and its result counts for a while.
// A bad result counts for less long, for whoever has just put things right.
const (
	checkGood = 10 * time.Second
	checkBad  = 2 * time.Second
	checkTime = 5 * time.Second
)

type storeCheck struct {
	mutex   sync.Mutex
	running chan struct{} // closed when the running check has its result; nil: none runs
	at      time.Time     // when there was a result, by the console's clock; zero: never
	err     error
}

// Check tells whether the store can be written and read now, or could be a moment ago. Its error is a refusal in words.
func (h *Health) Check(ctx context.Context) error {
	c := &h.checked
	c.mutex.Lock()
	if c.running == nil {
		if c.counts(h.Clock.Now()) {
			defer c.mutex.Unlock()
			return c.err
		}
		c.running = make(chan struct{})
		go h.check()
	}
	running := c.running
	c.mutex.Unlock()
	select {
	case <-running:
		c.mutex.Lock()
		defer c.mutex.Unlock()
		return c.err
	case <-ctx.Done():
		return h.refusal(ctx.Err())
	}
}

// counts tells whether the last result still counts. A result from the future does not: the clock was set back.
func (c *storeCheck) counts(now time.Time) bool {
	lasts := checkGood
	if c.err != nil {
		lasts = checkBad
	}
	age := now.Sub(c.at)
	return !c.at.IsZero() && age >= 0 && age < lasts
}

// check is the check itself. It belongs to all who wait for it, so it does not end when the first of them leaves.
func (h *Health) check() {
	ctx, cancel := context.WithTimeout(h.Life, checkTime)
	defer cancel()
	err := h.Store.Check(ctx)
	if err != nil {
		if h.Life.Err() == nil {
			h.Logger.Warn("check store", "store", h.Store.Location(), "error", err)
		}
		err = h.refusal(err)
	}
	c := &h.checked
	c.mutex.Lock()
	defer c.mutex.Unlock()
	close(c.running)
	c.running, c.at, c.err = nil, h.Clock.Now(), err
}

// refusal puts an error of the store into words.
func (h *Health) refusal(err error) error {
	text, known := h.Sentence(err)
	if !known {
		text = "The snapshot store cannot be used at the moment. The log says why."
	}
	return models.Faults{{Code: models.CodeInvalid, Message: text}}
}

// Describe returns what is known of the store. What the store does not tell is left out.
func (h *Health) Describe(ctx context.Context) (models.StoreInfo, error) {
	d, err := h.Store.Describe(ctx)
	if err != nil {
		return models.StoreInfo{Free: -1, Capacity: -1}, err
	}
	info := models.StoreInfo{Free: d.Free, Capacity: d.Capacity}
	for _, fact := range []models.StoreFact{
		{Name: "Region", Value: d.Region}, {Name: "Endpoint", Value: d.Endpoint}, {Name: "Versioning", Value: d.Versioning},
		{Name: "Object Lock", Value: d.ObjectLock}, {Name: "Encryption", Value: d.Encryption}, {Name: "Storage class", Value: d.StorageClass},
		{Name: "Checksums", Value: d.Checksums}, {Name: "Conditional writes", Value: d.Conditional}, {Name: "Mind", Value: strings.Join(d.Warnings, " ")},
	} {
		if fact.Value != "" {
			info.Facts = append(info.Facts, fact)
		}
	}
	return info, nil
}

// judge finds out at the start whether the store can keep snapshots, and where it does not behave as it should, so that the log says so before the
// first snapshot fails.
func (h *Health) judge(ctx context.Context) {
	if err := h.Store.Check(ctx); err != nil {
		if ctx.Err() == nil {
			h.Logger.Error("check store", "store", h.Store.Location(), "error", err)
		}
		return
	}
	if d, err := h.Store.Describe(ctx); err == nil {
		for _, warning := range d.Warnings {
			h.Logger.Warn("check store", "store", h.Store.Location(), "warning", warning)
		}
	}
}
