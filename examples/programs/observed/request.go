package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/pprof"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"ringo"
	"ringo/sock/sockhttp"
)

var tracer = otel.Tracer("ringo/examples/programs/observed")

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /users/{id}", observed("user", user))
	return mux
}

// requestID is the key of a request's id in its context.
type requestID struct{}

// observed runs a handler in a task, with a span, an id for log records, and a label in profiles.
func observed(route string, handle func(*ringo.Loop, http.ResponseWriter, *http.Request) error) http.Handler {
	count := requests.WithLabelValues(route)
	return sockhttp.Task(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Inc()
		ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, route, trace.WithSpanKind(trace.SpanKindServer)) //ringo:offloaded see telemetry
		defer span.End()                                                                //ringo:offloaded see telemetry
		ctx = context.WithValue(ctx, requestID{}, r.Header.Get("X-Request-Id"))
		l, _ := ringo.Current()
		pprof.Do(ctx, pprof.Labels("route", route), func(ctx context.Context) {
			err := l.WithContext(ctx, func() error { return handle(l, w, r.WithContext(ctx)) })
			if err != nil {
				span.SetStatus(codes.Error, err.Error())
				slog.ErrorContext(ctx, "failed", "error", err)
			}
		})
	}))
}

// user answers with the result of a call on a goroutine, and starts a task that outlives the request.
func user(l *ringo.Loop, w http.ResponseWriter, r *http.Request) error {
	var name string
	err := l.Offload(func(ctx context.Context) error { // its ctx has the span, the id and the labels
		ctx, span := tracer.Start(ctx, "look up")
		defer span.End()
		name = lookUp(ctx, r.PathValue("id"))
		return nil
	})
	if err != nil {
		return err
	}
	l.Go(func() { // it inherits them, and outlives the request
		_, span := tracer.Start(l.Context(), "remember") //ringo:offloaded see telemetry
		defer span.End()                                 //ringo:offloaded see telemetry
		slog.InfoContext(l.Context(), "remembers", "user", name)
	})
	_, err = fmt.Fprintln(w, name)
	return err
}

// lookUp stands for the call of a database driver that takes a context.
var lookUp = func(ctx context.Context, id string) string {
	time.Sleep(time.Millisecond)
	slog.InfoContext(ctx, "looks up", "id", id)
	return "user " + id
}
