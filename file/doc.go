// Package file provides files for tasks and goroutines: os.File's methods, names and errors, in calls that never block
// a loop.
//
// A [File] belongs to no loop. Any goroutine, and any task of any loop, may call any method at any time, several at
// once too. Data in the page cache is read at once. A call that has to wait for the disk parks the task, and its loop
// continues. For goroutines, reads that have to wait and transfers with [Direct] use io_uring rings shared by all
// goroutines of the process, once there are more than a few at a time, and block no thread. Without io_uring, and for
// everything else, a goroutine's calls are those of package os.
//
// Functions, types and methods have package os's names: Stat, Rename, ReadDir, Readlink, Root and so on; [WalkDir] is
// path/filepath's. Chdir is a method of File only. Flags, modes and errors are package os's own (os.O_CREATE,
// fs.ErrNotExist). A [Root] confines names to a directory, as os.Root does; its FS method returns an fs.FS. [ReadDir]
// reads the entries of a directory, [List] and File.ReadDir read them in steps. [WriteFileAtomic] replaces a file as a
// whole. [CopyFile], [Copy] and io.Copy from one File to another copy within the kernel. Pipes, FIFOs and terminals
// have deadlines, as in package os. In a task ringo.Loop.WithTimeout limits waits for them too, and Close ends them for
// all callers.
//
// A [Writer] is for many small writes, as to a log, and a [Reader] reads a file sequentially: both transfer blocks in
// the background. They begin at the File's position, which a Writer advances, or at any offset with [NewReaderAt] and
// [NewWriterAt].
//
// A slice that is passed to a call must not be used until the call returns. A read that has begun can't be undone, so
// even a cancelled task waits for its end.
//
// When a process exits, the kernel finishes the transfers that the disk has begun and may drop others: all, a part or
// none of a write that has not returned is in the file, as with package os. A write that has returned is visible to
// other processes, and after a Sync it survives a crash of the machine.
//
// Errors are those of package os: an *fs.PathError with os's name for the operation, around an errno. They match
// fs.ErrNotExist and the like, fs.ErrClosed after Close, and context.Canceled where a cancelled task would have to wait
// or has gone on for too long without, see ringo.Loop.WithTimeout (errors.Is).
package file
