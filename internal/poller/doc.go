// Package poller tells which descriptors are ready: epoll here, and whatever else
// a system has, behind one small contract.
//
// A poller knows descriptors, not ops. Who waits for what, whether an edge was
// used up and which event is of a descriptor long closed is the soft driver's
// business; it gives every registration a key, and gets the key back with each
// event.
//
// Pollers are of two kinds. An edge-triggered one is told of a descriptor once,
// with all that could ever interest, and reports each change. A level-triggered
// one reports what is ready for as long as it is, so it must be told each time
// what is waited for, and told to stop. EdgeTriggered says which kind it is; the
// driver does the rest.
package poller
