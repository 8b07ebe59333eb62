// Package file is files for tasks and for goroutines: os.File's methods, names and
// errors, in calls that hold up no loop.
//
// A [File] belongs to no loop. Every method may be called by any goroutine and by a
// task of any loop, any number at once. A call finds out by itself who makes it: a
// task's goes to the task's loop and parks the task where it has to wait for the disk.
// An ordinary goroutine's read that has to wait, and its transfers with [Direct], go by
// io_uring rings that all goroutines of the process share and hold no thread meanwhile,
// where there is io_uring; all else of a goroutine's is made as package os makes it. What
// is in the page cache is read at once by both.
//
// The functions on names are package os's: Stat, Rename, RemoveAll, ReadDir and so on. Some
// have names of their own: os.Readlink is [ReadLink], filepath.WalkDir is [Walk], and
// os.OpenRoot is [OpenDir]. Entries of a directory come from [ReadDir] and [List], not from
// a File. There are no deadlines: in a task ringo.Loop.WithTimeout limits a wait for a
// FIFO or a terminal, and Close ends it for everybody. Not here are Chdir and CopyFS. A [Dir]
// confines names to a directory, as os.Root does, and is an fs.FS. [WriteFileAtomic] replaces
// a file as a whole; [CopyFile], [Copy] and io.Copy of one File to another copy within the
// kernel; and [List] reads a directory in steps.
//
// Slices are lent until the call returns, in a cancelled task too: a read that is under
// way can't be taken back, so the task waits for its end.
//
// A process that exits leaves what is under way behind. The kernel ends what the disk is at
// and may drop the rest, so that of a write which has not returned all, a part or nothing
// is in the file, as with package os. What has returned is there for other processes, and
// after a Sync for a machine that has crashed.
//
// Errors are those of package os: *fs.PathError with os's word for what was done,
// around an errno; errors.Is finds fs.ErrNotExist and its like, fs.ErrClosed after
// Close, and in a task that was cancelled context.Canceled.
package file
