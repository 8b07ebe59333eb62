//go:build linux

package file_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/file"
)

// BenchmarkWriter is what it costs to make a file longer by 64 bytes, or 1 KiB, through a
// Writer: the processor's time of the whole process, its kernel threads included, beside
// bufio's over os.File, which takes turns with it. x-bufio is to bufio as it comes, of 4
// KiB, and x-same to one of the Writer's size.
func BenchmarkWriter(b *testing.B) {
	for how, flag := range map[string]int{"append": os.O_APPEND, "at": 0} {
		for _, record := range []int{64, 1024} {
			for _, size := range []int{32 << 10, 128 << 10} {
				with := func(b *testing.B) { writeInTurns(b, flag, record, size) }
				where := fmt.Sprintf("%s/record=%d/size=%d", how, record, size)
				b.Run(where+"/by=goroutine", with)
				for _, driver := range []string{"uring", "epoll"} {
					b.Run(where+"/by=task,"+driver, func(b *testing.B) {
						inTask(b, driver, func(*ringo.Loop) { with(b) })
					})
				}
			}
		}
	}
}

func writeInTurns(b *testing.B, flag, record, size int) {
	const total = 2 << 20
	p := bytesOf(record)
	flag |= os.O_WRONLY | os.O_CREATE
	open := func(name string) *os.File {
		g, err := os.OpenFile(filepath.Join(b.TempDir(), name), flag, 0o600)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { g.Close() })
		return g
	}
	f, err := file.OpenFile(filepath.Join(b.TempDir(), "ours"), flag, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	g, h := open("bufio"), open("same")
	w, err := file.NewWriter(f, &file.StreamConfig{Size: size})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	usual, same := bufio.NewWriter(g), bufio.NewWriterSize(h, size)
	turn := func(f interface{ Truncate(size int64) error }, w interface {
		io.Writer
		Flush() error
	}) (cpu, wall float64) {
		if err := f.Truncate(0); err != nil { // so that none of it gets as far as the disk
			b.Fatal(err)
		}
		before, began := processCPU(b), time.Now()
		for range total / record {
			if _, err := w.Write(p); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		n := float64(total / record)
		return float64(processCPU(b)-before) / n, float64(time.Since(began)) / n
	}
	var cpus, walls, ratios, sames []float64
	for b.Loop() {
		cpu, wall := turn(f, w)
		usualCPU, _ := turn(g, usual)
		sameCPU, _ := turn(h, same)
		cpus, walls = append(cpus, cpu), append(walls, wall)
		ratios, sames = append(ratios, cpu/usualCPU), append(sames, cpu/sameCPU)
	}
	for unit, all := range map[string][]float64{"cpu-ns/write": cpus, "ns/write": walls, "x-bufio": ratios,
		"x-same": sames} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], unit)
	}
	b.ReportMetric(0, "ns/op")
}
