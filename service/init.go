package service

import (
	"os"
	"strconv"
)

// Init is for a program that may be process 1 of a container: call it first in main. There, it starts the program once
// more, as a child, and does not return: as process 1 it waits for whatever ends in the container, hands signals on to
// the child, and ends as that does, with its exit code, or 128 and the signal's number. In the child, and everywhere
// else, it returns nil at once. An error says why there is no child; the program is process 1 still.
//
// So the program need not know of descendants that lose their parent, which the kernel gives process 1 to wait for; and
// package os/exec is not robbed of its own. What the program needs no init for: signals, which a program that listens
// for them gets as process 1, too, and children that it waits for itself. The price is a second process.
//
// Signals that are handed on are all but those that a process sends itself by what it does, such as SIGSEGV, and
// SIGCHLD, SIGPIPE, SIGURG, SIGTTIN and SIGTTOU. The child is a process group of its own, and has the terminal if there
// is one. What a manager has passed to process 1, such as sockets (sock.Activated) and the watchdog, is the child's.
// With the child everything in the container ends. Elsewhere than on Linux no process is one for which Init does
// anything.
func Init() error {
	if os.Getpid() == 1 {
		return runInit()
	}
	if _, ok := os.LookupEnv(initVariable); !ok {
		return nil
	}
	os.Unsetenv(initVariable)
	if os.Getppid() != 1 {
		return nil // of somebody who has passed the variable on
	}
	inited = true
	for _, name := range []string{"LISTEN_PID", "WATCHDOG_PID"} {
		if os.Getenv(name) == "1" {
			os.Setenv(name, strconv.Itoa(os.Getpid()))
		}
	}
	return nil
}

// initVariable is in the environment of the child that Init has started.
const initVariable = "RINGO_INIT"

// inited says that this process is that.
var inited bool

// EndsContainer reports whether all else in the container ends with this process: it is process 1, or the child of one
// that is in Init. Any goroutine may call it; it does not park.
func EndsContainer() bool { return inited || os.Getpid() == 1 }
