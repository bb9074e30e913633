package s3_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
)

// Servers differ in which open uploads they list, and in how they say that there are none.
func TestSweepOnServersThatListUploadsInTheirOwnWay(t *testing.T) {
	t.Parallel()
	prefixed := func(r *http.Request) bool { return r.URL.Query().Get("prefix") != "" }
	whole := func(r *http.Request) bool { return r.URL.Query().Get("prefix") == "" }
	for name, test := range map[string]struct {
		fault testkit.Fault
		want  int
	}{
		"only by the exact key":  {testkit.Fault{If: prefixed, Do: testkit.Answer, Status: 404, Code: "NoSuchUpload"}, 1},
		"not without the prefix": {testkit.Fault{If: whole, Do: testkit.Answer, Status: 403, Code: "AccessDenied"}, 1},
		"none is no such upload": {testkit.Fault{Do: testkit.Answer, Status: 404, Code: "NoSuchUpload"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy, _ := faulty(t, shared(t), ample)
			leaveUpload(t, s)
			test.fault.On = "ListMultipartUploads"
			proxy.Add(test.fault)
			for _, want := range []int{test.want, 0} {
				if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != want || err != nil {
					t.Errorf("Sweep = %d, %v; want %d", n, err, want)
				}
			}
			proxy.Clear()
			if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 1-test.want || err != nil {
				t.Errorf("Sweep of what is left = %d, %v", n, err)
			}
		})
	}
}

func TestServerThatCannotListUploadsIsToldOfOnce(t *testing.T) {
	t.Parallel()
	for _, fault := range []testkit.Fault{{Status: 501, Code: "NotImplemented"}, {Status: 405, Code: "MethodNotAllowed"}} {
		s, proxy, _ := faulty(t, shared(t), ample)
		fault.On, fault.Do = "ListMultipartUploads", testkit.Answer
		proxy.Add(fault)
		if _, err := s.Sweep(t.Context(), time.Now()); !errors.Is(err, store.ErrCannotSweep) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the first Sweep = %v", err)
		}
		for range 2 {
			if _, err := s.Sweep(t.Context(), time.Now()); err != nil {
				t.Errorf("another Sweep = %v", err)
			}
		}
		d, err := s.Describe(t.Context())
		if err != nil || !slices.ContainsFunc(d.Warnings, func(text string) bool { return strings.Contains(text, "unfinished uploads") }) {
			t.Errorf("Describe = %+v, %v", d, err)
		}
	}
}

// What Check leaves when the console is killed in the middle of it is swept like anything else.
func TestSweepTakesWhatACheckLeft(t *testing.T) {
	t.Parallel()
	c := configOf(shared(t))
	s := openChecked(t, shared(t), c)
	openUpload(t, c, ".rekindle-check/KILLED")
	if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("Sweep = %d, %v", n, err)
	}
}

// A bucket that is only copied to is never swept, so the next console that tries it out there removes what is certainly nobody's any more.
func TestCheckTakesOldProbesOfOthers(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]func(t *testing.T, s *s3.Store){
		"check": func(t *testing.T, s *s3.Store) {
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"first manifest": func(t *testing.T, s *s3.Store) { s.Exclusive(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := configOf(shared(t))
			young, old := openChecked(t, shared(t), c), openChecked(t, shared(t), c)
			leaveProbe(t, young)
			if _, err := young.Put(t.Context(), "orders/s1/part-0001.rdb.zst", strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
			openUpload(t, c, ".rekindle-check/KILLED")
			kept := shared(t).Objects(bucket, c.Prefix+"/")
			try(t, young)
			if got := shared(t).Objects(bucket, c.Prefix+"/"); !slices.Equal(got, kept) || len(shared(t).OpenUploads(bucket, c.Prefix+"/")) != 1 {
				t.Errorf("what may be in use is gone: %q, %q", got, shared(t).OpenUploads(bucket, c.Prefix+"/"))
			}
			old.KeepProbes(-time.Hour) // as if an hour had gone by in the bucket
			try(t, old)
			if got := shared(t).Objects(bucket, c.Prefix+"/"); !slices.Equal(got, []string{c.Prefix + "/orders/s1/part-0001.rdb.zst"}) {
				t.Errorf("the bucket has %q", got)
			}
		})
	}
}
