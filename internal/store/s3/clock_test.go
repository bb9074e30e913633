package s3

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
)

// dateOf is a server that answers with nothing but the time.
type dateOf string

func (d dateOf) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{"Date": {string(d)}}, Body: http.NoBody}, nil
}

func TestClockIsTheOneOfTheLastAnswerAndOnlyAWSs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		date     string
		endpoint *string
		ago      time.Duration
		want     bool
	}{
		"AWS":              {at.Format(http.TimeFormat), nil, 0, true},
		"a minute ago":     {at.Format(http.TimeFormat), nil, time.Minute, true},
		"an hour ago":      {at.Format(http.TimeFormat), nil, time.Hour, false},
		"one's own server": {at.Format(http.TimeFormat), aws.String("http://10.0.0.7:9000"), 0, false},
		"no time":          {"yesterday", nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Store{client: sdk.New(sdk.Options{Region: "eu-west-1", BaseEndpoint: test.endpoint})}
			if !s.Now().IsZero() {
				t.Error("it knows the time before anybody answered")
			}
			response, err := dated{inner: dateOf(test.date), last: &s.told}.Do(nil)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if last := s.told.Load(); last != nil {
				s.told.Store(&told{last.at, last.heard.Add(-test.ago)})
			}
			now := s.Now()
			if now.IsZero() == test.want || test.want && now.Sub(at.Add(test.ago)).Abs() > time.Minute {
				t.Errorf("its clock says %s", now)
			}
		})
	}
}
