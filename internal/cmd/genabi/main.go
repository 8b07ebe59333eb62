// Command genabi turns the kernel's io_uring header into Go constants and structs.
//
// It is run by go generate in internal/abi. It understands as much C as that header uses and fails at anything else, so
// that a newer header is either translated completely or not at all:
//
//	genabi -header include/linux/io_uring.h -dir .
//
// Names stay as in C, but for a capital first letter, which Go needs to export them: struct io_uring_sqe becomes
// Io_uring_sqe, its member user_data User_data. Of a union Go gets the first member; the offsets of the others are
// written into the layout test.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	header := flag.String("header", "include/linux/io_uring.h", "the header to read")
	dir := flag.String("dir", ".", "the directory to write to")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*header, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "genabi:", err)
		os.Exit(1)
	}
}

func run(header, dir string) error {
	files, err := generate(header)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// A file is one generated file.
type file struct {
	name string
	text []byte
}

// generate reads the header and returns the files made from it, without writing them.
func generate(header string) ([]file, error) {
	src, err := os.ReadFile(header)
	if err != nil {
		return nil, err
	}
	h, err := parse(string(src))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", header, err)
	}
	return emit(h)
}
