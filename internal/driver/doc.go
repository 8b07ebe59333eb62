// Package driver is the contract between a loop and what runs its ops.
//
// There are two drivers. The uring driver hands ops to the kernel's io_uring. The
// soft driver is a small io_uring in user space: it tries an op as a plain call,
// waits for readiness with a poller, and tries again. Above the driver nothing
// makes a system call, and nothing knows which driver it has.
//
// This is the door for what waits for a peer, or has an entry in io_uring. The other one
// is internal/kernel, for all else; the two belong together. A descriptor is a number that
// its kernel alone understands: the Kernel that made it, and the driver that was opened
// beside that. A driver is handed no other.
//
// # The contract
//
// A driver belongs to one thread, which opened it; only Try and Wake may be called
// from elsewhere. The rules, each a case of the suite in drivertest:
//
//   - An op gets any number of completions with op.More, then exactly one
//     without. Its slot, its memory and its hold on the descriptor are the
//     driver's from Submit to that last one, cancelled or not.
//   - Results are those of a CQE: a value, or a negated errno. EINTR and EAGAIN
//     never leave a driver. Short counts do, unless the op is op.Full.
//   - Submit never fails and never completes an op before Wait. Past capacity it
//     flushes, then queues; nothing is dropped, a cancel least of all.
//   - Wait returns after at least one completion, a Wake, or the deadline, never
//     earlier than the deadline for its sake alone. It runs no user code: it puts
//     completions in a Queue, and the loop runs them with a budget.
//   - A Wait whose deadline, which is not Poll, has passed when it begins, or that its deadline ends, tells of all
//     that has come by then, however late it is, and sets Queue.Looked: a loop fires no timer before.
//   - Readiness is never lost: arm, then try again, then sleep. A Wake before
//     Wait ends that Wait.
//   - Cancel is best effort: the op still completes once, with -ECANCELED or with
//     what it got. Data that was consumed is reported, not lost. A descriptor
//     that comes after Cancel is closed by the driver and reported as -ECANCELED,
//     unless the op is op.Keep.
//   - At most one receive and one send are in flight per stream; a second waits
//     its turn.
//   - A zero-copy send (op.SendZC) completes with its count and op.More when the
//     stream is free for the next, and with 0 and op.Notif when its memory is its
//     owner's again; or once, where it was copied or has failed. Cancel does not
//     hasten a notification. Close gives up the connection that one hangs on.
//   - Close cancels everything and waits until each op has completed. What can't
//     be drained within a bound is leaked, not freed, and Close says so.
//   - Nothing allocates in steady state.
//
// # The outbox
//
// Most answers are small, and find room in the socket. A loop puts them into Config.Outbox,
// and they travel with the call by which it waits, or by one plain call each:
//
//   - Wait makes all sends that are in the outbox, each once, as send(2) with MSG_DONTWAIT does,
//     before it sleeps. One of no bytes is passed over. The loop empties the outbox before the next Wait.
//   - When Wait returns each has its result, -EAGAIN and short counts included, and
//     nobody uses its memory or its descriptor any more.
//   - A send that has not sent all of its bytes sets Outbox.Short and ends the Wait, as a
//     completion does. The others don't.
//   - The order of sends on different descriptors is nobody's business. A send and an op that sends on the
//     same descriptor must not be there at the same time.
//   - A dead driver makes them as well, each once. One that the driver died over may have -EIO: then
//     nobody knows whether its bytes have gone. Close makes none: the outbox must be empty.
//
// # Death
//
// A driver dies when its ring or its poller fails in a way that no later call mends.
// What it still owes then is the end of what it was given:
//
//   - That Wait gives the error, and every later Wait gives it again, at once.
//   - What had completed is reported. All else that is submitted, then or later,
//     ends in the next of those Waits or in Close: with -ECANCELED, or with the count
//     of what it did.
//   - Only an op with memory that somebody else may still touch goes on, until a later
//     one of those Waits or Close: what a worker or a disk is at ends as it does by
//     itself, and what waits for a peer once the kernel has taken notice. Where the
//     kernel can't be told it never ends; Close counts these in its error and keeps
//     their memory for good.
//   - Submit, Cancel and Wake are the same as before, and so is Try, which is a plain
//     call and needs neither ring nor poller.
//
// So a loop can go on turning on a dead driver for as long as it takes its tasks and
// handles to end: each wait of theirs fails at once.
package driver
