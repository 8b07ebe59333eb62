package metrics

import "net/http"

// Handler returns a handler that serves all metrics in Prometheus' text format, version 0.0.4, for programs without a
// registry; it needs only the standard library. Use it in an http.Server of package net/http, on ordinary goroutines. A
// program with metrics of its own can write them after these, with a Text.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		var t Text
		Each(t.Add)
		t.WriteTo(w)
	})
}
