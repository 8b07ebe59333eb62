package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "initramfs:", err)
		}
		os.Exit(2)
	}
}

func run(args []string, stderr io.Writer) error {
	f := flag.NewFlagSet("initramfs", flag.ContinueOnError)
	f.SetOutput(stderr)
	out := f.String("o", "", "the `file` to write")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *out == "" || f.NArg() == 0 {
		return errors.New("usage: initramfs -o FILE [NAME=PATH | NAME/ ...]")
	}
	file, err := os.Create(*out)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	return errors.Join(pack(w, f.Args()), w.Flush(), file.Close())
}

// pack writes an archive with the members that the arguments name.
func pack(w io.Writer, args []string) error {
	a := newArchive(w)
	a.add("dev/console", fs.ModeDevice|fs.ModeCharDevice|0o600, nil)
	for _, arg := range args {
		name, path, isFile := strings.Cut(arg, "=")
		name = strings.TrimPrefix(name, "/")
		switch dir, isDir := strings.CutSuffix(name, "/"); {
		case isDir && !isFile:
			a.add(dir, fs.ModeDir|0o755, nil)
		case isFile && !isDir:
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			a.add(name, info.Mode().Perm(), content)
		default:
			return fmt.Errorf("%q is neither NAME=PATH nor NAME/", arg)
		}
	}
	return a.close()
}
