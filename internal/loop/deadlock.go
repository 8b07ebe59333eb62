package loop

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringo/internal/kernel"
)

// A task that waits for a sync.Mutex, a channel or a sync.WaitGroup holds its loop. If one that is parked on that loop
// has the mutex, or is to send, neither goes on: a deadlock that Go's runtime does not see. Nothing says who would wake
// a goroutine, so this one is told by what their stacks have in common, and in words that claim no more.

const (
	// deadlockAfter is how long a loop is held before the watcher thinks of a deadlock.
	deadlockAfter = time.Second
	// deadlocksEvery keeps such reports of a loop apart.
	deadlocksEvery = time.Minute
	// suspectsMax bounds the tasks in one.
	suspectsMax = 8
	// suspectStacksMax bounds those whose stacks are shown, beside that of who holds the loop.
	suspectStacksMax = 2
	// nearBytes is how far apart two addresses may be that are taken for those of one object, such as a struct and the
	// mutex in it; nearAlone, if no more speaks for that than that both are a package's.
	nearBytes = 512
	nearAlone = 64
)

// lookForDeadlock looks at a loop that has long been held, once a turn.
func (w *watcher) lookForDeadlock(l *Loop, s *sighting, now int64) {
	if s.locked || now-s.turn < int64(deadlockAfter) || !w.set.cfg.tells() {
		return
	}
	cpu, known := kernel.ThreadCPU(l.tid)
	if known && cpu-s.cpu > int64(deadlockAfter/10) || !asleep(l.tid) {
		return // it computes, or would run
	}
	s.locked = true
	if runtime.NumGoroutine() > stacksMax { // to look would stop the program for long
		return
	}
	if s.lastLocked != 0 && now-s.lastLocked < int64(deadlocksEvery) {
		return
	}
	t := takeTrace()
	if l.watch.since.Load() != s.turn {
		return
	}
	if text := t.deadlock(l, time.Duration(now-s.turn)); text != "" {
		s.lastLocked = now
		w.set.cfg.tell("a deadlock", text)
	}
}

// relation is how much the stacks of two goroutines have in common.
type relation int

const (
	strangers relation = iota
	samePackage
	sameFunction
	siblings // they run functions that are written in one, whose variables they may have in common
	sameObject
)

// deadlock is a report of what looks like one to who holds a loop; empty if nothing does.
func (t trace) deadlock(l *Loop, lasts time.Duration) string {
	g := t.holder(l.goid)
	if g == nil || !g.waitsForGo() {
		return ""
	}
	holder := newSuspect(g)
	mine := t.workerOf(l, g)
	var parked []*suspect
	for _, o := range t.workers(l) {
		if o == mine || o.task() == "" {
			continue
		}
		s := newSuspect(o)
		if s.relation = holder.relationTo(s); s.relation > samePackage {
			parked = append(parked, s)
		}
	}
	if len(parked) == 0 {
		return ""
	}
	slices.SortStableFunc(parked, func(a, b *suspect) int { return cmp.Compare(b.relation, a.relation) })
	closest := parked[0].relation
	others := t.whoMayWake(holder, closest)
	says := "looks like"
	switch {
	case closest >= siblings, closest == sameFunction && g.waitsForLock():
		if len(others) > 0 {
			says = "may be"
		}
	case len(others) > 0:
		return "" // as likely one of these
	default:
		says = "may be"
	}
	return deadlockText(l, lasts, says, holder, parked, others, t.name(l, g))
}

func deadlockText(l *Loop, lasts time.Duration, says string, holder *suspect, parked, others []*suspect,
	name string) string {
	more := len(parked) - suspectsMax
	if more > 0 {
		parked = parked[:suspectsMax]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ringo: this %s a deadlock: %s waits [%s] for %v and holds loop %d meanwhile.\n", says, name,
		holder.g.state(), lasts.Round(time.Millisecond), l.index)
	if state := holder.g.state(); state == "select" || state == "chan receive" {
		b.WriteString("A timer may end that, if it is among what it waits for. ")
	}
	b.WriteString("These tasks of the loop share a function or an object with it, are parked, and will not run " +
		"meanwhile:\n")
	for _, s := range parked {
		fmt.Fprintf(&b, "  task %s, goroutine %d\n", l.nameOf(s.g), s.g.id)
	}
	if more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	for _, s := range others {
		fmt.Fprintf(&b, "Unless goroutine %d [%s] does: %s\n", s.g.id, s.g.state(), s.outermost())
	}
	b.WriteString("Where tasks of one loop wait for each other, ringo.Mutex, Cond, Semaphore, WaitGroup and Chan " +
		"park them.\n")
	for _, s := range append([]*suspect{holder}, parked[:min(len(parked), suspectStacksMax)]...) {
		b.Write(bytes.TrimSpace(s.g.stack))
		b.WriteString("\n\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// waitsForGo reports whether a goroutine waits for what another one does.
func (g *goroutine) waitsForGo() bool {
	switch state := g.state(); state {
	case "chan receive", "chan send", "select", "semacquire":
		return true
	default:
		return strings.HasPrefix(state, "sync.")
	}
}

// waitsForLock reports whether it waits for a mutex, which somebody has.
func (g *goroutine) waitsForLock() bool {
	state := g.state()
	return strings.HasPrefix(state, "sync.Mutex") || strings.HasPrefix(state, "sync.RWMutex")
}

// whoMayWake are goroutines that are no tasks and have to do with it as closely as the tasks.
func (t trace) whoMayWake(holder *suspect, closest relation) (others []*suspect) {
	for _, g := range t {
		if g.parked || g.by != 0 || bytes.Contains(g.stack, []byte("\nringo/internal/loop.")) || g == holder.g {
			continue // of a loop, or who waits for Run
		}
		s := newSuspect(g)
		if s.relation = holder.relationTo(s); s.relation >= closest && len(others) < suspectsMax {
			others = append(others, s)
		}
	}
	slices.SortFunc(others, func(a, b *suspect) int { return cmp.Compare(a.g.id, b.g.id) })
	return others
}

// suspect is a goroutine with what its stack says of the program: functions, and addresses that they were given.
type suspect struct {
	g         *goroutine
	names     []string
	addresses []address
	relation  relation // to who holds the loop
}

// address is one that a function was given: a pointer, perhaps.
type address struct {
	at  uint64
	pkg string // the function's package; of sync's, that of who called it
}

func newSuspect(g *goroutine) *suspect {
	s := &suspect{g: g}
	var loops []uint64
	syncs := 0 // the last addresses, which sync's functions were given
	for line := range bytes.SplitSeq(g.stack, []byte("\n")) {
		open := bytes.LastIndexByte(line, '(')
		if open < 0 || bytes.HasPrefix(line, []byte("\t")) || bytes.HasPrefix(line, []byte("goroutine ")) ||
			bytes.HasPrefix(line, []byte("created by ")) {
			continue
		}
		name := string(line[:open])
		values := addressesIn(line[open:])
		switch pkg := packageOf(name); {
		case strings.HasPrefix(name, "ringo.(*Loop).") || strings.HasPrefix(name, "ringo/internal/loop.(*Loop)."):
			loops = append(loops, values...)
		case pkg == "sync" || pkg == "internal/sync":
			s.add(values, pkg)
			syncs += len(values)
		case !engine(pkg) && pkg != "ringo" && pkg != "ringo/sock" && pkg != "ringo/file":
			for i := len(s.addresses) - syncs; i < len(s.addresses); i++ {
				s.addresses[i].pkg = pkg
			}
			syncs = 0
			s.names = append(s.names, name)
			s.add(values, pkg)
		}
	}
	// All tasks have their loop in common.
	s.addresses = slices.DeleteFunc(s.addresses, func(a address) bool { return slices.Contains(loops, a.at) })
	return s
}

func (s *suspect) add(values []uint64, pkg string) {
	for _, v := range values {
		s.addresses = append(s.addresses, address{v, pkg})
	}
}

// addressesIn reads those among the arguments of a call, but for what the runtime says may be old.
func addressesIn(args []byte) (all []uint64) {
	for word := range bytes.FieldsFuncSeq(args, func(r rune) bool { return strings.ContainsRune("(){}, ", r) }) {
		if digits, ok := bytes.CutPrefix(word, []byte("0x")); ok {
			if a, err := strconv.ParseUint(string(digits), 16, 64); err == nil && a >= 1<<16 {
				all = append(all, a)
			}
		}
	}
	return all
}

// relationTo tells the closest that there is. Two addresses that are near, and not the same, are of one object only if
// functions of one package were given them and something else speaks for it: small objects of strangers lie side by
// side.
func (s *suspect) relationTo(o *suspect) relation {
	closest := strangers
	for _, a := range s.names {
		for _, b := range o.names {
			switch {
			case a == b:
				closest = max(closest, sameFunction)
			case source(a) == source(b):
				closest = siblings
			case packageOf(a) == packageOf(b):
				closest = max(closest, samePackage)
			}
		}
	}
	near := uint64(0)
	switch {
	case closest > samePackage:
		near = nearBytes
	case closest == samePackage:
		near = nearAlone
	}
	for _, a := range s.addresses {
		for _, b := range o.addresses {
			if a.at == b.at || a.pkg == b.pkg && max(a.at, b.at)-min(a.at, b.at) <= near {
				return sameObject
			}
		}
	}
	return closest
}

// outermost is the program's outermost function.
func (s *suspect) outermost() string {
	if len(s.names) == 0 {
		return "?"
	}
	return s.names[len(s.names)-1]
}

// source is the function that one without a name is written in.
func source(name string) string {
	if i := strings.Index(name, ".func"); i >= 0 && i+5 < len(name) && name[i+5] >= '0' && name[i+5] <= '9' {
		return name[:i]
	}
	return name
}
