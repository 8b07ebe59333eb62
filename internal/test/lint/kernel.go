package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// SyscallActions returns the names in package syscall that are functions or variables on any system; src is the
// package's source folder. The other names are types and constants, which do nothing. Plan 9 is left out: its errors
// are variables.
func SyscallActions(src fs.FS) (map[string]bool, error) {
	names, err := fs.Glob(src, "*.go")
	if err != nil {
		return nil, err
	}
	actions := map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "_plan9") {
			continue
		}
		text, err := fs.ReadFile(src, name)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			addActions(actions, d)
		}
	}
	return actions, nil
}

func addActions(actions map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			actions[d.Name.Name] = true
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
		for _, spec := range d.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				actions[name.Name] = true
			}
		}
	}
}

const kernelReason = "there are two doors to the kernel, and above the drivers nothing goes past them: only so does " +
	"one program run on every driver, and can another kernel be put under a loop, one that a test plays or that of a " +
	"system that is no Linux. What waits for a peer or has an entry in io_uring is an op of the loop's driver; all " +
	"else is a method of kernel.Kernel (internal/kernel), which a loop carries."

// byName are the functions of package os that ask the kernel about a name or an open file. Programs may use them; a
// handle asks its own kernel.
var byName = set("Chdir", "Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "DirFS", "Lchown", "Link",
	"Lstat", "Mkdir", "MkdirAll", "MkdirTemp", "Open", "OpenFile", "OpenInRoot", "OpenRoot", "Pipe", "ReadDir",
	"ReadFile", "Readlink", "Remove", "RemoveAll", "Rename", "StartProcess", "Stat", "Symlink", "Truncate", "WriteFile")

func set(names ...string) map[string]bool {
	all := map[string]bool{}
	for _, n := range names {
		all[n] = true
	}
	return all
}

// rawPrograms use only package uring, or ask the user's terminal: they have no loop through which they could reach the
// kernel.
var rawPrograms = []string{"examples/uring/...", "cmd/ringo/internal/cli"}

// Kernel is the rule that packages above the drivers reach the kernel in two ways only: by ops of a loop's driver, and
// by methods of its kernel.Kernel. syscalls are the names of package syscall that do something; those of internal/sys
// are all its functions and variables.
func Kernel(syscalls map[string]bool) func(*Tree) []string {
	return func(t *Tree) (faults []string) {
		calls := map[string]map[string]bool{"syscall": syscalls, t.Module + "/internal/sys": t.actions("internal/sys")}
		for _, p := range t.Packages {
			if rank(p.Dir) <= rank(driverTop) || listed(rawPrograms, p.Dir) {
				continue
			}
			calls["os"] = byName
			if strings.HasPrefix(p.Dir, "cmd/") || strings.HasPrefix(p.Dir, "examples/") {
				calls["os"] = nil // programs may use it
			}
			if p.Dir == "sim" {
				calls["os"] = nil // its reports of a failed test are outside the world
			}
			for _, f := range p.source() {
				faults = append(faults, t.kernelFaults(f, calls)...)
			}
		}
		return faults
	}
}

// actions returns the exported functions and variables of a package of the module.
func (t *Tree) actions(dir string) map[string]bool {
	all := map[string]bool{}
	for _, p := range t.Packages {
		if p.Dir != dir {
			continue
		}
		for _, f := range p.source() {
			for _, d := range f.AST.Decls {
				addActions(all, d)
			}
		}
	}
	return all
}

// kernelFaults finds the uses of forbidden names in a file. calls has the forbidden names of each package by its import
// path.
func (t *Tree) kernelFaults(f *File, calls map[string]map[string]bool) (faults []string) {
	paths := map[string]string{} // import paths by the names that this file has for the packages
	for imported, spec := range f.imports {
		actions, watched := calls[imported]
		switch {
		case strings.HasPrefix(imported, "golang.org/x/sys/"):
			faults = append(faults, t.fault(spec.Pos(), "imports %s: %s", imported, kernelReason))
		case !watched || actions == nil:
		case spec.Name == nil:
			paths[path.Base(imported)] = imported
		case spec.Name.Name == ".":
			faults = append(faults, t.fault(spec.Pos(),
				"imports %s without its name, so that its use can't be seen; %s", path.Base(imported), kernelReason))
		default:
			paths[spec.Name.Name] = imported
		}
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		name := sel.Sel.Name
		if pkg, ok := sel.X.(*ast.Ident); ok && calls[paths[pkg.Name]][name] {
			faults = append(faults, t.fault(sel.Pos(), "uses %s.%s: %s, since %s",
				path.Base(paths[pkg.Name]), name, mayUse[path.Base(paths[pkg.Name])], kernelReason))
		}
		if name == "Attempt" {
			faults = append(faults, t.fault(sel.Pos(),
				"makes the plain call of an op beside the driver: that is driver.Call, or Try of a loop, since %s",
				kernelReason))
		}
		return true
	})
	return faults
}

// mayUse says what may still be used of a package.
var mayUse = map[string]string{
	"syscall": "of package syscall only types and constants",
	"sys":     "of internal/sys only types and constants",
	"os":      "of package os nothing that asks about names and files",
}
