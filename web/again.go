package web

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// This file says of runs that have failed what comes next: how somebody tries again, and whether the schedule does.

// again leads to where somebody would ask for the same once more: the form, as far as possible filled in, or a button. Whatever stands in the way, such
// as a name that is taken, is said there. Without an address there is nothing to be tried.
func (p presenter) again(ctx context.Context, run models.Run, shown views.Run) (views.Again, error) {
	if run.Status != models.RunFailed && run.Status != models.RunDamaged {
		return views.Again{}, nil
	}
	switch run.Kind {
	case models.RunCreate:
		return views.Again{Href: "/clusters/-/new"}, nil
	case models.RunImport:
		return importAgain(run)
	case models.RunRecover:
		return recoverAgain(run, shown)
	case models.RunStraight:
		return p.straightAgain(ctx, run)
	case models.RunRebuild:
		return views.Again{Href: "/settings/rebuild", Post: true}, nil
	case models.RunFind:
		return views.Again{Href: views.LinkQuery(views.FindPath, "cluster", run.ClusterName, "snapshot", run.SnapshotName, "where", findPlaceOf(run))}, nil
	case models.RunDeleteSnapshot:
		return views.Again{Href: views.Link("snapshots", run.SnapshotName, "delete")}.If(shown.SnapshotExists), nil
	case models.RunVerify, models.RunDrill, models.RunCopy, models.RunExport, models.RunRestore, models.RunFill, models.RunBringBack:
		return p.readAgain(ctx, run)
	}
	page := map[models.RunKind]string{models.RunSnapshot: "snapshot", models.RunModify: "modify", models.RunReboot: "reboot", models.RunFailover: "failover",
		models.RunMigrate: "migration", models.RunCompleteMigration: "migration", models.RunDelete: "delete"}[run.Kind]
	return views.Again{Href: views.Link("clusters", run.ClusterName, page)}.If(shown.ClusterExists && page != ""), nil
}

// offerAgain adds to failed runs how they are tried again.
func (p presenter) offerAgain(ctx context.Context, runs []models.Run, shown []views.Run) (err error) {
	for i, run := range runs {
		if shown[i].Again, err = p.again(ctx, run, shown[i]); err != nil {
			return err
		}
	}
	return nil
}

// readAgain is again for runs that read a snapshot: only one that is there and can be read.
func (p presenter) readAgain(ctx context.Context, run models.Run) (views.Again, error) {
	args, err := run.Carries()
	if err != nil {
		return views.Again{}, err
	}
	name := orPlaceholder(args.Source, run.SnapshotName)
	snapshot, err := p.db.Snapshots.Get(ctx, name)
	if models.HasCode(err, models.CodeSnapshotNotFound) {
		return views.Again{}, nil
	} else if err != nil {
		return views.Again{}, err
	}
	address := string(views.Link("snapshots", name)) + "/"
	switch run.Kind {
	case models.RunVerify:
		return views.Again{Href: views.LinkQuery(address + "verify"), Post: true}.If(snapshot.Verifiable()), nil
	case models.RunDrill:
		return views.Again{Href: views.LinkQuery(address + "drill"), Post: true}.If(snapshot.Usable()), nil
	case models.RunCopy:
		return views.Again{Href: views.LinkQuery(address+"copy", "store", args.Store)}.If(snapshot.Usable()), nil
	case models.RunExport:
		return views.Again{Href: views.LinkQuery(address+"export", "name", args.Target, "store", args.Store)}.If(snapshot.Usable()), nil
	case models.RunBringBack:
		return views.Again{Href: views.LinkQuery(address+"keys", "run", runID(run.ID))}.If(snapshot.Usable()), nil
	case models.RunFill:
		fill, err := models.Args[models.FillArgs](run)
		to := views.LinkQuery(address+"into", "cluster", run.ClusterName, "existing", string(fill.Existing), "deadlines", string(fill.Deadlines))
		return views.Again{Href: to}.If(snapshot.Usable()), err
	}
	return views.Again{Href: views.LinkQuery(address + "restore")}.If(snapshot.Usable()), nil
}

// importAgain is the form as it was filled in. Files that came from a browser have to be chosen again.
func importAgain(run models.Run) (views.Again, error) {
	args, err := models.Args[models.ImportArgs](run)
	if err != nil {
		return views.Again{}, err
	}
	from := ""
	if args.Upload {
		from = "upload"
	}
	return views.Again{Href: views.LinkQuery(importPath, "from", from, "cluster", run.ClusterName, "name", args.Target, "sources", strings.Join(args.Sources, "\n"))}, nil
}

// recoverAgain is the form as it was filled in, with another name: that one is taken.
func recoverAgain(run models.Run, shown views.Run) (views.Again, error) {
	args, err := models.Args[models.RecoverArgs](run)
	return views.Again{Href: recoverAddress(run.ClusterName, args.Moment, args.Places)}.If(shown.ClusterExists), err
}

// straightAgain is recoverAgain for a new cluster, which is of another one, as long as that is there.
func (p presenter) straightAgain(ctx context.Context, run models.Run) (views.Again, error) {
	args, err := models.Args[models.StraightArgs](run)
	if err != nil {
		return views.Again{}, err
	}
	_, err = p.db.Clusters.Get(ctx, args.Cluster)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return views.Again{}, nil
	}
	return views.Again{Href: recoverAddress(args.Cluster, args.Moment, args.Places, "into", intoCluster)}, err
}

// recoverAddress leads to the form that asks for a moment, filled in.
func recoverAddress(cluster string, moment time.Time, places []models.RecoverFrom, more ...string) templ.SafeURL {
	query := append([]string{"moment", moment.UTC().Format(momentLayout)}, more...)
	for _, p := range places {
		query = append(query, "place", fmt.Sprintf("%d:%s:%d", p.Shard, p.Run, p.Offset))
	}
	return views.LinkQuery(string(views.Link("clusters", cluster, "recover")), query...)
}

// nextTry is a sentence about what the schedule does after an automatic snapshot that failed; "" for any other run, and once there was a later attempt.
func (p presenter) nextTry(ctx context.Context, run models.Run) (string, error) {
	if run.Kind != models.RunSnapshot || run.RequestedBy != "schedule" || run.Status != models.RunFailed {
		return "", nil
	}
	cluster, err := p.db.Clusters.ByID(ctx, run.ClusterID)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	last, found, err := p.db.Schedule.LastRun(ctx, cluster.Name, time.Time{})
	if err != nil || !found || last.ID != run.ID {
		return "", err
	}
	args, err := models.Args[models.SnapshotArgs](run)
	if err != nil {
		return "", err
	}
	coming, planned, err := p.db.Schedule.Coming(ctx, cluster)
	if err != nil {
		return "", err
	}
	return nextTrySentence(coming, planned, args.WindowCloses, p.clock.Now()), nil
}

func nextTrySentence(coming models.Coming, planned bool, closes *time.Time, now time.Time) string {
	when := views.NextText(coming.At, now) + ", " + views.RelativeText(coming.At, now)
	if !coming.At.After(now) {
		when = "within a minute"
	}
	switch {
	case !planned:
		return "The schedule makes no further attempt: no automatic snapshots are due."
	case closes != nil && coming.Closes.Equal(*closes):
		return fmt.Sprintf("The schedule tries again %s: attempt %d of %d.", when, coming.Attempt, models.MaxAttempts)
	}
	return fmt.Sprintf("The schedule makes no further attempt in this window. The next one begins %s.", when)
}
