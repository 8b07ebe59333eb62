// Command parity writes docs/uring-parity.md: the names that liburing has, what package uring has for each, and the
// tests that show it. The lists are uring/testdata/parity/*.txt, a chapter each, in the order of their names:
//
//	# The chapter's title
//
//	Text, until a line with bars.
//
//	name | here | tests
//	accept | PrepAccept; PrepAcceptAddr | TestPrep/PrepAccept
//	kallsyms | the kernel's symbols can be read | -
//
// A cell of the column "here" lists names that package uring exports; one of "tests" lists tests, of package uring
// unless it names another (kernel.TestX). A cell that begins with a dash says why there are none. One of "run" begins
// with run, guests, probed or scripted.
//
// Run it in the module's root. Its own test fails if the page is stale, or names what does not exist.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "parity:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	chapters, err := read(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, page), []byte(render(chapters)), 0o644)
}
