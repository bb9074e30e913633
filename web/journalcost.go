package web

import (
	"context"
	"fmt"
	"slices"

	"rekindle/models"
	"rekindle/views"
)

// journalCosts says what the journal of a cluster costs: what is stored, and the requests for it, by this and by other promises.
func (h journalPages) journalCosts(ctx context.Context, cluster models.Cluster, plan models.JournalPlan, v *views.Journal) error {
	settings, err := h.db.Settings.Get(ctx)
	if err != nil {
		return err
	}
	prices, err := h.db.Settings.RequestPrices(ctx)
	if err != nil {
		return err
	}
	again, err := h.db.Settings.VerifyEvery(ctx)
	if err != nil {
		return err
	}
	if v.Size > 0 {
		v.Cost = roughly(settings, settings.Monthly(v.Size))
	}
	promises := models.PromiseChoices
	if !slices.Contains(promises, plan.Promise) {
		promises = append(slices.Clone(promises), plan.Promise)
		slices.Sort(promises)
	}
	for _, promise := range promises {
		one := plan
		one.Promise = promise
		requests := models.RequestsOfJournal(cluster.ShardCount, one, again)
		p := views.JournalPromise{Promise: promise, Puts: requests.Puts, Gets: requests.Gets, Cost: roughly(settings, prices.Cost(requests)), Chosen: promise == plan.Promise}
		if p.Chosen {
			v.Requests = fmt.Sprintf("Requests to the store cost %s in 30 days of steady writes, at %s%s for 1,000 PUT or LIST and %s%s for 1,000 GET or HEAD.", p.Cost,
				currencyOf(settings), priceText(prices.Put), currencyOf(settings), priceText(prices.Get))
		}
		v.Promises = append(v.Promises, p)
	}
	return nil
}
