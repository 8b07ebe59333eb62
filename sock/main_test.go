package sock_test

import (
	"flag"
	"os"
	"sync/atomic"
	"testing"

	"ringo/internal/testmain"
)

// long makes the tests that open many connections open a great many:
//
//	go test ./sock -run Storm -long -timeout 30m
var long = flag.Bool("long", false, "accept and close 1,000,000 connections, not 20,000")

// childEnv names the program that this binary shall be in place of the tests.
const childEnv = "RINGO_SOCK_CHILD"

// children are those programs. Each gives the exit status.
var children = map[string]func() int{}

// left counts the slots and buffers that loops had in use when their tests had
// closed everything. A test that sees some fails by itself; the gate is for those
// that stop before they look.
var left atomic.Int64

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		os.Exit(child())
	}
	raiseFiles()
	testmain.Register("slots and buffers of loops that have ended", func() int { return int(left.Load()) })
	testmain.Main(m)
}
