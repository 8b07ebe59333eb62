package blockers

import "strings"

// module is the path of Ringo's module, and of the package that is its root.
const module = "ringo"

// A group is a list of functions with the same replacement: of is their package or receiver, names are those that wait.
type group struct {
	why, instead string
	of           string
	names        string
}

var groups = []group{
	{waits, "Loop.Sleep", "time", "Sleep"},
	{waits, "ringo.WaitGroup, or ringo.Group", "(*sync.WaitGroup)", "Wait"},
	{waits, "ringo.Cond", "(*sync.Cond)", "Wait"},
	{waits, "ringo.Semaphore", "(*golang.org/x/sync/semaphore.Weighted)", "Acquire"},
	{waits, "ringo.Group; for goroutines " + offload, "(*golang.org/x/sync/errgroup.Group)", "Wait"},
	{waits, routines, "(*golang.org/x/sync/singleflight.Group)", "Do"},
	{"ends the process when the task parks", "Config.Place, or " + offload, "runtime", "LockOSThread"},
	{collects, offload, "runtime", "GC"},
	{collects, offload, "runtime/debug", "FreeOSMemory"},
	{"fails, because a loop would wait for it", "a goroutine", module, "Run"},
	{"fails, because a loop would wait for it", "a goroutine", "ringo/event", "Run"},
	{"fails, because a loop would wait for it", "a goroutine", "ringo/sock", "ListenAndServe ListenAndServePackets " +
		"ServeSets"},
	{"fails, because a loop would wait for it", "a goroutine", "(*ringo/sock.ListenConfig)", "ListenAndServe " +
		"ListenAndServePackets"},
	{"fails, because a loop would wait for it", "a goroutine", "ringo/sock/socktls", "ListenAndServe ServeSets"},
	{"fails, because a loop would wait for it", "a goroutine", "ringo/sock/sockhttp", "ListenAndServe"},
	{"fails, because a loop would wait for it", "a goroutine", "(*ringo/sock/sockhttp.Server)", "ListenAndServe " +
		"ListenAndServeTLS ServeSets ServeSetsTLS"},

	{disk, files, "os", "Open OpenFile Create CreateTemp ReadFile WriteFile ReadDir Stat Lstat " +
		"Remove " +
		"RemoveAll Rename Mkdir MkdirAll MkdirTemp Truncate Link Symlink Readlink Chmod Chown Lchown Chtimes CopyFS " +
		"OpenRoot OpenInRoot"},
	{disk + ", or stops the loop while a pipe is full or empty", files, "(*os.File)",
		"Read ReadAt ReadFrom Write WriteAt WriteString WriteTo Sync Truncate Stat ReadDir Readdir Readdirnames Chmod"},
	{disk, "file.Root", "(*os.Root)", "Open OpenFile Create ReadFile WriteFile Stat Lstat Remove " +
		"RemoveAll Rename Mkdir MkdirAll"},
	{disk, files, "io/ioutil", "ReadFile WriteFile ReadDir TempFile TempDir"},
	{disk, "file.WalkDir", "path/filepath", "Walk WalkDir Glob EvalSymlinks"},
	{disk, offload, "html/template", "ParseFiles ParseGlob"},
	{disk, offload, "text/template", "ParseFiles ParseGlob"},
	{waits, routines, "(*os.Process)", "Wait"},
	{waits, routines, "os/exec", "LookPath"},
	{waits, "package proc", "(*os/exec.Cmd)", "Run Output CombinedOutput Start Wait"},
	{waits, routines, "os/user", "Current Lookup LookupId LookupGroup LookupGroupId"},
	{waits, routines, "plugin", "Open"},
	{waits, files + " or package sock", "syscall", "Read Write Pread Pwrite Open Fsync Fdatasync Flock Wait4 Select " +
		"Nanosleep Connect Accept Accept4 Recvfrom Sendto Sendfile"},
	{waits, files + " or package sock", "golang.org/x/sys/unix", "Read Write Pread Pwrite Open Openat Fsync " +
		"Fdatasync Flock Wait4 Waitid Select Poll Ppoll EpollWait Nanosleep Connect Accept Accept4 Recvfrom Recvmsg " +
		"Sendto Sendmsg Sendfile Splice Fallocate"},
	{"waits for the other end", "ringo.Chan, or file.Pipe", "(*io.PipeReader)", "Read"},
	{"waits for the other end", "ringo.Chan, or file.Pipe", "(*io.PipeWriter)", "Write"},

	{waits, "sock.Dial", "net", "Dial DialTimeout DialTCP DialUDP DialUnix DialIP"},
	{waits, "sock.Dialer", "(*net.Dialer)", "Dial DialContext DialTCP DialUDP DialUnix DialIP"},
	{waits, "sock.Listen", "net", "Listen ListenTCP ListenUnix ListenPacket ListenUDP ListenUnixgram"},
	{waits, "sock.ListenConfig", "(*net.ListenConfig)", "Listen ListenPacket"},
	{"waits for a name server", "sock.Dial, which looks names up beside the loop, or " + offload, "net",
		"LookupHost LookupIP LookupAddr LookupCNAME LookupMX LookupNS LookupPort LookupSRV LookupTXT ResolveTCPAddr " +
			"ResolveUDPAddr ResolveIPAddr"},
	{"waits for a name server", "sock.Dial, which looks names up beside the loop, or " + offload, "(*net.Resolver)",
		"LookupHost LookupIP LookupIPAddr LookupNetIP LookupAddr LookupCNAME LookupMX LookupNS LookupPort " +
			"LookupSRV LookupTXT"},
	{waits, "sock.Conn; sock.Adopt takes one over", "(*net.conn)", "Read Write"},
	{waits, "sock.Conn; sock.Adopt takes one over", "(*net.TCPConn)", "ReadFrom WriteTo"},
	{waits, "sock.PacketConn; sock.Adopt takes one over", "(*net.UDPConn)", "ReadFrom ReadFromUDP " +
		"ReadFromUDPAddrPort ReadMsgUDP WriteTo WriteToUDP WriteToUDPAddrPort WriteMsgUDP"},
	{waits, "sock.Conn; sock.Adopt takes one over", "(*net.UnixConn)", "ReadFrom ReadFromUnix ReadMsgUnix WriteTo " +
		"WriteToUnix WriteMsgUnix"},
	{waits, "sock.Listener; sock.Adopt takes one over", "(*net.TCPListener)", "Accept AcceptTCP"},
	{waits, "sock.Listener; sock.Adopt takes one over", "(*net.UnixListener)", "Accept AcceptUnix"},
	{waits, "socktls.Dial", "crypto/tls", "Dial DialWithDialer"},
	{waits, "socktls.Dial", "(*crypto/tls.Dialer)", "Dial DialContext"},
	{readsFiles, offload + ", before the first connection", "crypto/tls", "LoadX509KeyPair"},
	{readsFiles, offload + ", before the first connection", "crypto/x509", "SystemCertPool"},

	{waits, "an http.Client with a sockhttp.Transport", "net/http", "Get Head Post PostForm"},
	{waits, "an http.Client with a sockhttp.Transport", "(*net/http.Client)", "Do Get Head Post PostForm"},
	{waits, "a sockhttp.Transport", "(*net/http.Transport)", "RoundTrip"},
	{waits, "a goroutine with a sock.Listener", "net/http", "ListenAndServe ListenAndServeTLS Serve ServeTLS"},
	{waits, "a goroutine with a sock.Listener", "(*net/http.Server)", "ListenAndServe ListenAndServeTLS Serve " +
		"ServeTLS " +
		"Shutdown"},
	{readsFiles, "package file, or a handler that Task does not mark", "net/http", "ServeFile ServeFileFS"},
	{waits, "a handler that Task does not mark", "(*net/http/httputil.ReverseProxy)", "ServeHTTP"},
	{waits, "a handler that Task does not mark", "(*net/http/cgi.Handler)", "ServeHTTP"},
	{waits, "a handler that Task does not mark", "net/http/pprof", "Index Profile Trace"},
	{waits, routines, "(*net/rpc.Client)", "Call"},
	{waits, routines, "net/rpc", "Dial DialHTTP"},
	{waits, routines, "net/smtp", "SendMail Dial"},

	{"waits for the database", offload, "(*database/sql.DB)", "Query QueryContext QueryRow QueryRowContext Exec " +
		"ExecContext Ping PingContext Begin BeginTx Prepare PrepareContext Conn Close"},
	{"waits for the database", offload, "(*database/sql.Conn)", "QueryContext QueryRowContext ExecContext " +
		"PingContext " +
		"BeginTx PrepareContext Close"},
	{"waits for the database", offload, "(*database/sql.Tx)", "Query QueryContext QueryRow QueryRowContext Exec " +
		"ExecContext Prepare PrepareContext Commit Rollback"},
	{"waits for the database", offload, "(*database/sql.Stmt)", "Query QueryContext QueryRow QueryRowContext Exec " +
		"ExecContext Close"},
	{"waits for the database", offload, "(*database/sql.Rows)", "Next NextResultSet Close"},
	{"waits for the database", offload, "(*database/sql.Row)", "Scan"},

	{"stops the loop while stdout is a pipe that is full", logging, "fmt", "Print Printf Println"},
	{waits, "file.Adopt, or " + offload, "fmt", "Scan Scanf Scanln"},

	{computes, compute, "crypto/rsa", "GenerateKey GenerateMultiPrimeKey"},
	{computes, compute, "golang.org/x/crypto/bcrypt", "GenerateFromPassword " +
		"CompareHashAndPassword"},
	{computes, compute, "golang.org/x/crypto/scrypt", "Key"},
	{computes, compute, "golang.org/x/crypto/argon2", "Key IDKey"},
	{computes, compute, "crypto/pbkdf2", "Key"},
}

// defaultLogs are the functions that write to the default logger: to stderr, unless the program has set another.
var defaultLogs = []group{
	{"stops the loop while stderr is a pipe that is full", logging, "log", "Print Printf Println Output"},
	{"stops the loop while stderr is a pipe that is full", logging, "log/slog", "Debug DebugContext Info " +
		"InfoContext Warn WarnContext " +
		"Error ErrorContext Log LogAttrs"},
}

var byName = map[string]Blocker{}

func init() {
	for _, g := range groups {
		g.each(func(b Blocker) { byName[b.Name] = b })
	}
	for _, g := range defaultLogs {
		g.each(func(b Blocker) {
			b.Log = true
			byName[b.Name] = b
		})
	}
}

func (g group) each(yield func(Blocker)) {
	for name := range strings.FieldsSeq(g.names) {
		yield(row(g.of+"."+name, g.why, g.instead))
	}
}

var stands = map[string]Blocker{
	"net.Dial":                   netConn,
	"net.DialTimeout":            netConn,
	"net.Listen":                 netConn,
	"net.ListenPacket":           netConn,
	"net.Pipe":                   netConn,
	"net.FileConn":               netConn,
	"net.FileListener":           netConn,
	"net.FilePacketConn":         netConn,
	"(*net.Dialer).Dial":         netConn,
	"(*net.Dialer).DialContext":  netConn,
	"(*net.ListenConfig).Listen": netConn,
	"(*net.TCPListener).Accept":  netConn,
	"(*net.UnixListener).Accept": netConn,
	"(*crypto/tls.Dialer).Dial":  netConn,
	"os.DirFS":                   dirFS,
	"net/http.FileServer":        fileServer,
	"net/http.FileServerFS":      fileServer,
	"net/http.TimeoutHandler":    timeoutHandler,
}

// elsewherePackages are packages whose functions don't call, in their caller, the functions that they get.
var elsewherePackages = map[string]bool{
	"net/http": true, "database/sql": true, "expvar": true, "flag": true, "testing": true, "os/signal": true,
	"runtime": true, "runtime/debug": true, "context": true, "net/rpc": true, "os/exec": true,
}

var elsewhere = map[string]bool{
	"time.AfterFunc":                         true,
	"(*sync.WaitGroup).Go":                   true,
	"log.SetOutput":                          true,
	"log/slog.SetDefault":                    true,
	"(*log.Logger).SetOutput":                true,
	"(*golang.org/x/sync/errgroup.Group).Go": true,
	"encoding/gob.Register":                  true,
}

var quiet = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq("Bytes Text Err Buffered Available AvailableBuffer Size Len Cap Buffer " +
		"Split Name " +
		"Reset Prefix SetPrefix Flags SetFlags Writer SetOutput Handler Enabled With WithGroup NetConn " +
		"ConnectionState " +
		"Addr LocalAddr RemoteAddr SyscallConn SetDeadline SetReadDeadline SetWriteDeadline InputOffset InputPos " +
		"More UseNumber " +
		"DisallowUnknownFields SetIndent SetEscapeHTML String Error") {
		m[name] = true
	}
	return m
}()

var readsOn = map[string]bool{
	"net/http.ReadRequest":  true,
	"net/http.ReadResponse": true,
	"image.Decode":          true,
	"image/png.Decode":      true,
	"image/jpeg.Decode":     true,
	"net/mail.ReadMessage":  true,
}
