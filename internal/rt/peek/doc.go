// Package peek finds out where another goroutine is, without stopping the program.
//
// The standard library has one way to see the stack of a goroutine from outside: the stacks of all of them, for which
// the program is stopped, some 6 µs for each. The watcher of a loop that is held needs a single one, and often.
//
// So peek does what a debugger does. It copies the words in which the scheduler keeps the place of a goroutine that
// does not run, and the stack from there on, and follows the frame pointers. The kernel makes the copies
// (process_vm_readv): a wrong address is an error there, not a crash. Afterwards it copies the scheduler's words
// again: if they have changed, the result is unknown. Other threads write to this memory meanwhile, without any lock;
// so peek uses only what is consistent.
//
// The offsets of these words are private to the runtime. They are tested before they are used, on a goroutine for
// which the answer is known: see Works.
package peek
