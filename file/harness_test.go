package file_test

import (
	"flag"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/hosted"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	hosted.Shared() // they stay, so they are there before the tests
	testmain.Main(m)
}

var (
	pause      = socktest.Pause
	inIterator = socktest.InIterator
)

var seedFlag = flag.Uint64("seed", 1, "the seed of random programs; 0: by the clock")

// seedOf is the seed of a test's random programs.
func seedOf(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", seed)
	return seed
}

// eachDriver runs f for each driver, and for simulated worlds.
func eachDriver(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	socktest.EachPlace(t, "file", f)
}

// eachCaller runs f as an ordinary goroutine, as a task of each driver that this
// kernel has, or of the one that the environment forces, and as a task of simulated worlds. l is nil for the goroutine.
func eachCaller(t *testing.T, f func(t *testing.T, l *ringo.Loop)) {
	t.Helper()
	eachCallerHere(t, f)
	inWorlds(t, f)
}

// eachCallerHere is eachCaller without worlds: f is about what the system has.
func eachCallerHere(t *testing.T, f func(t *testing.T, l *ringo.Loop)) {
	t.Helper()
	if socktest.OnlyWorlds() {
		return
	}
	t.Run("goroutine", func(t *testing.T) {
		patience.Within(t.Name(), func() { f(t, nil) })
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) { f(t, l) })
	})
}

// inWorlds runs f as a task of simulated worlds.
func inWorlds(t *testing.T, f func(t *testing.T, l *ringo.Loop)) {
	t.Helper()
	socktest.EachWorld(t, "file", func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) { f(t, l) })
	})
}

// onLoop runs body as the first task of one loop, and then nothing may be left. In a world there are the folders that
// its test has made before.
func onLoop(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop)) {
	t.Helper()
	socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
		if socktest.InWorld() {
			name, _, _ := strings.Cut(t.Name(), "/")
			folders.Lock()
			made := slices.Clone(folders.of[name])
			folders.Unlock()
			for _, dir := range made {
				if err := file.MkdirAll(dir, 0o777); err != nil {
					t.Fatal(err)
				}
			}
		}
		body(l)
	})
}

// folders are those that tests have made outside of worlds, by their names.
var folders = struct {
	sync.Mutex
	of map[string][]string
}{of: map[string][]string{}}

// tempDir is t.TempDir, and of a task of a world a folder there.
func tempDir(t testing.TB) string {
	t.Helper()
	if !socktest.InWorld() {
		dir := t.TempDir()
		name, _, _ := strings.Cut(t.Name(), "/")
		folders.Lock()
		defer folders.Unlock()
		folders.of[name] = append(folders.of[name], dir)
		return dir
	}
	dir, err := file.MkdirTemp("", "case")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// What package os does for tests that are about something else; of a task of a world, package file.
func writeFile(name string, data []byte, perm fs.FileMode) error {
	if socktest.InWorld() {
		return file.WriteFile(name, data, perm)
	}
	return os.WriteFile(name, data, perm)
}

func readFile(name string) ([]byte, error) {
	if socktest.InWorld() {
		return file.ReadFile(name)
	}
	return os.ReadFile(name)
}

func makeDir(name string, perm fs.FileMode) error {
	if socktest.InWorld() {
		return file.Mkdir(name, perm)
	}
	return os.Mkdir(name, perm)
}

func makeDirs(name string, perm fs.FileMode) error {
	if socktest.InWorld() {
		return file.MkdirAll(name, perm)
	}
	return os.MkdirAll(name, perm)
}

func symlink(to, name string) error {
	if socktest.InWorld() {
		return file.Symlink(to, name)
	}
	return os.Symlink(to, name)
}

func statOf(name string) (fs.FileInfo, error) {
	if socktest.InWorld() {
		return file.Stat(name)
	}
	return os.Stat(name)
}

func readDir(name string) ([]fs.DirEntry, error) {
	if socktest.InWorld() {
		return file.ReadDir(name)
	}
	return os.ReadDir(name)
}

// begin runs f beside the caller, as a caller of its sort, and gives a join.
func begin(l *ringo.Loop, f func()) (join func()) {
	if l != nil {
		task := l.Go(f)
		return func() { task.Wait() }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}

// waiting counts the tasks of a loop that wait for something.
func waiting(l *ringo.Loop, op string) (n int) {
	for _, task := range l.Tasks() {
		if task.WaitOp == op {
			n++
		}
	}
	return n
}

// aWhile is some pauses, in which what must not happen could.
func aWhile(l *ringo.Loop) {
	for range 20 {
		pause(l)
	}
}
