package roots

import (
	"slices"
	"strings"
)

// A Kind says where a function runs that was passed to Ringo.
type Kind int

const (
	Task      Kind = iota + 1 // on a loop: as a task, or called in one other than the caller's
	Caller                    // in the caller, before the call returns
	Alike                     // started as a task if the caller is one, else as a goroutine
	Goroutine                 // on an ordinary goroutine, which may block
	Callback                  // in the task of a loop's callbacks: if one parks, all others wait
)

// module is the path of the runtime's module, and of the package that is its root.
const module = "ringo"

// An Entry is a place where a function or an http.Handler is passed to Ringo: a parameter of a function, or a field of
// a struct.
type Entry struct {
	Name string // types.Func.FullName; for a field package.Type.Field
	Arg  int    // index of the parameter, without the receiver; -1 for a field
	Kind Kind
}

// many are the entries whose functions run many times at once: for each connection, or for each request.
var many = []string{"ringo/sock.ListenAndServe", "(*ringo/sock.ListenConfig).ListenAndServe", "ringo/sock.ServeSets",
	"ringo/sock/socktls.ServeSets", "ringo/sock/socktls.ListenAndServe", "ringo/sock.Handler.Open",
	"ringo/sock.ListenAndServePackets", "(*ringo/sock.ListenConfig).ListenAndServePackets",
	"ringo/sock.PacketHandler.Packet", "ringo/sock.Handler.Request", "ringo/sock.Handler.Closed",
	"ringo/sock.Handler.Moved", "ringo/sock/sockhttp.Task",
	"ringo/sock/sockhttp.TaskReusing"}

// Many reports whether a function that is passed there runs many times at once.
func (e Entry) Many() bool { return slices.Contains(many, e.Name) }

var entries = []Entry{
	{"ringo.Run", 2, Task},
	{"(*ringo.Loop).Go", 0, Task},
	{"(*ringo.Loop).GoNamed", 1, Task},
	{"(*ringo.Loop).Post", 0, Task},
	{"(*ringo.Loop).AfterFunc", 1, Task},
	{"(*ringo.Loop).Call", 0, Task},
	{"(*ringo.Loop).OnDrain", 0, Task},
	{"(*ringo.Loop).WithTimeout", 1, Caller},
	{"(*ringo.Loop).WithContext", 1, Caller},
	{"(*ringo.Loop).WithClass", 1, Caller},
	{"(*ringo.Loop).Offload", 0, Goroutine},
	{"(*ringo.Loop).Compute", 0, Goroutine},
	{"(*ringo.Group).Go", 0, Task},
	{"(*ringo.Group).TryGo", 0, Task},
	{"(*ringo.WaitGroup).Go", 0, Alike},
	{"(*ringo.Once).Do", 0, Caller},
	{"ringo.OnceFunc", 0, Task}, // in the first caller of what it returns; goroutines use those of package sync
	{"ringo.OnceValue", 0, Task},
	{"ringo.OnceValues", 0, Task},
	{"ringo.Config.Start", -1, Task},
	{"(*ringo.Loop).GoBackground", 0, Task},
	{"ringo.NewSharded", 0, Task},
	{"(*ringo.Sharded[T]).Each", 0, Task},
	{"ringo.Reduce", 1, Task},
	{"ringo.Reduce", 2, Caller},
	{"(*ringo.Shard[T]).Call", 0, Task},
	{"(*ringo.Batch[T]).Add", 1, Task},
	{"(*ringo/singleflight.Group[K, V]).Do", 2, Alike},
	{"ringo/retry.Do", 2, Caller},
	{"ringo/retry.Hedge", 2, Alike},
	{"ringo/retry.Hedge", 3, Alike},
	{"ringo/retry.Policy.Again", -1, Caller},
	{"ringo.Config.OnPanic", -1, Task},
	{"ringo.Config.OnStall", -1, Goroutine},
	{"ringo/event.Run", 2, Task},
	{"ringo/event.Go", 1, Task},
	{"ringo/event.Go", 2, Callback},
	{"(*ringo/event.Conn).ReadFull", 1, Callback},
	{"(*ringo/event.Conn).SendFile", 3, Callback},
	{"(*ringo/event.Conn).WriteThen", 1, Callback},
	{"(*ringo/event.Listener).OnClose", 0, Callback},
	{"(*ringo/event.Loop).AfterFunc", 1, Callback},
	{"(*ringo/event.Loop).Check", 0, Callback},
	{"(*ringo/event.Loop).Every", 1, Callback},
	{"(*ringo/event.Loop).Idle", 0, Callback},
	{"(*ringo/event.Loop).NewWaker", 0, Callback},
	{"(*ringo/event.Loop).Poll", 2, Callback},
	{"(*ringo/event.Loop).Post", 0, Task},
	{"(*ringo/event.Loop).Prepare", 0, Callback},
	{"(*ringo/event.Loop).Signal", 0, Callback},
	{"ringo/logs.Config.Dropped", -1, Goroutine},
	{"ringo/metrics.Each", 0, Caller},
	{"(*ringo/sim.Host).Run", 1, Task},
	{"(*ringo/sim.World).After", 1, Task}, // of the world, whose clock stands still meanwhile
	{"(*ringo/sim.World).RunUntil", 1, Caller},
	{"ringo/sim.Explore", 2, Caller},
	{"ringo/sim.Fuzz", 1, Caller},
	{"ringo/sim.Run", 2, Caller},
	{"ringo/sock.ListenAndServe", 4, Task},
	{"(*ringo/sock.ListenConfig).ListenAndServe", 4, Task},
	{"ringo/sock.ServeSets", 3, Task},
	{"ringo/sock.ListenAndServePackets", 4, Task},
	{"(*ringo/sock.ListenConfig).ListenAndServePackets", 4, Task},
	{"ringo/sock.PacketHandler.Packet", -1, Task},
	{"ringo/sock/socktls.ServeSets", 4, Task},
	{"ringo/sock.Handler.Open", -1, Task},
	{"ringo/sock.Handler.Request", -1, Task},
	{"ringo/sock.Handler.Closed", -1, Task},
	{"ringo/sock.Handler.Moved", -1, Task},
	{"ringo/sock.Handler.Drain", -1, Task},
	{"ringo/sock.Handler.More", -1, Task},
	{"ringo/sock.Dialer.Control", -1, Task},
	{"ringo/sock.Dialer.ControlContext", -1, Task},
	{"ringo/sock.ListenConfig.Control", -1, Task},
	{"ringo/sock/socktls.ListenAndServe", 5, Task},
	{"ringo/sock/sockhttp.Task", 0, Task},
	{"ringo/sock/sockhttp.TaskReusing", 0, Task},
	{"ringo/sock/sockhttp.Goroutine", 0, Goroutine},
	{"ringo/sock/sockhttp.ListenAndServe", 3, Goroutine},
	{"ringo/sock/sockhttp.Server.Handler", -1, Goroutine},
	{"(*ringo/sock/sockhttp.Server).RegisterOnShutdown", 0, Goroutine},
	{"ringo/sock/sockhttp.Server.Answered", -1, Task},
	{"ringo/sock/sockhttp.Server.Refused", -1, Task},
	{"ringo/sock/sockhttp.Server.Drain", -1, Task},
	{"ringo/sock/sockhttp.Server.More", -1, Task},
	{"ringo/sock/sockhttp.Server.BaseContext", -1, Goroutine},
	{"ringo/sock/sockhttp.Server.ConnContext", -1, Goroutine},
	{"ringo/sock/sockhttp.Server.ConnState", -1, Goroutine},
	{"ringo/sock/sockhttp.Transport.DialContext", -1, Task},
	{"ringo/sock/sockhttp.Transport.Proxy", -1, Task},
	{"(*ringo/service.Manager).Reload", 0, Caller},
	{"ringo/upgrade.Config.Command", -1, Goroutine},
	{"(*ringo/upgrade.Upgrader).Pass", 1, Goroutine},
	{"ringo/sock/sockclient.Protocol.Read", -1, Task},
	{"ringo/sock/sockclient.Protocol.ID", -1, Task},
	{"ringo/sock/sockclient.Protocol.Push", -1, Task},
	{"ringo/sock/sockclient.Pool.Dial", -1, Task},
	{"ringo/sock/sockclient.Pool.Check", -1, Task},
	{"(*ringo/sock/sockclient.Pool).Do", 2, Caller},
	{"(*ringo/uring.Ring).EachPending", 0, Caller},
	{"ringo/file.WalkDir", 1, Caller},
	{"(*ringo/file.Root).WalkDir", 1, Caller},
	{"ringo/sim.RunLoop", 1, Task},
}

var byName = func() map[string][]Entry {
	m := map[string][]Entry{}
	for _, e := range entries {
		m[e.Name] = append(m[e.Name], e)
	}
	return m
}()

// Of returns the entries of a function or of a field, one for each parameter that takes a function to run; nil if there
// are none.
func Of(name string) []Entry { return byName[name] }

// Fields returns the entries that are fields whose functions run on a loop.
func Fields() (all []Entry) {
	for _, e := range entries {
		if e.Arg < 0 && e.Starts() {
			all = append(all, e)
		}
	}
	return all
}

// handshakes are the fields of a crypto/tls.Config that a handshake calls, in the task or goroutine that does it.
var handshakes = []string{"EncryptedClientHelloRejectionVerify", "GetCertificate", "GetClientCertificate",
	"GetConfigForClient", "GetEncryptedClientHelloKeys", "Time", "UnwrapSession", "VerifyConnection",
	"VerifyPeerCertificate", "WrapSession"}

// Handshakes returns the entries for those fields, for configurations of connections that tasks use.
func Handshakes() (all []Entry) {
	for _, name := range handshakes {
		all = append(all, Entry{"crypto/tls.Config." + name, -1, Task})
	}
	return all
}

// Starts reports whether what is passed there runs on a loop.
func (e Entry) Starts() bool { return e.Kind == Task || e.Kind == Callback }

// Handlers are the interfaces of package event whose methods are callbacks.
var Handlers = []string{"Handler", "PacketHandler"}

// Struct returns the struct type of a field.
func (e Entry) Struct() string { return e.Name[:strings.LastIndexByte(e.Name, '.')] }

// Field returns the name of a field.
func (e Entry) Field() string { return e.Name[strings.LastIndexByte(e.Name, '.')+1:] }

// ours are the packages of Ringo. Their tasks don't stop the loop, so ringovet does not look into them.
var ours = []string{"buf", "codec", "debug", "event", "file", "internal", "logs", "metrics", "proc", "rate", "retry",
	"service", "sim", "singleflight", "sock", "stats", "upgrade", "uring"}

// Ours reports whether a package is one of Ringo's.
func Ours(path string) bool {
	dir, below := strings.CutPrefix(path, module+"/")
	dir, _, _ = strings.Cut(dir, "/")
	return path == module || below && slices.Contains(ours, dir)
}
