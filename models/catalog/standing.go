package catalog

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// How clusters stand is judged when something about them has changed, and is written down together with the time at which it may change by itself.
// Pages and ticks look only at the clusters whose time has come, and at those not judged yet. Triggers mark the latter; see 0018-standings.

// standing is the judgement of a cluster.
type standing struct {
	ClusterID    uint `gorm:"primaryKey;autoIncrement:false"`
	ClusterName  string
	Rank         int        // see [rankOf]; -1: something has changed since
	NewestAt     *time.Time // of its newest good snapshot, even if that is in the future; kept by triggers
	NewestStored int64      // of the one that counts
	LateAt       *time.Time // from when it is late; nil: it cannot be
	DueAt        *time.Time // when the schedule has to look at it
	OutliveAt    *time.Time // when one of its snapshots outlives its retention
	Opens        *int       // the minute of the day (UTC) at which its window opens; nil: it has no schedule
	Closes       *int       // and closes
	Begins       *int       // and at which its snapshot begins
	JudgedAt     *time.Time
}

func (standing) TableName() string { return "standings" }

// unjudged holds for clusters that must be looked at themselves. A judgement in the future, from before the clock was set back, does not count.
const unjudged = "(rank = -1 OR judged_at > ?)"

// by reads the standings in the order of this column.
func (q Schedule) by(column string) string {
	return q.db.kind.using("standings", "idx_standings_"+column)
}

// rankOf sorts clusters by how they stand. Among equals, those that have something to say come last.
func rankOf(standing models.Standing, says bool) int {
	if says {
		return 2*int(standing) + 1
	}
	return 2 * int(standing)
}

// unjudgedIDs returns the clusters that must be looked at themselves.
func (q Schedule) unjudgedIDs(ctx context.Context, now time.Time) (ids []uint, err error) {
	err = q.db.with(ctx).Model(&standing{}).Where(unjudged, now).Pluck("cluster_id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("list clusters to look at: %w", err)
	}
	return ids, nil
}

// come returns the clusters whose time, in one of the columns, has come, and those that must be looked at themselves.
func (q Schedule) come(ctx context.Context, column string, now time.Time) (ids []uint, err error) {
	if ids, err = q.unjudgedIDs(ctx, now); err != nil {
		return nil, err
	}
	var more []uint
	if err := q.db.with(ctx).Model(&standing{}).Where(column+" <= ?", now).Pluck("cluster_id", &more).Error; err != nil {
		return nil, fmt.Errorf("list clusters whose time has come: %w", err)
	}
	ids = append(ids, more...)
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Judge judges the clusters about which something has changed.
func (q Schedule) Judge(ctx context.Context) error {
	ids, err := q.unjudgedIDs(ctx, q.db.Now())
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, 200) { // so that other writers do not wait long
		if err := q.db.transaction(ctx, func(tx *DB) error { return tx.Schedule.judge(ctx, chunk) }); err != nil {
			return fmt.Errorf("judge clusters: %w", err)
		}
	}
	return nil
}

func (q Schedule) judge(ctx context.Context, ids []uint) error {
	now := q.db.Now()
	all, err := q.Guarded(ctx, ids)
	if err != nil {
		return err
	}
	clusters := make([]models.Cluster, len(all))
	for i := range all {
		clusters[i] = all[i].Cluster
	}
	plans, err := q.plans(ctx, clusters)
	if err != nil {
		return err
	}
	outlives, err := q.outliveFrom(ctx, now, clusters)
	if err != nil {
		return err
	}
	var newest []standing
	if err := q.db.with(ctx).Where("cluster_id IN ?", ids).Find(&newest).Error; err != nil {
		return err
	}
	future, before := make(map[uint]bool), make(map[uint]standing)
	for _, s := range newest {
		before[s.ClusterID] = s
		future[s.ClusterID] = s.NewestAt != nil && s.NewestAt.After(now)
	}
	var rows []standing
	for i := range all {
		g := &all[i]
		if future[g.Cluster.ID] || g.Cluster.ScheduleSince.After(now) {
			continue // a clock was wrong: it is looked at each time
		}
		from := g.LateFrom(now)
		if g.Late {
			from = now
			g.Late = false // the rank is that of the cluster before
		}
		due := time.Time{}
		if scheduled(g.Cluster.Status) {
			due = plans[i].DueFrom(now)
		}
		rows = append(rows, standing{ClusterID: g.Cluster.ID, ClusterName: g.Cluster.Name, Rank: rankOf(g.Standing(), g.Cluster.StatusReason != ""), NewestStored: g.Stored,
			LateAt: orNil(from), DueAt: orNil(due), OutliveAt: orNil(outlives[g.Cluster.ID]), JudgedAt: &now}.daily(g.Cluster))
	}
	if len(rows) == 0 {
		return nil
	}
	if slices.ContainsFunc(rows, func(s standing) bool { return !s.sameDay(before[s.ClusterID]) }) {
		q.db.day.outdated()
	}
	return q.db.with(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "cluster_id"}},
		DoUpdates: clause.AssignmentColumns([]string{"rank", "newest_stored", "late_at", "due_at", "outlive_at", "opens", "closes", "begins", "judged_at"})}).Create(&rows).Error
}

// daily adds when on each day the cluster is snapshotted.
func (s standing) daily(cluster models.Cluster) standing {
	if !cluster.Backups() || !scheduled(cluster.Status) {
		return s
	}
	o := cluster.SnapshotWindow.On(*s.JudgedAt, cluster.Name)
	minute := func(t time.Time) *int { m := t.Hour()*60 + t.Minute(); return &m }
	s.Opens, s.Closes, s.Begins = minute(o.Opens), minute(o.Closes), minute(o.Begins)
	return s
}

// sameDay tells whether the cluster is snapshotted at the same time of day as in another judgement.
func (s standing) sameDay(other standing) bool {
	same := func(a, b *int) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	return same(s.Opens, other.Opens) && same(s.Closes, other.Closes) && same(s.Begins, other.Begins)
}

func orNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = catalogTime(at)
	return &at
}

// canBecomeLate holds the ranks of clusters that become late when their time comes. Where the last snapshot has failed, that is reported instead.
var canBecomeLate = []int{rankOf(models.StandingGood, false), rankOf(models.StandingGood, true), rankOf(models.StandingPending, false), rankOf(models.StandingPending, true)}

// Protection sums up how all clusters stand, and looks at this many of those that stand worst.
func (q Schedule) Protection(ctx context.Context, worst int) (models.Protection, error) {
	p, err := q.protection(ctx, worst)
	if err != nil {
		return p, fmt.Errorf("look how clusters stand: %w", err)
	}
	return p, nil
}

func (q Schedule) protection(ctx context.Context, worst int) (models.Protection, error) {
	var p models.Protection
	now := q.db.Now()
	counts, ids, err := q.countStandings(ctx, now)
	if err != nil {
		return p, err
	}
	looked, err := q.Guarded(ctx, ids)
	if err != nil {
		return p, err
	}
	order, err := q.worst(ctx, now, worst)
	if err != nil {
		return p, err
	}
	if p.Oldest, err = q.oldest(ctx, now); err != nil {
		return p, err
	}
	for i := range looked {
		g := &looked[i]
		rank := rankOf(g.Standing(), g.Cluster.StatusReason != "")
		counts[tallied{rank, !g.NewestAt.IsZero()}]++
		order = append(order, ranked{g.Cluster.ID, g.Cluster.Name, rank, g.NewestAt})
		if !g.NewestAt.IsZero() && g.Standing() != models.StandingCached && (p.Oldest.IsZero() || g.NewestAt.Before(p.Oldest)) {
			p.Oldest = g.NewestAt
		}
	}
	for t, n := range counts {
		if n > 0 {
			p.Counts = append(p.Counts, models.StandingCount{Standing: models.Standing(t.rank / 2), Says: t.rank%2 == 1, Restorable: t.restorable, Clusters: n})
		}
	}
	slices.SortFunc(order, func(a, b ranked) int {
		return cmp.Or(b.rank-a.rank, a.newest.Compare(b.newest), strings.Compare(a.name, b.name))
	})
	shown := make(map[uint]int, worst)
	for i, r := range order[:min(worst, len(order))] {
		shown[r.id] = i
	}
	if p.Worst, err = q.Guarded(ctx, slices.Collect(maps.Keys(shown))); err != nil {
		return p, err
	}
	slices.SortFunc(p.Worst, func(a, b models.Guarded) int { return shown[a.Cluster.ID] - shown[b.Cluster.ID] })
	return p, nil
}

// tallied are the clusters of a rank that have a good snapshot, or that have none.
type tallied struct {
	rank       int
	restorable bool
}

// countStandings counts the judged clusters by how they stand now, and returns the others. One query does it at one moment, so that each cluster is
// on one side or the other.
func (q Schedule) countStandings(ctx context.Context, now time.Time) (counts map[tallied]int, others []uint, err error) {
	var rows []struct {
		Kind       string
		Rank       int
		Restorable bool
		Clusters   int
		ID         uint
	}
	err = q.db.with(ctx).Raw(`SELECT 'all' AS kind, rank, restorable, clusters, 0 AS id FROM standing_sums WHERE clusters > 0
		UNION ALL SELECT 'unjudged', rank, newest_at IS NOT NULL, 1, cluster_id FROM standings WHERE `+unjudged+`
		UNION ALL SELECT 'late', rank, newest_at IS NOT NULL, COUNT(*), 0 FROM `+q.by("late_at")+` WHERE late_at <= ? AND judged_at <= ? AND rank IN ? GROUP BY 2, 3`,
		now, now, now, canBecomeLate).Scan(&rows).Error
	counts = make(map[tallied]int)
	for _, r := range rows {
		group := tallied{r.Rank, r.Restorable}
		switch r.Kind {
		case "all":
			counts[group] += r.Clusters
		case "unjudged":
			counts[group]--
			others = append(others, r.ID)
		case "late":
			counts[group] -= r.Clusters
			counts[tallied{rankOf(models.StandingLate, r.Rank%2 == 1), r.Restorable}] += r.Clusters
		}
	}
	return counts, others, err
}

// oldest returns when the oldest of the newest good snapshots was taken, among the judged clusters that do not only cache.
func (q Schedule) oldest(ctx context.Context, now time.Time) (time.Time, error) {
	row, found, err := find[standing](q.db.with(ctx).Table(q.by("newest_at")).Where("newest_at IS NOT NULL AND rank > ? AND judged_at <= ?", rankOf(models.StandingCached, true), now).
		Order("newest_at NULLS FIRST, cluster_id")) // as the index has them
	if err != nil || !found {
		return time.Time{}, err
	}
	return row.NewestAt.UTC(), nil
}

type ranked struct {
	id   uint
	name string
	rank int

	newest time.Time // good snapshot; zero: it has none
}

func (s standing) newest() time.Time {
	if s.NewestAt == nil {
		return time.Time{}
	}
	return s.NewestAt.UTC()
}

// worst returns the judged clusters that stand worst: among equals those first whose newest snapshot is the oldest.
func (q Schedule) worst(ctx context.Context, now time.Time, limit int) ([]ranked, error) {
	var late, others []standing
	err := q.db.with(ctx).Table(q.by("late_at")).Select("cluster_id", "cluster_name", "rank", "newest_at").Where("late_at <= ? AND judged_at <= ? AND rank IN ?", now, now, canBecomeLate).
		Order("rank % 2 DESC, newest_at NULLS FIRST, cluster_name").Limit(limit).Find(&late).Error
	if err == nil && len(late) < limit {
		err = q.db.with(ctx).Table(q.by("rank")).Select("cluster_id", "cluster_name", "rank", "newest_at").
			Where("rank >= 0 AND judged_at <= ? AND (late_at IS NULL OR late_at > ? OR rank NOT IN ?)", now, now, canBecomeLate).
			Order("rank DESC, newest_at NULLS FIRST, cluster_name").Limit(limit - len(late)).Find(&others).Error
	}
	if err != nil {
		return nil, err
	}
	worst := make([]ranked, 0, limit)
	for _, s := range late {
		worst = append(worst, ranked{s.ClusterID, s.ClusterName, rankOf(models.StandingLate, s.Rank%2 == 1), s.newest()})
	}
	for _, s := range others {
		worst = append(worst, ranked{s.ClusterID, s.ClusterName, s.Rank, s.newest()})
	}
	return worst, nil
}

// stands is the condition for clusters that stand so now: the judged ones by their rank, the few others by looking at them.
func (q Schedule) stands(ctx context.Context, standing models.Standing) (condition string, args []any, err error) {
	now := q.db.Now()
	ids, err := q.unjudgedIDs(ctx, now)
	if err != nil {
		return "", nil, err
	}
	looked, err := q.Guarded(ctx, ids)
	if err != nil {
		return "", nil, err
	}
	so := []uint{0} // no cluster; without any an IN is no condition
	for i := range looked {
		if g := &looked[i]; g.Standing() == standing {
			so = append(so, g.Cluster.ID)
		}
	}
	const late = "(late_at IS NOT NULL AND late_at <= ? AND rank IN ?)"
	judged, args := "rank IN ? AND judged_at <= ? AND NOT "+late, []any{[]int{rankOf(standing, false), rankOf(standing, true)}, now, now, canBecomeLate}
	if standing == models.StandingLate {
		judged, args = late+" AND judged_at <= ?", []any{now, canBecomeLate, now}
	}
	return "(clusters.id IN (SELECT cluster_id FROM standings WHERE " + judged + ") OR clusters.id IN ?)", append(args, so), nil
}
