package lint

import (
	"go/ast"
	"go/token"
	"path"
)

// worldly are the folders whose code runs in simulated worlds as well as outside.
var worldly = []string{"sock", "event", "file", "internal/handle", "internal/dial", "internal/relay"}

// leaving are the ways out of a world: functions, by the import path of their package, and the keyword go.
var leaving = map[string]map[string]bool{
	"time": set("Now", "Until", "Since", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker",
		"Tick"),
	"context":               set("AfterFunc", "WithTimeout", "WithDeadline"),
	"runtime":               set("AddCleanup", "SetFinalizer"),
	"os":                    set("NewFile", "Getwd", "TempDir"),
	"net":                   set("FileConn", "InterfaceByName", "InterfaceByIndex"),
	"path/filepath":         set("Abs"),
	"math/rand/v2":          nil, // all of it
	"ringo/internal/driver": set("Call", "Cached", "ReadCached", "ReadPlain", "ReadInMemory"),
	"ringo/internal/kernel": set("Host", "Process", "Import", "OSFile"),
	"ringo/internal/hosted": set("Shared"),
}

// wayOut says how often a file may use each of them, and why that never leaves a world.
type wayOut struct {
	uses map[string]int
	why  string
}

const worldReason = "what runs in a task of a simulated world (package sim) reaches the system's kernel, its clock, " +
	"its chance or a goroutine nowhere, or it would not be played again from its seed: internal/loop/world.go " +
	"has what to use instead. Where a world never comes by, waysOut in internal/test/lint says so"

// Worlds is the rule that nothing leaves a simulated world.
func Worlds(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		if !listed(worldly, p.Dir) {
			continue
		}
		for _, f := range p.source() {
			used := map[string]int{}
			last := map[string]token.Pos{}
			f.eachWayOut(func(name string, at token.Pos) { used[name]++; last[name] = at })
			name := t.fset.Position(f.AST.Pos()).Filename
			for what, n := range used {
				if may := waysOut[name].uses[what]; n > may {
					faults = append(faults, t.fault(last[what], "%s: %d times, and %d may be: %s", what, n,
						may,
						worldReason))
				}
			}
			for what, n := range waysOut[name].uses {
				if used[what] < n {
					faults = append(faults, t.fault(f.AST.Pos(), "waysOut allows %s %d times, and it is there %d times",
						what, n, used[what]))
				}
			}
		}
	}
	return faults
}

// eachWayOut calls found for each way out that a file uses.
func (f *File) eachWayOut(found func(name string, at token.Pos)) {
	paths := map[string]string{}
	for imported, spec := range f.imports {
		if _, watched := leaving[imported]; !watched {
			continue
		}
		name := path.Base(imported)
		if imported == "math/rand/v2" {
			name = "rand"
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		paths[name] = imported
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found("go", n.Pos())
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok || paths[pkg.Name] == "" {
				break
			}
			names := leaving[paths[pkg.Name]]
			if names == nil || names[n.Sel.Name] {
				found(pkg.Name+"."+n.Sel.Name, n.Pos())
			}
		}
		return true
	})
}

// waysOut are the uses that no world reaches, or that do nothing there.
var waysOut = map[string]wayOut{
	"event/signal.go": {once("go"), "refused in a world"},
	"file/cached.go": {once("driver.ReadCached", "driver.ReadInMemory", "driver.ReadPlain"),
		"routes that no file of a world has: noNowRead, and neither in memory nor overlaid"},
	"file/dir.go":     {once("runtime.AddCleanup"), "whenDropped does nothing in a world"},
	"file/file.go":    {once("runtime.AddCleanup"), "whenDropped does nothing in a world"},
	"file/listing.go": {once("runtime.AddCleanup"), "whenDropped does nothing in a world"},
	"file/lock.go":    {once("time.NewTimer"), "for goroutines, and files of a world refuse those"},
	"file/open.go": {map[string]int{"go": 2, "time.AfterFunc": 1},
		"opens of FIFOs that wait are refused in a world"},
	"file/readiness.go": {once("os.NewFile"),
		"a file of a world is waited for by polls of loops alone"},
	"file/stream.go": {once("go"), "for goroutines, and files of a world refuse those"},
	"file/transfer.go": {once("driver.ReadCached", "driver.ReadInMemory", "driver.ReadPlain", "driver.Cached",
		"rand.Uint32", "hosted.Shared"), "routes that no file of a world has, or for goroutines"},
	"file/world.go":          {once("os.TempDir"), "it has another in a world"},
	"sock/packet_control.go": {once("time.Until"), "datagrams with times are refused in a world"},
	"internal/dial/names.go": {once("context.WithDeadline"), "Beside looks names up in the task in a world"},
	"internal/dial/zone.go": {once("net.InterfaceByName", "net.InterfaceByIndex", "time.Since", "time.Now"),
		"a world has no names of interfaces"},
	"internal/handle/close.go": {once("go"), "in a world a close that lingers waits for nothing"},
	"internal/handle/deadline.go": {map[string]int{"time.Since": 1, "time.Until": 1, "time.Now": 2},
		"what belongs to no loop has the clock of a loop in a world; files in Go's netpoller there are none"},
	"internal/handle/wait.go": {once("context.AfterFunc", "os.NewFile"),
		"waits in Go's netpoller, for goroutines, which handles of a world refuse; tasks of other loops wait by polls"},
	"internal/relay/net.go": {once("driver.Call", "context.AfterFunc"),
		"connections of package net, which a task in a world can't wait for: Loop.OffloadIn refuses it"},
	"internal/relay/types.go": {map[string]int{"kernel.Host": 3, "kernel.OSFile": 2, "net.FileConn": 1},
		"questions about types, whose answer never changes"},
	"sock/activate.go": {once("kernel.Host", "os.NewFile"), "refused in a world"},
	"sock/adopt.go":    {map[string]int{"kernel.Host": 2}, "refused in a world"},
	"sock/detach.go":   {once("kernel.OSFile", "net.FileConn", "time.After", "time.Until"), "refused in a world"},
	"sock/imported.go": {map[string]int{"kernel.Host": 10}, "refused in a world"},
	"sock/listen.go":   {once("kernel.Host"), "for goroutines; who gives a world's turns is refused"},
	"sock/packet_ip.go": {once("kernel.Host"),
		"Adopt of a raw socket, which is refused in a world"},
	"sock/unix_file.go":  {once("filepath.Abs"), "the other case is a world's"},
	"sock/unix_files.go": {map[string]int{"kernel.Host": 2, "os.NewFile": 1}, "refused in a world, as Poll is"},
}

// once allows one use of each name.
func once(names ...string) map[string]int {
	all := map[string]int{}
	for _, n := range names {
		all[n] = 1
	}
	return all
}
