// Package logs provides logging that never blocks a loop.
//
// A logger that writes to stderr blocks if that is a pipe without a reader, or a stopped terminal; one that writes to a
// file waits for the disk. In a task that stops all tasks of its loop. A Writer buffers writes in memory, and its own
// goroutine writes them to the output:
//
//	log.SetOutput(logs.NewWriter(os.Stderr, nil))
//	slog.SetDefault(slog.New(logs.NewJSONHandler(os.Stdout, nil, nil)))
//
// # What is bounded
//
// Memory: a Writer buffers at most Config.Size bytes. A write that does not fit is dropped as a whole and counted; in
// place of dropped writes a line says how many there were, and their bytes.
//
// The end: when a Run's loops have ended, and before a panic in a task crashes the program, Writers write out their
// buffers; each may take Config.Patience for it. Outside of a Run, Write returns only when the bytes are written. So
// log.Fatal at the end of main loses nothing.
//
// os.Exit, as by log.Fatal in a task, and a panic in a goroutine do not wait for Writers.
//
// # Order
//
// Writes are written in the order in which they were made: those of one task or goroutine in its own order, and those
// made before waking another task before that task's.
package logs
