package loop

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// trace is the stacks of all goroutines at one moment, by their ids. From outside
// it is the only way to learn what runs on a loop while a task holds it, and it
// costs the loops nothing until somebody asks.
type trace map[uint64]*goroutine

type goroutine struct {
	id     uint64
	by     uint64 // what made it, if it is a coroutine
	parked bool   // a coroutine that was switched away from
	stack  []byte
}

// traceMax bounds the memory that a trace may take.
const traceMax = 64 << 20

func takeTrace() trace {
	size := 1 << 20
	all := make([]byte, size)
	n := runtime.Stack(all, true)
	for n == size && size < traceMax {
		size *= 2
		all = make([]byte, size)
		n = runtime.Stack(all, true)
	}
	t := trace{}
	for stack := range bytes.SplitSeq(bytes.TrimSpace(all[:n]), []byte("\n\n")) {
		if g := parseGoroutine(stack); g != nil {
			t[g.id] = g
		}
	}
	return t
}

// parseGoroutine reads one part of a trace:
//
//	goroutine 8 [coroutine, locked to thread]:
//	main.handler(0xc000012345)
//		/src/main.go:9 +0x2e
//	created by iter.Pull[...] in goroutine 7
//		/go/src/iter/iter.go:271 +0x90
func parseGoroutine(stack []byte) *goroutine {
	head, _, _ := bytes.Cut(stack, []byte("\n"))
	g := &goroutine{id: idAfter(head, "goroutine "), stack: stack}
	if g.id == 0 {
		return nil
	}
	g.parked = bytes.Contains(head, []byte("[coroutine"))
	if i := bytes.LastIndex(stack, []byte("\ncreated by iter.Pull")); i >= 0 {
		g.by = idAfter(stack[i:], " in goroutine ")
	}
	return g
}

// idAfter reads the number that follows words; 0 if there is none.
func idAfter(text []byte, words string) uint64 {
	_, text, _ = bytes.Cut(text, []byte(words))
	digits := bytes.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(text)
	}
	id, _ := strconv.ParseUint(string(text[:digits]), 10, 64)
	return id
}

// holder is what runs on the thread of the loop whose goroutine is given: that
// goroutine itself, one of its coroutines, or a coroutine that those made. Of all
// these exactly one has not been switched away from. nil if the trace was cut.
func (t trace) holder(loop uint64) *goroutine {
	for _, g := range t {
		if g.parked {
			continue
		}
		top := g
		for top != nil && top.by != 0 {
			top = t[top.by]
		}
		if top != nil && top.id == loop {
			return g
		}
	}
	return nil
}

// workers are the coroutines that a loop has made, the oldest first.
func (t trace) workers(l *Loop) (workers []*goroutine) {
	for _, g := range t {
		if g.by == l.goid {
			workers = append(workers, g)
		}
	}
	slices.SortFunc(workers, func(a, b *goroutine) int { return cmp.Compare(a.id, b.id) })
	return workers
}

// workerOf is the coroutine of the loop that g is, or was made by; nil if it is none.
func (t trace) workerOf(l *Loop, g *goroutine) *goroutine {
	for g != nil && g.by != 0 && g.by != l.goid {
		g = t[g.by]
	}
	return g
}

// task is the name of the function that a worker's stack is in, see outermost. Empty if the worker is idle.
func (g *goroutine) task() (name string) {
	all := g.functions()
	at := slices.IndexFunc(all, func(f function) bool { return f.name == serveFunction })
	if at < 0 {
		return ""
	}
	if i := outermost(all[:at]); i >= 0 {
		return all[i].name
	}
	return ""
}

// functions gives those on its stack, the innermost first. What the runtime waits in for it is not on it, but follows
// from its state.
func (g *goroutine) functions() (all []function) {
	state, _, _ := strings.Cut(g.state(), " (") // "(nil chan)", "(no cases)"
	if name := statesOfRuntime[state]; name != "" {
		all = append(all, function{name: name})
	}
	lines := bytes.Split(g.stack, []byte("\n"))
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
		all = append(all, function{call[:max(0, strings.LastIndexByte(call, '('))], file, line})
	}
	return all
}

// statesOfRuntime are the states that stand for functions of the runtime's which a trace leaves out.
var statesOfRuntime = map[string]string{
	"chan receive": "runtime.chanrecv1",
	"chan send":    "runtime.chansend1",
	"select":       "runtime.selectgo",
}

// packageOf gives the package of a function as a trace writes it.
func packageOf(fn string) string {
	slash := strings.LastIndexByte(fn, '/') + 1
	if dot := strings.IndexByte(fn[slash:], '.'); dot >= 0 {
		return fn[:slash+dot]
	}
	return fn
}

// engine tells the packages that make coroutines and run tasks on them from those
// that a task may come from, as the engine's own tests are.
func engine(pkg string) bool {
	return pkg == "" || pkg == "iter" || pkg == "runtime" || strings.HasPrefix(pkg, "internal/") ||
		strings.HasPrefix(pkg, "ringo/internal/") && !strings.HasSuffix(pkg, "_test")
}

// goid is the id of the running goroutine.
func goid() uint64 {
	var head [64]byte
	return idAfter(head[:runtime.Stack(head[:], false)], "goroutine ")
}
