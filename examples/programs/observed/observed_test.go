package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"ringo"
	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// collector is what OTLP goes to.
type collector struct {
	mu      sync.Mutex
	spans   map[string]*tracepb.Span // by name
	metrics []string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	var traces collectortrace.ExportTraceServiceRequest
	var values collectormetrics.ExportMetricsServiceRequest
	switch {
	case err != nil:
	case r.URL.Path == "/v1/traces" && proto.Unmarshal(body, &traces) == nil:
		for _, s := range traces.ResourceSpans[0].ScopeSpans[0].Spans {
			c.spans[s.Name] = s
		}
	case r.URL.Path == "/v1/metrics" && proto.Unmarshal(body, &values) == nil:
		for _, m := range values.ResourceMetrics[0].ScopeMetrics[0].Metrics {
			c.metrics = append(c.metrics, m.Name)
		}
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// A request's span is that of its task, of the call that it offloads and of the task that it leaves behind, and so are
// its id, in what they log, and its label, in profiles.
func TestRequest(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		c := &collector{spans: map[string]*tracepb.Span{}}
		to := httptest.NewServer(c)
		defer to.Close()
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL)
		var records lines
		old := slog.Default()
		defer slog.SetDefault(old)
		slog.SetDefault(slog.New(traced{slog.NewJSONHandler(&records, nil)}))
		end, err := telemetry(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tracer = otel.Tracer("test") // the first provider, of another driver, has the one that there was
		stacks := make(chan string, 1)
		oldLookUp := lookUp
		defer func() { lookUp = oldLookUp }()
		lookUp = func(ctx context.Context, id string) string {
			var b bytes.Buffer
			pprof.Lookup("goroutine").WriteTo(&b, 1)
			stacks <- b.String()
			return oldLookUp(ctx, id)
		}

		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- serve(ctx, set, &ringo.Config{Driver: driver, Loops: 1}) }()
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+set.Addr().String()+"/users/7", nil)
		const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
		r.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
		r.Header.Set("X-Request-Id", "r1")
		answer, err := new(http.Client).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if string(text) != "user 7\n" || err != nil {
			t.Errorf("answered %q, %v", text, err)
		}
		cancel()
		if err := patience.Recv(t, "the server's end", served); err != nil {
			t.Error(err)
		}
		end()
		c.check(t, trace, parent)
		records.check(t, trace)
		if all := patience.Recv(t, "stacks", stacks); strings.Count(all, `"route":"user"`) < 2 {
			t.Errorf("the call that was offloaded, or the task that waits for it, has no label:\n%s", all)
		}
	})
}

func (c *collector) check(t *testing.T, trace, parent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	parents := map[string]string{}
	for name, s := range c.spans {
		if got := hex.EncodeToString(s.TraceId); got != trace {
			t.Errorf("%s is of trace %s, want %s", name, got, trace)
		}
		parents[name] = hex.EncodeToString(s.ParentSpanId)
	}
	if len(parents) != 3 || parents["user"] != parent {
		t.Fatalf("spans and their parents: %v", parents)
	}
	if own := hex.EncodeToString(c.spans["user"].SpanId); parents["look up"] != own || parents["remember"] != own {
		t.Errorf("the request's span is %s, and the others' parents are %v", own, parents)
	}
	if !slices.Contains(c.metrics, "ringo.loop.turn.duration") {
		t.Errorf("metrics: %v", c.metrics)
	}
}

// lines are records of a logger.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) check(t *testing.T, trace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var of []string
	for decoder := json.NewDecoder(&l.Buffer); decoder.More(); {
		var r struct{ Msg, Request, Trace, Span string }
		if err := decoder.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Request != "r1" || r.Trace != trace || r.Span == "" {
			t.Errorf("a record without its request: %+v", r)
		}
		of = append(of, r.Msg)
	}
	if !slices.Equal(of, []string{"looks up", "remembers"}) {
		t.Errorf("records: %q", of)
	}
}

// What docs/observing.md says of runtime/metrics: a task is a goroutine that waits, and is resumed without the
// scheduler, whose latencies know nothing of it.
func TestRuntimeMetrics(t *testing.T) {
	const tasks, switches = 1000, 100_000
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		goroutines, waiting, latencies := runtimeMetrics(t)
		more := ringo.NewChan[struct{}](0)
		for range tasks {
			l.Go(func() { more.Recv() })
		}
		l.Yield()
		if now, nowWaiting, _ := runtimeMetrics(t); now < goroutines+tasks || nowWaiting < waiting+tasks*9/10 {
			t.Errorf("with %d tasks more there are %d and %d goroutines, of which %d and %d wait", tasks, goroutines,
				now, waiting, nowWaiting)
		}
		more.Close()
		other := l.Go(func() {
			for range switches {
				l.Yield()
			}
		})
		for range switches {
			l.Yield()
		}
		other.Wait()
		_, _, now := runtimeMetrics(t)
		t.Logf("%d switches, %d latencies", 2*switches, now-latencies)
		if now > latencies+switches/10 {
			t.Errorf("%d switches between tasks, and %d latencies more", 2*switches, now-latencies)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// runtimeMetrics are how many goroutines there are, how many wait, and how many latencies were counted.
func runtimeMetrics(t *testing.T) (goroutines, waiting, latencies uint64) {
	samples := []metrics.Sample{{Name: "/sched/goroutines:goroutines"}, {Name: "/sched/goroutines/waiting:goroutines"},
		{Name: "/sched/latencies:seconds"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindBad {
			t.Fatalf("this Go has no %s", s.Name)
		}
	}
	for _, n := range samples[2].Value.Float64Histogram().Counts {
		latencies += n
	}
	return samples[0].Value.Uint64(), samples[1].Value.Uint64(), latencies
}

// BenchmarkCosts is what a request pays in its task for each way to be looked at.
func BenchmarkCosts(b *testing.B) {
	c := &collector{spans: map[string]*tracepb.Span{}}
	to := httptest.NewServer(c)
	defer to.Close()
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL)
	end, err := telemetry(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer end()
	logger := slog.New(traced{slog.NewJSONHandler(io.Discard, nil)})
	count := requests.WithLabelValues("benchmark")
	ctx, span := tracer.Start(b.Context(), "outer")
	defer span.End()
	err = ringo.Run(b.Context(), &ringo.Config{Loops: 1, StallLimit: -1}, func(l *ringo.Loop) error {
		inTask := func(name string, do func()) {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				l.Go(func() {
					for b.Loop() {
						do()
					}
				}).Wait()
			})
		}
		return l.Offload(func(context.Context) error {
			inTask("counter", count.Inc)
			inTask("label", func() { pprof.Do(ctx, pprof.Labels("route", "user"), func(context.Context) {}) })
			inTask("context", func() { l.WithContext(ctx, func() error { return nil }) })
			inTask("span", func() { _, s := tracer.Start(ctx, "span"); s.End() })
			inTask("record", func() { logger.InfoContext(ctx, "answers", "user", "7") })
			b.Run("scrape", func(b *testing.B) {
				for b.Loop() {
					registry.Gather()
				}
			})
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}
