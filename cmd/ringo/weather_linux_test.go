//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/internal/race"
	"ringo/internal/test/patience"
)

// TestDescriptorsRunOut: a server out of descriptors goes on serving, does not spin,
// and takes the peers that wait when descriptors come back.
func TestDescriptorsRunOut(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		const limit, peers = 64, 100
		cmd := tool(t, "echo", "-listen", anyPort, "-driver", driver, "-loops", "1", "-stats", "50ms")
		p := start(t, limited(cmd, limit))
		addr := p.addr()
		served, leave, gone := make(chan bool, peers), make(chan bool), make(chan error, peers)
		for range peers {
			go func() { gone <- stay(addr, served, leave) }()
		}
		p.find(func(line string) bool {
			_, backoffs, found := strings.Cut(line, " backoffs=")
			return found && backoffs != "0"
		})
		before := p.cpu()
		p.printStats(20)
		if used := p.cpu() - before; used > int(time.Second/(5*tick)) {
			t.Errorf("%d ticks in a second while out of descriptors: it spins", used)
		}
		if n := len(served); n == 0 || n >= limit {
			t.Errorf("%d peers are served with %d descriptors, before any has left", n, limit)
		}
		close(leave)
		for range peers {
			if err := <-gone; err != nil {
				t.Fatal(err)
			}
		}
		p.finish()
	})
}

// TestFewDescriptors: with too few descriptors to start, the tool says so and leaves;
// it neither crashes nor serves with something missing.
func TestFewDescriptors(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		fewest, started := 4, false
		if race.Enabled {
			fewest = 8 // the detector's order keeps some, and can do nothing without them
		}
		for n := fewest; !started; n++ {
			if n > 40 {
				t.Fatalf("it does not start with %d descriptors", n)
			}
			p := start(t, limited(tool(t, "echo", "-listen", anyPort, "-driver", driver, "-loops", "1"), n))
			if _, started = p.find(func(line string) bool { return strings.HasPrefix(line, "listening") }); started {
				p.finish() // there may be no descriptor for any peer
				return
			}
			if code, stderr := p.wait(); code != 1 || !strings.Contains(stderr, "too many open files") {
				t.Errorf("with %d descriptors: exit code %d, stderr %q; want 1, too many open files", n, code, stderr)
			}
		}
	})
}

// So does the probe, which reads files.
func TestFewDescriptorsForProbe(t *testing.T) {
	fewest := 4
	if race.Enabled {
		fewest = 8
	}
	for n := fewest; n < 16; n++ {
		out, err := limited(tool(t, "probe"), n).CombinedOutput()
		if err != nil && (strings.Contains(string(out), "fatal error") ||
			!strings.Contains(string(out), "RLIMIT_NOFILE")) {
			t.Errorf("with %d descriptors: %v, %.300s; want what to raise", n, err, out)
		}
	}
}

// limited gives cmd in a shell that bounds its descriptors, softly and hard. Those that the tests were started with, as
// by flock(1), count for none.
func limited(cmd *exec.Cmd, descriptors int) *exec.Cmd {
	cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
		ulimit -n %d && exec "$0" "$@"`, descriptors), cmd.Path},
		cmd.Args[1:]...)
	cmd.Path, cmd.Err = "/bin/sh", nil
	return cmd
}

// stay is a peer that wants to be served, tells when it is, and leaves when told.
func stay(addr string, served chan<- bool, leave <-chan bool) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	if _, err := c.Write([]byte{'x'}); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return err
	}
	served <- true
	<-leave
	return nil
}

// TestIdle: a server that has nothing to do, does next to nothing.
func TestIdle(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startEcho(t, "-listen", anyPort, "-driver", driver, "-loops", "2", "-stats", "500ms")
		for range 20 {
			holdConn(t, addr)
		}
		p.printStats(1)
		before := p.cpu()
		p.printStats(2)
		if used := p.cpu() - before; used > int(time.Second/(8*tick)) { // a loop that spins takes all of it
			t.Errorf("%d ticks in a second with nothing to do", used)
		}
		p.finish()
	})
}

// printStats waits until the process has printed so many more lines of -stats: for as many periods by its own clock.
func (p *process) printStats(lines int) {
	p.t.Helper()
	count := func() int {
		text := p.log.text()
		return strings.Count(text, "stats conns=")
	}
	before := count()
	patience.Until(p.t, "lines of -stats", func() bool { return count() >= before+lines })
}

// tick is the unit of the times in /proc/PID/stat, on all architectures that Go has.
const tick = 10 * time.Millisecond

// TestCloseOnExec: nothing that the server has opened would leak into a program that
// it started.
func TestCloseOnExec(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		inherited := map[string]bool{}
		for target, flags := range descriptors(t, os.Getpid()) {
			inherited[target] = flags&syscall.O_CLOEXEC == 0
		}
		p, addr := startEcho(t, "-listen", anyPort, "-driver", driver, "-loops", "2", "-stats", "1s")
		holdConn(t, addr)
		seen := 0
		for target, flags := range descriptors(t, p.cmd.Process.Pid) {
			switch {
			case flags&syscall.O_CLOEXEC != 0:
				seen++
			case !inherited[target]:
				t.Errorf("descriptor %s would be inherited: flags %#o", target, flags)
			}
		}
		if seen < 3 { // a listener, a connection, a ring or a poller
			t.Errorf("%d descriptors seen", seen)
		}
		p.finish()
	})
}

// descriptors gives the flags of a process's descriptors but 0 to 2, by number and target.
func descriptors(t *testing.T, pid int) map[string]uint64 {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint64{}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if n, _ := strconv.Atoi(e.Name()); n <= 2 || err != nil { // gone meanwhile
			continue
		}
		if flags, ok := openFlags(t, filepath.Join(dir+"info", e.Name())); ok {
			all[e.Name()+" "+target] = flags
		}
	}
	return all
}

// openFlags reads a descriptor's flags, unless it is gone.
func openFlags(t *testing.T, fdinfo string) (flags uint64, ok bool) {
	t.Helper()
	text, err := os.ReadFile(fdinfo)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "flags:"); found {
			flags, err := strconv.ParseUint(strings.TrimSpace(value), 8, 64)
			if err != nil {
				t.Fatal(err)
			}
			return flags, true
		}
	}
	t.Fatalf("no flags in %s:\n%s", fdinfo, text)
	return 0, false
}
