package loop

import (
	"bytes"
	"cmp"
	"fmt"
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

// tasks names what has not ended on a loop, with how many there are of each, the
// oldest first.
func (t trace) tasks(l *Loop) []string {
	var workers []*goroutine
	for _, g := range t {
		if g.by == l.goid {
			workers = append(workers, g)
		}
	}
	slices.SortFunc(workers, func(a, b *goroutine) int { return cmp.Compare(a.id, b.id) })
	holder := t.holder(l.goid)
	for holder != nil && holder.by != 0 && holder.by != l.goid {
		holder = t[holder.by]
	}
	count := map[string]int{}
	var names []string
	for _, g := range workers {
		name := g.task()
		if name == "" {
			continue // idle
		}
		if name = fmt.Sprintf("%s (loop %d)", name, l.index); g == holder {
			name = fmt.Sprintf("%s, which holds its loop", name)
		}
		if count[name]++; count[name] == 1 {
			names = append(names, name)
		}
	}
	for i, name := range names {
		if n := count[name]; n > 1 {
			names[i] = fmt.Sprintf("%d × %s", n, name)
		}
	}
	return names
}

// task is the name of the function that a worker's stack is in: the program's
// outermost one. A task that this module makes, as ListenAndServe does, may have
// none; it is named by the outermost function of ours that users can know. Empty if
// the worker is idle.
func (g *goroutine) task() (name string) {
	lines := strings.Split(string(g.stack), "\n")
	at := slices.IndexFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "ringo/internal/loop.(*worker).serve(")
	})
	for i := at - 1; i > 0; i-- {
		if strings.HasPrefix(lines[i], "\t") {
			continue
		}
		fn := lines[i][:max(0, strings.LastIndexByte(lines[i], '('))]
		switch pkg := packageOf(fn); {
		case pkg == "ringo" || pkg == "ringo/sock" || pkg == "ringo/file":
			// ringo.Run only calls what the others pass
			if name == "" || strings.HasPrefix(name, "ringo.") && pkg != "ringo" {
				name = fn
			}
		case !engine(pkg):
			return fn
		}
	}
	return name
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
