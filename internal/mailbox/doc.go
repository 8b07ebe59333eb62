// Package mailbox is how anything from outside enters a loop: a queue with many
// senders and one owner, and the gate that says when the owner must be woken.
//
// A sender puts its message into the [Queue] and then asks the [Gate] whether
// the owner sleeps. The owner does the same the other way round: it announces
// its sleep at the gate, which refuses if somebody has called since the owner
// last looked, and otherwise obliges the next caller to send a signal. Between
// the two orders there is no gap for a message to fall into.
//
//	sender                          owner, once a turn
//	  q.Push(m)                       g.Awake()
//	  if g.Notify() {                 run all of q.Take()
//	      write the eventfd           if there is nothing to do and g.Announce() {
//	      if g.Signalled() {              wait for the eventfd or anything else
//	          close the eventfd       }
//	      }
//	  }
//
// Nobody here waits: no method takes a lock or spins on another thread's
// progress, so a sender that the system suspends halfway delays nobody else.
package mailbox
