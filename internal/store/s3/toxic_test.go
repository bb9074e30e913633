package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
)

// wire is a network between console and server that can be made bad.
type wire struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

// wired returns a store that reaches the server through a wire, and its settings without it.
func wired(t *testing.T, patience time.Duration) (*s3.Store, *wire, s3.Config) {
	t.Helper()
	server := shared(t)
	c := configOf(server)
	c.Patience, c.Finish = patience, 2*patience
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(api, t.Name(), "127.0.0.1:0", strings.TrimPrefix(server.Endpoint, "http://"))
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	behind := c
	behind.Endpoint = "http://" + proxy.Listen
	return openChecked(t, server, behind), &wire{t, proxy}, c
}

// add makes the wire bad; stream is upstream or downstream.
func (w *wire) add(kind, stream, attributes string) {
	w.t.Helper()
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name":"bad","type":%q,"stream":%q,"toxicity":1,"attributes":{%s}}`,
		kind, stream, attributes))); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) mend() { w.proxy.Toxics.ResetToxics(context.Background()) }

func TestBadWires(t *testing.T) {
	t.Parallel()
	data := random(large)
	for name, test := range map[string]struct{ kind, stream, attributes string }{
		"latency": {"latency", "downstream", `"latency":60,"jitter":40`},
		"slow":    {"bandwidth", "upstream", `"rate":20000`},
		"sliced":  {"slicer", "upstream", `"average_size":20000,"size_variation":10000,"delay":0`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, wire, c := wired(t, ample)
			wire.add(test.kind, test.stream, test.attributes)
			if _, err := s.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(stored(t, c, key), data) {
				t.Error("what is stored is not what was put")
			}
			r, err := s.Open(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		})
	}
}

// The wire goes bad in the middle of a Put, and is mended in the middle or never.
func TestWireThatGoesBadInTheMiddle(t *testing.T) {
	t.Parallel()
	data := random(large)
	for name, test := range map[string]struct{ kind, stream, attributes string }{
		"stall":             {"timeout", "upstream", `"timeout":0`},
		"no answers":        {"timeout", "downstream", `"timeout":0`},
		"reset":             {"reset_peer", "upstream", `"timeout":0`},
		"cut after a while": {"limit_data", "upstream", `"bytes":300000`},
	} {
		t.Run(name+", for good", func(t *testing.T) {
			t.Parallel()
			s, wire, c := wired(t, 2*short)
			t.Cleanup(func() { // what the console could not abort is swept when the store is back
				wire.mend()
				if _, err := s.Sweep(context.Background(), time.Now().Add(time.Hour)); err != nil {
					t.Errorf("Sweep: %v", err)
				}
			})
			began := time.Now()
			_, err := s.Put(t.Context(), key, io.MultiReader(bytes.NewReader(data[:7<<20]), hook(func() { wire.add(test.kind, test.stream, test.attributes) }),
				bytes.NewReader(data[7<<20:])))
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Put = %v", err)
			}
			if took := time.Since(began); took > 20*short {
				t.Errorf("it took %s", took)
			}
			if stored(t, c, key) != nil {
				t.Error("an object is left")
			}
		})
		t.Run(name+", for a while", func(t *testing.T) {
			t.Parallel()
			s, wire, c := wired(t, ample)
			mended := make(chan struct{})
			_, err := s.Put(t.Context(), key, io.MultiReader(bytes.NewReader(data[:7<<20]), hook(func() {
				wire.add(test.kind, test.stream, test.attributes)
				time.AfterFunc(time.Second, func() { defer close(mended); wire.mend() })
			}), bytes.NewReader(data[7<<20:])))
			<-mended
			if err != nil || !bytes.Equal(stored(t, c, key), data) {
				t.Errorf("Put = %v", err)
			}
		})
	}
}
