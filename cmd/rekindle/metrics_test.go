package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// receiver is a real receiver of traces, by OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*spans.Span
	from  string // the resource, as text
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || request.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", request.URL.Path, err)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, resource := range sent.ResourceSpans {
			r.from = resource.Resource.String()
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

func TestPrometheusAndOpenTelemetryAreToldOfARun(t *testing.T) {
	t.Parallel()
	traces := newReceiver(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	metrics := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	p := newProcess(t)
	p.env = []string{"REKINDLE_METRICS_TOKEN=hunter2", "OTEL_EXPORTER_OTLP_ENDPOINT=" + traces.URL, "OTEL_SERVICE_NAME=backups"}
	p.start("--metrics-listen", metrics)
	p.signIn()
	p.must("/clusters/-/new", createForm("orders", "0"))
	db := p.catalog()
	testkit.WaitFor(t, "the cluster", func() bool {
		cluster, err := db.Clusters.Get(t.Context(), "orders")
		return err == nil && cluster.Status == models.ClusterAvailable
	})
	p.must("/clusters/orders/snapshot", url.Values{"name": {"morning"}})
	read := func(address, token string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return ""
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return ""
		}
		return string(body)
	}
	const counted = "\nrekindle_runs_total{kind=\"snapshot\",outcome=\"succeeded\"} 1"
	testkit.WaitFor(t, "the snapshot to be counted", func() bool { return strings.Contains(read("http://"+metrics, ""), counted) })
	if at := read(p.url, "hunter2"); !strings.Contains(at, counted) || !strings.Contains(at, "\nrekindle_cluster_restorable{cluster=\"orders\"} 1") {
		t.Errorf("at the console's own address:\n%s", at)
	}
	if at := read(p.url, "wrong"); strings.Contains(at, "orders") {
		t.Errorf("without the token:\n%s", at)
	}

	if p.end(syscall.SIGTERM) != 0 { // which sends the last traces
		t.Error("the console did not end well")
	}
	traces.mu.Lock()
	defer traces.mu.Unlock()
	at := slices.IndexFunc(traces.spans, func(s *spans.Span) bool { return s.Name == "run snapshot" })
	if at < 0 || !strings.Contains(traces.from, "backups") {
		t.Fatalf("%s has sent %v", traces.from, traces.spans)
	}
	run := traces.spans[at]
	var stages []string
	for _, span := range traces.spans {
		if string(span.ParentSpanId) == string(run.SpanId) {
			stages = append(stages, span.Name)
		}
	}
	if len(stages) == 0 || run.Status.Code != spans.Status_STATUS_CODE_OK || !strings.Contains(run.String(), "morning") {
		t.Errorf("%v has the stages %q", run, stages)
	}
	if strings.Contains(p.output.tail(8000), "hunter2") {
		t.Error("the token is in the log")
	}
}

func TestTracesAreSentOnlyWhenTheEnvironmentSaysWhere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env   map[string]string
		want  bool
		notes string
	}{
		"nothing":             {env: map[string]string{}},
		"an address":          {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"}, want: true},
		"one for traces":      {env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:4318/v1/traces"}, want: true},
		"the usual address":   {env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, want: true},
		"turned off":          {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_SDK_DISABLED": "true"}},
		"no traces":           {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_TRACES_EXPORTER": "none"}},
		"an unknown exporter": {env: map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, notes: "OTEL_TRACES_EXPORTER=zipkin does nothing"},
		"another protocol":    {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, want: true, notes: "by http/protobuf"},
	} {
		wanted, notes := tracesWanted(func(name string) string { return test.env[name] })
		if wanted != test.want || !strings.Contains(strings.Join(notes, "\n"), test.notes) || (test.notes == "") != (len(notes) == 0) {
			t.Errorf("%s: %t, %q", name, wanted, notes)
		}
	}
}
