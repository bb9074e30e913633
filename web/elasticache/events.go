package elasticache

import (
	"context"
	"slices"
	"strconv"
	"time"

	"rekindle/models"
)

type (
	event struct {
		SourceIdentifier string
		SourceType       string
		Message          string
		Date             *stamp
	}
	events struct {
		Marker string `xml:",omitempty"`
		Events struct{ Event []event }
	}
)

// Events are shown of the last hour when nothing else is asked for, and of two weeks at the most.
const (
	eventsShown = time.Hour
	eventsKept  = 14 * 24 * time.Hour
)

func (a *api) describeEvents(ctx context.Context, c *call) (any, error) {
	filter := models.EventFilter{SourceType: c.text("SourceType"), Source: c.id("SourceIdentifier")}
	// Of the other kinds that ElastiCache has there are no events here.
	kinds := []string{"", models.SourceGroup, models.SourceCluster, "cache-parameter-group", "cache-security-group", "cache-subnet-group",
		"serverless-cache", "serverless-cache-snapshot", "user", "user-group"}
	if !slices.Contains(kinds, filter.SourceType) {
		c.mistake(models.CodeInvalid, "There are no events of the kind %.40q.", filter.SourceType)
	}
	if filter.Source != "" && filter.SourceType == "" {
		c.mistake(models.CodeCombination, "With SourceIdentifier the request must contain SourceType.")
	}
	from, givenFrom := c.instant("StartTime")
	to, givenTo := c.instant("EndTime")
	minutes, givenMinutes := c.number("Duration")
	span := eventsShown
	if givenMinutes {
		if span = time.Duration(minutes) * time.Minute; minutes < 1 || span > eventsKept {
			c.mistake(models.CodeInvalid, "Duration must be between 1 and %d minutes, not %d.", int(eventsKept/time.Minute), minutes)
		}
	}
	now := a.DB.Now()
	switch {
	case !givenTo && givenFrom && givenMinutes:
		to = from.Add(span)
	case !givenTo:
		to = now
	}
	if !givenFrom {
		from = to.Add(-span)
	}
	if from.After(to) {
		c.mistake(models.CodeCombination, "StartTime must be before EndTime.")
	}
	if oldest := now.Add(-eventsKept); from.Before(oldest) {
		from = oldest
	}
	filter.From, filter.To = from, to
	if filter.SourceType == models.SourceCluster && filter.Source != "" { // what happens to a member is told of its group
		cluster, member, err := a.DB.Clusters.Cache(ctx, filter.Source)
		if err == nil && member != nil {
			filter.Source, filter.SourceType = cluster.Name, models.SourceGroup
		} else if err != nil && !models.HasCode(err, models.CodeClusterNotFound) {
			return nil, err
		}
	}
	limit := c.limit(maxRecords)
	var after uint64
	if text := c.after(); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 32); err != nil {
			c.mistake(models.CodeInvalid, "The Marker is none that this API has given.")
		}
	}
	if err := c.wrong(); err != nil {
		return nil, err
	}
	rows, err := a.DB.Events.Page(ctx, filter, uint(after), limit+1)
	if err != nil {
		return nil, err
	}
	var result events
	if len(rows) > limit {
		rows = rows[:limit]
		result.Marker = marker(strconv.FormatUint(uint64(rows[limit-1].ID), 10))
	}
	for _, e := range rows {
		result.Events.Event = append(result.Events.Event, event{e.ClusterName, e.SourceType, e.Message, at(e.At)})
	}
	return result, nil
}
