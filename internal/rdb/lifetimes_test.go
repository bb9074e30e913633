package rdb_test

import (
	"bytes"
	"testing"
	"time"

	"rekindle/internal/rdb"
)

func TestLifetimesTellHowManyKeysHaveExpired(t *testing.T) {
	t.Parallel()
	const written = 1_700_000_000
	body := join("REDIS0010", 0xFA, str("ctime"), str("1700000000"), 0xFE, 0)
	for i, left := range []time.Duration{-time.Hour, 0, time.Second, time.Minute, time.Hour, time.Hour + time.Millisecond, 400 * 24 * time.Hour, 1 << 62} {
		at := time.Unix(written, 0).Add(left)
		body = join(body, 0xFC, little(uint64(at.UnixMilli()), 8), 0, str(string(rune('a'+i))), str("value"))
	}
	body = join(body, 0, str("lasting"), str("value"))
	sum, err := rdb.NewScanner(bytes.NewReader(seal(body))).Scan()
	if err != nil || sum.Lifetimes != "1700000000 0=2 60=2 3600=1 10800=1 more=2" || !sum.Lifetimes.Valid() {
		t.Fatalf("%q: %v", sum.Lifetimes, err)
	}
	for passed, want := range map[time.Duration][2]int64{
		-time.Hour: {0, 0}, 0: {2, 2}, time.Second: {2, 4}, time.Minute: {4, 4}, 2 * time.Minute: {4, 4}, time.Hour - time.Second: {4, 5}, time.Hour: {5, 5},
		2 * time.Hour: {5, 6}, 365 * 24 * time.Hour: {6, 6}, 366 * 24 * time.Hour: {6, 8},
	} {
		least, most, known := sum.Lifetimes.Expired(time.Unix(written, 0).Add(passed))
		if least != want[0] || most != want[1] || !known {
			t.Errorf("after %s %d to %d keys have expired (known: %t), want %v", passed, least, most, known, want)
		}
	}
}

func TestLifetimesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for text, valid := range map[rdb.Lifetimes]bool{
		"": true, "1700000000": true, "1700000000 0=3": true, "1700000000 0=3 more=1": true,
		" ": false, "0": false, "-5 0=3": false, "now": false, "1700000000 0": false, "1700000000 0=": false, "1700000000 0=0": false, "1700000000 0=-1": false,
		"1700000000 7=1": false, "1700000000 more=1 0=1": false, "1700000000 0=1 0=1": false, "1700000000  0=1": false, "99999999999999 0=1": false,
		"1700000000 0=9999999999999999": false,
	} {
		if text.Valid() != valid {
			t.Errorf("%q is valid: %t", text, !valid)
		}
	}
	for _, text := range []rdb.Lifetimes{"", "now"} {
		if _, _, known := text.Expired(time.Now()); known {
			t.Errorf("%q tells how many keys have expired", text)
		}
	}
}
