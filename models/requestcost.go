package models

import "time"

// RequestPrices are what a store charges for 1,000 requests, in the currency of the settings.
type RequestPrices struct {
	Put float64 // that write or list: PUT, COPY, POST, LIST
	Get float64 // that read or ask: GET, HEAD
}

// DefaultRequestPrices are those of S3's standard storage. Source: Amazon S3 pricing, "Requests & data retrievals".
var DefaultRequestPrices = RequestPrices{Put: 0.005, Get: 0.0004}

// Check refuses prices that cannot be.
func (p RequestPrices) Check() error {
	var faults Faults
	for _, each := range []struct {
		field string
		price float64
	}{{"put_price", p.Put}, {"get_price", p.Get}} {
		if !(each.price >= 0 && each.price <= 1000) { // also refuses NaN
			faults.Add(CodeInvalid, each.field, "The price must be between 0 and 1000.")
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// Requests are requests to the store.
type Requests struct {
	Puts int64
	Gets int64 // HEADs among them
	List int64
}

// Cost is what they cost.
func (p RequestPrices) Cost(r Requests) float64 {
	return float64(r.Puts+r.List)/1000*p.Put + float64(r.Gets)/1000*p.Get
}

// RequestMonth is the month for which requests are counted.
const RequestMonth = 30 * 24 * time.Hour

// What a piece of a journal needs: it is asked whether it is there, put, asked for what arrived, and read back.
const (
	putsOfSegment  = 1
	headsOfSegment = 2
	getsOfSegment  = 1
)

// SegmentsOfDay is how many pieces a shard's journal has in a day of steady writes.
func SegmentsOfDay(promise time.Duration) int64 {
	return int64(24 * time.Hour / max(promise, time.Second))
}

// RequestsOfJournal is how many requests the journal of a cluster makes in a month of steady writes, when its days are full. Each piece is read back once,
// and once more whenever so many days have passed (0: never again). Looking after the store lists past the journals: one request an hour.
//
// More than 8 MiB in a piece's time make more pieces, and a minute without writes makes one.
func RequestsOfJournal(shards int, plan JournalPlan, verifyEvery int) Requests {
	segments := int64(max(1, shards)) * SegmentsOfDay(plan.Promise) * int64(RequestMonth/(24*time.Hour))
	read := int64(getsOfSegment)
	if verifyEvery > 0 {
		read += int64(max(0, plan.Days-1) / verifyEvery)
	}
	return Requests{Puts: segments * putsOfSegment, Gets: segments * (headsOfSegment + read), List: int64(RequestMonth / time.Hour)}
}

// PromiseChoices are promises whose prices are worth comparing.
var PromiseChoices = []time.Duration{MinPromise, 5 * time.Second, DefaultPromise, 30 * time.Second, time.Minute, 5 * time.Minute, MaxPromise}
