package file_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"ringo/file"
)

// What only some systems have is done, or refused by an error that names the system and is errors.ErrUnsupported.
func TestLacks(t *testing.T) {
	name := filled(t, tempDir(t), 10_000)
	f, err := file.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	direct, err := file.OpenFile(name, os.O_RDWR|file.Direct, 0)
	if err == nil {
		if mem, _ := direct.DirectAlign(); mem == 0 {
			t.Error("a file opened with Direct has no alignment")
		}
		direct.Close()
	}
	if errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		err = nil // the refusal of a file system
	}
	_, statfs := f.Statfs()
	_, lock := f.TryLock(file.Range{Off: 1, Len: 1})
	for what, err := range map[string]error{
		"Xattr": f.SetXattr("user.ringo", []byte("x"), 0), "Statfs": statfs, "Lock": lock,
		"NoReplace": file.RenameWith(name, name+"2", file.NoReplace),
		"Exchange":  file.RenameWith(name+"2", filled(t, tempDir(t), 10), file.Exchange),
		"Direct":    err, "Allocate": f.Allocate(0, 0, 100), "PunchHole": f.PunchHole(0, 100),
		"SyncRange": f.SyncRange(0, 0, file.SyncWrite), "Advise": f.Advise(file.AdviceRandom, 0, 0),
	} {
		named := err != nil && strings.HasSuffix(err.Error(), "not supported on "+runtime.GOOS)
		if err != nil && (!errors.Is(err, errors.ErrUnsupported) || !named) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
