// Package logs is logging that never stops a loop.
//
// A logger that writes to stderr waits while that is a pipe that nobody reads, or a terminal that was stopped; one that
// writes to a file waits for the disk. In a task that stops all tasks of its loop. A Writer takes what is written to it
// into memory, and a goroutine of its own writes it on:
//
//	log.SetOutput(logs.NewWriter(os.Stderr, nil))
//	slog.SetDefault(slog.New(logs.NewJSONHandler(os.Stdout, nil, nil)))
//
// # What is bounded
//
// The memory: a Writer holds Config.Size bytes at most. A write for which there is no room is dropped as a whole. It
// is counted, and where the missing lines would be a line says how many there were and of how many bytes.
//
// The end: when a Run's loops have ended, and before a panic in a task crashes the program, what Writers hold is
// written out; each may take Config.Patience for it. Between Runs a Writer is as what it writes to: Write returns when
// the bytes are written. So log.Fatal at the end of main loses nothing.
//
// # Order
//
// Writes come out in the order in which they were made: those of one task or goroutine in its own order, and what one
// has written before it woke another is before what that one writes.
//
// What os.Exit ends, log.Fatal in a task for one, or a panic in a goroutine, is not waited for.
package logs
