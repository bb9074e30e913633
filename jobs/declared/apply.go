package declared

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"rekindle/models"
)

// atOnce is how many clusters are tried at a time.
const atOnce = 8

// round brings clusters in line with the file, as far as they can be reached.
func (k *Keeper) round(ctx context.Context, file File) {
	failed := make(map[string]models.Outstanding)
	mine, err := k.Mine(ctx)
	if err == nil && mine {
		err = k.apply(ctx, file, failed)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		k.Logger.Error("apply the clusters file", "error", err)
		return
	}
	k.settle(ctx, file, failed)
}

// apply does what is to be done about a file. failed then holds what could not be done.
func (k *Keeper) apply(ctx context.Context, file File, failed map[string]models.Outstanding) error {
	there, err := k.there(ctx, file)
	if err != nil {
		return err
	}
	var tries errgroup.Group
	tries.SetLimit(atOnce)
	var mu sync.Mutex
	for _, a := range plan(file, there) {
		tries.Go(func() error {
			reason := k.try(ctx, a)
			if now := k.DB.Now(); reason != "" {
				mu.Lock()
				defer mu.Unlock()
				failed[a.name] = models.Outstanding{Name: a.name, Attached: a.was.Attached(), Since: now, Tried: now, Reason: reason}
			}
			return nil
		})
	}
	return tries.Wait()
}

// there returns all attached clusters, and the others that have a declared name.
func (k *Keeper) there(ctx context.Context, file File) ([]models.Cluster, error) {
	there, err := k.DB.Attachments.Attached(ctx)
	if err != nil {
		return nil, err
	}
	for _, spec := range file.Clusters {
		if slices.ContainsFunc(there, func(c models.Cluster) bool { return c.Name == spec.Name }) {
			continue
		}
		cluster, err := k.DB.Clusters.Get(ctx, spec.Name)
		if models.HasCode(err, models.CodeClusterNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		there = append(there, cluster)
	}
	return there, nil
}

// try takes the steps for one cluster. It says why one of them could not be taken, or "".
func (k *Keeper) try(ctx context.Context, a action) string {
	for _, s := range a.steps {
		err := k.take(ctx, s, a)
		if faults, refused := models.AsFaults(err); refused {
			return faults.Error()
		} else if err != nil {
			if ctx.Err() == nil {
				k.Logger.Error("apply the clusters file", "cluster", a.name, "step", s, "error", err)
			}
			return "Something went wrong; the log says what."
		}
		k.Logger.Info("applied the clusters file", "cluster", a.name, "step", s)
	}
	return ""
}

func (k *Keeper) take(ctx context.Context, s step, a action) error {
	switch s {
	case attach:
		_, err := k.Clusters.Attach(ctx, a.spec)
		return err
	case adopt:
		return k.DB.Attachments.Declare(ctx, a.name, a.spec.Declared)
	case describe:
		return k.describe(ctx, a.spec)
	case drill:
		return k.DB.Drills.SavePlan(ctx, a.name, a.spec.Drills, models.ByClustersFile)
	case reach:
		return k.Clusters.ChangeAccess(ctx, a.name, a.spec.Access, a.spec.Password, models.ByClustersFile)
	case release:
		return k.DB.Attachments.Declare(ctx, a.name, "")
	}
	return models.Refuse(models.CodeClusterState, "", a.why)
}

// describe changes description and schedule.
func (k *Keeper) describe(ctx context.Context, spec models.AttachSpec) error {
	_, err := k.DB.Changes.Modify(ctx, spec.Name,
		models.ModifySpec{Description: &spec.Description, Retention: &spec.Retention, Window: &spec.Window, RequestedBy: models.ByClustersFile})
	if err != nil {
		return err
	}
	return k.DB.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: spec.Name,
		Message: fmt.Sprintf("Description and schedule of %s were changed by %s.", spec.Name, models.ByClustersFile)})
}
