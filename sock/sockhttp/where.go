package sockhttp

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"ringo/internal/lane"
	"ringo/internal/loop"
)

// task is a handler that runs in a task.
type task struct {
	http.Handler
	place place
}

// place is where a handler runs, and what happens to its request afterwards.
type place uint8

const (
	onGoroutine place = iota
	inTask
	inTaskReusing
)

// tasks says that handlers are marked, so that routes have to be looked up.
var tasks atomic.Bool

// Task marks a handler to run in a task on the connection's loop. It must wait through Ringo alone: whatever else
// waits, such as package net, database/sql or a sync.Mutex that is held for long, stops the loop. The mark counts on
// the server's handler, and on a route of the http.ServeMux that is the server's handler; elsewhere it has no effect.
func Task(h http.Handler) http.Handler {
	if h == nil {
		panic("sockhttp: Task of a nil Handler")
	}
	at := inTask
	if _, ok := h.(*Files); ok { // it keeps nothing
		at = inTaskReusing
	}
	tasks.Store(true)
	return task{h, at}
}

// TaskReusing is Task for a handler that keeps nothing: when it has returned, the memory of the http.Request and the
// ResponseWriter is used for another request, of any client and handler. From then on neither it nor a goroutine or
// task that it has begun may use them, nor the Request's Header, Trailer, URL, Body and context, nor copies that share
// these, such as those of WithContext, nor what Header of the ResponseWriter has returned. Strings may be kept. The
// same holds for Server.Answered. Breaking this rule mixes up clients' requests. A program built with -tags invariants
// detects some violations: it spoils such memory instead of reusing it.
//
// A request is not reused after a panic, a Hijack, EnableFullDuplex or a failed write, with a body that was not read to
// its end, or if its context's Done or CloseNotify was called, as package context does for contexts that are derived
// from it and can end. Requests of HTTP/2 are never reused, nor those of handlers on goroutines. Each loop keeps 32 per
// listener.
func TaskReusing(h http.Handler) http.Handler {
	if h == nil {
		panic("sockhttp: TaskReusing of a nil Handler")
	}
	tasks.Store(true)
	return task{h, inTaskReusing}
}

// Goroutine returns a handler that runs h on a goroutine when a task calls it. It is for routes of a router that is
// marked by Task.
func Goroutine(h http.Handler) http.Handler {
	if h == nil {
		panic("sockhttp: Goroutine of a nil Handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l, _ := loop.Current()
		if l == nil {
			h.ServeHTTP(w, r)
			return
		}
		var panicked any
		returned := false
		l.OffloadIn(lane.Handlers, func(context.Context) error {
			defer func() {
				if !returned {
					panicked = recover()
				}
			}()
			h.ServeHTTP(w, r)
			returned = true
			return nil
		})
		switch {
		case returned:
		case panicked != nil:
			panic(panicked)
		default: // h has ended its goroutine, or was not called
			panic(http.ErrAbortHandler)
		}
	})
}

// route returns the handler of a request, and where it runs. A handler that a mux has found is called directly, unless
// its pattern has wildcards: only the mux can set their values in the request, so it looks up the request once more.
func route(h http.Handler, r *http.Request) (handler http.Handler, at place) {
	if !tasks.Load() {
		return h, onGoroutine
	}
	found := h
	if mux, ok := h.(*http.ServeMux); ok && r.RequestURI != "*" {
		var pattern string
		if found, pattern = mux.Handler(r); strings.IndexByte(pattern, '{') < 0 {
			r.Pattern, h = pattern, found
		}
	}
	t, _ := found.(task)
	return h, t.place
}
