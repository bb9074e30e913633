package s3_test

import (
	"errors"
	"testing"

	"rekindle/internal/store"
	"rekindle/internal/testkit"
)

// A store that asks for fewer requests, or stands still, must not be reported as one that does not answer: people would look for the fault elsewhere.
func TestBusyAndStandingStoresAreToldFromSilentOnes(t *testing.T) {
	t.Parallel()
	server := testkit.S3(t)
	server.Bucket("snapshots")
	for name, c := range map[string]struct {
		do   testkit.Trouble
		want error
		not  []error
	}{
		"busy":     {testkit.Refuse, store.ErrBusy, []error{store.ErrSlow}},
		"standing": {testkit.Stall, store.ErrSlow, []error{store.ErrBusy}},
		"silent":   {testkit.Cut, store.ErrUnavailable, []error{store.ErrBusy, store.ErrSlow}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy, _ := faulty(t, server, short)
			proxy.Add(testkit.Fault{Do: c.do})
			_, err := s.Stat(t.Context(), "x")
			if !errors.Is(err, c.want) || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%v, want %v", err, c.want)
			}
			for _, not := range c.not {
				if errors.Is(err, not) {
					t.Errorf("%v is also %v", err, not)
				}
			}
		})
	}
}
