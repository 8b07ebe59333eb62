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
type task struct{ http.Handler }

// tasks says that there are any, so that routes have to be asked.
var tasks atomic.Bool

// Task marks a handler to run in a task on the connection's loop. It must wait through Ringo alone: whatever else
// waits, such as package net, database/sql or a sync.Mutex that is held for long, stops the loop. The mark counts on
// the server's handler, and on a route of the http.ServeMux that is the server's handler; elsewhere it has no effect.
func Task(h http.Handler) http.Handler {
	if h == nil {
		panic("sockhttp: Task of a nil Handler")
	}
	tasks.Store(true)
	return task{h}
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
		default: // it has ended its goroutine, or was not begun
			panic(http.ErrAbortHandler)
		}
	})
}

// route finds the handler of a request, and whether it is one of Task. What a mux has found is called at once, unless
// the pattern has wildcards: those the mux alone can put into the request, for which it looks once more.
func route(h http.Handler, r *http.Request) (handler http.Handler, inTask bool) {
	if !tasks.Load() {
		return h, false
	}
	if mux, ok := h.(*http.ServeMux); ok && r.RequestURI != "*" {
		found, pattern := mux.Handler(r)
		if _, inTask = found.(task); strings.IndexByte(pattern, '{') >= 0 {
			return h, inTask
		}
		r.Pattern, h = pattern, found
	}
	_, inTask = h.(task)
	return h, inTask
}
