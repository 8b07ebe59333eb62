//go:build linux

package file_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
)

// Files, Roots and Listings that nobody closed are closed when they are collected, and not before.
func TestDropped(t *testing.T) {
	dir := tempDir(t)
	name := filled(t, dir, 1)
	func() {
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := file.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		l, err := d.List(".")
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if n, m := openOn(t, dir), openOn(t, name); n != 2 || m != 1 {
			t.Errorf("%d descriptors on the directory, want 2, and %d on the file, want 1", n, m)
		}
		runtime.KeepAlive(f)
		runtime.KeepAlive(d)
		runtime.KeepAlive(l)
	}()
	patience.Within(t.Name(), func() {
		for openOn(t, dir)+openOn(t, name) > 0 {
			runtime.GC()
			pause(nil)
		}
	})
}

// openOn counts the descriptors that stand for a file or a directory.
func openOn(t *testing.T, name string) (n int) {
	t.Helper()
	entries, err := readDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to == name {
			n++
		}
	}
	return n
}

// Where a filter refuses openat2, by either errno, names in a Root are walked, and the
// tests of a Root and of all names pass as they do elsewhere.
func TestNamesBehindFilter(t *testing.T) {
	if os.Getenv("RINGO_FILTERED") != "" {
		t.Skip("behind the filter")
	}
	for name, rules := range map[string][]seccomptest.Rule{
		"openat2: EPERM":  {{Number: unix.SYS_OPENAT2, Errno: syscall.EPERM}},
		"openat2: ENOSYS": {{Number: unix.SYS_OPENAT2, Errno: syscall.ENOSYS}},
		"openat2, statx: ENOSYS": {{Number: unix.SYS_OPENAT2, Errno: syscall.ENOSYS},
			{Number: unix.SYS_STATX, Errno: syscall.ENOSYS}},
		"copy_file_range: ENOSYS": {{Number: unix.SYS_COPY_FILE_RANGE, Errno: syscall.ENOSYS},
			{Number: unix.SYS_FCHMODAT2, Errno: syscall.ENOSYS},
			{Number: unix.SYS_FACCESSAT2, Errno: syscall.ENOSYS}},
		"io_uring, as container runtimes; fchmodat2: EPERM": {{Number: unix.SYS_IO_URING_SETUP, Errno: syscall.EPERM},
			{Number: unix.SYS_FCHMODAT2, Errno: syscall.EPERM},
			{Number: unix.SYS_FACCESSAT2, Errno: syscall.EPERM}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := seccomptest.Command(t, seccomptest.Deny(rules...), os.Args[0], "-test.run",
				"^(TestDirNoWayOut|TestDirInside|TestDirFIFO|TestWalk|"+
					"TestCopyPositions|TestCopyWithoutSize|TestTemp|TestDirAttributes|"+
					"TestAccess|TestStatfs|TestWhatFilterLeaves)$")
			cmd.Env = append(os.Environ(), "RINGO_FILTERED="+name)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestWhatFilterLeaves makes sure that the filter of TestNamesBehindFilter is there.
func TestWhatFilterLeaves(t *testing.T) {
	filter := os.Getenv("RINGO_FILTERED")
	if filter == "" {
		t.Skip("no filter")
	}
	if why := file.Openat2(); (why != nil) != (len(filter) > 7 && filter[:7] == "openat2") {
		t.Errorf("behind %s: openat2 gives %v", filter, why)
	}
}
