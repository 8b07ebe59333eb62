//go:build linux

package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/service"
	"ringo/sock"
)

// Each message is what sd_notify(3) has for it, at a path and without a file, by a goroutine and by a task.
func TestMessages(t *testing.T) {
	bad := errors.New("bad")
	for _, abstract := range []bool{false, true} {
		s := supervise(t, abstract)
		says := func() error {
			m := open(t)
			if !m.Managed() {
				t.Error("there is a manager")
			}
			reloads := m.Reload(func() error { return bad })
			func() {
				defer func() { recover() }()
				m.Reload(func() error { panic("x") })
			}()
			if reloads != bad {
				t.Errorf("Reload of what fails: %v", reloads)
			}
			quiet := func() error { return errors.Join(m.Ready(), m.Reload(m.Ready), m.Stopping()) }
			return errors.Join(m.Ready(), m.Status("a line"), m.Extend(3*time.Millisecond),
				m.Notify("ERRNO=2", "X=y=z"), m.Stopping(), quiet(), m.Replaced(7), quiet(), m.Status("last"))
		}
		heard := func() {
			t.Helper()
			for range 2 {
				s.wants("RELOADING=1\nMONOTONIC_USEC=now", "READY=1")
			}
			s.wants("READY=1", "STATUS=a line", "EXTEND_TIMEOUT_USEC=3000", "ERRNO=2\nX=y=z", "STOPPING=1",
				"MAINPID=7\nREADY=1", "STATUS=last")
		}
		if err := says(); err != nil {
			t.Error(err)
		}
		heard()
		socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
			if err := ringo.Run(t.Context(), &cfg, func(*ringo.Loop) error { return says() }); err != nil {
				t.Error(err)
			}
			heard()
		})
	}
}

// A process that was replaced says nothing of what it does.
func TestReplacedIsQuiet(t *testing.T) {
	s := supervise(t, false)
	m := open(t)
	err := m.Reload(func() error { return m.Replaced(7) }) // as an upgrade does
	err = errors.Join(err, m.Reload(m.Ready), m.Stopping(), m.Status("last"))
	if err != nil {
		t.Error(err)
	}
	s.wants("RELOADING=1\nMONOTONIC_USEC=now", "MAINPID=7\nREADY=1", "STATUS=last")
}

// The first of two reloads to end does not end the other, nor does the program's first READY=1.
func TestReloadsAtOnce(t *testing.T) {
	s := supervise(t, false)
	m := open(t)
	first, second := make(chan bool), make(chan error)
	err := m.Reload(func() error {
		go func() {
			second <- m.Reload(func() error { <-first; return nil })
		}()
		s.wants("RELOADING=1\nMONOTONIC_USEC=now", "RELOADING=1\nMONOTONIC_USEC=now")
		return m.Ready()
	})
	err = errors.Join(err, m.Status("one has ended"))
	close(first)
	err = errors.Join(err, <-second)
	if err != nil {
		t.Error(err)
	}
	s.wants("STATUS=one has ended", "READY=1")
}

// The time that a drain may take has an end, however long it is.
func TestEndlessGrace(t *testing.T) {
	s := supervise(t, false)
	m := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := &ringo.Config{Loops: 1, Grace: math.MaxInt64}
	err := ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		m.Watch(l)
		cancel()
		l.Draining().Recv()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	m.Close()
	s.wants("STOPPING=1\nEXTEND_TIMEOUT_USEC=9223372036854775")
}

// Where there is no manager nothing is sent, and nothing fails but what is wrong.
func TestUnmanaged(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "100")
	m := open(t)
	called := false
	err := errors.Join(m.Ready(), m.Status("x"), m.Stopping(), m.Reload(func() error { called = true; return nil }),
		m.Extend(time.Second), m.Store("x", os.Stdin), m.Unstore("x"), m.Replaced(1), m.Turned(nil))
	if err != nil || m.Managed() || !called || m.Every() != 0 {
		t.Errorf("%v, managed %v, called %v, pings every %v", err, m.Managed(), called, m.Every())
	}
	if err := errors.Join(m.Close(), m.Close()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
}

// What is wrong is an error that says what.
func TestWrong(t *testing.T) {
	s := supervise(t, false)
	m := open(t)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	t.Setenv("FDSTORE", "1")
	for _, c := range []struct {
		err  error
		want string
	}{
		{m.Status("two\nlines"), "in one line"},
		{m.Notify("READY"), "want NAME=VALUE"},
		{m.Notify("=1"), "want NAME=VALUE"},
		{m.Store("a:b"), "no colon"},
		{m.Store(""), "1 to 255"},
		{m.Store("é"), "ASCII"},
		{m.StoreUnpolled(strings.Repeat("x", 256)), "1 to 255"},
		{m.Unstore("a\nb"), "printable"},
		{m.Store("x", os.Stdin, os.Stdin), "FileDescriptorStoreMax="},
		{m.Store("x", file), "descriptor 0"},
		{m.Notify("X=" + strings.Repeat("x", 1<<20)), "message too long"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want %q in it", c.err, c.want)
		}
	}
	s.Close()
	if err := m.Ready(); !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT) {
		t.Errorf("without whom it is for: %v", err)
	} else if !strings.Contains(err.Error(), "READY=1 to NOTIFY_SOCKET "+os.Getenv("NOTIFY_SOCKET")) {
		t.Errorf("it says only %v", err)
	}
	var log bytes.Buffer
	m, err = service.New(&service.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Reload(func() error { return nil }); err != nil || strings.Count(log.String(), "can't be told") != 2 {
		t.Errorf("Reload gives %v, and logs %q", err, log.String())
	}
	for _, c := range [][2]string{
		{"NOTIFY_SOCKET", "run/x"}, {"NOTIFY_SOCKET", "@"}, {"NOTIFY_SOCKET", "vsock:2:1234"}, {"WATCHDOG_USEC", "x"},
		{"WATCHDOG_USEC", "0"}, {"WATCHDOG_USEC", "-1"}, {"WATCHDOG_USEC", "9223372036854775808"},
	} {
		t.Run(c[0]+"="+c[1], func(t *testing.T) {
			t.Setenv(c[0], c[1])
			if _, err := service.New(nil); err == nil || !strings.Contains(err.Error(), c[0]+" is \""+c[1]) {
				t.Errorf("New: %v", err)
			}
		})
	}
}

// A watchdog that is another process' gets no ping, and one that is nobody's is from then on this one's.
func TestWhoseWatchdog(t *testing.T) {
	supervise(t, false)
	t.Setenv("WATCHDOG_USEC", "3000000")
	t.Setenv("WATCHDOG_PID", "1")
	if d := open(t).Every(); d != 0 {
		t.Errorf("process 1's: a ping every %v", d)
	}
	os.Unsetenv("WATCHDOG_PID")
	for range 2 {
		if d := open(t).Every(); d != 1500*time.Millisecond {
			t.Errorf("a ping every %v", d)
		}
		if got, want := os.Getenv("WATCHDOG_PID"), fmt.Sprint(os.Getpid()); got != want {
			t.Errorf("WATCHDOG_PID is %s, want %s", got, want)
		}
	}
}

// A Run says that it is ready once all loops have started, and that it ends when it begins to.
func TestRun(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := supervise(t, false)
		m := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var begun atomic.Int32
		cfg.Loops, cfg.Grace = 2, time.Second
		cfg.Start = func(l *ringo.Loop) error {
			if begun.Add(1) == 2 {
				if err := m.Status("the second"); err != nil {
					return err
				}
			}
			return m.Started(l)
		}
		err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			if l.Index() == 0 {
				if err := l.Offload(func(context.Context) error {
					s.wants("STATUS=the second", "READY=1")
					return nil
				}); err != nil {
					return err
				}
				cancel()
			}
			_, err := l.Draining().Recv()
			return err
		})
		if !errors.Is(err, ringo.ErrClosed) {
			t.Error(err)
		}
		m.Close()
		s.wants("STOPPING=1\nEXTEND_TIMEOUT_USEC=33000000")
		if err := m.Started(nil); !errors.Is(err, ringo.ErrNotTask) {
			t.Errorf("Started on a goroutine: %v", err)
		}
	})
}

// What is stored goes with its name, in as many messages as it takes, and stays open here.
func TestStore(t *testing.T) {
	testmain.NeedDescriptors(t, 700) // with those of a message twice, its sender's and its receiver's
	s := supervise(t, false)
	m := open(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	many := make([]syscall.Conn, 300)
	for i := range many {
		many[i] = w
	}
	stored := make(chan error, 1)
	go func() { stored <- m.Store("many", many...) }()
	total := 0
	for total < len(many) {
		text, files := s.receive()
		if text != "FDSTORE=1\nFDNAME=many" {
			t.Errorf("the manager got %q", text)
		}
		for _, f := range files {
			if _, err := f.WriteString("x"); err != nil {
				t.Error(err)
			}
			f.Close()
		}
		total += len(files)
	}
	if err := <-stored; err != nil || total != len(many) {
		t.Errorf("%d were stored: %v", total, err)
	}
	if n, err := io.ReadFull(r, make([]byte, len(many))); err != nil {
		t.Errorf("%d bytes came by those: %v", n, err)
	}
	if err := errors.Join(m.StoreUnpolled("one", w), m.Unstore("many")); err != nil {
		t.Error(err)
	}
	text, files := s.receive()
	if text != "FDSTORE=1\nFDNAME=one\nFDPOLL=0" || len(files) != 1 {
		t.Errorf("the manager got %q with %d descriptors", text, len(files))
	}
	files[0].Close()
	s.wants("FDSTOREREMOVE=1\nFDNAME=many")
	w.Close()
	r.SetReadDeadline(patience.Deadline())
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("a descriptor that was sent is open here: %d, %v", n, err)
	}
}

func init() {
	children["activated"] = func() error {
		files, err := sock.Activated()
		for _, f := range files {
			text, err := io.ReadAll(f)
			fmt.Printf("%s: %q %v\n", f.Name(), text, err)
		}
		return err
	}
	children["to be activated"] = func() error {
		os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
		os.Setenv(childEnv, "activated")
		return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
}

// What a manager keeps comes back by name, as the sockets of a unit do.
func TestStoredComesBack(t *testing.T) {
	s := supervise(t, false)
	m := open(t)
	var kept []*os.File
	var names []string
	for _, name := range []string{"state", "log", "state"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, name, len(names))
		w.Close()
		if err := m.StoreUnpolled(name, r); err != nil {
			t.Fatal(err)
		}
		r.Close()
		text, files := s.receive()
		if !strings.Contains(text, "\nFDNAME="+name+"\n") || len(files) != 1 {
			t.Fatalf("%q with %d descriptors", text, len(files))
		}
		defer files[0].Close()
		kept, names = append(kept, files[0]), append(names, name)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.ExtraFiles = kept
	cmd.Env = append(os.Environ(), childEnv+"=to be activated", "LISTEN_FDS=3",
		"LISTEN_FDNAMES="+strings.Join(names, ":"))
	out, err := cmd.CombinedOutput()
	const want = "state: \"state0\" <nil>\nlog: \"log1\" <nil>\nstate: \"state2\" <nil>\n"
	if string(out) != want || err != nil {
		t.Errorf("the next start got %q, %v, want %q", out, err, want)
	}
}
