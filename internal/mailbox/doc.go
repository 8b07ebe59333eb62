// Package mailbox is the way into a loop for everything that comes from other threads: a queue with many senders and
// one owner, and a gate that tells senders when they must wake the owner.
//
// A sender puts its message into the [Queue] and then asks the [Gate] whether the owner sleeps. The owner does the same
// in the other order: it announces its sleep at the gate, and then sleeps. The gate refuses the sleep if there was a
// Notify since the owner last looked, and otherwise makes the next sender send a signal. So no message can be missed
// between the owner's last look and its sleep.
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
// No method waits: none takes a lock, or spins until another thread has made progress. So a sender that the system
// suspends halfway delays no other thread.
package mailbox
