package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: release path DIR PATH | version DIR VERSION | " +
	"proxy DIR VERSION TIME PROXY | repository DIR VERSION REPOSITORY | modules DIR")

func run(args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	dir, rest := args[1], args[2:]
	switch {
	case args[0] == "path" && len(rest) == 1:
		return setPath(dir, rest[0])
	case args[0] == "version" && len(rest) == 1:
		return setVersion(dir, rest[0])
	case args[0] == "proxy" && len(rest) == 3:
		at, err := time.Parse(time.RFC3339, rest[1])
		if err != nil {
			return err
		}
		return writeProxy(dir, rest[0], at, rest[2])
	case args[0] == "repository" && len(rest) == 2:
		return compare(dir, rest[0], rest[1])
	case args[0] == "modules" && len(rest) == 0:
		all, err := released(dir)
		for _, m := range all {
			fmt.Println(m.dir, m.path())
		}
		return err
	}
	return errUsage
}
