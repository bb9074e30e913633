package catalog

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"rekindle/models"
)

// What a report on drills is about: the clusters that are here and have something to back up, and those that were drilled in its span.

// drillsIn holds for the drills of a span.
const drillsIn = "ended_at >= ? AND ended_at < ?"

// reported are the names of the clusters of a report whose last result is the one that the list asks for, if any.
func (q Drills) reported(ctx context.Context, span models.DrillSpan, l models.List) *gorm.DB {
	from, to := catalogTime(span.From), catalogTime(span.To)
	query := q.db.with(ctx).Table("(SELECT name FROM clusters WHERE engine <> ? UNION SELECT cluster_name AS name FROM drills WHERE "+drillsIn+") AS reported", models.EngineMemcached, from, to)
	if text := strings.TrimSpace(l.Text); text != "" {
		query = query.Where(q.db.contains("name", text))
	}
	switch result := l.Equal["result"]; models.DrillOutcome(result) {
	case "":
	case models.NotDrilled:
		query = query.Where("NOT EXISTS (SELECT 1 FROM drills WHERE cluster_name = reported.name AND "+drillsIn+")", from, to)
	default:
		query = query.Where("(SELECT outcome FROM drills WHERE cluster_name = reported.name AND "+drillsIn+" ORDER BY ended_at DESC, id DESC LIMIT 1) = ?", from, to, result)
	}
	return query
}

// Report says of clusters how they were drilled in a span, in the order of their names. It filters by text and by the last result.
func (q Drills) Report(ctx context.Context, span models.DrillSpan, l models.List) (models.Rows[models.DrilledCluster], error) {
	var rows models.Rows[models.DrilledCluster]
	var total int64
	if err := q.reported(ctx, span, l).Count(&total).Error; err != nil {
		return rows, fmt.Errorf("count the clusters of a report: %w", err)
	}
	rows.Total = int(total)
	query := q.reported(ctx, span, l).Order("name")
	if l.Size > 0 {
		query = query.Limit(l.Size).Offset((max(l.Page, 1) - 1) * l.Size)
	}
	var names []string
	if err := query.Pluck("name", &names).Error; err != nil {
		return rows, fmt.Errorf("list the clusters of a report: %w", err)
	}
	var err error
	rows.Rows, err = q.describe(ctx, span, names)
	return rows, err
}

// ReportAfter is Report for up to limit clusters whose names follow this one.
func (q Drills) ReportAfter(ctx context.Context, span models.DrillSpan, l models.List, after string, limit int) ([]models.DrilledCluster, error) {
	var names []string
	if err := q.reported(ctx, span, l).Where("name > ?", after).Order("name").Limit(limit).Pluck("name", &names).Error; err != nil {
		return nil, fmt.Errorf("list the clusters of a report: %w", err)
	}
	return q.describe(ctx, span, names)
}

// describe says of each of these clusters how it was drilled.
func (q Drills) describe(ctx context.Context, span models.DrillSpan, names []string) ([]models.DrilledCluster, error) {
	here, err := q.plansByName(ctx, names)
	if err != nil {
		return nil, err
	}
	var counts []struct {
		ClusterName string
		Outcome     models.DrillOutcome
		Drills      int
	}
	of := "cluster_name IN ? AND " + drillsIn
	err = q.db.with(ctx).Model(&models.Drill{}).Select("cluster_name, outcome, COUNT(*) AS drills").Where(of, names, catalogTime(span.From), catalogTime(span.To)).
		Group("cluster_name, outcome").Scan(&counts).Error
	if err != nil {
		return nil, fmt.Errorf("count drills: %w", err)
	}
	last, err := q.lastIn(ctx, span, names)
	if err != nil {
		return nil, err
	}
	at := make(map[string]*models.DrilledCluster, len(names))
	rows := make([]models.DrilledCluster, len(names))
	for i, name := range names {
		plan, exists := here[name]
		rows[i] = models.DrilledCluster{Cluster: name, Exists: exists, Plan: plan}
		if drill, drilled := last[name]; drilled {
			rows[i].Last = &drill
		}
		at[name] = &rows[i]
	}
	for _, c := range counts {
		at[c.ClusterName].Totals.Add(c.Outcome, c.Drills)
	}
	return rows, nil
}

// lastIn returns the last drill of each of these clusters in a span.
func (q Drills) lastIn(ctx context.Context, span models.DrillSpan, names []string) (map[string]models.Drill, error) {
	var drills []models.Drill
	newest := "(SELECT MAX(id) FROM drills WHERE cluster_name IN ? AND " + drillsIn + " GROUP BY cluster_name)"
	if err := q.db.with(ctx).Where("id IN "+newest, names, catalogTime(span.From), catalogTime(span.To)).Find(&drills).Error; err != nil {
		return nil, fmt.Errorf("find the last drills: %w", err)
	}
	last := make(map[string]models.Drill, len(drills))
	for _, drill := range drills {
		last[drill.ClusterName] = drill
	}
	return last, nil
}

// Totals counts the drills of a span.
func (q Drills) Totals(ctx context.Context, span models.DrillSpan) (models.DrillTotals, error) {
	var totals models.DrillTotals
	var counts []struct {
		Outcome models.DrillOutcome
		Drills  int
	}
	err := q.db.with(ctx).Model(&models.Drill{}).Select("outcome, COUNT(*) AS drills").Where(drillsIn, catalogTime(span.From), catalogTime(span.To)).Group("outcome").Scan(&counts).Error
	if err != nil {
		return totals, fmt.Errorf("count drills: %w", err)
	}
	for _, c := range counts {
		totals.Add(c.Outcome, c.Drills)
	}
	return totals, nil
}

// In returns the drills of a cluster in a span after this number, the oldest first, up to a limit.
func (q Drills) In(ctx context.Context, span models.DrillSpan, cluster string, after uint, limit int) ([]models.Drill, error) {
	var drills []models.Drill
	err := q.db.with(ctx).Where("cluster_name = ? AND id > ? AND "+drillsIn, cluster, after, catalogTime(span.From), catalogTime(span.To)).Order("id").Limit(limit).Find(&drills).Error
	if err != nil {
		return nil, fmt.Errorf("list drills of %s: %w", cluster, err)
	}
	return drills, nil
}

// plansByName returns when the drills of those of these clusters are held that are here; never, of one without a plan.
func (q Drills) plansByName(ctx context.Context, names []string) (map[string]models.DrillPlan, error) {
	var rows []struct {
		Name string
		models.DrillPlan
	}
	err := q.db.with(ctx).Table("clusters").Select("name, COALESCE(every, '') AS every, COALESCE(drill_window, '') AS drill_window, COALESCE(day, 0) AS day, due_at").
		Joins("LEFT JOIN drill_plans ON cluster_id = clusters.id").Where("name IN ?", names).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find when drills are held: %w", err)
	}
	plans := make(map[string]models.DrillPlan, len(rows))
	for _, row := range rows {
		plans[row.Name] = row.DrillPlan
	}
	return plans, nil
}
