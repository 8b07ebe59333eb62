package lint

import (
	"fmt"
	"go/ast"
	"strings"
)

// A layer is one line of the import order: the packages on it, and what they are. An entry that ends in "/..." means
// everything below that folder.
type layer struct {
	dirs []string
	role string
}

// order is the import order of the module, from the ground up. Each layer may import those above it in this list, and
// none beside or below it.
var order = []layer{
	{[]string{"internal/abi", "internal/posix", "internal/race", "internal/timer", "internal/mailbox",
		"internal/rt/gmark", "internal/rt/labels", "internal/rt/code", "internal/rt/stacks",
		"internal/invariant", "internal/places", "internal/sim/world", "internal/httptext", "stats", "codec"},
		"pure ground: the kernel's words and small structures, on the standard library alone"},
	{[]string{"internal/sys"}, "raw system calls"},
	{[]string{"internal/measure"}, "what those share who measure"},
	{[]string{"internal/cmsg"}, "control messages of sockets"},
	{[]string{"internal/kernel"}, "the door to the kernel for what is no op"},
	{[]string{"internal/rt/peek", "internal/rt/sched"},
		"where another goroutine stands, and what loops are to Go's scheduler"},
	{[]string{"internal/mask"}, "an older kernel, for tests"},
	{[]string{"internal/seam"}, "what stands between a ring and the kernel, for tests"},
	{[]string{"uring"}, "the raw ring, for users who want no runtime"},
	{[]string{"internal/fd"}, "the lifetime of a descriptor"},
	{[]string{"internal/bufs"}, "buffers, pools and leases"},
	{[]string{"buf"}, "leases, as programs meet them"},
	{[]string{"internal/op"}, "the op table: what each operation is, for every driver"},
	{[]string{"internal/sim/memkernel"}, "a kernel in memory, for simulated worlds"},
	{[]string{"internal/poller"}, "readiness: epoll, kqueue, poll, select"},
	{[]string{"internal/offload"}, "where calls that may block go"},
	{[]string{"internal/lane"}, "the slots of calls that goroutines make for tasks"},
	{[]string{"internal/driver"}, "the driver contract"},
	{[]string{"internal/driver/uring", "internal/driver/soft", "internal/sim/simdriver"},
		"a driver, which knows no other driver"},
	{[]string{"internal/hosted"}, "a ring that belongs to no loop, for goroutines"},
	{[]string{driverTop}, "the choice of the driver"},
	{[]string{"internal/loop"}, "the engine: turns, tasks, parking"},
	{[]string{"internal/sim/stage"}, "the thread that the loops of a simulated world share"},
	{[]string{"internal/census"}, "what is counted and listed of loops"},
	{[]string{"internal/watch"}, "what finds that a loop does not run"},
	{[]string{"internal/stream"}, "a connection's bytes, whoever they are for"},
	{[]string{"internal/handle"}, "who calls, whose turn it is, and how long a descriptor lives"},
	{[]string{"internal/dial", "internal/relay"}, "what sockets do in more than one step: dials, and copies"},
	{[]string{"."}, "the runtime's public face"},
	{[]string{"logs"}, "logging from tasks, for users"},
	{[]string{"internal/caller", "internal/perloop"}, "what libraries for tasks and goroutines need"},
	{[]string{"rate", "retry", "singleflight"}, "what servers do seldom, once, or once more, for users"},
	{[]string{"service"}, "what a program says to who supervises it, for users"},
	{[]string{"debug"}, "a console for those who look after a program"},
	{[]string{"sock"}, "sockets, for users"},
	{[]string{"event"}, "callbacks on loops, for users"},
	{[]string{"upgrade"}, "a program's successor, for users"},
	{[]string{"metrics"}, "what monitoring systems are told"},
	{[]string{"file"}, "files, for users"},
	{[]string{"proc"}, "commands, for users"},
	{[]string{"sock/socktls"}, "TLS on sockets, for users"},
	{[]string{"internal/atrest"}, "clients' connections that wait for their next use"},
	{[]string{"sock/sockclient"}, "clients of other protocols, for users"},
	{[]string{"sock/sockhttp"}, "HTTP on sockets, for users"},
	{[]string{"sim"}, "simulated worlds, for tests of users"},
	{[]string{"cmd/ringo/internal/cli", "cmd/ringo/internal/proxyproto"}, "what the tool's commands share"},
	{[]string{"cmd/ringo/internal/server"}, "what those that serve share"},
	{[]string{"cmd/ringo/bench", "cmd/ringo/echo", "cmd/ringo/probe", "cmd/ringo/proxy", "cmd/ringo/serve",
		"cmd/ringo/top"},
		"a command of the tool"},
	{[]string{"examples/logstore"}, "an example that is a package"},
	{[]string{"cmd/ringo", "examples/..."}, "programs"},
}

// driverTop is the last layer that may call the kernel.
const driverTop = "internal/driver/open"

// tools make or check the source. They import the standard library only, and no package imports them.
var tools = []string{"internal/cmd/..."}

// testHelpers are for tests: only tests, and other helpers, may import them. They may import any layer.
var testHelpers = []string{
	"cmd/ringo/internal/tooltest",
	"internal/test/...",
}

// rank returns the index in order of a folder's layer, or -1.
func rank(dir string) int {
	for i, l := range order {
		if listed(l.dirs, dir) {
			return i
		}
	}
	return -1
}

func listed(dirs []string, dir string) bool {
	for _, d := range dirs {
		if parent, all := strings.CutSuffix(d, "..."); d == dir || all && strings.HasPrefix(dir, parent) {
			return true
		}
	}
	return false
}

// Layers is the rule that imports point one way. Tests may import what they like; the compiler prevents cycles.
func Layers(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		if p.Name == "" {
			continue // tests only
		}
		if rank(p.Dir) < 0 && !listed(tools, p.Dir) && !listed(testHelpers, p.Dir) {
			faults = append(faults, fmt.Sprintf("%s: this package has no place in the import order. Decide which "+
				"packages may be built on it and add it to "+
				"order in internal/test/lint/layers.go: to the first line if it needs the standard library only, to "+
				"testHelpers if only tests use it.", p.Dir))
			continue
		}
		for _, f := range p.source() {
			for name, spec := range f.imports {
				if dir, ok := t.local(name); ok {
					faults = append(faults, t.checkImport(p.Dir, dir, spec)...)
				}
			}
		}
	}
	return faults
}

func (t *Tree) checkImport(from, to string, spec *ast.ImportSpec) []string {
	one := func(format string, args ...any) []string {
		return []string{t.fault(spec.Pos(), "%s imports %s: %s", from, to, fmt.Sprintf(format, args...))}
	}
	switch {
	case listed(testHelpers, from):
		return nil
	case listed(testHelpers, to):
		return one("that is a helper of tests; what users run must not contain it.")
	case listed(tools, to):
		return one("that is a tool which makes source; nothing is built on it.")
	case listed(tools, from):
		return one("a tool makes the source of these packages, and must work when they don't compile.")
	case rank(to) < 0:
		return one("that package has no place in order in internal/test/lint/layers.go.")
	case rank(to) >= rank(from):
		return one("imports point one way, so that each layer can be read, tested and replaced without what is built "+
			"on it. "+
			"%s is %s; %s is %s and comes %s. Move the code down, or let the upper layer pass in what is missing.",
			from, order[rank(from)].role, to, order[rank(to)].role, whichSide(rank(from), rank(to)))
	}
	return nil
}

func whichSide(from, to int) string {
	if from == to {
		return "beside it"
	}
	return "later"
}
