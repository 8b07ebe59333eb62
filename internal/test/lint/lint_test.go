package lint

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"ringo/internal/test/testmain"
)

// module is this module's path.
const module = "ringo"

func TestMain(m *testing.M) { testmain.Main(m) }

// rules are all rules, by the names under which the tests run them.
func rules(t *testing.T) map[string]func(*Tree) []string {
	return map[string]func(*Tree) []string{
		"layers":        Layers,
		"kernel":        Kernel(syscallActions(t)),
		"dependencies":  Dependencies,
		"cgo":           Cgo,
		"unsafe":        Unsafe,
		"build lines":   BuildLines,
		"package docs":  PackageDocs,
		"exported docs": ExportedDocs,
		"faces":         Faces,
		"programs":      Programs,
		"columns":       Columns,
		"constants":     Constants,
		"no inlining":   NoInline,
		"prose":         Prose,
		"named files":   NamedFiles,
		"named code":    NamedCode,
		"layers table":  LayersTable,
		"glossary":      Glossary,
		"worlds":        Worlds,
		"waits":         Waits,
		"quiet":         Quiet,
		"allocations":   Allocs,
		"examples":      Examples,
	}
}

var goroot = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	return strings.TrimSpace(string(out)), err
})

func syscallActions(t *testing.T) map[string]bool {
	t.Helper()
	root, err := goroot()
	if err != nil {
		t.Fatal(err)
	}
	actions, err := SyscallActions(os.DirFS(filepath.Join(root, "src", "syscall")))
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

// TestModule applies every rule to this module.
func TestModule(t *testing.T) {
	tree, err := Load(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	if tree.Module != module || len(tree.Packages) < 5 {
		t.Fatalf("read module %q with %d packages: that is not the whole of ours", tree.Module, len(tree.Packages))
	}
	for name, rule := range rules(t) {
		t.Run(name, func(t *testing.T) {
			for _, fault := range rule(tree) {
				t.Error(fault)
			}
		})
	}
}

// TestColumnsOfAnotherPath wants a release's path to break no line, whatever its last word is.
func TestColumnsOfAnotherPath(t *testing.T) {
	path := "example.org/a-longer-word"
	tree := &Tree{Module: path, Packages: []*Package{{Dir: ".", Name: "ringo"}},
		Texts: []Text{{Name: "docs/a.md", Body: strings.Repeat("x", 104) + " " + path + "/sock"}}}
	if faults := Columns(tree); faults != nil {
		t.Error(faults)
	}
	tree.Texts[0].Body += "123456"
	if faults := Columns(tree); len(faults) != 1 {
		t.Errorf("got %q", faults)
	}
}

func TestSyscallActions(t *testing.T) {
	actions := syscallActions(t)
	for name, want := range map[string]bool{
		"Read": true, "RawSyscall": true, "ForkLock": true, "Stdin": true, "Syscall6": true,
		"EINVAL": false, "Errno": false, "SIGTERM": false, "RawConn": false, "Conn": false, "SockaddrInet4": false,
		"CreateFile": true, "Kevent": true, // of other systems
	} {
		if actions[name] != want {
			t.Errorf("syscall.%s does something: %v, want %v", name, actions[name], want)
		}
	}
}

// ruleCases are small modules, each with one file that matters, and what the rule
// must say to it. Nothing means that it must be content.
var ruleCases = []struct {
	name, rule string
	file, src  string
	want       string
}{
	{"upper imports lower", "layers", "sock/a.go", `package sock; import "ringo"; import "ringo/uring"`, ""},
	{"lower imports upper", "layers", "uring/a.go", `package uring; import "ringo/sock"`,
		"uring/a.go:1: uring imports sock: imports point one way"},
	{"root is a layer", "layers", "internal/loop/a.go", `package loop; import "ringo"`,
		"internal/loop imports .: imports point one way"},
	{"siblings", "layers", "internal/driver/soft/a.go", `package soft; import "ringo/internal/driver/uring"`,
		"comes beside it"},
	{"other systems' files count", "layers", "uring/a_windows.go", `package uring; import "ringo/sock"`,
		"imports point one way"},
	{"tests may", "layers", "uring/a_test.go",
		`package uring_test; import "ringo/sock"; import "ringo/internal/test/testmain"`, ""},
	{"an allocation that a busy machine adds", "allocations", "sock/a_test.go",
		`package sock; import "testing"; func f() { if testing.AllocsPerRun(10, g) != 0 { panic(0) } }`,
		"use internal/test/alloctest.Least"},
	{"a test that sleeps", "waits", "sock/a_test.go", `package sock; import "time"; func f() { time.Sleep(1) }`,
		"sock/a_test.go:1: 1 waits on the wall clock, 0 are known"},
	{"a select that time ends", "waits", "internal/test/socktest/a.go",
		`package socktest; import "time"; func f() { select { case <-time.After(1): } }`, "1 waits on the wall clock"},
	{"a sleep by another name", "waits", "sock/a_test.go",
		`package sock; import "time"; func f() { <-time.After(1); select { case <-c: } }`, "1 waits on the wall clock"},
	{"a bound of time", "waits", "sock/a_test.go",
		`package sock; import "time"; var e = func() bool { d := time.Since(b); ` +
			`return d > 3 || time.Since(b) > 4 }`,
		"2 waits on the wall clock"},
	{"a loop that gives up", "waits", "sock/a_test.go",
		`package sock; import "time"; func f(t T) { for { if g() || time.Now().After(end) { t.Fatalf("%v", g()) } }; ` +
			`if x.At().After(end) { t.Fatal() }; if time.Now().After(end) { return } }`,
		"sock/a_test.go:1: 1 waits on the wall clock"},
	{"a guard of seconds", "waits", "sock/a_test.go",
		`package sock; import ("time"; "net"); const limit, many = 20*time.Second, 5; func f(c net.Conn) { ` +
			`c.SetDeadline(time.Now().Add(limit)); time.AfterFunc(many*time.Minute, g); ` +
			`context.WithTimeout(ctx, 60*time.Second/2); net.DialTimeout("tcp", a, (time.Second)) }`,
		"4 waits on the wall clock"},
	{"no guards", "waits", "sock/a_test.go",
		`package sock; import "time"; func f(c net.Conn) { c.SetDeadline(time.Now().Add(20*time.Millisecond)); ` +
			`c.SetReadDeadline(time.Now().Add(time.Hour)); c.SetWriteDeadline(patience.Deadline()); ` +
			`time.AfterFunc(limit, g); context.WithTimeout(ctx, -time.Second); a.AfterFunc(time.Second, g) }`, ""},
	{"never early", "waits", "sock/a_test.go",
		`package sock; import "time"; func f(t T) { d := time.Since(b); if d < 3 || g && (4 >= time.Since(b)) ` +
			`{ t.Errorf("early"); return } }`, ""},
	{"early or late", "waits", "sock/a_test.go",
		`package sock; import "time"; func f(t T) { if d := time.Since(b); d < 3 || d > 4 { t.Errorf("took %v", d) } }`,
		"sock/a_test.go:1: 1 waits on the wall clock"},
	{"a bound turned round", "waits", "sock/a_test.go",
		`package sock; import "time"; func f(t T) { if 3 < time.Since(b) { t.Error() }; if !(time.Since(b) < 3) ` +
			`{ t.Fatal() }; if time.Since(b) < 3 { g() } else { t.Fatalf("late") } }`,
		"3 waits on the wall clock"},
	{"a wait with a bound", "waits", "sock/a_test.go",
		`package sock; import "time"; func f(t T) { for time.Since(b) < 3 { t.Errorf("not yet") }; ` +
			`if time.Since(b) < 3 { g() } }`,
		"2 waits on the wall clock"},
	{"virtual times", "waits", "sock/some_goroutines_test.go",
		`package sock; import "time"; func f() { time.Sleep(1); sim.Goroutines(t) }`, ""},
	{"virtual times without a world", "waits", "sock/goroutines_test.go",
		`package sock; import "time"; func f() { time.Sleep(1) }`, "1 waits on the wall clock"},
	{"virtual times elsewhere", "waits", "sock/a_test.go",
		`package sock; import "time"; func f() { time.Sleep(1); sim.Goroutines(t) }`, "1 waits on the wall clock"},
	{"a test's program that writes to stderr", "quiet", "sock/a_test.go",
		`package sock; import ("os"; "os/exec"); func f(c *exec.Cmd) { c.Stderr = os.Stderr }`, "give it t.Output()"},
	{"a program's program", "quiet", "cmd/ringo/a.go",
		`package main; import ("os"; "os/exec"); func f(c *exec.Cmd) { c.Stderr = os.Stderr }`, ""},
	{"a product that sleeps", "waits", "sock/a.go", `package sock; import "time"; func f() { time.Sleep(1) }`, ""},
	{"nobody runs test helpers", "layers", "sock/a.go", `package sock; import "ringo/internal/test/testmain"`,
		"a helper of tests"},
	{"unknown package", "layers", "internal/misc/a.go", `package misc`, "internal/misc: this package has no place"},
	{"unknown package imported", "layers", "sock/a.go", `package sock; import "ringo/internal/misc"`,
		"no place in order"},
	{"examples", "layers", "examples/echo/a.go", `package main; import "ringo/sock"`, ""},
	{"tools stand alone", "layers", "internal/cmd/gen/a.go", `package main; import "ringo/internal/abi"`,
		"a tool makes the source"},
	{"ground is std only", "layers", "internal/timer/a.go", `package timer; import "ringo/internal/abi"`,
		"imports point one way"},

	{"drivers may", "kernel", "internal/driver/uring/a.go",
		`package uring; import "golang.org/x/sys/unix"; import "syscall"; var _ = syscall.Read`, ""},
	{"x/sys above", "kernel", "sock/a.go", `package sock; import "golang.org/x/sys/unix"`, "two doors to the kernel"},
	{"syscall function", "kernel", "sock/a.go", `package sock; import "syscall"; var _ = syscall.Getpid()`,
		"uses syscall.Getpid"},
	{"syscall variable", "kernel", "internal/loop/a.go",
		`package loop; import sc "syscall"; func f() { sc.ForkLock.RLock() }`, "uses syscall.ForkLock"},
	{"syscall function of another system", "kernel", "sock/a_windows.go",
		`package sock; import "syscall"; var _ = syscall.CreateFile`, "uses syscall.CreateFile"},
	{"syscall without its name", "kernel", "sock/a.go", `package sock; import . "syscall"`, "without its name"},
	{"syscall types and constants", "kernel", "sock/a.go",
		`package sock; import "syscall"; var e syscall.Errno = syscall.EINVAL; type c syscall.RawConn`, ""},
	{"internal/sys function", "kernel", "sock/a.go",
		`package sock; import "ringo/internal/sys"; var _ = sys.Dup(1)`, "uses sys.Dup: of internal/sys only types"},
	{"internal/sys function by another name", "kernel", "file/a.go",
		`package file; import s "ringo/internal/sys"; var _ = s.Dup`, "uses sys.Dup"},
	{"internal/sys in the loop", "kernel", "internal/loop/a.go",
		`package loop; import "ringo/internal/sys"; var _ = sys.Dup(1)`, "uses sys.Dup"},
	{"internal/sys types and constants", "kernel", "sock/a.go",
		`package sock; import "ringo/internal/sys"; const _ = sys.EINVAL; var _ sys.Sockaddr`, ""},
	{"the second door may", "kernel", "internal/kernel/a.go",
		`package kernel; import "ringo/internal/sys"; var _ = sys.Dup(1)`, ""},
	{"a driver may call internal/sys", "kernel", "internal/driver/soft/a.go",
		`package soft; import "ringo/internal/sys"; var _ = sys.Dup(1)`, ""},
	{"a name's file by package os", "kernel", "sock/a.go",
		`package sock; import "os"; var _, _ = os.Lstat("x")`, "uses os.Lstat: of package os nothing that asks"},
	{"package os otherwise", "kernel", "sock/a.go",
		`package sock; import "os"; var _ = os.NewFile(3, os.Getenv("X"))`, ""},
	{"a program's files", "kernel", "cmd/ringo/a.go", `package main; import "os"; var _, _ = os.Open("x")`, ""},
	{"a program of the raw ring", "kernel", "examples/uring/cat/a.go",
		`package main; import "golang.org/x/sys/unix"`, ""},
	{"an op beside the driver", "kernel", "sock/a.go",
		`package sock; import "ringo/internal/op"; var _ = new(op.Op).Attempt()`, "driver.Call, or Try of a loop"},
	{"a test may call the kernel", "kernel", "sock/a_test.go", `package sock; import "golang.org/x/sys/unix"`, ""},

	{"a program on internals", "programs", "cmd/ringo/serve/a.go", `package serve; import "ringo/internal/op"`,
		"cmd/ringo/serve imports internal/op: a program outside this repository"},
	{"an example on internals", "programs", "examples/echo/a.go", `package main; import _ "ringo/internal/loop"`,
		"examples/echo imports internal/loop"},
	{"a program on the public packages", "programs", "cmd/ringo/a.go",
		`package main; import "ringo/sock"; import "ringo/cmd/ringo/internal/cli"`, ""},
	{"a program's test", "programs", "cmd/ringo/a_test.go", `package main; import "ringo/internal/test/testmain"`, ""},
	{"others on internals", "programs", "sock/a.go", `package sock; import "ringo/internal/op"`, ""},

	{"foreign module", "dependencies", "sock/a.go", `package sock; import "github.com/x/y"`, "imports github.com/x/y"},
	{"x/net in a test", "dependencies", "sock/a_test.go", `package sock; import "golang.org/x/net/nettest"`, ""},
	{"x/net in the module", "dependencies", "sock/a.go", `package sock; import "golang.org/x/net/nettest"`,
		"imports golang.org/x/net"},
	{"hpack in HTTP/2", "dependencies", "sock/sockhttp/a.go",
		`package sockhttp; import "golang.org/x/net/http2/hpack"`, ""},
	{"TOML in the command", "dependencies", "cmd/ringo/internal/cli/a.go",
		`package cli; import "github.com/BurntSushi/toml"`, ""},
	{"TOML elsewhere", "dependencies", "sock/a.go", `package sock; import "github.com/BurntSushi/toml"`,
		"imports github.com/BurntSushi/toml"},
	{"hpack elsewhere", "dependencies", "sock/a.go", `package sock; import "golang.org/x/net/http2/hpack"`,
		"imports golang.org/x/net"},
	{"x/sys and std", "dependencies", "internal/sys/a.go",
		`package sys; import "golang.org/x/sys/unix"; import "net/http"; import "ringo/internal/abi"`, ""},

	{"cgo", "cgo", "uring/a.go", `package uring; import "C"`, "imports C"},
	{"linkname", "cgo", "uring/a.go", "package uring\n//go:linkname f runtime.f\nfunc f()\n", "a.go:2: go:linkname"},
	{"cgo in a module inside", "cgo", "bench/c/a.go", `package c; import "C"`, ""},
	{"talk of linkname", "cgo", "uring/a.go", "package uring\n// no go:linkname here\n", ""},

	{"unsafe by name", "unsafe", "uring/ring_unsafe_linux.go", `package uring; import "unsafe"`, ""},
	{"unsafe hidden", "unsafe", "uring/ring.go", `package uring; import "unsafe"`, "put _unsafe into it"},
	{"unsafe in the wrong place", "unsafe", "sock/a_unsafe.go", `package sock; import "unsafe"`, "add it to unsafeIn"},
	{"unsafe in a test", "unsafe", "sock/a_unsafe_test.go", `package sock; import "unsafe"`, ""},
	{"unsafe hidden in a test", "unsafe", "sock/a_test.go", `package sock; import "unsafe"`, "put _unsafe into it"},

	{"build line", "build lines", "uring/a_unix.go", "//go:build unix\n\npackage uring", ""},
	{"no build line", "build lines", "uring/a_unix.go", "// The doc.\n\npackage uring", "ends in _unix"},
	{"no build line in a test", "build lines", "uring/a_linux_test.go", "package uring", "ends in _linux"},
	{"build line too late", "build lines", "uring/a_linux.go", "package uring\n\n//go:build linux\n", "ends in _linux"},

	{"package doc", "package docs", "uring/a.go", "// Package uring is a ring.\npackage uring", ""},
	{"no package doc", "package docs", "internal/op/a.go", "package op", "internal/op: the package has no doc"},
	{"licence as package doc", "package docs", "uring/a.go", "// Licensed to all.\npackage uring", "begins with"},
	{"command doc", "package docs", "cmd/ringo/a.go", "// Ringo echoes.\npackage main", ""},

	{"documented", "exported docs", "uring/a.go", "package uring\n// A Ring is a ring.\ntype Ring struct{\n// Size " +
		"is in bytes.\nSize int\nFD int\n}\n// Close closes.\nfunc (r *Ring) Close() {}\nfunc (r *hidden) Close() " +
		"{}\ntype hidden struct{}", ""},
	{"method that everybody knows", "exported docs", "sock/a.go",
		"package sock\nfunc (e *Err) Error() string { return \"\" }", ""},
	{"function of the same name", "exported docs", "sock/a.go", "package sock\nfunc Error() {}", "Error is exported"},
	{"function", "exported docs", "sock/a.go", "package sock\nfunc Dial() {}", "Dial is exported"},
	{"method", "exported docs", "sock/a.go", "package sock\nfunc (c *Conn[T]) Close() {}\n", "Close is exported"},
	{"field", "exported docs", "a.go", "package ringo\n// Config configures.\ntype Config struct {\n\tLoops int\n}",
		"Config.Loops is exported"},
	{"fields under one comment", "exported docs", "a.go", "package ringo\n// Config configures.\ntype Config struct " +
		"{\n\t// Both count.\n\tLoops int\n\tTurns int\n\n\tLost int\n}", "Config.Lost is exported"},
	{"a package that nobody listed", "exported docs", "metrics/a.go", "package metrics\nfunc F() {}",
		"F is exported and has no doc comment"},
	{"a program", "exported docs", "cmd/ringo/a.go", "package main\nfunc F() {}", ""},
	{"interface method", "exported docs", "a.go", "package ringo\n// I is.\ntype I interface {\n\tDo()\n}",
		"I.Do is exported"},
	{"constants under one comment", "exported docs", "a.go", "package ringo\n// Limits.\nconst (\n\tA = 1\n\tB = 2\n)",
		""},
	{"constant", "exported docs", "a.go", "package ringo\nconst A = 1", "A is exported"},
	{"comment about something else", "exported docs", "a.go", "package ringo\n// This function runs.\nfunc Run() {}",
		"must name it"},
	{"parameter", "faces", "sock/a.go",
		`package sock; import "ringo/internal/timer"; func (c *Conn) Fire(t *timer.Timer) {}`, "shows timer.Timer"},
	{"result", "faces", "sock/a.go",
		`package sock; import x "ringo/internal/op"; func F() (int, []x.Op) { return 0, nil }`, "shows x.Op"},
	{"for the engine", "faces", "sock/a.go",
		`package sock; import "ringo/internal/op"; type sink Conn; func (s *sink) Complete(o *op.Op) {}` +
			`; func f(o *op.Op) {}`, ""},
	{"alias", "faces", "a.go", `package ringo; import "ringo/internal/loop"; type Stats = loop.Stats`,
		"shows loop.Stats"},
	{"defined type", "faces", "a.go", `package ringo; import "ringo/internal/loop"; type Loop loop.Loop`, ""},
	{"type over what is made of one", "faces", "a.go",
		`package ringo; import "ringo/internal/loop"; type Hook func(l *loop.Loop)`, "shows loop.Loop"},
	{"exported field", "faces", "a.go",
		`package ringo; import "ringo/internal/driver"; type Info struct { Ways []driver.Way }`, "shows driver.Way"},
	{"hidden field", "faces", "sock/a.go",
		`package sock; import "ringo/internal/loop"; type Conn struct { l *loop.Loop }`, ""},
	{"embedded", "faces", "sock/a.go", `package sock; import "ringo/internal/loop"; type Conn struct { *loop.Loop }`,
		"shows loop.Loop"},
	{"interface", "faces", "sock/a.go",
		`package sock; import "ringo/internal/loop"; type I interface { Do(t *loop.Task) }`, "shows loop.Task"},
	{"variable", "faces", "a.go", `package ringo; import "ringo/internal/loop"; var A *loop.Loop; var b *loop.Loop`,
		"shows loop.Loop"},
	{"public types", "faces", "sock/a.go",
		`package sock; import "ringo"; import "ringo/buf"; func F(l *ringo.Loop) buf.Lease { return buf.Lease{} }`, ""},
	{"every public package", "faces", "sock/socktls/a.go",
		`package socktls; import "ringo/internal/loop"; func F(l *loop.Loop) {}`, "shows loop.Loop"},
	{"a method of an embedded type", "faces", "sim/a.go",
		`package sim; import "ringo/internal/loop"; type A struct{ a }; type a struct{}; func (a) F(l *loop.Loop) {}`,
		"shows loop.Loop"},
	{"type parameter", "faces", "event/a.go",
		`package event; import "ringo/internal/loop"; type A[T loop.Describer] struct{ t T }`, "shows loop.Describer"},
	{"a leak that is known", "faces", "uring/errno_plan9.go",
		"//go:build plan9\n\npackage uring; import \"ringo/internal/posix\"; type Errno = posix.Errno", ""},
	{"a leak that was mended", "faces", "uring/errno_plan9.go", "//go:build plan9\n\npackage uring",
		"allows 1 internal types in signatures"},
	{"a package inside", "faces", "sock/internal/a/a.go",
		`package a; import "ringo/internal/op"; func F(o *op.Op) {}`, ""},
	{"not a face", "faces", "internal/driver/a.go", `package driver; import "ringo/internal/op"; func F(o *op.Op) {}`,
		""},
	{"120 columns", "columns", "sock/a.go", "package sock\n\n//" + strings.Repeat("é", 118), ""},
	{"121 columns", "columns", "sock/a.go", "package sock\n\n//" + strings.Repeat("é", 119),
		"sock/a.go:3: 121 columns"},
	{"a tab is four", "columns", "sock/a_test.go", "package sock\n\t//" + strings.Repeat("x", 115),
		"a_test.go:2: 121 columns"},
	{"a build line", "columns", "sock/a.go", "//go:build linux" + strings.Repeat(" || linux", 20) + "\npackage sock",
		""},
	{"a row of a table", "columns", "docs/a.md", "| " + strings.Repeat("x", 120) + " |", ""},
	{"a line of a text", "columns", "docs/a.md", "a\n" + strings.Repeat("x", 121), "docs/a.md:2: 121 columns"},
	{"a module inside", "columns", "bench/a.md", strings.Repeat("x", 121), "bench/a.md:1: 121 columns"},

	{"a constant with a value", "constants", "sock/a.go", "package sock\nconst A, B = 1 << 4, A + 1", ""},
	{"a constant of elsewhere", "constants", "sock/a.go",
		`package sock; import "ringo/internal/sys"; const A = 2 * sys.BatchMax`, "sock/a.go:1: A is sys.BatchMax"},
	{"the kernel's constant", "constants", "uring/a.go",
		`package uring; import "ringo/internal/abi"; const A = abi.AT_FDCWD`, ""},
	{"a hidden constant", "constants", "sock/a.go",
		`package sock; import "ringo/internal/sys"; const a = sys.BatchMax`, ""},

	{"a benchmark by name", "no inlining", "sock/a.go",
		"package sock\n// f is apart: inlined it makes the other larger.\n//\n//go:noinline\nfunc f() {}", ""},
	{"not inlined for nothing", "no inlining", "sock/a.go",
		"package sock\n// f is apart.\n//\n//go:noinline\nfunc f() {}", "sock/a.go:5: f is not inlined"},
	{"a benchmark that is not there", "no inlining", "sock/a.go",
		"package sock\n// f is small: BenchmarkNone.\n//\n//go:noinline\nfunc f() {}", "names BenchmarkNone"},
	{"inlined at will", "no inlining", "sock/a.go", "package sock\n// f is.\nfunc f() {}", ""},

	{"plain English", "prose", "sock/a.go", "// Package sock returns nil to callers that wait.\npackage sock", ""},
	{"over the end of a line", "prose", "sock/a.go", "package sock\n// F says what can't\n// be had.\nfunc F() {}",
		`sock/a.go:2: "can't be had"`},
	{"a field", "prose", "sock/a.go", "package sock\n// C is.\ntype C struct {\n\t// N gives nil.\n\tN int\n}",
		`sock/a.go:4: "gives nil"`},
	{"a hidden field", "prose", "sock/a.go", "package sock\n// C is.\ntype C struct {\n\t// n gives nil.\n\tn int\n}",
		""},
	{"a method of an embedded type", "prose", "sock/a.go",
		"package sock\n// C is.\ntype C struct{ c }\ntype c struct{}\n// F gives a file of c.\nfunc (*c) F() {}",
		`sock/a.go:5: "gives a file of"`},
	{"a comment inside", "prose", "sock/a.go", "package sock\nfunc f() {\n\t// who waits\n}", ""},
	{"a text", "prose", "docs/a.md", "one\n\nWho waits gets\nit.", `docs/a.md:3: "Who waits"`},
	{"stiff", "prose", "sock/a.go", "package sock\n// F is told.\nfunc F() {}", "is told"},
	{"stiff at the door", "prose", "README.md", "Nobody waits.", `"Nobody"`},
	{"stiff in a text", "prose", "docs/a.md", "Nobody waits.", ""},
	{"hidden constants", "prose", "sock/a.go", "package sock\n// Bounds of what is.\nconst (\n\ta = 1\n)", ""},
	{"shown constants", "prose", "sock/a.go", "package sock\n// Bounds of what is.\nconst (\n\tA = 1\n)", "of what"},
	{"a decision", "prose", "docs/adr/0001-a.md", "Who waits gets it.", ""},

	{"a file that is there", "named files", "docs/a.md", "see `lib.sh` and [it](../bench/go.mod)", ""},
	{"a file that is not", "named files", "docs/a.md", "one\nsee `sock/gone.go`",
		"docs/a.md:2: there is no sock/gone.go"},
	{"code that is there", "named code", "docs/a.md", "`sys.Dup` and `calls.go`", ""},
	{"code that is not", "named code", "docs/a.md", "one\n`Loop.Burst` says",
		"docs/a.md:2: nothing is called Loop.Burst"},
	{"a table of something else", "layers table", "docs/architecture.md", "\n## Layers\n\n| `uring` | the ring |\n",
		"row 1 of the table of layers has [uring]"},

	{"a goroutine", "worlds", "sock/a.go", "package sock\nfunc f() { go f() }", "go: 1 times, and 0 may be"},
	{"another name", "worlds", "file/a.go", `package file; import t "time"; var x = t.Now()`, "t.Now: 1 times"},
	{"Go's chance", "worlds", "sock/a.go", `package sock; import "math/rand/v2"; var x = rand.Int()`, "rand.Int"},
	{"the table is too wide", "worlds", "file/lock.go", "package file", "allows time.NewTimer 1 times"},
	{"who is in no world", "worlds", "internal/loop/a.go", "package loop\nfunc f() { go f() }", ""},
	{"internal is free", "exported docs", "internal/op/a.go", "package op\nfunc Free() {}", ""},
}

func TestRules(t *testing.T) {
	all := rules(t)
	for _, c := range ruleCases {
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			tree, err := Load(fstest.MapFS{
				"go.mod":       {Data: []byte("module ringo\n\ngo 1.25\n")},
				"bench/go.mod": {Data: []byte("module bench\n")},
				"internal/sys/calls.go": {Data: []byte("// Package sys makes calls.\npackage sys\n" +
					"// Dup duplicates.\nfunc Dup(fd int32) int32 { return fd }\n" +
					"// EINVAL is an error, Sockaddr an address.\nconst EINVAL = 22\ntype Sockaddr struct{}\n")},
				c.file: {Data: []byte(c.src)},
			})
			if err != nil {
				t.Fatal(err)
			}
			faults := all[c.rule](tree)
			switch {
			case c.want == "" && len(faults) > 0:
				t.Errorf("got %q, want nothing", faults)
			case c.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], c.want)):
				t.Errorf("got %q, want one fault with %q", faults, c.want)
			}
		})
	}
}

func TestTablesAreSound(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range order {
		for _, dir := range l.dirs {
			if seen[dir] || listed(testHelpers, dir) || listed(tools, dir) {
				t.Errorf("%s has two places", dir)
			}
			seen[dir] = true
		}
	}
	if rank(driverTop) < 0 {
		t.Errorf("%s has no place in order", driverTop)
	}
	for dir := range unsafeIn {
		if rank(dir) < 0 {
			t.Errorf("unsafeIn names %s, which has no place in order", dir)
		}
	}
}

// A glossary has few words, which the documentation uses, and types that three files name have a comment.
func TestGlossaryCounts(t *testing.T) {
	section := "\nA Turn.\n\n## Glossary\n\n| word | meaning |\n|---|---|\n| turn, big gate | round |\n| Turn | b |\n"
	var many strings.Builder
	for i := range glossaryWords - 1 {
		fmt.Fprintf(&many, "| turn%d | round |\n", i)
	}
	module := fstest.MapFS{
		"go.mod":               {Data: []byte("module ringo\n")},
		"README.md":            {Data: []byte(strings.ReplaceAll(many.String(), "|", ""))},
		"docs/architecture.md": {Data: []byte(section + many.String())},
		"sock/a.go": {Data: []byte("package sock\n// ghost is none.\ntype ghost int\ntype (gate int; key int)\n" +
			"var a ghost; var k key")},
		"sock/b.go": {Data: []byte("package sock\nvar b ghost; var c gate")},
		"sock/c.go": {Data: []byte("package sock\nfunc f(a gate) ghost { return ghost(0) }")},
	}
	tree, err := Load(module)
	if err != nil {
		t.Fatal(err)
	}
	faults := Glossary(tree)
	want := []string{`explains "turn" twice`, fmt.Sprintf("explains %d words", glossaryWords+1),
		`explains "big gate", which`, "type gate is in 3 files"}
	if len(faults) != len(want) {
		t.Fatalf("got %q, want %q", faults, want)
	}
	for i, text := range want {
		if !strings.Contains(faults[i], text) {
			t.Errorf("got %q, want %q", faults[i], text)
		}
	}
}
