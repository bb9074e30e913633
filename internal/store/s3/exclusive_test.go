package s3_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"rekindle/internal/store"
	"rekindle/internal/testkit"
)

func noMetadata(h http.Header) { h.Del("X-Amz-Meta-Rekindle-Upload") }

// An object that was made although its answer was lost is this Create's own, and not in its way.
func TestCreateKnowsItsOwnObject(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size   int
		faults []testkit.Fault
	}{
		"lost answer":                         {small, []testkit.Fault{{On: "PutObject", Times: 1, Do: testkit.LoseAnswer}, {On: "HeadObject", Times: 2, Do: testkit.Refuse}}},
		"lost answer, no metadata":            {small, []testkit.Fault{{On: "PutObject", Times: 1, Do: testkit.LoseAnswer}, {On: "HeadObject", Do: testkit.EditAnswer, Edit: noMetadata}}},
		"lost answer to parts":                {large, []testkit.Fault{{On: "CompleteMultipartUpload", Times: 1, Do: testkit.LoseAnswer}}},
		"lost answer to parts, no metadata":   {large, []testkit.Fault{{On: "CompleteMultipartUpload", Times: 1, Do: testkit.LoseAnswer}, {On: "HeadObject", Do: testkit.EditAnswer, Edit: noMetadata}}},
		"every answer to parts lost":          {large, []testkit.Fault{{On: "CompleteMultipartUpload", Do: testkit.LoseAnswer}}},
		"409, as somebody else was at it":     {small, []testkit.Fault{{On: "PutObject", Times: 2, Do: testkit.Answer, Status: 409, Code: "ConditionalRequestConflict"}}},
		"409 at parts":                        {large, []testkit.Fault{{On: "CompleteMultipartUpload", Times: 2, Do: testkit.Answer, Status: 409, Code: "ConditionalRequestConflict"}}},
		"412 of what has been deleted since":  {small, []testkit.Fault{{On: "PutObject", Times: 1, Do: testkit.Answer, Status: 412, Code: "PreconditionFailed"}}},
		"503, and lost answers in their turn": {small, []testkit.Fault{{On: "PutObject", Times: 1, Do: testkit.Refuse}, {On: "PutObject", Times: 2, Do: testkit.LoseAnswer}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy, c := faulty(t, shared(t), ample)
			if !s.Exclusive(t.Context()) {
				t.Fatal("the server is not exclusive")
			}
			data := random(test.size)
			head := proxy.Count("HeadObject")
			proxy.Add(testkit.Fault{On: "HeadObject", Times: 1, Do: testkit.Note}) // the look before all
			proxy.Add(test.faults...)
			object, err := s.Create(t.Context(), key, only{bytes.NewReader(data)})
			if err != nil || object.Size != int64(test.size) || !bytes.Equal(stored(t, c, key), data) {
				t.Errorf("Create = %+v, %v", object, err)
			}
			if proxy.Count("HeadObject") == head {
				t.Error("nobody looked")
			}
		})
	}
}

// The other's object arrives while ours is on its way, and our answers are lost as well.
func TestCreateThatIsBeaten(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size int
		on   string
		do   testkit.Trouble
	}{
		"small":                        {small, "PutObject", testkit.Note},
		"small, with a lost answer":    {small, "PutObject", testkit.LoseAnswer},
		"in parts":                     {large, "CompleteMultipartUpload", testkit.Note},
		"in parts, with a lost answer": {large, "CompleteMultipartUpload", testkit.LoseAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy, c := faulty(t, shared(t), ample)
			other := open(t, c)
			proxy.Add(testkit.Fault{On: test.on, Times: 1, Do: test.do, Then: func() {
				if _, err := other.Create(context.WithoutCancel(t.Context()), key, strings.NewReader("the other's")); err != nil {
					t.Error(err)
				}
			}})
			if _, err := s.Create(t.Context(), key, only{bytes.NewReader(random(test.size))}); !errors.Is(err, store.ErrExist) {
				t.Errorf("Create = %v, want ErrExist", err)
			}
			if got := string(stored(t, c, key)); got != "the other's" {
				t.Errorf("%d bytes are there now", len(got))
			}
		})
	}
}

// Some servers do not support the condition and say so, others silently ignore it.
func TestCreateOnAServerWithoutConditions(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]testkit.Fault{
		"not implemented":  {Times: 1, Do: testkit.Answer, Status: 501, Code: "NotImplemented"},
		"invalid argument": {Times: 1, Do: testkit.Answer, Status: 400, Code: "InvalidArgument"},
	} {
		for _, test := range []struct {
			on   string
			size int
		}{{"PutObject", small}, {"CompleteMultipartUpload", large}} {
			t.Run(name+" at "+test.on, func(t *testing.T) {
				t.Parallel()
				s, proxy, c := faulty(t, shared(t), ample)
				fault.On = test.on
				proxy.Add(fault)
				data := random(test.size)
				if _, err := s.Create(t.Context(), key, only{bytes.NewReader(data)}); err != nil || !bytes.Equal(stored(t, c, key), data) {
					t.Errorf("Create = %v", err)
				}
				if s.Exclusive(t.Context()) {
					t.Error("it counts as exclusive")
				}
				if _, err := s.Create(t.Context(), key, strings.NewReader("x")); !errors.Is(err, store.ErrExist) {
					t.Errorf("Create again = %v, want ErrExist", err)
				}
			})
		}
	}
	for _, on := range []string{"PutObject", "CompleteMultipartUpload"} {
		t.Run("passed over at "+on, func(t *testing.T) {
			t.Parallel()
			s, proxy, c := faulty(t, shared(t), ample)
			proxy.Add(testkit.Fault{On: on, Do: testkit.Note, Then: func() { // as if the object that is there had been replaced
				for _, name := range shared(t).Objects(c.Bucket, c.Prefix+"/.rekindle-check/") {
					remove(t, name)
				}
			}})
			if s.Exclusive(t.Context()) {
				t.Error("it counts as exclusive")
			}
			if left := shared(t).Objects(c.Bucket, c.Prefix+"/"); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

func remove(t *testing.T, name string) {
	if _, err := shared(t).Client().DeleteObject(context.WithoutCancel(t.Context()), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(name)}); err != nil {
		t.Error(err)
	}
}

func TestExclusiveIsNotGuessedWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	s, proxy, _ := faulty(t, shared(t), 4*short)
	proxy.Add(testkit.Fault{Do: testkit.Refuse})
	if s.Exclusive(t.Context()) {
		t.Error("a server that is away is exclusive")
	}
	proxy.Clear()
	if !s.Exclusive(t.Context()) {
		t.Error("what was not known is not asked again")
	}
	puts := proxy.Count("PutObject")
	if !s.Exclusive(t.Context()) || proxy.Count("PutObject") != puts {
		t.Error("what is known is asked again")
	}
}

// Without conditions nothing keeps another's object from replacing ours, which then has not won.
func TestCreateThatIsReplacedOnAServerWithoutConditions(t *testing.T) {
	t.Parallel()
	for on, size := range map[string]int{"PutObject": small, "CompleteMultipartUpload": large} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			s, proxy, c := faulty(t, shared(t), ample)
			other := open(t, c)
			there := func(*http.Request) bool {
				_, err := other.Stat(context.WithoutCancel(t.Context()), key)
				return err == nil
			}
			proxy.Add(testkit.Fault{On: on, Times: 1, Do: testkit.Answer, Status: http.StatusBadRequest, Code: "InvalidArgument"},
				testkit.Fault{On: "HeadObject", If: there, Times: 1, Do: testkit.Note, Then: func() {
					if _, err := other.Put(context.WithoutCancel(t.Context()), key, strings.NewReader("the other's")); err != nil {
						t.Error(err)
					}
				}})
			if _, err := s.Create(t.Context(), key, only{bytes.NewReader(random(size))}); !errors.Is(err, store.ErrExist) {
				t.Errorf("Create = %v, want ErrExist", err)
			}
			if got := string(stored(t, c, key)); got != "the other's" {
				t.Errorf("%d bytes are there now", len(got))
			}
		})
	}
}
