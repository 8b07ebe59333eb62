package file_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// notHere is what package os exports and package file does not, by reason. All else of os has the same name here, so
// that a program about files moves by s/os\./file./.
var notHere = map[string]string{
	"values that both packages take and give: os's or io/fs's serve": `DevNull DirEntry ErrClosed ErrDeadlineExceeded
		ErrExist ErrInvalid ErrNoDeadline ErrNotExist ErrPermission FileInfo FileMode IsExist IsNotExist
		IsPathSeparator IsPermission IsTimeout LinkError LinkError.Error LinkError.Unwrap ModeAppend ModeCharDevice
		ModeDevice ModeDir ModeExclusive ModeIrregular ModeNamedPipe ModePerm ModeSetgid ModeSetuid ModeSocket
		ModeSticky ModeSymlink ModeTemporary ModeType NewSyscallError O_APPEND O_CREATE O_EXCL O_RDONLY O_RDWR O_SYNC
		O_TRUNC O_WRONLY PathError PathListSeparator PathSeparator SEEK_CUR SEEK_END SEEK_SET SyscallError
		SyscallError.Error SyscallError.Timeout SyscallError.Unwrap`,
	"about the process and its environment, and no file": `Args Clearenv Environ Executable Exit Expand ExpandEnv
		Getegid Getenv Geteuid Getgid Getgroups Getpagesize Getpid Getppid Getuid Getwd Hostname LookupEnv Setenv
		TempDir Unsetenv UserCacheDir UserConfigDir UserHomeDir`,
	"a change of directory is the process's: File.Chdir is, too, and is os's to the letter": "Chdir",
	"processes and signals": `ErrNoHandle ErrProcessDone FindProcess Interrupt Kill ProcAttr Process Process.Kill
		Process.Release Process.Signal Process.Wait Process.WithHandle ProcessState ProcessState.ExitCode
		ProcessState.Exited ProcessState.Pid ProcessState.String ProcessState.Success ProcessState.Sys
		ProcessState.SysUsage ProcessState.SystemTime ProcessState.UserTime Signal StartProcess`,
	"others' files, which Adopt takes over": "Stderr Stdin Stdout",
}

// Package file has os's names to the letter, but for those that it has no use for.
func TestNamesOfOS(t *testing.T) {
	theirs, err := build.Import("os", "", 0)
	if err != nil {
		t.Skip("no source of package os: ", err)
	}
	ours, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	have, missing := exported(t, ours), exported(t, theirs)
	maps.DeleteFunc(missing, func(name string, _ bool) bool { return have[name] })
	for reason, names := range notHere {
		for _, name := range strings.Fields(names) {
			if !missing[name] {
				t.Errorf("%s is listed as %q, and package file has it, or os has not", name, reason)
			}
			delete(missing, name)
		}
	}
	if len(missing) > 0 {
		t.Errorf("package os has %q, and package file has not: add them, or to notHere with the reason",
			slices.Sorted(maps.Keys(missing)))
	}
}

// exported is the names that a package exports, of methods with their type's.
func exported(t *testing.T, p *build.Package) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					typ := d.Recv.List[0].Type
					if p, ok := typ.(*ast.StarExpr); ok {
						typ = p.X
					}
					name = typ.(*ast.Ident).Name + "." + name
				}
				all[name] = d.Name.IsExported()
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						all[s.Name.Name] = true
					case *ast.ValueSpec:
						for _, name := range s.Names {
							all[name.Name] = true
						}
					}
				}
			}
		}
	}
	maps.DeleteFunc(all, func(name string, exported bool) bool { return !exported || !ast.IsExported(name) })
	return all
}
