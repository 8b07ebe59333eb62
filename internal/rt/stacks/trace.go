package stacks

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Trace is the stacks of all goroutines at one moment, by goroutine id. From outside it is the only way to learn what
// runs on a loop while a task holds it, and it costs the loops nothing until someone asks.
type Trace map[uint64]*Goroutine

// Goroutine is a goroutine of a trace.
type Goroutine struct {
	ID     uint64
	By     uint64 // the goroutine that made it, if it is a coroutine
	Stack  []byte // as the runtime writes it
	parked bool   // a coroutine that has switched to another one
}

// TraceMax bounds the memory that a trace may take.
const TraceMax = 64 << 20

// Take takes a trace. That stops the program for some 6 µs for each goroutine.
func Take() Trace {
	size := 1 << 20
	all := make([]byte, size)
	n := runtime.Stack(all, true)
	for n == size && size < TraceMax {
		size *= 2
		all = make([]byte, size)
		n = runtime.Stack(all, true)
	}
	t := Trace{}
	for stack := range bytes.SplitSeq(bytes.TrimSpace(all[:n]), []byte("\n\n")) {
		if g := parse(stack); g != nil {
			t[g.ID] = g
		}
	}
	return t
}

// parse reads one part of a trace:
//
//	goroutine 8 [coroutine, locked to thread]:
//	main.handler(0xc000012345)
//		/src/main.go:9 +0x2e
//	created by iter.Pull[...] in goroutine 7
//		/go/src/iter/iter.go:271 +0x90
func parse(stack []byte) *Goroutine {
	head, _, _ := bytes.Cut(stack, []byte("\n"))
	g := &Goroutine{ID: idAfter(head, "goroutine "), Stack: stack}
	if g.ID == 0 {
		return nil
	}
	g.parked = bytes.Contains(head, []byte("[coroutine"))
	if i := bytes.LastIndex(stack, []byte("\ncreated by iter.Pull")); i >= 0 {
		g.By = idAfter(stack[i:], " in goroutine ")
	}
	return g
}

// idAfter reads the number after the given words; 0 if there is none.
func idAfter(text []byte, words string) uint64 {
	_, text, _ = bytes.Cut(text, []byte(words))
	digits := bytes.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(text)
	}
	id, _ := strconv.ParseUint(string(text[:digits]), 10, 64)
	return id
}

// Holder returns what runs on the thread of the loop with this goroutine: that goroutine itself, one of its
// coroutines, or a coroutine that those made. Exactly one of these has not switched to another. It returns nil if the
// trace was truncated.
func (t Trace) Holder(loop uint64) *Goroutine {
	for _, g := range t {
		if g.parked {
			continue
		}
		top := g
		for top != nil && top.By != 0 {
			top = t[top.By]
		}
		if top != nil && top.ID == loop {
			return g
		}
	}
	return nil
}

// Workers returns the coroutines that the goroutine of a loop has made, the oldest first.
func (t Trace) Workers(loop uint64) (workers []*Goroutine) {
	for _, g := range t {
		if g.By == loop {
			workers = append(workers, g)
		}
	}
	slices.SortFunc(workers, func(a, b *Goroutine) int { return cmp.Compare(a.ID, b.ID) })
	return workers
}

// WorkerOf returns the worker of the loop that g is, or that has made g; nil if there is none.
func (t Trace) WorkerOf(loop uint64, g *Goroutine) *Goroutine {
	for g != nil && g.By != 0 && g.By != loop {
		g = t[g.By]
	}
	return g
}

// Task returns the name of the function that a worker runs, see outermost. It is empty if the worker is idle.
func (g *Goroutine) Task() (name string) {
	all := g.Functions()
	at := slices.IndexFunc(all, func(f Function) bool { return f.Name == Serve })
	if at < 0 {
		return ""
	}
	if i := outermost(all[:at]); i >= 0 {
		return all[i].Name
	}
	return ""
}

// Waits reports whether a goroutine that does not run waits for something that its function asked for; otherwise it
// waits for the scheduler or the garbage collector.
func (g *Goroutine) Waits() bool {
	switch state := g.State(); {
	case state == "running", state == "runnable", state == "preempted", state == "waiting":
		return false
	default:
		return !strings.HasPrefix(state, "GC ")
	}
}

// State returns the state that a trace shows in brackets, such as "chan receive".
func (g *Goroutine) State() string {
	head, _, _ := bytes.Cut(g.Stack, []byte("\n"))
	_, state, _ := bytes.Cut(head, []byte("["))
	state, _, _ = bytes.Cut(state, []byte("]"))
	state, _, _ = bytes.Cut(state, []byte(","))
	return string(state)
}

// Functions returns the functions on its stack, the innermost first. A trace leaves out the runtime's functions in
// which it waits; they are added by its state.
func (g *Goroutine) Functions() (all []Function) {
	state, _, _ := strings.Cut(g.State(), " (") // "(nil chan)", "(no cases)"
	if name := statesOfRuntime[state]; name != "" {
		all = append(all, Function{Name: name})
	}
	lines := bytes.Split(g.Stack, []byte("\n"))
	for i := 1; i+1 < len(lines); i++ {
		if bytes.HasPrefix(lines[i], []byte("\t")) || bytes.HasPrefix(lines[i], []byte("created by ")) {
			continue
		}
		call, at := string(lines[i]), string(bytes.TrimSpace(lines[i+1]))
		at, _, _ = strings.Cut(at, " +0x")
		file, line := at, 0
		if colon := strings.LastIndexByte(at, ':'); colon >= 0 {
			file = at[:colon]
			line, _ = strconv.Atoi(at[colon+1:])
		}
		all = append(all, Function{call[:max(0, strings.LastIndexByte(call, '('))], file, line})
	}
	return all
}

// statesOfRuntime maps states to functions of the runtime that a trace leaves out.
var statesOfRuntime = map[string]string{
	"chan receive": "runtime.chanrecv1",
	"chan send":    "runtime.chansend1",
	"select":       "runtime.selectgo",
}

// PackageOf returns the package of a function, whose name is written as in a trace.
func PackageOf(fn string) string {
	slash := strings.LastIndexByte(fn, '/') + 1
	if dot := strings.IndexByte(fn[slash:], '.'); dot >= 0 {
		return fn[:slash+dot]
	}
	return fn
}

// engine reports whether a package makes coroutines and runs tasks on them. Tasks may come from all others, including
// the engine's own tests.
func engine(pkg string) bool {
	return pkg == "" || pkg == "iter" || pkg == "runtime" || strings.HasPrefix(pkg, "internal/") ||
		strings.HasPrefix(pkg, "ringo/internal/") && !strings.HasSuffix(pkg, "_test")
}

// GoroutineID returns the id of the running goroutine.
func GoroutineID() uint64 {
	var head [64]byte
	return idAfter(head[:runtime.Stack(head[:], false)], "goroutine ")
}
