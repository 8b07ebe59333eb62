//go:build linux

package uring

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLinks: what a chain does when its links succeed, fall short, fail, or are no entries at all.
func TestLinks(t *testing.T) {
	bad := func(e *SQE) { e.Op = 0xfe }
	hard := func(prep func(e *SQE)) func(e *SQE) { return flagged(prep, SQEHardLink) }
	nop := (*SQE).PrepNop
	noFile := func(e *SQE) { e.PrepFsync(9999, false) }
	later := func(d time.Duration) func(e *SQE) {
		ts := after(d)
		return func(e *SQE) { e.PrepTimeout(ts, 0, 0) }
	}
	order := func(t *testing.T, r *Ring, preps ...func(e *SQE)) {
		t.Helper()
		tags := startAll(t, r, preps...)
		var got []uint64
		for _, c := range takeAll(t, r, len(tags)) {
			got = append(got, c.UserData)
		}
		if !slices.Equal(got, tags) {
			t.Errorf("ended in the order %v, want %v", got, tags)
		}
	}
	runBoth(t, []ringCase{
		{"in order", func(t *testing.T, r *Ring) {
			order(t, r, linked(later(time.Millisecond)), linked(nop), nop) // ETIME breaks it, and yet they end in order
			order(t, r, hard(later(time.Millisecond)), hard(nop), nop)
		}},
		{"failure cancels the rest", func(t *testing.T, r *Ring) {
			needLateFiles(t, r)
			cqes := finishAll(t, r, startAll(t, r, linked(nop), linked(noFile), linked(nop), nop)...)
			wantAll(t, cqes, 0, syscall.EBADF, syscall.ECANCELED, syscall.ECANCELED)
		}},
		{"two chains", func(t *testing.T, r *Ring) {
			cqes := finishAll(t, r, startAll(t, r, linked(noFile), nop, linked(nop), nop)...)
			wantAll(t, cqes, syscall.EBADF, syscall.ECANCELED, 0, 0)
		}},
		{"hard links go on", func(t *testing.T, r *Ring) {
			needLateFiles(t, r)
			cqes := finishAll(t, r, startAll(t, r, hard(noFile), hard(noFile), nop)...)
			wantAll(t, cqes, syscall.EBADF, syscall.EBADF, 0)
		}},
		{"hard then soft", func(t *testing.T, r *Ring) {
			needLateFiles(t, r)
			cqes := finishAll(t, r, startAll(t, r, hard(later(0)), linked(noFile), nop)...)
			wantAll(t, cqes, syscall.ETIME, syscall.EBADF, syscall.ECANCELED)
		}},
		{"bad entry fails the chain", func(t *testing.T, r *Ring) {
			cqes := finishAll(t, r, startAll(t, r, linked(nop), linked(bad), nop, nop)...)
			wantAll(t, cqes, syscall.ECANCELED, syscall.EINVAL, syscall.ECANCELED, 0)
		}},
		{"a short read breaks it", func(t *testing.T, r *Ring) {
			_, fd := openNew(t)
			p := make([]byte, 8)
			read := func(n int) func(e *SQE) { return func(e *SQE) { e.PrepRead(fd, p[:n], 0) } }
			wantAll(t, finishAll(t, r, startAll(t, r, linked(read(4)), nop)...), 4, 0)
			wantAll(t, finishAll(t, r, startAll(t, r, linked(read(8)), nop)...), 4, syscall.ECANCELED)
			wantAll(t, finishAll(t, r, startAll(t, r, hard(read(8)), nop)...), 4, 0)
		}},
		{"reads of a registered buffer", func(t *testing.T, r *Ring) {
			a, _ := fixed(t, r)
			_, fd := openNew(t)
			var preps []func(e *SQE)
			for i := range 4 {
				prep := func(e *SQE) { e.PrepReadFixed(fd, a[i:i+1], int64(i), 0) }
				if i < 3 {
					prep = linked(prep)
				}
				preps = append(preps, prep)
			}
			wantAll(t, finishAll(t, r, startAll(t, r, preps...)...), 1, 1, 1, 1)
			if string(a[:4]) != "text" {
				t.Errorf("read %q", a[:4])
			}
		}},
		{"open, read, close", func(t *testing.T, r *Ring) {
			if r.Features()&FeatLinkedFile == 0 {
				t.Skip(&FeatureError{"LINKED_FILE", "5.18"})
			}
			table(t, r, 2)
			_, other := openNew(t)
			old := []int32{int32(other)}
			want(t, do(t, r, func(e *SQE) { e.PrepFilesUpdate(old, 1) }), 1) // the new file takes its place
			name := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(name, []byte("new"), 0o600); err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 8)
			file := path(name)
			cqes := finishAll(t, r, startAll(t, r,
				linked(func(e *SQE) { e.PrepOpenat(unix.AT_FDCWD, file, unix.O_RDONLY, 0); e.SetDirect(1) }),
				linked(func(e *SQE) { e.PrepRead(1, p[:3], 0); e.SetFlags(SQEFixedFile) }),
				func(e *SQE) { e.PrepCloseDirect(1) })...)
			wantAll(t, cqes, 0, 3, 0)
			if string(p[:3]) != "new" {
				t.Errorf("read %q", p[:3])
			}
		}},
		{"write, close", func(t *testing.T, r *Ring) {
			name := filepath.Join(t.TempDir(), "f")
			fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			text := []byte("text")
			write := flagged(func(e *SQE) { e.PrepWrite(fd, text, 0) }, SQEAsync|SQELink)
			wantAll(t, finishAll(t, r, startAll(t, r, write, func(e *SQE) { e.PrepClose(fd) })...), 4, 0)
			if got, err := os.ReadFile(name); string(got) != "text" {
				t.Errorf("the file holds %q, %v", got, err)
			}
		}},
		{"poll, then what it waits for", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			p := make([]byte, 4)
			tags := startAll(t, r, linked(func(e *SQE) { e.PrepPollAdd(rd, unix.POLLIN) }),
				func(e *SQE) { e.PrepRead(rd, p, -1) })
			write(t, wr, "text")
			wantAll(t, finishAll(t, r, tags...), unix.POLLIN, 4)
		}},
	})
}

// TestLinkTimeouts: a limit that runs out, that does not, and where there is nothing to limit.
func TestLinkTimeouts(t *testing.T) {
	soon, late := after(time.Millisecond), after(time.Hour)
	limit := func(ts *Timespec) func(e *SQE) { return func(e *SQE) { e.PrepLinkTimeout(ts, 0) } }
	nop := (*SQE).PrepNop
	runCases(t, []ringCase{
		{"of a nop", func(t *testing.T, r *Ring) {
			wantAll(t, finishAll(t, r, startAll(t, r, linked(nop), limit(late))...), 0, syscall.ECANCELED)
		}},
		{"of what fails", func(t *testing.T, r *Ring) {
			wantAll(t,
				finishAll(t, r, startAll(t, r, linked(func(e *SQE) { e.PrepFsync(9999, false) }), limit(late))...),
				syscall.EBADF, syscall.ECANCELED)
		}},
		{"alone", func(t *testing.T, r *Ring) {
			want(t, do(t, r, limit(late)), syscall.EINVAL)
		}},
		{"two of them", func(t *testing.T, r *Ring) {
			rd, _ := pipe(t)
			tags := startAll(t, r, linked(func(e *SQE) { e.PrepPollAdd(rd, unix.POLLIN) }), linked(limit(soon)),
				limit(late))
			for i, c := range finishAll(t, r, tags...) {
				if c.Res >= 0 {
					t.Errorf("entry %d: %s, want an error", i, result(c.Res))
				}
			}
		}},
		{"the last of a chain", func(t *testing.T, r *Ring) {
			rd, _ := pipe(t)
			tags := startAll(t, r, linked(nop), linked(func(e *SQE) { e.PrepPollAdd(rd, unix.POLLIN) }), limit(soon))
			wantAll(t, finishAll(t, r, tags...), 0, syscall.ECANCELED, syscall.ETIME)
		}},
		{"in the midst of a chain", func(t *testing.T, r *Ring) {
			rd, _ := pipe(t)
			tags := startAll(t, r, linked(func(e *SQE) { e.PrepPollAdd(rd, unix.POLLIN) }), linked(limit(soon)), nop)
			wantAll(t, finishAll(t, r, tags...), syscall.ECANCELED, syscall.ETIME, syscall.ECANCELED)
		}},
		{"what follows one that is not needed goes on", func(t *testing.T, r *Ring) {
			tags := startAll(t, r, linked(nop), linked(limit(late)), nop)
			wantAll(t, finishAll(t, r, tags...), 0, syscall.ECANCELED, 0)
		}},
		{"of an accept", func(t *testing.T, r *Ring) {
			ln, addr := listener(t)
			accept := linked(func(e *SQE) { e.PrepAccept(ln, unix.SOCK_CLOEXEC) })
			wantAll(t, finishAll(t, r, startAll(t, r, accept, limit(soon))...), syscall.ECANCELED, syscall.ETIME)
			dial(t, addr)
			cqes := finishAll(t, r, startAll(t, r, accept, limit(late))...)
			fdOf(t, cqes[0])
			want(t, cqes[1], syscall.ECANCELED)
		}},
		{"of a poll", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			poll := linked(func(e *SQE) { e.PrepPollAdd(rd, unix.POLLIN) })
			wantAll(t, finishAll(t, r, startAll(t, r, poll, limit(soon))...), syscall.ECANCELED, syscall.ETIME)
			tags := startAll(t, r, poll, limit(late))
			write(t, wr, "x")
			wantAll(t, finishAll(t, r, tags...), unix.POLLIN, syscall.ECANCELED)
		}},
		{"an update of one that is not there", func(t *testing.T, r *Ring) {
			c := do(t, r, func(e *SQE) { e.PrepTimeoutUpdate(lastTag.Load()+99, late, TimeoutLinked) })
			want(t, needFlag(t, c, "LINK_TIMEOUT_UPDATE", "5.15"), syscall.ENOENT)
		}},
	})
}

// TestSkipSuccess: which CQEs SQECQESkipSuccess keeps back.
func TestSkipSuccess(t *testing.T) {
	if !newerThan("6.2") {
		t.Skip("Linux 6.1 keeps another order, and makes other CQEs")
	}
	nop := (*SQE).PrepNop
	silent := func(prep func(e *SQE)) func(e *SQE) { return flagged(prep, SQECQESkipSuccess) }
	noFile := func(e *SQE) { e.PrepFsync(9999, false) }
	late := after(time.Hour)
	const none, bad, gone = 99, -int32(syscall.EBADF), -int32(syscall.ECANCELED)
	for _, c := range []struct {
		name  string
		preps []func(e *SQE)
		want  []int32
	}{
		{"success", []func(e *SQE){silent(nop), nop}, []int32{none, 0}},
		{"failure", []func(e *SQE){silent(noFile)}, []int32{bad}},
		{"a link", []func(e *SQE){silent(linked(nop)), nop}, []int32{none, 0}},
		{"the end of a chain", []func(e *SQE){linked(nop), silent(nop)}, []int32{0, none}},
		{"a link that fails", []func(e *SQE){silent(linked(noFile)), nop, nop}, []int32{bad, none, 0}},
		{"what is cancelled with it", []func(e *SQE){linked(noFile), silent(nop)}, []int32{bad, none}},
		{"a link that fails aloud", []func(e *SQE){linked(noFile), nop}, []int32{bad, gone}},
		{"a hard link", []func(e *SQE){silent(flagged(nop, SQEHardLink)), nop}, []int32{none, 0}},
		{"a limit that is not needed",
			[]func(e *SQE){silent(linked(nop)), silent(func(e *SQE) { e.PrepLinkTimeout(late, 0) })},
			[]int32{none, none}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, 16, nil)
			if r.Features()&FeatCQESkip == 0 {
				t.Skip(&FeatureError{"CQE_SKIP", "5.17"})
			}
			tags := startAll(t, r, c.preps...)
			got, expected := make([]int32, len(tags)), 0
			for i := range tags {
				got[i] = none
				if c.want[i] != none {
					expected++
				}
			}
			for _, c := range takeAll(t, r, expected) {
				got[slices.Index(tags, c.UserData)] = c.Res
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v; %d is no CQE", got, c.want, none)
			}
			want(t, do(t, r, nop), 0) // and no other CQE came before this
		})
	}
}

// TestDrains: an entry with SQEDrain starts after all before it, and all behind it after that.
func TestDrains(t *testing.T) {
	if !newerThan("6.2") {
		t.Skip("Linux 6.1 keeps another order, and makes other CQEs")
	}
	nop := (*SQE).PrepNop
	runCases(t, []ringCase{
		{"a nop behind a read", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			p := make([]byte, 4)
			tags := startAll(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) }, flagged(nop, SQEDrain), nop)
			if c, ok := r.CQE(); ok {
				t.Fatalf("%+v before the read has ended", c)
			}
			write(t, wr, "text")
			for i, c := range takeAll(t, r, 3) {
				if c.UserData != tags[i] {
					t.Errorf("CQE %d is that of %d, want %d", i, c.UserData, tags[i])
				}
			}
		}},
		{"a chain", func(t *testing.T, r *Ring) {
			needDrains(t)
			rd, wr := pipe(t)
			p := make([]byte, 4)
			tags := startAll(t, r, func(e *SQE) { e.PrepRead(rd, p, -1) },
				flagged(nop, SQEDrain|SQELink), linked(nop), nop, nop)
			write(t, wr, "text")
			for i, c := range takeAll(t, r, len(tags)) {
				if c.UserData != tags[i] || c.Res < 0 {
					t.Errorf("CQE %d: %+v, want that of %d", i, c, tags[i])
				}
			}
		}},
		{"behind a multishot", func(t *testing.T, r *Ring) {
			need(t, CheckPollMultishot)
			fd := eventfd(t)
			poll := start(t, r, func(e *SQE) { e.PrepPollMultishot(fd, unix.POLLIN) })
			drained := start(t, r, flagged(nop, SQEDrain))
			for range 3 {
				signalEventfd(t, fd)
				if c := takeAll(t, r, 1)[0]; c.UserData != poll || !c.More() {
					t.Fatalf("%+v, want a CQE of the poll and more", c)
				}
			}
			// It counts as under way until it ends. A cancel would wait behind the drain, but for the plain call.
			if err := r.CancelAll(waitMax); err != nil {
				t.Skip(err)
			}
			got := map[uint64]int32{}
			for _, c := range takeAll(t, r, 2) {
				got[c.UserData] = c.Res
			}
			if got[poll] != -int32(syscall.ECANCELED) || got[drained] != 0 &&
				got[drained] != -int32(syscall.ECANCELED) {
				t.Errorf("the poll and what waited for it ended with %v", got)
			}
		}},
		{"many, at random", func(t *testing.T, r *Ring) {
			needDrains(t)
			// However they are mixed, what comes behind a drain ends behind what comes before it.
			state := uint32(12345)
			random := func(n uint32) uint32 { state = state*1664525 + 1013904223; return state >> 8 % n }
			for range 20 {
				var preps []func(e *SQE)
				var drains []int
				for i := range 30 {
					ts := after(time.Duration(random(300)) * time.Microsecond)
					prep := []func(e *SQE){nop, func(e *SQE) { e.PrepTimeout(ts, 0, 0) }}[random(2)]
					if random(4) == 0 {
						prep = flagged(prep, SQEDrain)
						drains = append(drains, i)
					}
					preps = append(preps, prep)
				}
				tags := startAll(t, r, preps...)
				ended := map[uint64]int{}
				for i, c := range takeAll(t, r, len(tags)) {
					ended[c.UserData] = i
				}
				for _, d := range drains {
					for i, tag := range tags {
						if i < d && ended[tag] > ended[tags[d]] || i > d && ended[tag] < ended[tags[d]] {
							t.Fatalf("entry %d ended as number %d, the drain %d as number %d", i, ended[tag], d,
								ended[tags[d]])
						}
					}
				}
			}
		}},
	})
}

// needLateFiles skips the test where files are looked up as a chain is submitted, so that one which is not there
// cancels the entries before it, too.
func needLateFiles(t *testing.T, r *Ring) {
	t.Helper()
	if r.Features()&FeatLinkedFile == 0 {
		t.Skip(&FeatureError{"LINKED_FILE", "5.18"})
	}
}

// needDrains skips the test on kernels whose drains let what is behind a chain by.
func needDrains(t *testing.T) {
	t.Helper()
	if !newerThan("6.16") {
		t.Skip("before Linux 6.16 what comes behind a drain may overtake it; on 5.15 what comes behind its chain does")
	}
}
