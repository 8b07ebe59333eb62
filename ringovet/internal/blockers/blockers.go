package blockers

// A Blocker is something that stops a loop if a task does it.
type Blocker struct {
	Name    string // what it is, as a reader knows it
	Why     string // what it does to the loop
	Instead string
}

const waits = "stops the loop until it returns"

// What the language has.
var (
	Send    = Blocker{"a channel send", waits, "ringo.Chan.Send; a select with default never waits"}
	Receive = Blocker{"a channel receive", waits, "ringo.Chan.Recv, or wait in Loop.Offload"}
	Select  = Blocker{"a select without default", waits, "ringo.Select on ringo.Chans, or wait in Loop.Offload"}
	Print   = Blocker{"print to stderr", "stops the loop while that is a pipe that is full", logging}
	Locked  = Blocker{"a lock of package sync", "", "ringo.Mutex, or unlock before"}
	Once    = Blocker{"(*sync.Once).Do of what parks", "stops the loop if another of its tasks comes meanwhile",
		"ringo.Mutex and a bool"}
	TLS = Blocker{"a crypto/tls.Conn that several tasks use", "lets a peer freeze the loop", "package sock/socktls"}

	netConn = Blocker{"a connection of package net", waits, "package sock"}
	dirFS   = Blocker{"an fs.FS of os.DirFS", waits, "file.Dir.FS"}
)

const (
	logging  = "log in Loop.Offload, or through a writer that never waits"
	files    = "package file"
	offload  = "Loop.Offload"
	compute  = "Loop.Compute"
	sockets  = "package sock"
	routines = "Loop.Offload, which calls it on a goroutine"
)

// Of returns what is known of a function by its types.Func.FullName.
func Of(name string) (Blocker, bool) {
	b, ok := byName[name]
	return b, ok
}

// Log reports whether a function logs through the default logger of its package, which a program may have replaced.
func Log(name string) bool { return logs[name] }

// Stand returns what a value is that a function of the standard library returns as an interface: any call of its
// methods is a call of that.
func Stand(name string) (Blocker, bool) {
	b, ok := stands[name]
	return b, ok
}

// Elsewhere reports whether a function keeps the functions and interfaces that it is given for others to call, so that
// its caller doesn't.
func Elsewhere(name, path string) bool {
	return elsewherePackages[path] || elsewhere[name]
}

// Quiet reports whether a method of a wrapper, such as bufio.Reader, leaves alone what it was made around, by its name.
func Quiet(method string) bool { return quiet[method] }

// ReadsOn reports whether a function that returns a pointer has used up its arguments, while others keep them for the
// methods of what they return.
func ReadsOn(name string) bool { return readsOn[name] }
