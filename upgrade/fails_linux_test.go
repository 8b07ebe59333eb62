//go:build linux

package upgrade_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/upgrade"
)

// A successor that does not get ready leaves the program as it was, which says why.
func TestClumsySuccessors(t *testing.T) {
	clumsy := filepath.Join(t.TempDir(), "clumsy")
	does := func(what string) {
		if err := os.WriteFile(clumsy, []byte(what), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, within := range []time.Duration{0, 50 * time.Millisecond} {
		does("")
		file := filepath.Join(t.TempDir(), "socket")
		s := begin(t, &plan{Kind: "tasks", Loops: 1, Listen: [][2]string{{"unix", file}}, Clumsy: clumsy,
			Within: within})
		l := begins(t)
		l.client(stay(t, "unix", file, 2))
		l.client(func() error { return askOnce("unix", file) })
		wants := map[string]string{"hangs": "it was not ready within 50ms"}
		if within == 0 {
			wants = map[string]string{
				"fails":   "it ended before it was ready: exit status 3",
				"crashes": "it ended before it was ready: signal: killed",
				"is told": "it ended before it was ready: exit status", // 3, or 0 if the drain was faster
			}
		}
		for what, why := range wants {
			does(what)
			patience.Within(what, func() { s.refuses(why) })
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
			}
		}
		if within == 0 {
			does("")
			patience.Within(t.Name(), s.replace)
		}
		l.ends()
	}
}

// refuses has the server start a successor that fails, and wants it to say why.
func (s *line) refuses(why string) {
	s.t.Helper()
	syscall.Kill(s.pid, syscall.SIGUSR2)
	for s.said.Scan() {
		switch text := s.said.Text(); {
		case !strings.Contains(text, " ERROR "):
		case strings.Contains(text, why):
			return
		default:
			s.t.Errorf("the server said %q, want %q", text, why)
			return
		}
	}
}

// shell is a successor that is a script, to which what it gets is $1 the process, $2 the first descriptor, and $3 how
// many there are.
func shell(script string) func() (*exec.Cmd, error) {
	return func() (*exec.Cmd, error) {
		const split = "IFS=:; set -- $RINGO_UPGRADE; unset IFS; wire=$(($2 + $3 - 1)); "
		return exec.Command("/bin/sh", "-c", split+script), nil
	}
}

// quiet is an Upgrader that is ready, and says nothing.
func quiet(t *testing.T, cfg upgrade.Config) *upgrade.Upgrader {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	u, err := upgrade.New(context.Background(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	if err := u.Ready(); err != nil {
		t.Error(err)
	}
	return u
}

// childless fails if a child is left that nobody has waited for.
func childless(t *testing.T) {
	t.Helper()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

// kill ends a successor, and waits until no child is left.
func kill(t *testing.T, successor *exec.Cmd) {
	t.Helper()
	successor.Process.Kill()
	patience.Within(t.Name(), func() {
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); err == syscall.ECHILD {
				return
			}
		}
	})
}

// What becomes of successors that are no programs of this package, by the error and by what is left.
func TestSuccessorErrors(t *testing.T) {
	errNone := errors.New("none today")
	defer upgrade.EndsWithin(upgrade.EndsWithin(10 * time.Millisecond))
	for name, c := range map[string]struct {
		command func() (*exec.Cmd, error)
		within  time.Duration
		is      error
		says    string
	}{
		"ends":      {command: shell("exit 0"), says: "it ended before it was ready: exit status 0"},
		"fails":     {command: shell("exit 7"), says: "exit status 7"},
		"is killed": {command: shell("kill -9 $$"), says: "signal: killed"},
		"speaks":    {command: shell(`eval "printf Hello >&$wire"; exec sleep 1000`), says: `it said "H"`},
		"hangs":     {command: shell("exec sleep 1000"), within: 1, is: os.ErrDeadlineExceeded, says: "within 1ns"},
		"closes":    {command: shell(`eval "exec $wire>&-"; exec sleep 1000`), says: "signal: killed"},
		"is not there": {command: func() (*exec.Cmd, error) { return exec.Command("/nowhere/at/all"), nil },
			is: os.ErrNotExist},
		"no command": {command: func() (*exec.Cmd, error) { return nil, nil }, says: "no command"},
		"no idea":    {command: func() (*exec.Cmd, error) { return nil, errNone }, is: errNone},
	} {
		t.Run(name, func(t *testing.T) {
			u := quiet(t, upgrade.Config{Command: c.command, Within: c.within})
			set, err := u.Reserve(nil, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			var bad error
			patience.Within(name, func() { bad = u.Upgrade(nil) })
			if bad == nil || c.is != nil && !errors.Is(bad, c.is) || !strings.Contains(bad.Error(), c.says) {
				t.Errorf("Upgrade: %v, want %v, %q", bad, c.is, c.says)
			}
			if u.Context().Err() != nil {
				t.Error("the Context has ended")
			}
			childless(t)
			c, peer := pipe(t)
			if err := u.PassConn(c, nil); err != upgrade.ErrNoSuccessor {
				t.Errorf("PassConn: %v", err)
			}
			peer.Close()
		})
	}
}

// pipe is a connection of a loop that has ended, and its peer: enough for one that is refused.
func pipe(t *testing.T) (c, peer *sock.Conn) {
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) (err error) {
		c, peer, err = sock.Pipe(l)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, peer
}

// Who may call Upgrade when, and what ends it.
func TestUpgradeEnds(t *testing.T) {
	begun := make(chan bool, 10)
	hangs := func() (*exec.Cmd, error) {
		begun <- true
		return shell("exec sleep 1000")()
	}
	t.Run("context", func(t *testing.T) {
		u := quiet(t, upgrade.Config{Command: hangs})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- u.Upgrade(ctx) }()
		<-begun
		if err := u.Upgrade(nil); err != upgrade.ErrUnderWay {
			t.Errorf("a second call: %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		childless(t)
		if err := u.Upgrade(ctx); !errors.Is(err, context.Canceled) || len(begun) > 0 {
			t.Errorf("by a context that has ended: %v, and %d processes", err, len(begun))
		}
	})
	t.Run("Close", func(t *testing.T) {
		u := quiet(t, upgrade.Config{Command: hangs})
		done := make(chan error, 1)
		go func() { done <- u.Upgrade(nil) }()
		<-begun
		if err := u.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := u.Close(); err != net.ErrClosed {
			t.Errorf("Close again: %v", err)
		}
		if err := u.Upgrade(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Upgrade of a closed one: %v", err)
		}
		if err := u.Ready(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Ready of a closed one: %v", err)
		}
		if cause := context.Cause(u.Context()); cause != net.ErrClosed {
			t.Errorf("the cause is %v", cause)
		}
		childless(t)
	})
	t.Run("task", func(t *testing.T) {
		u := quiet(t, upgrade.Config{Command: hangs})
		err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			task := l.Go(func() {
				if err := u.Upgrade(nil); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
			l.Offload(func(context.Context) error { <-begun; return nil }) // beside a task that waits in Upgrade
			task.Cancel()
			return task.Wait()
		})
		if err != nil {
			t.Error(err)
		}
		childless(t)
	})
	t.Run("not ready", func(t *testing.T) {
		u, err := upgrade.New(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		if err := u.Upgrade(nil); err != upgrade.ErrNotReady {
			t.Error(err)
		}
		if u.Inherited() {
			t.Error("it has a predecessor")
		}
		if f := u.Take("anything"); f != nil {
			t.Error("it has inherited something")
		}
		if c, _, err := u.AcceptConn(nil, nil); c != nil || err != io.EOF {
			t.Errorf("AcceptConn: %v", err)
		}
		if err := u.Started(nil); !errors.Is(err, ringo.ErrNotTask) {
			t.Errorf("Started by a goroutine: %v", err)
		}
	})
	if _, err := upgrade.New(context.Background(), &upgrade.Config{Within: -1}); err == nil {
		t.Error("Within of -1 was taken")
	}
}

// A Run is ready when each of its loops has started, and not before.
func TestStarted(t *testing.T) {
	errNone := errors.New("none today")
	u, err := upgrade.New(t.Context(), &upgrade.Config{Command: func() (*exec.Cmd, error) { return nil, errNone }})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	const loops = 3
	looked := ringo.NewBarrier(loops)
	cfg := &ringo.Config{Loops: loops, Logger: testmain.Reports(t), Start: func(l *ringo.Loop) error {
		if l.Index() < loops-1 {
			if err := u.Started(l); err != nil {
				return err
			}
			if err := u.Started(l); err != nil { // counts once
				return err
			}
		}
		looked.Wait(nil)
		if l.Index() == loops-1 {
			if err := u.Upgrade(nil); err != upgrade.ErrNotReady {
				t.Errorf("before the last has started: %v", err)
			}
			if err := u.Started(l); err != nil {
				return err
			}
			if err := u.Upgrade(nil); !errors.Is(err, errNone) {
				t.Errorf("once all have: %v", err)
			}
		}
		return nil
	}}
	if err := ringo.Run(t.Context(), cfg, func(*ringo.Loop) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A Run that fails before all of its loops have started counts for no other.
func TestStartedByOneRun(t *testing.T) {
	u, err := upgrade.New(t.Context(), &upgrade.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	errNot := errors.New("not this one")
	alone := func(last error) error {
		told := ringo.NewBarrier(2)
		return ringo.Run(t.Context(), &ringo.Config{Loops: 2, Start: func(l *ringo.Loop) error {
			if l.Index() > 0 {
				told.Wait(nil)
				return last
			}
			err := u.Started(l)
			if err := u.Upgrade(nil); err != upgrade.ErrNotReady {
				t.Errorf("one of two has started: %v", err)
			}
			told.Wait(nil)
			return err
		}}, func(*ringo.Loop) error { return nil })
	}
	if err := alone(errNot); !errors.Is(err, errNot) {
		t.Error(err)
	}
	if err := alone(nil); err != nil {
		t.Error(err)
	}
}

// A panic of the program's in an upgrade is the caller's, and no end of upgrades.
func TestUpgradeAfterPanic(t *testing.T) {
	calls := 0
	errNone := errors.New("none today")
	u := quiet(t, upgrade.Config{Command: func() (*exec.Cmd, error) {
		if calls++; calls == 1 {
			panic("no command")
		}
		return nil, errNone
	}})
	func() {
		defer func() {
			if v := recover(); v != "no command" {
				t.Errorf("recovered %v", v)
			}
		}()
		u.Upgrade(nil)
	}()
	if err := u.Upgrade(nil); !errors.Is(err, errNone) {
		t.Error(err)
	}
}

// A program that is told to end gives an upgrade up that is under way, and begins none.
func TestUpgradeOfEnding(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	errEnd := errors.New("told to end")
	u, err := upgrade.New(ctx, &upgrade.Config{Log: slog.New(slog.DiscardHandler), Command: func() (*exec.Cmd, error) {
		end(errEnd)
		return shell(`eval "printf R >&$wire"; exec sleep 1000`)()
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if err := u.Ready(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := u.Upgrade(nil); err == nil || errors.Is(err, upgrade.ErrReplaced) {
			t.Errorf("Upgrade of a program that ends: %v", err)
		}
		childless(t)
	}
	if cause := context.Cause(u.Context()); cause != errEnd {
		t.Errorf("the cause is %v", cause)
	}
}

// A successor that asks for connections and reads none holds up no drain for longer than Grace and a second.
func TestPassConnStalled(t *testing.T) {
	var successor *exec.Cmd
	u := quiet(t, upgrade.Config{Command: func() (cmd *exec.Cmd, err error) {
		successor, err = shell(`eval "printf RAAAAAAAAAAAAAAAA >&$wire"; exec sleep 1000`)()
		return successor, err
	}})
	if err := u.Upgrade(nil); err != nil {
		t.Fatal(err)
	}
	lost := 0
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := &ringo.Config{Loops: 1, Grace: 50 * time.Millisecond, Logger: testmain.Reports(t)}
	err := ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for range 12 {
			g.Go(func() error {
				c, peer, err := sock.Pipe(l)
				if err != nil {
					return err
				}
				defer peer.Close()
				defer c.Close()
				if err := u.PassConn(c, make([]byte, 64<<10)); err != nil {
					lost++
				}
				return nil
			})
		}
		return g.Wait()
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if lost == 0 {
		t.Error("all were taken, by a stream that has no room for so many")
	}
	u.Close()
	kill(t, successor)
}

// What is passed on comes in order, under its name, in one piece; what is closed does not come, and what can't be made
// ends the upgrade.
func TestPass(t *testing.T) {
	var out bytes.Buffer
	read := shell(`i=$2; while [ $i -lt $wire ]; do eval "cat <&$i"; i=$((i + 1)); done; echo $RINGO_UPGRADE_X`)
	u := quiet(t, upgrade.Config{Command: func() (*exec.Cmd, error) {
		cmd, err := read()
		cmd.Stdout = &out
		cmd.Env = append(os.Environ(), "RINGO_UPGRADE_X=own")
		null, err := os.Open("/dev/null")
		t.Cleanup(func() { null.Close() })
		cmd.ExtraFiles = []*os.File{null}
		return cmd, err
	}})
	u.Pass("a", said("one "))
	u.Pass("b", said("two "))
	u.Pass("a", said("three "))
	asked := 0
	for _, closed := range []error{net.ErrClosed, os.ErrClosed} {
		u.Pass("a", func() (*os.File, error) { asked++; return nil, closed })
	}
	u.Pass("c", said("four "))
	for range 2 {
		out.Reset()
		if err := u.Upgrade(nil); err == nil {
			t.Error("a script was ready")
		}
		if out.String() != "one two three four own\n" {
			t.Errorf("the successor has %q", out.String())
		}
	}
	if asked != 2 {
		t.Errorf("what is closed was asked %d times for its file, want once each", asked)
	}
	errBroken := errors.New("broken")
	u.Pass("c", func() (*os.File, error) { return nil, errBroken })
	if err := u.Upgrade(nil); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), `"c"`) {
		t.Error(err)
	}
}

// An upgrade, also one that fails, leaves the program's sockets in their mode: in the other one their deadlines and
// Close do nothing.
func TestPassLeavesMode(t *testing.T) {
	for script, works := range map[string]bool{`eval "printf R >&$wire"; exec sleep 1000`: true, "exit 1": false} {
		var successor *exec.Cmd
		u := quiet(t, upgrade.Config{Command: func() (cmd *exec.Cmd, err error) {
			successor, err = shell(script)()
			return successor, err
		}})
		var all []syscall.Conn
		pass := func(name string, c interface {
			syscall.Conn
			io.Closer
			File() (*os.File, error)
		}, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			u.Pass(name, c.File)
			all = append(all, c)
		}
		tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		pass("TCP", tcp, err)
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		pass("UDP", udp, err)
		unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "socket"), Net: "unix"})
		pass("Unix", unix, err)
		patience.Within(t.Name(), func() { err = u.Upgrade(nil) })
		if (err == nil) != works {
			t.Errorf("Upgrade: %v", err)
		}
		for i, c := range all {
			raw, err := c.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) {
				mode, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
				if errno != 0 || mode&syscall.O_NONBLOCK == 0 {
					t.Errorf("works %v: socket %d blocks: %#x, %v", works, i, mode, errno)
				}
			})
		}
		u.Close()
		kill(t, successor)
	}
}

// A set whose listeners have closed, and that listens again, is passed on.
func TestReservedAgain(t *testing.T) {
	var out bytes.Buffer
	u := quiet(t, upgrade.Config{Command: func() (*exec.Cmd, error) {
		cmd, err := shell("echo $3")()
		cmd.Stdout = &out
		return cmd, err
	}})
	set, err := u.Reserve(nil, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	passes := func(want string) {
		t.Helper()
		out.Reset()
		u.Upgrade(nil)
		if out.String() != want {
			t.Errorf("the successor has %q descriptors, want %q", out.String(), want)
		}
	}
	err = ringo.Run(t.Context(), &ringo.Config{Loops: 1, Logger: testmain.Reports(t)}, func(l *ringo.Loop) error {
		for range 2 {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			passes("2\n")
			ln.Close()
			passes("1\n")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A script is a successor, too: what is ready is ready once.
func TestReplaced(t *testing.T) {
	var successor *exec.Cmd
	u := quiet(t, upgrade.Config{Command: func() (cmd *exec.Cmd, err error) {
		successor, err = shell(`eval "printf RAA >&$wire"; exec sleep 1000`)()
		return successor, err
	}})
	if err := u.Upgrade(nil); err != nil {
		t.Fatal(err)
	}
	if cause := context.Cause(u.Context()); cause != upgrade.ErrReplaced {
		t.Errorf("the cause is %v", cause)
	}
	if err := u.Upgrade(nil); err != upgrade.ErrReplaced {
		t.Errorf("a second successor: %v", err)
	}
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, peer, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		defer peer.Close()
		defer c.Close()
		err = u.PassConn(c, make([]byte, 64<<10+1))
		if err == nil || !strings.Contains(err.Error(), "a note of 65537 bytes") {
			t.Errorf("a note too long: %v", err)
		}
		if err := u.PassConn(c, make([]byte, 64<<10)); err != nil {
			t.Error(err)
		}
		if err := u.PassConn(c, nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a connection that has gone: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	u.Close()
	kill(t, successor)
}

// What the environment says is looked at.
func TestStrangeEnvironment(t *testing.T) {
	own, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	ownFD := fmt.Sprint(":", own.Fd(), ":1")
	for said, want := range map[string]string{
		"":                                       "no program of this package",
		"1:2":                                    "no program of this package",
		fmt.Sprint(os.Getppid(), ":0:1"):         "no program of this package",
		fmt.Sprint(os.Getppid(), ":3:0"):         "no program of this package",
		fmt.Sprint(os.Getppid(), ":3:100000000"): "no program of this package",
		fmt.Sprint(os.Getppid()) + ownFD:         "was not passed: bad file descriptor",
		fmt.Sprint(os.Getpid(), ":3:1"):          "what starts the program has to replace itself by it",
	} {
		t.Setenv("RINGO_UPGRADE", said)
		if _, err := upgrade.New(context.Background(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", said, err, want)
		}
		if _, ok := os.LookupEnv("RINGO_UPGRADE"); ok {
			t.Error("children get it, too")
		}
	}
}
