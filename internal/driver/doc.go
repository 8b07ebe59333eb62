// Package driver is the contract between a loop and what runs its ops.
//
// There are two drivers. The uring driver hands ops to the kernel's io_uring. The soft driver is a small io_uring in
// user space: it tries an op as a plain call, waits for readiness with a poller, and tries again. Nothing above the
// driver makes a system call, and nothing knows which driver it has.
//
// Ops that wait for a peer, or have an entry in io_uring, go through this package; all other calls go through
// internal/kernel. The two belong together: a descriptor is a number that only its kernel understands, which is the
// Kernel that made it and the driver that was opened beside that. A driver never gets a descriptor of another kernel.
//
// # The contract
//
// A driver belongs to the thread that opened it; only Try and Wake may be called from elsewhere. The rules, each a
// case of the suite in drivertest:
//
//   - An op gets any number of completions with op.More, then exactly one
//     without. Its slot, its memory and its hold on the descriptor belong to the
//     driver from Submit to that last one, cancelled or not.
//   - Results are those of a CQE: a value, or a negated errno. EINTR and EAGAIN
//     never leave a driver. Short counts do, unless the op is op.Full.
//   - Submit never fails and never completes an op before Wait. Past capacity it
//     flushes, then queues; nothing is dropped, least of all a cancel.
//   - Wait returns after at least one completion, a Wake, or the deadline; without
//     the first two not before the deadline. It runs no user code: it puts
//     completions in a Queue, and the loop delivers them within a budget.
//   - A Wait that begins after its deadline, which is not Poll, or that its deadline ends, queues all that has come by
//     then, however late it is, and sets Queue.Looked: a loop fires no timer before.
//   - Readiness is never lost: arm, then try again, then sleep. A Wake before
//     Wait ends that Wait.
//   - Cancel is best effort: the op still completes once, with -ECANCELED or with
//     what it got. Data that was consumed is reported, not lost. A descriptor
//     that arrives after Cancel is closed by the driver and reported as -ECANCELED,
//     unless the op is op.Keep.
//   - At most one receive and one send are in flight per stream; a second waits
//     its turn.
//   - A zero-copy send (op.SendZC) completes with its count and op.More when the
//     stream is free for the next send, and with 0 and op.Notif when its memory
//     belongs to its owner again; or once, if it was copied or has failed. Cancel does
//     not hasten a notification. Close breaks the connection that holds one up.
//   - Close cancels everything and waits until each op has completed. What can't
//     be drained within a bound is leaked, not freed, and Close returns an error.
//   - Nothing allocates in steady state.
//
// # The outbox
//
// Most answers are small, and find room in the socket. A loop puts them into Config.Outbox, and they go out with the
// call by which it waits, or by one plain call each:
//
//   - Wait makes all sends that are in the outbox, each once, as send(2) with MSG_DONTWAIT does,
//     before it sleeps. It skips sends of no bytes. The loop empties the outbox before the next Wait.
//   - When Wait returns each send has its result, -EAGAIN and short counts included, and
//     nothing uses its memory or its descriptor.
//   - A send that has not sent all of its bytes sets Outbox.Short and ends the Wait, as a
//     completion does. Other sends don't.
//   - The order of sends on different descriptors is not defined. A send in the outbox and an op that sends on the
//     same descriptor must not exist at the same time.
//   - A dead driver makes the sends as well, each once. A send during which the driver died may have the
//     result -EIO: it is not known whether its bytes were sent. Close makes no sends: the outbox must be empty.
//
// # Death
//
// A driver dies when its ring or its poller fails in a way that no later call can repair. From then on it only ends
// what it was given:
//
//   - That Wait returns the error, and every later Wait returns it again, at once.
//   - What had completed is reported. All other ops that are submitted, then or later,
//     end in the next of those Waits or in Close: with -ECANCELED, or with the count
//     of what they did.
//   - Only an op whose memory may still be used goes on, until a later one of those Waits or
//     Close: one that a worker or a disk is busy with ends by itself, and one that waits for
//     a peer ends when the kernel has noticed. Where the kernel can't be told to end it, it
//     never ends; Close counts these in its error and keeps their memory for good.
//   - Submit, Cancel and Wake are the same as before, and so is Try, which is a plain
//     call and needs neither ring nor poller.
//
// So a loop can go on with a dead driver for as long as its tasks and handles take to end: each of their waits fails
// at once.
package driver
