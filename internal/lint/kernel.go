package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
)

// SyscallActions returns the names in package syscall that are functions or
// variables on any system, given its source folder. What remains are types and
// constants, which do nothing. Plan 9 is left out: its errors are variables.
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

const kernelReason = "nothing above the drivers calls the kernel: only so does one program run on every driver, and " +
	"can a test put another " +
	"kernel, clock or descriptor under a loop. Make it an op or a driver's Try, or a function of internal/sys that a " +
	"driver calls."

// Kernel is the rule that what lies above the drivers leaves the kernel to them.
// actions are the names of package syscall that do something.
func Kernel(actions map[string]bool) func(*Tree) []string {
	return func(t *Tree) (faults []string) {
		for _, p := range t.Packages {
			if rank(p.Dir) <= rank(driverTop) {
				continue
			}
			for _, f := range p.source() {
				faults = append(faults, t.kernelFaults(f, actions)...)
			}
		}
		return faults
	}
}

func (t *Tree) kernelFaults(f *File, actions map[string]bool) (faults []string) {
	names := map[string]bool{} // what this file calls package syscall
	for imported, spec := range f.imports {
		switch {
		case strings.HasPrefix(imported, "golang.org/x/sys/"):
			faults = append(faults, t.fault(spec.Pos(), "imports %s: %s", imported, kernelReason))
		case imported == "syscall" && spec.Name == nil:
			names["syscall"] = true
		case imported == "syscall" && spec.Name.Name == ".":
			faults = append(faults, t.fault(spec.Pos(),
				"imports syscall without its name, so that its use can't be seen; %s", kernelReason))
		case imported == "syscall":
			names[spec.Name.Name] = true
		}
	}
	if len(names) == 0 {
		return faults
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && names[pkg.Name] && actions[sel.Sel.Name] {
				faults = append(faults, t.fault(sel.Pos(),
					"uses syscall.%s: of package syscall only types and constants, since %s",
					sel.Sel.Name, kernelReason))
			}
		}
		return true
	})
	return faults
}
