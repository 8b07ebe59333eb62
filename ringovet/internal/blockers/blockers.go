package blockers

import "strings"

// A Blocker is something that stops the loop if a task does it.
type Blocker struct {
	Name    string // what it is, as source code names it
	Why     string // what it does to the loop
	Instead string
	Log     bool // it writes to the default logger, which a program may have replaced
}

const waits = "stops the loop until it returns"

// Blockers of the language, and those that are found in other ways than by a function's name.
var (
	Send    = row("a channel send", waits, "ringo.Chan.Send; a select with default never waits")
	Receive = row("a channel receive", waits,
		"ringo.Chan.Recv, Loop.Draining or Loop.OnDrain for the end of Run's context, Loop.NewTicker, or wait in "+
			offload)
	Select = row("a select without default", waits, "ringo.Select on ringo.Chans, or wait in Loop.Offload")
	Print  = row("print to stderr", "stops the loop while that is a pipe that is full", logging)
	Locked = row("a lock of package sync", "", "ringo.Mutex or RWMutex, or unlock before")
	Once   = row("(*sync.Once).Do of what parks", "stops the loop if another of its tasks comes meanwhile",
		"ringo.Once")
	TLS = row("a crypto/tls.Conn that several tasks use", "lets a peer freeze the loop", "package sock/socktls")

	netConn = row("a connection of package net", waits, "package sock")
	dirFS   = row("an fs.FS of os.DirFS", waits, "file.Root.FS")
	// Even if its files don't wait: for a request of several ranges it reads them on a goroutine of its own.
	fileServer = row("a handler of http.FileServer", readsFiles, "sockhttp.FileServer, or a handler that Task does "+
		"not mark")
	// It selects on channels, and runs its handler on a goroutine.
	timeoutHandler = row("a handler of http.TimeoutHandler", waits, "a handler that Task does not mark")
)

// Why of blockers that last as long as the disk or the processor needs.
const (
	disk       = "waits for the disk"
	readsFiles = "reads files"
	computes   = "keeps the loop's processor for long"
	collects   = "stops the program for a while"
)

const (
	logging  = "package logs"
	files    = "package file"
	offload  = "Loop.Offload"
	compute  = "Loop.Compute"
	routines = "Loop.Offload, which calls it on a goroutine"
)

func row(name, why, instead string) Blocker { return Blocker{Name: name, Why: why, Instead: instead} }

// Rank says how bad a Blocker is, 0 being the worst. 0 lasts until the program itself does something, for which it may
// need the loop; 1 until a peer does; 2 as long as the disk or the processor needs; and Prints takes no time unless the
// output is a pipe that is not read.
func (b Blocker) Rank() int {
	switch {
	case strings.HasPrefix(b.Instead, "ringo."), strings.HasPrefix(b.Instead, "Loop.Sleep"):
		return 0
	case b.Instead == logging:
		return Prints
	case strings.HasPrefix(b.Why, disk), b.Why == readsFiles, b.Why == computes, b.Why == collects:
		return 2
	}
	return 1
}

// Prints is the Rank of writing to stdout, stderr or a log.
const Prints = 3

// ParkedCallback returns the Blocker for a call that parks in a callback.
func ParkedCallback(name string) Blocker {
	return row(name, "parks in a callback, so that all others of its loop wait", "a task: event.Go or ringo.Loop.Go")
}

// SharedBuffer returns the Blocker for a buffer that several tasks use, across a call that parks.
func SharedBuffer(name string) Blocker {
	return row(name+", which tasks share,", "is in a call that parks: another task may write to it meanwhile",
		"ringo.Mutex around all of its uses, or a buffer for each task")
}

// Of returns the Blocker that a function is, by its types.Func.FullName.
func Of(name string) (Blocker, bool) {
	b, ok := byName[name]
	return b, ok
}

// Stand returns the Blocker for a value that a function of the standard library returns as an interface: it stands for
// each call of the value's methods.
func Stand(name string) (Blocker, bool) {
	b, ok := stands[name]
	return b, ok
}

// Elsewhere reports whether a function keeps the functions and interfaces that it gets, so that not its caller calls
// them.
func Elsewhere(name, path string) bool {
	return elsewherePackages[path] || elsewhere[name]
}

// Quiet reports whether a method, by its name, does not use what the wrapper, such as a bufio.Reader, was made around.
func Quiet(method string) bool { return quiet[method] }

// ReadsOn reports whether a function that returns a pointer uses its arguments before it returns. Others may keep them
// for the methods of what they return.
func ReadsOn(name string) bool { return readsOn[name] }
