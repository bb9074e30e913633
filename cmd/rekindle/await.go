package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
)

// How often a state is asked for: often at first, for what takes a moment.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// restartPatience is how long a console may not answer while somebody waits for it: it may be restarted meanwhile.
const restartPatience = 5 * time.Minute

// available is the status of what is ready, of snapshots and of clusters.
const available = "available"

// await asks for a status until it is available or an end, and shows on a terminal how it goes.
func (c *apiClient) await(ctx context.Context, what string, terminal io.Writer, look func(context.Context) (status string, err error)) (string, error) {
	begun, answered, pause := time.Now(), time.Now(), firstPause
	defer fmt.Fprint(terminal, "\r\033[K")
	for {
		status, err := look(ctx)
		refusal, refused := errors.AsType[apiRefusal](c.explain(err))
		switch {
		case refused && refusal.code != "ServiceUnavailable":
			return "", refusal
		case ctx.Err() != nil:
			return "", fmt.Errorf("interrupted while waiting for %s: the console goes on", what)
		case err != nil && time.Since(answered) > restartPatience:
			return "", c.explain(err)
		case err == nil:
			answered = time.Now()
		}
		if status == available || strings.HasSuffix(status, "failed") || status == "deleting" {
			return status, nil
		}
		fmt.Fprintf(terminal, "\r\033[K%s: %s, %s", what, status, time.Since(begun).Round(time.Second))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(pause*3/2, lastPause)
	}
}

// terminalOf is where progress is shown: nowhere, unless somebody looks.
func terminalOf(w io.Writer) io.Writer {
	if file, ok := w.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return w
		}
	}
	return io.Discard
}

// said is the latest event of a cluster whose sentence begins like this: why something failed is in the events, not in the API's answers.
func (c *apiClient) said(ctx context.Context, cluster string, kind types.SourceType, begins string) string {
	found := ""
	pages := elasticache.NewDescribeEventsPaginator(c, &elasticache.DescribeEventsInput{SourceIdentifier: &cluster, SourceType: kind, Duration: aws.Int32(24 * 60),
		MaxRecords: pageSize})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return found
		}
		for _, event := range page.Events {
			if text := aws.ToString(event.Message); strings.HasPrefix(text, begins) {
				found = text
			}
		}
	}
	return found
}
