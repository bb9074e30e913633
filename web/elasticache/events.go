package elasticache

import (
	"context"
	"slices"
	"strconv"
	"time"

	"rekindle/models"
	"rekindle/models/catalog"
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

// By default the events of the last hour are shown, and at most those of two weeks.
const (
	eventsShown = time.Hour
	eventsKept  = 14 * 24 * time.Hour
)

// eventActions handles the actions on events.
type eventActions struct{ db *catalog.DB }

// eventKinds are the kinds of sources that ElastiCache has. For most of them there are no events here.
var eventKinds = []string{"", models.SourceGroup, models.SourceCluster, "cache-parameter-group", "cache-security-group", "cache-subnet-group",
	"serverless-cache", "serverless-cache-snapshot", "user", "user-group"}

func (a eventActions) describe(ctx context.Context, c *call) (any, error) {
	filter := models.EventFilter{SourceType: c.text("SourceType"), Source: c.id("SourceIdentifier")}
	if !slices.Contains(eventKinds, filter.SourceType) {
		c.mistake(models.CodeInvalid, "There are no events of the kind %.40q.", filter.SourceType)
	}
	if filter.Source != "" && filter.SourceType == "" {
		c.mistake(models.CodeCombination, "With SourceIdentifier the request must contain SourceType.")
	}
	filter.From, filter.To = c.span(a.db.Now())
	if err := a.askOfGroup(ctx, &filter); err != nil {
		return nil, err
	}
	limit, after := c.limit(maxRecords), c.afterEvent()
	if err := c.wrong(); err != nil {
		return nil, err
	}
	rows, err := a.db.Events.Page(ctx, filter, after, limit+1)
	if err != nil {
		return nil, err
	}
	var result events
	if len(rows) > limit {
		rows = rows[:limit]
		result.Marker = marker(strconv.FormatUint(uint64(rows[limit-1].ID), 10))
	}
	for _, e := range rows {
		result.Events.Event = append(result.Events.Event, event{e.SourceID(), e.SourceType, e.ElastiCacheMessage(), at(e.At)})
	}
	return result, nil
}

// askOfGroup turns a question about a member into one about the member and its replication group: most events of members are recorded for their group.
func (a eventActions) askOfGroup(ctx context.Context, filter *models.EventFilter) error {
	if filter.SourceType != models.SourceCluster || filter.Source == "" {
		return nil
	}
	cluster, member, err := a.db.Clusters.Cache(ctx, filter.Source)
	switch {
	case err == nil && member != nil:
		filter.Source, filter.Member = cluster.Name, member.Name
	case err != nil && !models.HasCode(err, models.CodeClusterNotFound):
		return err
	}
	return nil
}

// span reads the period that events are requested for, from any combination of StartTime, EndTime and Duration.
func (c *call) span(now time.Time) (from, to time.Time) {
	from, givenFrom := c.instant("StartTime")
	to, givenTo := c.instant("EndTime")
	minutes, givenMinutes := c.number("Duration")
	length := eventsShown
	if givenMinutes {
		if length = time.Duration(minutes) * time.Minute; minutes < 1 || length > eventsKept {
			c.mistake(models.CodeInvalid, "Duration must be between 1 and %d minutes, not %d.", int(eventsKept/time.Minute), minutes)
		}
	}
	switch {
	case !givenTo && givenFrom && givenMinutes:
		to = from.Add(length)
	case !givenTo:
		to = now
	}
	if !givenFrom {
		from = to.Add(-length)
	}
	if from.After(to) {
		c.mistake(models.CodeCombination, "StartTime must be before EndTime.")
	}
	if oldest := now.Add(-eventsKept); from.Before(oldest) {
		from = oldest
	}
	return from, to
}

// afterEvent reads Marker: the number of the last page's last event.
func (c *call) afterEvent() uint {
	text := c.after()
	if text == "" {
		return 0
	}
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		c.mistake(models.CodeInvalid, "The Marker is not one that this API has returned.")
	}
	return uint(number)
}
