// Package peek tells where another goroutine stands, without stopping the program.
//
// The standard library has one way to see the stack of a goroutine from outside: the stacks of all of them, for which
// everything is stopped, some 6 µs for each. A loop that is held wants to know of one goroutine, and often.
//
// So peek does what a debugger does. It copies the words in which the scheduler keeps the place of a goroutine that
// does not run, and the stack from there on, and follows the frame pointers. The copies are made by the kernel
// (process_vm_readv), to which a wrong address is an error and not a crash, and the scheduler's words are copied once
// more afterwards: if they have changed, nothing is known. What is copied belongs to others, who write it meanwhile
// without knowing of us; nothing of it is believed that does not fit together.
//
// The places of these words are the runtime's own business. They are tried out, on a goroutine of which the answer is
// known, before anything is believed: see Works.
package peek
