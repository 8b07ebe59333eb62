package event

import "slices"

// A Hook calls a function once a turn, until Stop.
type Hook struct {
	activity
	fn   func()
	kind hookKind
}

type hookKind uint8

const (
	checks hookKind = iota
	idles
	prepares
	hookKinds
)

// Idle calls fn once a turn, after all other callbacks. While there is such a hook the loop does not sleep, but polls
// for events and calls again: for work in small pieces.
func (e *Loop) Idle(fn func()) *Hook { return e.hook("Loop.Idle", idles, fn) }

// Prepare calls fn after the other callbacks of each turn, before the loop may sleep. If a task that runs later causes
// further callbacks, fn may be called again in the same turn.
func (e *Loop) Prepare(fn func()) *Hook { return e.hook("Loop.Prepare", prepares, fn) }

// Check calls fn once a turn, before its other callbacks, after the loop has slept or polled for events.
func (e *Loop) Check(fn func()) *Hook { return e.hook("Loop.Check", checks, fn) }

func (e *Loop) hook(method string, kind hookKind, fn func()) *Hook {
	e.here(method)
	if fn == nil {
		panic("event: " + method + " of a nil function")
	}
	h := &Hook{activity: activity{e: e, endless: true}, fn: fn, kind: kind}
	if e.refuses() {
		return h
	}
	e.begin(&h.activity, h)
	e.hooks[kind] = append(slices.Clip(e.hooks[kind]), h)
	e.hooked++
	e.l.Above().EachTurn = e.start
	e.start()
	return h
}

// Stop ends the calls. Stopping again does nothing.
func (h *Hook) Stop() {
	h.e.here("Hook.Stop")
	h.stop()
}

func (h *Hook) stop() {
	e := h.e
	if !h.isActive() {
		return
	}
	left := slices.DeleteFunc(slices.Clone(e.hooks[h.kind]), func(o *Hook) bool { return o == h })
	if e.hooks[h.kind] = left; len(left) == 0 {
		e.hooks[h.kind] = nil
	}
	if e.hooked--; e.hooked == 0 {
		e.l.Above().EachTurn = nil
	}
	e.done(&h.activity)
}

// runHooks calls the hooks of a kind, checks only once a turn.
func (e *Loop) runHooks(kind hookKind) {
	hooks := e.hooks[kind] // it is never changed, only replaced
	if hooks == nil {
		return
	}
	if kind == checks {
		turn := e.l.Turn() + 1
		if turn == e.checked {
			return
		}
		e.checked = turn
	}
	for _, h := range hooks {
		if h.isActive() {
			e.running = h
			h.run()
		}
	}
	e.running = nil
}

func (h *Hook) run() { h.fn() }
