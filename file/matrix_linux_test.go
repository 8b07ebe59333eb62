//go:build linux

package file_test

import (
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// Every method of a File, by every kind of caller, while something happens to the call, to the file or to the
// caller's loop: see package socktest.
func TestMatrix(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) { socktest.RunFiles(t, cfg.Driver, part()) })
}

// part is of how many cells one is played: another one each day.
func part() int {
	if testmain.Long() {
		return 1
	}
	return 8
}

// The same in simulated worlds.
func TestMatrixInWorlds(t *testing.T) {
	worlds := 3
	if !testmain.Long() {
		worlds = 1
	}
	socktest.RunFilesInWorlds(t, worlds, part())
}

var stormSeed = flag.Uint64("storm", 1, "the `seed` of the storms, and of which cells of the matrix are in them")

// A part of the same in storms.
func TestMatrixInStorms(t *testing.T) {
	storm := &socktest.Storm{Seed: *stormSeed, Part: 1}
	if !testmain.Long() {
		storm.Part = 4
	}
	socktest.RunFilesInStorm(t, storm)
}

// Tests that don't run in worlds have a reason.
func TestExcusedFromWorlds(t *testing.T) { socktest.ExcusedFromWorlds(t, "file") }

func TestMatrixIsComplete(t *testing.T) { socktest.FilesComplete(t) }

var (
	dataPrograms = flag.Uint64("data-programs", 2,
		"how many programs TestDataLikeOS runs on each file system, path and caller")
)

// dataFile is what programs call.
type dataFile interface {
	both
	ReadVAt(ps [][]byte, off int64) (int, error)
	WriteVAt(ps [][]byte, off int64) (int, error)
	Allocate(mode file.AllocateMode, off, n int64) error
	Advise(advice file.Advice, off, n int64) error
}

// osData is an os.File, with the kernel's calls for what package os lacks.
type osData struct{ *os.File }

func (f osData) ReadVAt(ps [][]byte, off int64) (int, error) {
	if _, err := f.ReadAt(nil, off); err != nil {
		return 0, err
	}
	return f.vectors("read", ps, off, unix.Preadv)
}

func (f osData) WriteVAt(ps [][]byte, off int64) (int, error) {
	if _, err := f.WriteAt(nil, off); err != nil {
		return 0, err
	}
	return f.vectors("write", ps, off, unix.Pwritev)
}

// vectors makes a call again until all of the slices are done.
func (f osData) vectors(name string, ps [][]byte, off int64, call func(int, [][]byte, int64) (int, error)) (n int,
	err error) {
	for {
		var rest [][]byte
		skip := n
		for _, p := range ps {
			if k := min(skip, len(p)); k < len(p) {
				rest, skip = append(rest, p[k:]), 0
			} else {
				skip -= k
			}
		}
		if len(rest) == 0 {
			return n, nil
		}
		var m int
		err := f.control(name, func(fd int) (err error) {
			m, err = call(fd, rest, off+int64(n))
			return err
		})
		switch {
		case err != nil:
			return n, err
		case m == 0:
			return n, io.EOF
		}
		n += m
	}
}

func (f osData) Allocate(mode file.AllocateMode, off, n int64) error {
	return f.control("allocate", func(fd int) error { return unix.Fallocate(fd, uint32(mode), off, n) })
}

func (f osData) Advise(advice file.Advice, off, n int64) error {
	return f.control("advise", func(fd int) error { return unix.Fadvise(fd, off, n, int(advice)) })
}

// control makes a call on the descriptor, and its error one of package os's.
func (f osData) control(name string, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if failed := raw.Control(func(fd uintptr) { err = call(int(fd)) }); failed != nil {
		return failed
	}
	if err != nil {
		return &fs.PathError{Op: name, Path: f.Name(), Err: err}
	}
	return nil
}

// subject is a file by name, open, that can be opened again.
type subject struct {
	name string
	open func(name string, flag int) (dataFile, error)
	f    dataFile
}

func openOS(name string, flag int) (dataFile, error) {
	f, err := os.OpenFile(name, flag, 0)
	return osData{f}, err
}

func openOurs(name string, flag int) (dataFile, error) { return file.OpenFile(name, flag, 0) }

func (s *subject) reopen(flag int) []any {
	closed := s.f.Close()
	f, err := s.open(s.name, flag)
	if err == nil {
		s.f = f
	}
	return []any{closed, err}
}

// dataStep is one call with its arguments, the same for both.
type dataStep struct {
	what string
	run  func(s *subject) []any
}

// dataProgram makes steps of what a seed says.
type dataProgram struct {
	r      *rand.Rand
	direct bool // the place has O_DIRECT
	past   bool // the file is open so
	far    bool // offsets may be past 4 GiB
}

const dataBlock = 4096

// size is a length. Past the page cache most are whole blocks.
func (p *dataProgram) size() int {
	k := p.r.IntN(40)
	switch {
	case k == 0:
		return 1<<20 + p.r.IntN(25)*dataBlock
	case p.past && k > 4, k > 30:
		return (1 + p.r.IntN(8)) * dataBlock
	case k > 20:
		return p.r.IntN(100_000)
	}
	return p.r.IntN(1000)
}

// off is an offset. A few are past all bounds.
func (p *dataProgram) off() int64 {
	off := int64(p.r.IntN(40)) * dataBlock
	switch k := p.r.IntN(60); {
	case k == 0:
		return -1
	case k < 8 && p.far:
		off += 1 << 32
	}
	if !p.past && p.r.IntN(3) > 0 || p.r.IntN(12) == 0 {
		off += int64(p.r.IntN(dataBlock))
	}
	return off
}

// memory gives a function that makes the same memory for each subject.
func (p *dataProgram) memory(n int) func() []byte {
	skew, seed := 0, p.r.Uint64()
	if p.r.IntN(8) == 0 {
		skew = 1 + p.r.IntN(600)
	}
	return func() []byte {
		b := buf.Aligned(n+skew, dataBlock)[skew:]
		for i := range b {
			b[i] = byte(seed>>(i%8*8)) + byte(i/251)
		}
		return b
	}
}

// got gives what a read has left in memory: all of it, or past the page cache what the
// count says. There the rest of the last block may be overwritten (btrfs does).
func (p *dataProgram) got() func(b []byte, n int) []byte {
	if p.past {
		return func(b []byte, n int) []byte { return b[:n] }
	}
	return func(b []byte, _ int) []byte { return b }
}

// cut makes two or three slices of one. Those for O_DIRECT are whole blocks, but for a few.
func (p *dataProgram) cut(n int) func(b []byte) [][]byte {
	at := p.r.IntN(n + 1)
	if p.past && p.r.IntN(8) > 0 {
		at = at / dataBlock * dataBlock
	}
	return func(b []byte) [][]byte { return [][]byte{b[:at], nil, b[at:]} }
}

var dataFlags = []int{
	os.O_RDWR, os.O_RDWR, os.O_RDWR, os.O_RDWR | os.O_APPEND, os.O_RDONLY, os.O_WRONLY,
	os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_TRUNC, os.O_RDWR | os.O_SYNC, os.O_RDWR, os.O_RDWR, unix.O_PATH,
}

// flag is how to open the file next.
func (p *dataProgram) flag() int {
	flag := dataFlags[p.r.IntN(len(dataFlags))]
	if p.past = p.direct && p.r.IntN(2) == 0; p.past {
		flag |= file.Direct
	}
	return flag
}

func (p *dataProgram) step() dataStep {
	switch k := p.r.IntN(24); {
	case k < 6:
		return p.transfer(k)
	case k < 12:
		return p.transferAt(k - 6)
	}
	return p.other()
}

// transfer is a call at the position.
func (p *dataProgram) transfer(k int) dataStep {
	n := p.size()
	mem, got := p.memory(n), p.got()
	switch {
	case k < 2:
		return dataStep{fmt.Sprintf("Read(%d)", n), func(s *subject) []any {
			b := mem()
			m, err := s.f.Read(b)
			return []any{m, err, got(b, m)}
		}}
	case k < 5:
		return dataStep{fmt.Sprintf("Write(%d)", n), func(s *subject) []any {
			m, err := s.f.Write(mem())
			return []any{m, err}
		}}
	}
	off, whence := p.off(), p.r.IntN(4)%3
	if p.r.IntN(3) == 0 {
		off = -off
	}
	return dataStep{fmt.Sprintf("Seek(%d, %d)", off, whence), func(s *subject) []any {
		at, err := s.f.Seek(off, whence)
		return []any{at, err}
	}}
}

// transferAt is a call at an offset.
func (p *dataProgram) transferAt(k int) dataStep {
	n, off := p.size(), p.off()
	mem, cut, got := p.memory(n), p.cut(n), p.got()
	switch {
	case k < 2:
		return dataStep{fmt.Sprintf("ReadAt(%d, %d)", n, off), func(s *subject) []any {
			b := mem()
			m, err := s.f.ReadAt(b, off)
			return []any{m, err, got(b, m)}
		}}
	case k < 4:
		return dataStep{fmt.Sprintf("WriteAt(%d, %d)", n, off), func(s *subject) []any {
			m, err := s.f.WriteAt(mem(), off)
			return []any{m, err}
		}}
	case k == 4:
		return dataStep{fmt.Sprintf("ReadVAt(%d, %d)", n, off), func(s *subject) []any {
			b := mem()
			m, err := s.f.ReadVAt(cut(b), off)
			return []any{m, err, got(b, m)}
		}}
	}
	return dataStep{fmt.Sprintf("WriteVAt(%d, %d)", n, off), func(s *subject) []any {
		m, err := s.f.WriteVAt(cut(mem()), off)
		return []any{m, err}
	}}
}

var dataModes = []file.AllocateMode{0, file.KeepSize, file.PunchHole | file.KeepSize, file.PunchHole | file.KeepSize,
	file.PunchHole, file.ZeroRange, file.ZeroRange | file.KeepSize, file.CollapseRange, file.InsertRange}

func init() {
	// What stands for a name alone is refused, but what is wrong with the call itself is told first. Flags that mean
	// nothing then are none of a mistake.
	for name, flag := range map[string]int{"a name alone": unix.O_PATH,
		"a name alone, with more": unix.O_PATH | os.O_RDWR | os.O_APPEND | os.O_CREATE} {
		programs[name] = struct {
			flag  int
			steps []step
		}{flag, []step{trunc(-1), trunc(0), rd(1), rd(0), wr(1), wr(0), rdAt(1, 0), rdAt(1, -1), wrAt(1, 0),
			wrAt(1, -1), sk(0, 0), syncs, stat}}
	}
}

// other is a call that moves no bytes.
func (p *dataProgram) other() dataStep {
	n, off := int64(p.size()), p.off()
	switch p.r.IntN(12) {
	case 0, 1:
		return dataStep{fmt.Sprintf("Truncate(%d)", off), func(s *subject) []any { return []any{s.f.Truncate(off)} }}
	case 2, 3, 4:
		mode := dataModes[p.r.IntN(len(dataModes))]
		return dataStep{fmt.Sprintf("Allocate(%#x, %d, %d)", mode, off, n), func(s *subject) []any {
			return []any{s.f.Allocate(mode, off, n)}
		}}
	case 5:
		if p.r.IntN(2) > 0 {
			return dataStep{"Stat", func(s *subject) []any { return stat(s.f) }}
		}
		return dataStep{"Sync, and out of memory", func(s *subject) []any {
			return []any{s.f.Sync(), s.f.Advise(file.AdviceDontNeed, 0, 0)}
		}}
	case 6, 7, 8:
		flag := p.flag()
		return dataStep{fmt.Sprintf("reopen(%#x)", flag), func(s *subject) []any { return s.reopen(flag) }}
	}
	return dataStep{"Stat", func(s *subject) []any { return stat(s.f) }}
}

// do runs a step and looks where that has left the position.
func (s *subject) do(step dataStep) []any {
	results := step.run(s)
	at, err := s.f.Seek(0, io.SeekCurrent)
	results = append(results, at, err)
	for i, r := range results {
		if err, ok := r.(error); ok {
			results[i] = unaligned(err)
		}
	}
	return results
}

// unaligned is an error without our words on alignment, which package os has not.
func unaligned(err error) error {
	var path *fs.PathError
	var align *file.AlignError
	if errors.As(err, &path) && errors.As(err, &align) {
		return &fs.PathError{Op: path.Op, Path: path.Path, Err: align.Err}
	}
	return err
}

// Random programs on the data of a file have the results that they have with package os,
// leave the position where that leaves it, and the same bytes.
func TestDataLikeOS(t *testing.T) {
	seed := seedOf(t)
	programs := *dataPrograms
	if race.Enabled {
		programs = max(1, programs/2)
	}
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		name := fnv.New64()
		io.WriteString(name, t.Name())
		for k := range programs {
			runDataProgram(t, dir, rand.New(rand.NewPCG(seed, name.Sum64()+k)))
		}
	})
}

func runDataProgram(t *testing.T, dir string, r *rand.Rand) {
	t.Helper()
	theirs := &subject{name: filepath.Join(dir, "theirs"), open: openOS}
	ours := &subject{name: filepath.Join(dir, "ours"), open: openOurs}
	p := &dataProgram{r: r, far: r.IntN(4) == 0}
	for _, s := range []*subject{theirs, ours} {
		if err := writeFile(s.name, bytesOf(30_000), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := s.open(s.name, os.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		s.f = f
		defer func() { s.f.Close() }()
	}
	if f, err := os.OpenFile(theirs.name, os.O_RDWR|file.Direct, 0); err == nil {
		p.direct = true
		f.Close()
	}
	var done []string
	for range 60 {
		step := p.step()
		done = append(done, step.what)
		want, got := theirs.do(step), ours.do(step)
		if !same(got, want) {
			t.Fatalf("%s gave%s\nos gives%s\nafter %s", step.what, show(got), show(want), strings.Join(done, "\n  "))
		}
	}
	if wrong := differ(ours.name, theirs.name); wrong != "" {
		t.Fatalf("%s\nafter %s", wrong, strings.Join(done, "\n  "))
	}
}
