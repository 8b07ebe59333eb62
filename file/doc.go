// Package file is files for tasks and for goroutines: os.File's methods, names and
// errors, in calls that hold up no loop.
//
// A [File] belongs to no loop. Any goroutine, and any task of any loop, may call any
// method at any time, also several at once. What is in the page cache is read at once.
// What has to wait for the disk parks a task, and its loop goes on. For goroutines, reads
// that have to wait and transfers with [Direct] use io_uring rings that all goroutines of
// the process share, once there are more than a few at a time, and hold no thread meanwhile.
// Where there is no io_uring, and for all else, a goroutine's calls are those of package os.
//
// The functions on names are package os's: Stat, Rename, RemoveAll, ReadDir and so on. Some
// have other names: os.Readlink is [ReadLink], filepath.WalkDir is [Walk], and os.OpenRoot
// is [OpenDir]. Chdir is a method of File. A [Dir] confines names to a directory, as
// os.Root does, and is an fs.FS. [ReadDir] reads the entries of a directory, [List] and a File's
// ReadDir read them in steps. [WriteFileAtomic] replaces a file as a whole. [CopyFile],
// [Copy] and io.Copy from one File to another copy within the kernel. Pipes,
// FIFOs and terminals have deadlines, as os's have, and in a task ringo.Loop.WithTimeout limits
// a wait for one, too; Close ends it for every caller.
//
// A [Writer] is for many small writes, as of a log, and a [Reader] for a file from where it is to its
// end: both move blocks beside their caller. They begin at the File's position, which a Writer moves on, or by
// [NewReaderAt] and [NewWriterAt] wherever they are told to.
//
// A slice that is passed to a call must not be used until the call returns, also in a
// cancelled task: a read that has begun can't be taken back, so the task waits for its end.
//
// When a process exits, the kernel finishes what the disk has begun and may drop the rest:
// of a write that has not returned, all, a part or nothing is in the file, as with package
// os. What has returned is visible to other processes, and after a Sync it survives a crash
// of the machine.
//
// Errors are those of package os: *fs.PathError with os's word for the operation, around
// an errno. errors.Is finds fs.ErrNotExist and the like, fs.ErrClosed after Close, and
// context.Canceled in a task that was cancelled.
package file
