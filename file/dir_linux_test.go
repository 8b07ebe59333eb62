//go:build linux

package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
	"ringo/internal/test/socktest"
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

// What is told of a name, and set, is os.Root's, whatever sort of file it stands for: nothing is opened for that.
func TestDirSorts(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := errors.Join(unix.Mknod(dir+"/socket", unix.S_IFSOCK|0o600, 0), unix.Mkfifo(dir+"/fifo", 0o600),
			makeDir(dir+"/sub", 0o700), symlink("../socket", dir+"/sub/link"), symlink("sub", dir+"/to-sub"),
			symlink("gone", dir+"/dangling")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"socket", "fifo", "sub", "sub/", "sub/link", "to-sub", "to-sub/link", "dangling",
			"gone", "socket/", "socket/x", "."} {
			got, want := told(d, name), told(root, name)
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%q, call %d: %s, os.Root has %s", name, i, got[i], want[i])
				}
			}
			_, err := root.Stat(name)
			if got := d.Access(name, file.AccessRead|file.AccessWrite); (got == nil) != (err == nil) {
				t.Errorf("Access(%q): %v", name, got)
			}
		}
	})
}

// told is what a directory tells of a name, and of changes of what it stands for.
func told(r rooted, name string) []string {
	at := time.Unix(1e9, 7000)
	errs := []any{r.Chmod(name, 0o750), r.Chown(name, -1, -1), r.Lchown(name, -1, -1), r.Chtimes(name, at, at)}
	text := []string{fmt.Sprintln(errs...)}
	for _, of := range []func(string) (fs.FileInfo, error){r.Stat, r.Lstat} {
		info, err := of(name)
		text = append(text, fmt.Sprint(err))
		if err == nil {
			text = append(text, fmt.Sprint(info.Name(), info.Mode(), info.Size(), info.ModTime()))
		}
	}
	to, err := r.Readlink(name)
	return append(text, to, fmt.Sprint(err))
}

// A name that is a file and a link by turns, which leads out, is told of and changed as what is inside.
func TestDirSwappedForALink(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
		secret := filepath.Dir(dir) + "/secret"
		err := errors.Join(writeFile(dir+"/name", []byte("inside"), 0o640), symlink("../secret", dir+"/link"))
		before, err2 := os.Stat(secret)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		stop := socktest.Meanwhile(func() {
			unix.Renameat2(unix.AT_FDCWD, dir+"/name", unix.AT_FDCWD, dir+"/link", unix.RENAME_EXCHANGE)
		})
		defer func() {
			stop()
			if after, err := os.Stat(secret); err != nil || after.Mode() != before.Mode() ||
				!after.ModTime().Equal(before.ModTime()) {
				t.Errorf("the file beside the directory is %v, %v, was %v", after, err, before)
			}
		}()
		at := time.Unix(1e9, 7000)
		for range scaled(1000) {
			var err error
			for range 5 { // what the swap comes between takes least here
				var info fs.FileInfo
				info, err = d.Stat("name")
				if err == nil && (!info.Mode().IsRegular() || info.Mode() == before.Mode()) {
					t.Fatalf("Stat: %v", info)
				}
			}
			for what, err := range map[string]error{"Stat": err, "Chmod": d.Chmod("name", 0o777),
				"Chtimes": d.Chtimes("name", at, at), "Access": d.Access("name", file.AccessRead)} {
				if err != nil && !errors.Is(err, file.ErrEscapes) &&
					!errors.Is(err, syscall.EOPNOTSUPP) { // a link's mode, which Linux has not
					t.Fatalf("%s: %v", what, err)
				}
			}
		}
	})
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
