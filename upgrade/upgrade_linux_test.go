//go:build linux

package upgrade_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// A line of servers is one server after the other.
type line struct {
	t     *testing.T
	said  *bufio.Scanner // what they print
	pid   int            // of the one that serves
	addrs []string
	bound string // of a server of datagrams
	old   []int
}

// begin starts the first server.
func begin(t *testing.T, p *plan) *line {
	adoptOrphans(t)
	said, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverEnv+"="+string(said))
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Release() // it is waited for as its successors are
	s := &line{t: t, said: bufio.NewScanner(r)}
	t.Cleanup(func() {
		defer r.Close()
		s.end()
	})
	s.awaitServing()
	return s
}

// adoptOrphans has this process be the parent of successors whose predecessor has ended.
func adoptOrphans(t *testing.T) {
	const prSetChildSubreaper = 36
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		t.Fatal("prctl: ", errno)
	}
}

// awaitServing reads until a server says that it serves.
func (s *line) awaitServing() {
	s.t.Helper()
	for s.said.Scan() {
		if addr, ok := strings.CutPrefix(s.said.Text(), "bound "); ok {
			s.bound = addr
			continue
		}
		if rest, ok := strings.CutPrefix(s.said.Text(), "serving "); ok {
			all := strings.Split(rest, "\t")
			fmt.Sscan(all[0], &s.pid)
			s.addrs = all[1:]
			return
		}
		s.note(s.said.Text())
	}
	s.t.Fatal("the servers have ended")
}

// note shows a line of a server's, if it is bad: why it has ended, or anything but the reports of a busy machine.
func (s *line) note(text string) {
	if strings.HasPrefix(text, "server: ") || !strings.Contains(text, " INFO ") && !strings.Contains(text, "ringo: ") {
		s.t.Error("a server said: ", text)
	}
}

// replace has the server replaced.
func (s *line) replace() {
	s.t.Helper()
	was := s.pid
	syscall.Kill(was, syscall.SIGUSR2)
	s.awaitServing()
	if s.pid == was {
		s.t.Fatal("process ", was, " serves again")
	}
	s.old = append(s.old, was)
}

// end ends the last server, when those before it have ended, and looks at how all have.
func (s *line) end() {
	if s.pid == 0 {
		return
	}
	defer func() { s.pid = 0 }()
	for _, pid := range s.old {
		s.awaitExit(pid)
	}
	syscall.Kill(s.pid, syscall.SIGTERM)
	for s.said.Scan() {
		s.note(s.said.Text())
	}
	s.awaitExit(s.pid)
}

func (s *line) awaitExit(pid int) {
	var status syscall.WaitStatus
	switch _, err := syscall.Wait4(pid, &status, 0, nil); {
	case err == syscall.ECHILD: // its predecessor was faster, and it has said what went wrong
	case err != nil || status != 0:
		s.t.Errorf("process %d has ended with %#x, %v", pid, status, err)
	}
}

// load is clients that ask while servers are replaced.
type load struct {
	t      *testing.T
	ctx    context.Context
	all    sync.WaitGroup
	asked  atomic.Int64
	failed atomic.Int64
	end    context.CancelFunc
}

func begins(t *testing.T) *load {
	s := &load{t: t}
	s.ctx, s.end = context.WithCancel(t.Context())
	return s
}

// client runs f until the load ends. A request has failed if f fails.
func (s *load) client(f func() error) {
	s.all.Go(func() {
		for s.ctx.Err() == nil {
			if err := f(); err != nil {
				if s.failed.Add(1) <= 5 {
					s.t.Error(err)
				}
			}
			s.asked.Add(1)
		}
	})
}

// ends ends it.
func (s *load) ends() {
	s.t.Helper()
	s.end()
	s.all.Wait()
	s.t.Logf("%d requests, %d failed", s.asked.Load(), s.failed.Load())
}

// askLine asks a server of lines.
func askLine(c net.Conn, r *bufio.Reader, n int) (pid int, err error) {
	if _, err := fmt.Fprintf(c, "line %d\n", n); err != nil {
		return 0, err
	}
	said, err := r.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("line %d: %w", n, err)
	}
	var got int
	if _, err := fmt.Sscanf(said, "%d line %d\n", &pid, &got); err != nil || got != n {
		return 0, fmt.Errorf("line %d got %q", n, said)
	}
	return pid, nil
}

func askOnce(network, addr string) error {
	c, err := net.Dial(network, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = askLine(c, bufio.NewReader(c), 1)
	return err
}

// restarts is how often a server is replaced.
func restarts() int {
	if testmain.Long() {
		return 100
	}
	return 5
}

// replaceUnder has servers replaced, each under some of the load, and ends that.
func (s *line) replaceUnder(l *load) {
	s.t.Helper()
	patience.Within(s.t.Name(), func() {
		for range restarts() {
			asked := l.asked.Load()
			s.replace()
			for l.asked.Load() < asked+20 {
				runtime.Gosched()
			}
		}
		l.ends()
	})
}

// Servers of lines are replaced under load: no connection is lost, neither of those that come nor of those that stay.
func TestTasks(t *testing.T) { testLines(t, "tasks") }

func TestHandlers(t *testing.T) { testLines(t, "handlers") }

func testLines(t *testing.T, kind string) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, loops := range []int{1, 2} {
			t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "socket")
				s := begin(t, &plan{Kind: kind, Driver: cfg.Driver, Loops: loops,
					Listen: [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", file}}})
				l := begins(t)
				for i, network := range []string{"tcp", "unix"} {
					addr := s.addrs[i]
					for range 2 {
						l.client(func() error { return askOnce(network, addr) })
						l.client(stay(t, network, addr, 50))
					}
				}
				s.replaceUnder(l)
				if _, err := os.Stat(file); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// stay makes connections that stay, and asks on one after the other.
func stay(t *testing.T, network, addr string, n int) func() error {
	type conn struct {
		net.Conn
		r *bufio.Reader
	}
	var all []conn
	for range n {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		all = append(all, conn{c, bufio.NewReader(c)})
	}
	asked := 0
	return func() error {
		asked++
		c := all[asked%n]
		_, err := askLine(c, c.r, asked)
		return err
	}
}

// Servers of HTTP are replaced under load. What is at rest by TLS is closed, and by package net/http, so that requests
// cross with that: clients make those again that they may, which are those without a body here, and the others go by
// connections of one request.
func TestHTTP(t *testing.T) {
	for _, kind := range []string{"sockhttp", "HTTP/2", "TLS", "net/http"} {
		t.Run(kind, func(t *testing.T) {
			socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
				s := begin(t, &plan{Kind: kind, Driver: cfg.Driver, Loops: 2,
					Listen: [][2]string{{"tcp", "127.0.0.1:0"}}})
				l := begins(t)
				addr := s.addrs[0]
				for range 4 {
					for _, keep := range []bool{false, true} {
						ask := asker(t, kind, addr, keep)
						l.client(func() error { return ask("GET", "") })
						if !keep || kind == "sockhttp" || kind == "HTTP/2" {
							l.client(func() error { return ask("POST", "hello") })
						}
					}
				}
				s.replaceUnder(l)
			})
		})
	}
}

// asker makes a client of a sort of server.
func asker(t *testing.T, kind, addr string, keep bool) (ask func(method, body string) error) {
	tr := &http.Transport{DisableKeepAlives: !keep, Protocols: new(http.Protocols)}
	scheme := "http://"
	switch kind {
	case "HTTP/2":
		tr.Protocols.SetUnencryptedHTTP2(true)
	case "TLS":
		scheme = "https://"
		tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		fallthrough
	default:
		tr.Protocols.SetHTTP1(true)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return func(method, body string) error { return askHTTP(tr, method, scheme+addr+"/", body) }
}

func askHTTP(tr *http.Transport, method, url, what string) error {
	r, err := http.NewRequest(method, url, strings.NewReader(what))
	if err != nil {
		return err
	}
	a, err := tr.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != 200 || !strings.HasSuffix(string(body), " "+what) {
		return fmt.Errorf("%s: %s, %q, %w", method, a.Status, body, err)
	}
	return nil
}

// A service manager gets to know who serves, and when.
func TestNotify(t *testing.T) {
	dir := t.TempDir()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	manager.SetReadDeadline(patience.Deadline())
	wants := func(want string) {
		t.Helper()
		p := make([]byte, 1000)
		n, err := manager.Read(p)
		got := string(p[:n])
		if before, after, ok := strings.Cut(got, "MONOTONIC_USEC="); ok && len(after) > 0 {
			got = before + "MONOTONIC_USEC=now"
		}
		if got != want || err != nil {
			t.Errorf("the manager got %q, %v, want %q", got, err, want)
		}
	}
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "7200000000") // an hour to the first ping
	t.Setenv("WATCHDOG_PID", "")
	clumsy := filepath.Join(dir, "clumsy")
	if err := os.WriteFile(clumsy, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := begin(t, &plan{Kind: "tasks", Loops: 2, Clumsy: clumsy,
		Listen: [][2]string{{"unix", filepath.Join(dir, "socket")}}})
	wants("READY=1")
	for range 2 {
		s.replace()
		wants("RELOADING=1\nMONOTONIC_USEC=now")
		wants(fmt.Sprintf("MAINPID=%d\nREADY=1\nWATCHDOG=1", s.pid))
	}
	for _, what := range []string{"fails", "starts"} {
		if err := os.WriteFile(clumsy, []byte(what), 0o600); err != nil {
			t.Fatal(err)
		}
		s.refuses("exit status 3")
		wants("RELOADING=1\nMONOTONIC_USEC=now")
		wants("READY=1")
	}
	s.end()
	wants("STOPPING=1\nEXTEND_TIMEOUT_USEC=52000000")
}

// Sockets of datagrams that are passed on lose none: each is answered, by whichever process.
func TestDatagrams(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := begin(t, &plan{Kind: "datagrams", Driver: cfg.Driver, Loops: 2})
		l := begins(t)
		addr := s.bound
		for range 4 { // which the kernel spreads over two sockets
			c, err := net.Dial("udp", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(patience.Deadline())
			n := uint32(0)
			l.client(func() error {
				const together = 8
				var waits [together]bool
				for i := range together {
					if _, err := c.Write(binary.BigEndian.AppendUint32(nil, n+uint32(i))); err != nil {
						return err
					}
					waits[i] = true
				}
				for waits != [together]bool{} {
					p := make([]byte, 10)
					if _, err := c.Read(p); err != nil {
						return err
					}
					i := binary.BigEndian.Uint32(p) - n
					if i >= together || !waits[i] {
						return fmt.Errorf("datagram %d comes again", n+i)
					}
					waits[i] = false
				}
				n += together
				return nil
			})
		}
		s.replaceUnder(l)
		if s.bound != addr {
			t.Errorf("the last server is at %s, and the first was at %s", s.bound, addr)
		}
	})
}

// The file of a Unix socket is there as long as one of them serves.
func TestFileOfLast(t *testing.T) {
	file := filepath.Join(t.TempDir(), "socket")
	s := begin(t, &plan{Kind: "tasks", Loops: 1, Listen: [][2]string{{"unix", file}}})
	patience.Within(t.Name(), func() {
		s.replace()
		s.awaitExit(s.old[0])
		s.old = nil
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
		s.end()
		if _, err := os.Stat(file); err == nil {
			t.Error("the file is left")
		}
	})
}

// A successor may run where the program may, and not only where that keeps its goroutines: with only that, its loops
// would have nothing left beside the same reserve.
func TestSuccessorOfReserve(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one CPU")
	}
	s := begin(t, &plan{Kind: "tasks", Loops: 1, Reserve: 1, Listen: [][2]string{{"tcp", "127.0.0.1:0"}}})
	patience.Within(t.Name(), s.replace)
}

// What was passed on is taken by name, in order, and what is not taken is closed.
func TestTake(t *testing.T) {
	s := begin(t, &plan{Kind: "takes", Loops: 1})
	pipes, ok := strings.CutPrefix(s.bound, ", false;") // those that the tests themselves have inherited
	if !ok {
		t.Errorf("the first has taken %q", s.bound)
	}
	patience.Within(t.Name(), s.replace)
	if s.bound != "one three four, false;"+pipes {
		t.Errorf("the successor has taken %q, where the first had%s", s.bound, pipes)
	}
}

// A connection has its unread bytes where it is passed on to.
func TestPassConnUnread(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := begin(t, &plan{Kind: "holds", Driver: cfg.Driver, Loops: 1, Listen: [][2]string{{"tcp", "127.0.0.1:0"}}})
		c, err := net.Dial("tcp", s.addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(patience.Deadline())
		r := bufio.NewReader(c)
		if _, err := askLine(c, r, 1); err != nil {
			t.Fatal(err)
		}
		// It is in the server's memory before that is replaced, and says so.
		fmt.Fprint(c, "line 2\n")
		if said, err := r.ReadString('\n'); said != "got it\n" || err != nil {
			t.Fatalf("the server said %q, %v", said, err)
		}
		patience.Within(t.Name(), s.replace)
		if said, err := r.ReadString('\n'); said != fmt.Sprintf("%d line 2\n", s.pid) || err != nil {
			t.Errorf("the successor, %d, said %q, %v", s.pid, said, err)
		}
	})
}
